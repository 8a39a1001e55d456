//! How Alertmanager delivers, as its template sees it: receivers, routes by severity, what holds back what.

use serde::Serialize;

use super::mute::{Interval, intervals};
use super::rules::{HOST_DOWN, Rule};
use crate::spec::{Message, PromDuration, RuleName, Severity, Spec, WATCHDOG};

/// The file with the webhook's URL, and the folder with those of severities, on the monitoring host.
const WEBHOOK: &str = "/etc/monctl/monitoring/slack-webhook-url";
const WEBHOOKS: &str = "/etc/monctl/monitoring/webhooks";

/// Alertmanager's configuration beyond what stands in the spec as it is.
#[derive(Debug, Serialize)]
pub(super) struct Delivery {
    /// Whether alerts of different names are told apart. With one name alone it makes no difference and is left out.
    pub by_name: bool,
    /// The receivers of messages, the usual one first.
    pub receivers: Vec<Receiver>,
    /// What is different for severities.
    pub routes: Vec<Route>,
    /// When which severities are muted; those that never are stand not here.
    pub mutes: Vec<Mute>,
    /// The mark for the heartbeat's URL, which is a secret, where there is a heartbeat.
    pub heartbeat: Option<&'static str>,
    /// Whether a host that is down holds back its other alerts.
    pub host_down: bool,
    /// Whether the heartbeat stops where messages fail, so that somebody is told all the same.
    pub failing_stops_heartbeat: bool,
}

/// A place to which messages go.
#[derive(Debug, Serialize)]
pub(super) struct Receiver {
    pub name: String,
    pub api_url_file: String,
    pub message: Message,
    pub send_resolved: bool,
    /// Whether the text is monctl's and not the user's.
    pub ours: bool,
    /// Whether a footer says which alerts the message is about.
    pub marked: bool,
}

/// What is different for the alerts of a severity.
#[derive(Debug, Serialize)]
pub(super) struct Route {
    pub severity: String,
    pub receiver: Option<String>,
    pub repeat_interval: Option<PromDuration>,
    pub muted: bool,
}

/// When the alerts of a severity are told to nobody.
#[derive(Debug, Serialize)]
pub(super) struct Mute {
    pub severity: String,
    pub times: Vec<Interval>,
}

/// What stands in rendered text for the heartbeat's URL until the bundle puts the reference there. No spec can hold
/// this character.
pub(super) const HEARTBEAT_MARK: &str = "\u{0}";

impl Delivery {
    pub fn of(spec: &Spec, rules: &[Rule]) -> Self {
        let has = |name: &str| rules.iter().any(|rule| rule.name == name);
        let usual =
            Receiver::new(spec, "slack-notifications".to_owned(), WEBHOOK.to_owned(), spec.notify.message());
        let others = spec.notify.severities.iter().filter(|(_, severity)| severity.has_receiver());
        let heartbeat = spec.notify.heartbeat_url.is_some() && has(WATCHDOG);
        Self {
            by_name: rules.len() > 1,
            receivers: [usual].into_iter().chain(others.map(|it| Receiver::of(it, spec))).collect(),
            routes: spec.notify.severities.iter().map(Route::of).collect(),
            mutes: spec.notify.severities.iter().filter_map(Mute::of).collect(),
            heartbeat: heartbeat.then_some(HEARTBEAT_MARK),
            host_down: has(HOST_DOWN) && rules.len() > 1,
            failing_stops_heartbeat: heartbeat && has("NotificationsFailing"),
        }
    }
}

impl Receiver {
    fn new(spec: &Spec, name: String, api_url_file: String, message: Message) -> Self {
        Self {
            name,
            api_url_file,
            send_resolved: message.send_resolved(),
            ours: message.is_ours(),
            marked: spec.notify.is_marked(),
            message,
        }
    }

    fn of((name, severity): (&RuleName, &Severity), spec: &Spec) -> Self {
        let route = spec.notify.route_of(name, severity);
        let file = match route.own_webhook() {
            Some(_) => format!("{WEBHOOKS}/{name}"),
            None => WEBHOOK.to_owned(),
        };
        Self::new(spec, receiver_name(name), file, route.message())
    }
}

impl Route {
    fn of((name, severity): (&RuleName, &Severity)) -> Self {
        Self {
            severity: name.to_string(),
            receiver: severity.has_receiver().then(|| receiver_name(name)),
            repeat_interval: severity.repeat_interval,
            muted: !severity.mute.is_empty(),
        }
    }
}

impl Mute {
    fn of((name, severity): (&RuleName, &Severity)) -> Option<Self> {
        let times: Vec<_> = severity.mute.iter().flat_map(intervals).collect();
        (!times.is_empty()).then(|| Self { severity: name.to_string(), times })
    }
}

fn receiver_name(severity: &RuleName) -> String {
    format!("slack-{severity}")
}
