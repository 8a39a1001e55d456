//! Looks at the pipeline of one alert: Prometheus' query and alerts, Alertmanager's alerts and counters,
//! the receiver inside monctl. Each look queries all of them at once.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::deliveries::Inbox;
use super::gaps::{ObservationSource, Unseen};
use super::observation::{AlertIdentity, Arrival, Expression, Held, RuleState, Sight, SlackRequests};
use crate::error::Result;
use crate::http::alertmanager::{Alertmanager, Counters, HeldAlert, ReceiverKind, Status};
use crate::http::prometheus::{ActiveAlert, AlertState, Labels, Prometheus, Sample};
use crate::http::slack::Received;
use crate::promql::read;
use crate::timing::TimingSettings;

/// Timeout of one look; after it, nothing was observed.
const PATIENCE: Duration = Duration::from_secs(5);

/// The services of the pipeline. Clones share connections, and each sees every message.
#[derive(Debug, Clone)]
pub struct Services {
    /// Prometheus.
    pub prometheus: Prometheus,
    /// Alertmanager.
    pub alertmanager: Alertmanager,
    /// What arrived.
    pub inbox: Inbox,
}

/// Which alert of which host is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The alert.
    pub alert: String,
    /// The host's address as in `instance` labels, without the port.
    pub address: String,
}

impl Subject {
    /// Whether series with these labels are about the host; those without an instance are about every host.
    pub fn is_meant(&self, labels: &Labels) -> bool {
        labels.get("instance").is_none_or(|instance| {
            instance.strip_prefix(&self.address).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
        })
    }

    /// Whether an alert with these labels is this one.
    pub(super) fn is_alert(&self, labels: &Labels) -> bool {
        labels.get("alertname") == Some(&self.alert) && self.is_meant(labels)
    }
}

/// Watches one alert of one host.
#[derive(Debug)]
pub struct Watcher {
    services: Services,
    subject: Subject,
    expression: String,
    /// The compared side of the expression, if it is simple enough to be queried alone.
    left: Option<String>,
    before: Counters,
}

impl Watcher {
    /// A watcher that counts what Alertmanager sends from these counters on.
    pub fn new(
        services: Services,
        subject: Subject,
        settings: &TimingSettings,
        expression: String,
        before: Counters,
    ) -> Self {
        let left = read(&expression, settings.scrape_interval).map(|reading| reading.left);
        Self { services, subject, expression, left, before }
    }

    /// The services, for other queries.
    pub fn services(&self) -> &Services {
        &self.services
    }

    /// Forgets what has arrived so far.
    pub fn forget(&mut self) {
        self.services.inbox.take();
    }

    /// One look; times are measured from when the load went on.
    pub async fn look(&mut self, load_on: Instant) -> Sight {
        let Services { prometheus, alertmanager, .. } = &self.services;
        let (value, alerts, held, counters) = tokio::join!(
            within(self.value()),
            within(prometheus.alerts()),
            within(alertmanager.alerts()),
            within(alertmanager.counters()),
        );
        let at = load_on.elapsed();
        let mut unseen = Vec::new();
        let (value, alerts) = (
            seen(value, ObservationSource::Prometheus, &mut unseen),
            seen(alerts, ObservationSource::Prometheus, &mut unseen),
        );
        let (held, counters) = (
            seen(held, ObservationSource::Alertmanager, &mut unseen),
            seen(counters, ObservationSource::Alertmanager, &mut unseen),
        );
        let channel = self.services.inbox.silence().map(|silence| silence.why);
        unseen.extend(channel.map(|why| Unseen { source: ObservationSource::Channel, why }));
        Sight {
            at,
            expression: value,
            rule: alerts.map(|alerts| self.rule_state(&alerts)),
            // Those of earlier looks stay known.
            identities: held.as_deref().map(|held| self.identities(held)).unwrap_or_default(),
            held: held.map(|held| self.held(&held)),
            traffic: counters.map(|counters| since(&self.before, &counters)),
            messages: self.messages(load_on),
            unseen,
        }
    }

