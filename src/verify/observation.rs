//! What one look at the pipeline shows. Made by `observer`, read by `tracker`.

use std::time::Duration;

use super::gaps::Unseen;
use crate::http::slack::{Mark, Reply};

/// One look. A part is `None` if it could not be observed; nothing is concluded from it then.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sight {
    /// Since the load went on.
    pub at: Duration,
    /// The rule's expression for the host of the drill.
    pub expression: Option<Expression>,
    /// The rule in Prometheus.
    pub rule: Option<RuleState>,
    /// The alert in Alertmanager.
    pub held: Option<Held>,
    /// Which alerts those are.
    pub identities: Vec<AlertIdentity>,
    /// What Alertmanager has sent since before the load.
    pub traffic: Option<SlackRequests>,
    /// What reached the receiver inside monctl since the last look.
    pub messages: Vec<Arrival>,
    /// The sources that did not answer.
    pub unseen: Vec<Unseen>,
}

/// The rule's expression.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Expression {
    /// True, with its value.
    Above(f64),
    /// False, with the value of its left side if that is known.
    NotAbove(Option<f64>),
}

/// The rule in Prometheus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RuleState {
    /// Neither of the others.
    Inactive,
    /// True for less than `for`.
    Pending,
    /// Sent to Alertmanager.
    Firing,
}

/// The alert in Alertmanager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// Not listed.
    No,
    /// Listed and not suppressed.
    Yes,
    /// Listed, but suppressed by this.
    Suppressed(String),
}

/// One alert in one run: the fingerprint of its labels, and when it began to fire, in seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AlertIdentity {
    /// The fingerprint.
    pub fingerprint: String,
    /// The start.
    pub since: i64,
}

impl AlertIdentity {
    /// Whether a mark is about this alert.
    pub fn is_meant(&self, mark: &Mark) -> bool {
        self.fingerprint == mark.fingerprint && self.since == mark.since
    }
}

/// Requests of Alertmanager to its Slack receivers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SlackRequests {
    /// Sent.
    pub requests: u64,
    /// Accepted by the receiver.
    pub accepted: u64,
}

/// A message that reached the receiver inside monctl, or that was found in the channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// Since the load went on.
    pub at: Duration,
    /// The reply to it.
    pub reply: Reply,
    /// Whether the message as a whole is a resolved notification.
    pub is_over: bool,
    /// The alerts that it is about, if it names them.
    pub marks: Vec<Mark>,
}
