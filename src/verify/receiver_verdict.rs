//! What became of the test alerts of `verify-receivers`: a state machine without clock or network.
//!
//! Messages that name their alert are exact. Alertmanager's counters are those of all receivers of a kind: they prove
//! the tests of a kind together, once exactly as many requests were accepted as there are tests.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::diagnosis::suppression_remedy;
use super::notification_failure::NotificationFailure;
use super::observation::AlertIdentity;
use super::observer::suppression;
use super::receiver_test::ReceiverTest;
use super::tracker::Witness;
use crate::duration::Millis;
use crate::http::alertmanager::{HeldAlert, ReceiverKind, RequestCounters};
use crate::http::slack::{Mark, Reply};

/// What became of a test at one receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum ReceiverVerdict {
    /// The receiver has the message.
    Delivered {
        /// Since the test alerts were posted.
        #[serde(rename = "after_ms")]
        after: Millis,
        /// The source that confirms it.
        witness: Witness,
    },
    /// The receiver does not have it.
    Failed {
        /// What happened.
        cause: String,
        /// What to do.
        remedy: String,
    },
    /// Something holds it back on purpose, so the receiver was not tested.
    Withheld {
        /// What does.
        cause: String,
        /// What to do.
        remedy: String,
    },
    /// Whether the receiver has it could not be observed.
    Lost {
        /// Why.
        cause: String,
        /// What to do.
        remedy: String,
    },
}

/// The result of a test at one receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReceiverResult {
    /// The route.
    pub route: String,
    /// The receiver's name in Alertmanager.
    pub receiver: String,
    /// The kind of the receiver.
    pub integration: ReceiverKind,
    /// What became of the test.
    #[serde(flatten)]
    pub verdict: ReceiverVerdict,
}

/// One look at all tests.
#[derive(Debug, Clone, Default)]
pub struct ReceiverSight {
    /// Since the test alerts were posted.
    pub at: Duration,
    /// The alerts in Alertmanager; none if it did not answer.
    pub held: Option<Vec<HeldAlert>>,
    /// What Alertmanager has sent since before the tests; none if it did not answer.
    pub sent: Option<BTreeMap<ReceiverKind, RequestCounters>>,
    /// The messages that arrived since the last look, each with the alerts that it names.
    pub messages: Vec<(Duration, Reply, Vec<Mark>)>,
    /// Why a source did not answer, if one did not.
    pub unseen: Option<String>,
}

/// Follows the tests.
#[derive(Debug)]
pub struct ReceiverTracker<'a> {
    tests: &'a [ReceiverTest],
    /// The source that confirms a delivery to Slack. Counters confirm those to webhooks.
    slack: Witness,
    rows: Vec<Row>,
    identities: BTreeMap<usize, AlertIdentity>,
    messages: Vec<(Duration, Reply, Vec<Mark>)>,
    /// The last reading of the counters, since when it has had its accepted requests, and whether the one before had
    /// them too.
    sent: BTreeMap<ReceiverKind, (RequestCounters, Duration, bool)>,
    /// Why a source did not answer in the last look.
    unseen: Option<String>,
}

#[derive(Debug)]
struct Row {
    test: usize,
    integration: ReceiverKind,
    verdict: Option<ReceiverVerdict>,
}

impl<'a> ReceiverTracker<'a> {
    /// A tracker of tests, none of which has a verdict.
    pub fn new(tests: &'a [ReceiverTest], slack: Witness) -> Self {
        let of_test = |(test, it): (usize, &ReceiverTest)| {
            let row = move |integration| Row { test, integration, verdict: None };
            it.integrations.clone().into_iter().map(row)
        };
        let rows = tests.iter().enumerate().flat_map(of_test).collect();
        Self {
            tests,
            slack,
            rows,
            identities: BTreeMap::new(),
            messages: Vec::new(),
            sent: BTreeMap::new(),
            unseen: None,
        }
    }

