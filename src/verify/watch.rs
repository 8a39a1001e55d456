//! Looks at the pipeline of one alert: Prometheus' query and alerts, Alertmanager's alerts and counters,
//! the receiver inside monctl. Each look asks all of them at once.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::settings::comparison;
use super::sight::{Arrival, Expression, Held, RuleState, Sight, Traffic};
use crate::error::Result;
use crate::event::{Event, Events};
use crate::http::alertmanager::{Alertmanager, Counters, HeldAlert, Status};
use crate::http::prometheus::{ActiveAlert, AlertState, Labels, Prometheus, Sample};
use crate::http::slack::{Received, Receiver};

/// A look that takes longer than this has seen nothing.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where the pipeline is watched.
#[derive(Debug)]
pub struct Services {
    /// Prometheus.
    pub prometheus: Prometheus,
    /// Alertmanager.
    pub alertmanager: Alertmanager,
    /// The receiver inside monctl, where alerts are sent to it.
    pub receiver: Option<Receiver>,
}

/// Which alert of which host is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The alert.
    pub alert: String,
    /// The host's address as it stands in `instance` labels, before the port.
    pub address: String,
}

impl Subject {
    /// Whether series with these labels are about the host; those without an instance are about every host.
    pub fn is_meant(&self, labels: &Labels) -> bool {
        labels.get("instance").is_none_or(|instance| {
            instance.strip_prefix(&self.address).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
        })
    }

    fn is_alert(&self, labels: &Labels) -> bool {
        labels.get("alertname") == Some(&self.alert) && self.is_meant(labels)
    }
}

/// Watches one alert of one host.
#[derive(Debug)]
pub struct Watcher {
    services: Services,
    subject: Subject,
    expression: String,
    before: Counters,
    events: Events,
}

impl Watcher {
    /// A watcher that counts what Alertmanager sends from these counters on.
    pub fn new(
        services: Services,
        subject: Subject,
        expression: String,
        before: Counters,
        events: Events,
    ) -> Self {
        Self { services, subject, expression, before, events }
    }

    /// The services, for other questions.
    pub fn services(&self) -> &Services {
        &self.services
    }

    /// Forgets what reached the receiver so far.
    pub fn forget(&mut self) {
        if let Some(receiver) = &mut self.services.receiver {
            receiver.take();
        }
    }

    /// One look, counted from when the load went on.
    pub async fn look(&mut self, load_on: Instant) -> Sight {
        let Services { prometheus, alertmanager, .. } = &self.services;
        let (value, alerts, held, counters) = tokio::join!(
            within(self.value()),
            within(prometheus.alerts()),
            within(alertmanager.alerts()),
            within(alertmanager.counters()),
        );
        let at = load_on.elapsed();
        Sight {
            at,
            expression: value,
            rule: alerts.map(|alerts| self.rule_state(&alerts)),
            held: held.map(|held| self.held(&held)),
            traffic: counters.map(|counters| since(&self.before, &counters)),
            messages: self.messages(load_on),
        }
    }

    /// The rule's expression, and the value of its left side where it is a comparison with a number.
    async fn value(&self) -> Result<Expression> {
        let prometheus = &self.services.prometheus;
        let Some((left, above)) = comparison(&self.expression) else {
            let samples = prometheus.query(&self.expression).await?;
            return Ok(self.highest(&samples).map_or(Expression::NotAbove(None), Expression::Above));
        };
        let value = self.highest(&prometheus.query(left).await?);
        Ok(match value {
            Some(value) if value > above => Expression::Above(value),
            value => Expression::NotAbove(value),
        })
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

    fn messages(&mut self, load_on: Instant) -> Vec<Arrival> {
        let Some(receiver) = &mut self.services.receiver else { return Vec::new() };
        let mut arrivals = Vec::new();
        for Received { at, message, reply } in receiver.take() {
            let is_over = message.as_ref().is_some_and(|message| message.colour == "good");
            if let Some(message) = message {
                self.events.send(Event::Message { message });
            }
            arrivals.push(Arrival { at: at.saturating_duration_since(load_on), reply, is_over });
        }
        arrivals
    }
}

/// What a question gives in good time.
async fn within<T>(question: impl Future<Output = Result<T>>) -> Option<T> {
    timeout(PATIENCE, question).await.ok()?.ok()
}

/// What keeps an alert from being sent.
pub fn suppression(status: &Status) -> Option<String> {
    let by = |what: &str, ids: &[String]| (!ids.is_empty()).then(|| format!("{what} by {}", ids.join(", ")));
    by("silenced", &status.silenced_by)
        .or_else(|| by("inhibited", &status.inhibited_by))
        .or_else(|| by("muted", &status.muted_by))
}

/// The traffic between two readings; an Alertmanager that started anew in between counts from zero.
fn since(before: &Counters, now: &Counters) -> Traffic {
    let same = (before.started - now.started).abs() < 1.0;
    let zero = Counters::default();
    let before = if same { before } else { &zero };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counters are whole and grow"
    )]
    let whole = |count: f64| count.max(0.0) as u64;
    Traffic {
        requests: whole(now.requests - before.requests),
        accepted: whole(now.accepted() - before.accepted()),
    }
}