    /// Whether the rule's expression is true, and the value of the compared side.
    async fn value(&self) -> Result<Expression> {
        let prometheus = &self.services.prometheus;
        let whole = prometheus.query(&self.expression).await?;
        // An expression without anything but a condition gives the value itself.
        if let Some(value) = self.highest(&whole) {
            return Ok(Expression::Above(value));
        }
        let Some(left) = &self.left else { return Ok(Expression::NotAbove(None)) };
        Ok(Expression::NotAbove(self.highest(&prometheus.query(left).await?)))
    }

    fn highest(&self, samples: &[Sample]) -> Option<f64> {
        let meant = samples.iter().filter(|sample| self.subject.is_meant(&sample.labels));
        meant.map(|sample| sample.value).max_by(f64::total_cmp)
    }

    fn rule_state(&self, alerts: &[ActiveAlert]) -> RuleState {
        let states = alerts.iter().filter(|alert| self.subject.is_alert(&alert.labels)).map(|alert| {
            match alert.state {
                AlertState::Pending => RuleState::Pending,
                AlertState::Firing => RuleState::Firing,
            }
        });
        states.max().unwrap_or(RuleState::Inactive)
    }

    fn held(&self, alerts: &[HeldAlert]) -> Held {
        match alerts.iter().find(|alert| self.subject.is_alert(&alert.labels)) {
            None => Held::No,
            Some(alert) => suppression(&alert.status).map_or(Held::Yes, Held::Suppressed),
        }
    }

    fn identities(&self, alerts: &[HeldAlert]) -> Vec<AlertIdentity> {
        let ours = alerts.iter().filter(|alert| self.subject.is_alert(&alert.labels));
        let identity = |alert: &HeldAlert| AlertIdentity {
            fingerprint: alert.fingerprint.clone(),
            since: alert.starts_at.as_second(),
        };
        ours.map(identity).collect()
    }

    fn messages(&mut self, load_on: Instant) -> Vec<Arrival> {
        let arrival = |Received { at, message, marks, reply }| Arrival {
            at: at.saturating_duration_since(load_on),
            reply,
            is_over: message.is_some_and(|message| message.colour == "good"),
            marks,
        };
        self.services.inbox.take().into_iter().map(arrival).collect()
    }
}

/// The result of a query, or why there is none within the timeout.
pub(super) async fn within<T>(query: impl Future<Output = Result<T>>) -> Result<T, String> {
    match timeout(PATIENCE, query).await {
        Ok(answer) => answer.map_err(|error| error.in_one_line()),
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}

/// The answer; if there is none, notes that its source did not answer.
fn seen<T>(answer: Result<T, String>, source: ObservationSource, unseen: &mut Vec<Unseen>) -> Option<T> {
    // The error is kept in `unseen`.
    answer.map_err(|why| unseen.push(Unseen { source, why })).ok()
}

/// What suppresses an alert.
pub fn suppression(status: &Status) -> Option<String> {
    let by = |what: &str, ids: &[String]| (!ids.is_empty()).then(|| format!("{what} by {}", ids.join(", ")));
    by("silenced", &status.silenced_by)
        .or_else(|| by("inhibited", &status.inhibited_by))
        .or_else(|| by("muted", &status.muted_by))
}

/// The traffic between two readings.
fn since(before: &Counters, now: &Counters) -> SlackRequests {
    let sent = now.since(before, ReceiverKind::Slack);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counters are whole and grow"
    )]
    let whole = |count: f64| count.max(0.0) as u64;
    SlackRequests { requests: whole(sent.requests), accepted: whole(sent.accepted()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_not_confused_with_one_whose_address_has_the_same_prefix() {
        let subject = Subject { alert: "HighCPUUsage".into(), address: "10.0.0.1".into() };
        let of = |instance: &str| Labels::from([("instance".to_owned(), instance.to_owned())]);
        for (instance, expected) in
            [("10.0.0.1:9100", true), ("10.0.0.1", true), ("10.0.0.12:9100", false), ("10.0.0.12", false)]
        {
            assert_eq!(subject.is_meant(&of(instance)), expected, "{instance}");
        }
        assert!(subject.is_meant(&Labels::new()), "a series without an instance is about every host");
    }
}