    /// The source that confirms a delivery.
    const fn witness(&self, integration: ReceiverKind) -> Witness {
        match integration {
            ReceiverKind::Slack => self.slack,
            ReceiverKind::Webhook => Witness::Counters,
        }
    }

    /// Gives a test its verdict for all its receivers.
    pub fn decide(&mut self, test: usize, verdict: &ReceiverVerdict) {
        for row in self.rows.iter_mut().filter(|row| row.test == test && row.verdict.is_none()) {
            row.verdict = Some(verdict.clone());
        }
    }

    /// Whether every test has its verdict.
    pub fn is_done(&self) -> bool {
        self.rows.iter().all(|row| row.verdict.is_some())
    }

    /// The tests that have no verdict yet.
    pub fn pending(&self) -> Vec<usize> {
        let mut tests: Vec<usize> =
            self.rows.iter().filter(|row| row.verdict.is_none()).map(|row| row.test).collect();
        tests.dedup();
        tests
    }

    /// Whether a receiver without a verdict did not accept a request, by Alertmanager's counters.
    pub fn has_failures(&self) -> bool {
        let failed = |integration| self.sent.get(&integration).is_some_and(|(sent, ..)| sent.failed > 0.0);
        self.rows.iter().any(|row| row.verdict.is_none() && failed(row.integration))
    }

    /// Takes in a look.
    pub fn see(&mut self, sight: ReceiverSight) {
        self.unseen = sight.unseen;
        for (integration, sent) in sight.sent.unwrap_or_default() {
            // Retries of a failing receiver change the other counters all the time.
            let is_as_before = |before: &RequestCounters| (before.accepted() - sent.accepted()).abs() < 0.5;
            let same = self.sent.get(&integration).filter(|(before, ..)| is_as_before(before));
            let first = same.map_or(sight.at, |(_, first, _)| *first);
            let is_same = same.is_some();
            self.sent.insert(integration, (sent, first, is_same));
        }
        self.held(&sight.held.unwrap_or_default());
        self.messages.extend(sight.messages);
        self.marked();
        self.all_counted();
    }

    fn all_counted(&mut self) {
        for integration in [ReceiverKind::Slack, ReceiverKind::Webhook] {
            self.counted(integration);
        }
    }

    /// What Alertmanager does with the alerts.
    fn held(&mut self, held: &[HeldAlert]) {
        for test in 0..self.tests.len() {
            let Some(alert) = held.iter().find(|alert| alert.labels == self.tests[test].labels) else {
                continue;
            };
            let identity =
                AlertIdentity { fingerprint: alert.fingerprint.clone(), since: alert.starts_at.as_second() };
            self.identities.insert(test, identity);
            let receiver = &self.tests[test].receiver;
            let names: Vec<&str> = alert.receivers.iter().map(|it| it.name.as_str()).collect();
            if !names.is_empty() && !names.contains(&receiver.as_str()) {
                let verdict = ReceiverVerdict::Failed {
                    cause: format!("Alertmanager routes it to `{}` instead", names.join("`, `")),
                    remedy: "`monctl up` installs the routes of the spec".into(),
                };
                self.decide(test, &verdict);
            } else if let Some(by) = suppression(&alert.status) {
                let remedy = suppression_remedy(&by);
                self.decide(test, &ReceiverVerdict::Withheld { cause: format!("the test is {by}"), remedy });
            }
        }
    }

    /// Messages that name their alerts.
    fn marked(&mut self) {
        if self.slack == Witness::Counters {
            return;
        }
        for row in self.rows.iter_mut().filter(|row| row.integration == ReceiverKind::Slack) {
            let Some(identity) = self.identities.get(&row.test) else { continue };
            let is_about = |marks: &[Mark]| marks.iter().any(|mark| !mark.is_over && identity.is_meant(mark));
            for (at, reply, _) in self.messages.iter().filter(|(.., marks)| is_about(marks)) {
                let verdict = match reply {
                    Reply::Ok => ReceiverVerdict::Delivered { after: Millis(*at), witness: self.slack },
                    Reply::Refused(_, word) => NotificationFailure::of_slack(word).into(),
                    Reply::RateLimited(_) => NotificationFailure::of_slack("rate_limited").into(),
                };
                row.verdict.get_or_insert(verdict);
            }
        }
    }

    /// Requests that Alertmanager counted.
    fn counted(&mut self, integration: ReceiverKind) {
        if self.witness(integration) != Witness::Counters {
            return;
        }
        let Some((sent, at, true)) = self.sent.get(&integration) else { return };
        let is_sent = |verdict: &Option<ReceiverVerdict>| {
            matches!(verdict, None | Some(ReceiverVerdict::Delivered { .. }))
        };
        let rows = self.rows.iter_mut().filter(|row| row.integration == integration);
        let rows: Vec<&mut Row> = rows.filter(|row| is_sent(&row.verdict)).collect();
        #[expect(clippy::cast_precision_loss, reason = "a count of receivers")]
        let excess = sent.accepted() - rows.len() as f64;
        if excess < -0.5 {
            return;
        }
        let verdict = if excess < 0.5 {
            ReceiverVerdict::Delivered { after: Millis(*at), witness: Witness::Counters }
        } else {
            ReceiverVerdict::Lost {
                cause: "Alertmanager sent other notifications meanwhile, and its counters do not distinguish them"
                    .into(),
                remedy: "run it again; with a bot in the channel (`notify.slack.bot_token`), monctl finds the message \
                         itself"
                    .into(),
            }
        };
        for row in rows {
            row.verdict.get_or_insert_with(|| verdict.clone());
        }
    }

    /// Finds those that were refused in Alertmanager's log. `is_last` if no more is to come, so that a failure is one
    /// even if another try might succeed.
    pub fn read_log(&mut self, log: &str, is_last: bool) {
        for row in self.rows.iter_mut().filter(|row| row.verdict.is_none()) {
            let receiver = (self.tests[row.test].receiver.as_str(), row.integration);
            let failure = NotificationFailure::in_log(log, Some(receiver));
            if let Some(failure) = failure.filter(|failure| failure.is_final || is_last) {
                row.verdict = Some(failure.into());
            }
        }
        // Those that were accepted are known once it is known which were not.
        self.all_counted();
    }

    /// The results, after the time for a delivery has passed.
    pub fn results(self) -> Vec<ReceiverResult> {
        let Self { tests, slack, rows, sent, unseen, .. } = self;
        let missing = |integration: ReceiverKind| {
            if let Some(cause) = unseen.clone() {
                return ReceiverVerdict::Lost { cause, remedy: "run it again".into() };
            }
            let accepted = sent.get(&integration).is_some_and(|(sent, ..)| sent.accepted() > 0.5);
            let (cause, remedy) = match slack {
                Witness::Channel if accepted && integration == ReceiverKind::Slack => (
                    "Slack accepted requests, but the message is not in the channel",
                    "check that the webhook posts to the channel that the spec names: `notify.slack.channel`, or the \
                     severity's `channel`",
                ),
                _ => (
                    "Alertmanager has the alert, but its receiver has accepted no request in time",
                    "see its log: `monctl ssh monitoring -- journalctl -u monctl-alertmanager`",
                ),
            };
            ReceiverVerdict::Failed { cause: cause.into(), remedy: remedy.into() }
        };
        let result = |row: Row| ReceiverResult {
            route: tests[row.test].route.clone(),
            receiver: tests[row.test].receiver.clone(),
            integration: row.integration,
            verdict: row.verdict.unwrap_or_else(|| missing(row.integration)),
        };
        rows.into_iter().map(result).collect()
    }
}

impl From<NotificationFailure> for ReceiverVerdict {
    fn from(NotificationFailure { cause, remedy, .. }: NotificationFailure) -> Self {
        Self::Failed { cause, remedy }
    }
}
