//! Alertmanager's HTTP API and the counters of its `/metrics`: what `verify/` reads, and the test alerts that it posts.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Client, Endpoint};
use crate::error::{Error, Result};

/// A client of one Alertmanager.
#[derive(Debug, Clone)]
pub struct Alertmanager(Client);

/// An alert in Alertmanager that has not resolved.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct HeldAlert {
    /// Its labels, `alertname` among them.
    pub labels: BTreeMap<String, String>,
    /// The fingerprint of its labels.
    #[serde(default)]
    pub fingerprint: String,
    /// When it began to fire.
    #[serde(default, rename = "startsAt")]
    pub starts_at: jiff::Timestamp,
    /// Whether it is suppressed.
    pub status: Status,
    /// The receivers to which its routes lead.
    #[serde(default)]
    pub receivers: Vec<ReceiverName>,
}

/// A receiver, by its name in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ReceiverName {
    /// The name.
    pub name: String,
}

/// An alert that monctl itself posts. Without times, Alertmanager counts it as begun now, and as resolved after its
/// `resolve_timeout`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostedAlert {
    /// Its labels, `alertname` among them.
    pub labels: BTreeMap<String, String>,
    /// The texts of its message.
    pub annotations: BTreeMap<String, String>,
    /// When it began and when it ends, by Alertmanager's clock.
    pub times: Option<(jiff::Timestamp, jiff::Timestamp)>,
}

impl PostedAlert {
    fn json(&self) -> Value {
        let mut alert = json!({"labels": self.labels, "annotations": self.annotations});
        if let Some((begin, end)) = self.times {
            alert["startsAt"] = json!(begin);
            alert["endsAt"] = json!(end);
        }
        alert
    }
}

/// What suppresses an alert.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Status {
    /// Ids of silences.
    #[serde(default, rename = "silencedBy")]
    pub silenced_by: Vec<String>,
    /// Fingerprints of alerts that inhibit it.
    #[serde(default, rename = "inhibitedBy")]
    pub inhibited_by: Vec<String>,
    /// Names of time intervals that mute it.
    #[serde(default, rename = "mutedBy")]
    pub muted_by: Vec<String>,
}

/// Alerts that share notifications.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AlertGroup {
    /// The `group_by` labels that its alerts have in common.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Its alerts, including resolved ones whose resolved notification was not sent yet.
    #[serde(default)]
    pub alerts: Vec<HeldAlert>,
    /// Its receiver.
    #[serde(default)]
    pub receiver: Option<ReceiverName>,
}

impl AlertGroup {
    /// Whether an alert with these labels joins it.
    pub fn takes(&self, labels: &BTreeMap<String, String>) -> bool {
        self.labels.iter().all(|(name, value)| labels.get(name).is_some_and(|it| it == value))
    }
}

/// A silence.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Silence {
    /// Its id, for `amtool silence expire`.
    pub id: String,
    /// Its matchers: it silences alerts that all of them match.
    pub matchers: Vec<Matcher>,
    /// Until when, as RFC 3339.
    #[serde(default, rename = "endsAt")]
    pub ends_at: String,
    /// Its creator.
    #[serde(default, rename = "createdBy")]
    pub created_by: String,
    /// The reason.
    #[serde(default)]
    pub comment: String,
    /// Whether it is in force.
    #[serde(default)]
    pub status: SilenceStatus,
}

/// A silence to create.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewSilence {
    /// Its matchers.
    pub matchers: Vec<Matcher>,
    /// When it begins, by Alertmanager's clock.
    pub starts_at: jiff::Timestamp,
    /// When it ends, by the same clock.
    pub ends_at: jiff::Timestamp,
    /// Its creator.
    pub created_by: String,
    /// The reason.
    pub comment: String,
}

/// The state of a silence.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct SilenceStatus {
    /// `active`, `pending` or `expired`.
    #[serde(default)]
    pub state: String,
}

/// One condition of a silence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matcher {
    /// The label.
    pub name: String,
    /// A value, or a regular expression that matches the whole value.
    pub value: String,
    /// Whether `value` is a regular expression.
    #[serde(rename = "isRegex")]
    pub is_regex: bool,
    /// Whether the label has to match, or must not.
    #[serde(default = "yes", rename = "isEqual")]
    pub is_equal: bool,
}

/// In Alertmanager's notation, such as `severity=~"warning|critical"`.
impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operator = match (self.is_equal, self.is_regex) {
            (true, false) => "=",
            (true, true) => "=~",
            (false, false) => "!=",
            (false, true) => "!~",
        };
        write!(f, "{}{operator}{:?}", self.name, self.value)
    }
}

#[derive(Deserialize)]
struct Created {
    #[serde(rename = "silenceID")]
    id: String,
}

#[derive(Deserialize)]
struct State {
    config: Config,
}

#[derive(Deserialize)]
struct Config {
    original: String,
}

impl Silence {
    /// Whether it silences an alert with these labels. A regular expression that cannot be parsed here counts
    /// as a match, so that the user is warned.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.matchers.iter().all(|matcher| matcher.matches(labels))
    }

    /// How to end it.
    pub fn remedy(&self) -> String {
        format!("end it (`monctl silence --end {}`), or wait until it ends", self.id)
    }
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, created_by, ends_at, comment, .. } = self;
        write!(f, "silenced by {id}, created by `{created_by}` ({comment}), until {ends_at}")
    }
}

impl Matcher {
    /// Whether an alert with these labels fulfils it, as for [`Silence::matches`].
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        // A missing label is an empty one.
        let value = labels.get(&self.name).map_or("", String::as_str);
        if !self.is_regex {
            return (value == self.value) == self.is_equal;
        }
        match regex::Regex::new(&format!("^(?:{})$", self.value)) {
            Ok(regex) => regex.is_match(value) == self.is_equal,
            Err(_) => true,
        }
    }
}

/// A kind of receiver, as Alertmanager names it in its metrics and logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiverKind {
    /// `slack_configs`.
    Slack,
    /// `webhook_configs`.
    Webhook,
}

impl ReceiverKind {
    /// The name in metrics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Slack => "slack",
            Self::Webhook => "webhook",
        }
    }
}

/// The requests of one kind of receiver, since Alertmanager started.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RequestCounters {
    /// Requests sent, including retries.
    pub requests: f64,
    /// Requests that were refused or got no response.
    pub failed: f64,
}

impl RequestCounters {
    /// Requests that the receivers accepted.
    pub fn accepted(&self) -> f64 {
        self.requests - self.failed
    }
}

/// Alertmanager's counters about its integrations, since it started.
///
/// `alertmanager_notifications_total` is left out on purpose: it counts notifications that failed, too.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Counters {
    /// Requests to Slack.
    pub slack: RequestCounters,
    /// Requests to webhooks, the heartbeat's among them.
    pub webhook: RequestCounters,
    /// Alert groups, including those of resolved alerts that were not removed yet.
    pub groups: f64,
    /// When this Alertmanager started, in seconds since 1970: the counters begin there.
    pub started: f64,
}

impl Counters {
    /// Reads them from the text of `/metrics`; none if one is missing. Alertmanager exports those of all its
    /// integrations from its start, so that a missing one is unknown, not zero.
    pub fn parse(text: &str) -> Option<Self> {
        let sum = |name: &str, label: &str| {
            let values: Option<Vec<f64>> = text
                .lines()
                .filter_map(|line| line.strip_prefix(name))
                .filter(|rest| rest.starts_with(['{', ' ']) && rest.contains(label))
                // One invalid value makes the whole sum unknown.
                .map(|rest| rest.rsplit(' ').next()?.parse().ok())
                .collect();
            values.filter(|values| !values.is_empty()).map(|values| values.iter().sum::<f64>())
        };
        let of = |integration: ReceiverKind| {
            let label = format!("integration=\"{}\"", integration.name());
            Some(RequestCounters {
                requests: sum("alertmanager_notification_requests_total", &label)?,
                failed: sum("alertmanager_notification_requests_failed_total", &label)?,
            })
        };
        Some(Self {
            slack: of(ReceiverKind::Slack)?,
            webhook: of(ReceiverKind::Webhook)?,
            groups: sum("alertmanager_dispatcher_aggregation_groups", "")?,
            started: sum("process_start_time_seconds", "")?,
        })
    }

    /// Those of one kind of receiver.
    pub const fn of(&self, integration: ReceiverKind) -> RequestCounters {
        match integration {
            ReceiverKind::Slack => self.slack,
            ReceiverKind::Webhook => self.webhook,
        }
    }

    /// What was sent since an earlier reading; an Alertmanager that restarted in between counts from zero.
    pub fn since(&self, before: &Self, integration: ReceiverKind) -> RequestCounters {
        let is_same = (before.started - self.started).abs() < 1.0;
        let (before, now) =
            (if is_same { before.of(integration) } else { RequestCounters::default() }, self.of(integration));
        RequestCounters { requests: now.requests - before.requests, failed: now.failed - before.failed }
    }
}

impl Alertmanager {
    /// A client of the Alertmanager at this endpoint.
    ///
    /// # Errors
    /// When no HTTP client can be set up.
    pub fn new(endpoint: &Endpoint) -> Result<Self> {
        Ok(Self(Client::new("Alertmanager", endpoint)?))
    }

    /// Its version.
    ///
    /// # Errors
    /// When Alertmanager does not answer as documented.
    pub async fn version(&self) -> Result<String> {
        let answer = self.0.get("/api/v2/status").await?;
        if !answer.is_success() {
            return Err(answer.refusal("report its version"));
        }
        let status: serde_json::Value = answer.json()?;
        let version = status["versionInfo"]["version"].as_str();
        version.map(str::to_owned).ok_or_else(|| Error::failed("Alertmanager does not report its version"))
    }

    /// The alerts that have not resolved, including silenced and inhibited ones.
    ///
    /// # Errors
    /// When Alertmanager does not answer as documented.
    pub async fn alerts(&self) -> Result<Vec<HeldAlert>> {
        self.list("/api/v2/alerts", "list its alerts").await
    }

    /// Posts alerts. One that it already has with the same labels is updated.
    ///
    /// # Errors
    /// When Alertmanager does not accept them.
    pub async fn post(&self, alerts: &[PostedAlert]) -> Result<()> {
        let alerts: Vec<Value> = alerts.iter().map(PostedAlert::json).collect();
        let answer = self.0.post("/api/v2/alerts", &Value::Array(alerts)).await?;
        if answer.is_success() { Ok(()) } else { Err(answer.refusal("accept an alert")) }
    }

    /// The groups that hold alerts.
    ///
    /// # Errors
    /// When Alertmanager does not answer as documented.
    pub async fn groups(&self) -> Result<Vec<AlertGroup>> {
        self.list("/api/v2/alerts/groups", "list its groups").await
    }

    /// The silences that are in force.
    ///
    /// # Errors
    /// When Alertmanager does not answer as documented.
    pub async fn silences(&self) -> Result<Vec<Silence>> {
        let silences: Vec<Silence> = self.list("/api/v2/silences", "list its silences").await?;
        if let Some(odd) = silences.iter().find(|silence| silence.ends_at.parse::<jiff::Timestamp>().is_err())
        {
            return Err(Error::failed(format!(
                "Alertmanager gives silence {} the end `{}`",
                odd.id, odd.ends_at
            )));
        }
        Ok(silences.into_iter().filter(|silence| silence.status.state == "active").collect())
    }

    /// Creates a silence, and returns its id.
    ///
    /// # Errors
    /// When Alertmanager does not accept it.
    pub async fn silence(&self, silence: &NewSilence) -> Result<String> {
        let silence = serde_json::to_value(silence)
            .map_err(|cause| Error::failed("cannot write the silence as JSON").because(cause))?;
        let answer = self.0.post("/api/v2/silences", &silence).await?;
        if !answer.is_success() {
            return Err(answer.refusal("create a silence"));
        }
        Ok(answer.json::<Created>()?.id)
    }

    /// Ends a silence now. `id` is one that Alertmanager has given.
    ///
    /// # Errors
    /// When Alertmanager does not know it.
    pub async fn end_silence(&self, id: &str) -> Result<()> {
        let answer = self.0.delete(&format!("/api/v2/silence/{id}")).await?;
        if answer.is_success() { Ok(()) } else { Err(answer.refusal("end a silence")) }
    }

    /// The configuration that is in force, as YAML; its secrets are hidden.
    ///
    /// # Errors
    /// When Alertmanager does not answer as documented.
    pub async fn configuration(&self) -> Result<String> {
        let state: State = self.get("/api/v2/status", "show its configuration").await?;
        Ok(state.config.original)
    }

    /// The counters.
    ///
    /// # Errors
    /// When Alertmanager does not answer.
    pub async fn counters(&self) -> Result<Counters> {
        let answer = self.0.get("/metrics").await?;
        if !answer.is_success() {
            return Err(answer.refusal("show its metrics"));
        }
        let missing = || Error::failed("Alertmanager's metrics lack a counter of its notifications");
        Counters::parse(&String::from_utf8_lossy(&answer.body)).ok_or_else(missing)
    }

    async fn list<T: DeserializeOwned>(&self, path: &str, doing: &str) -> Result<Vec<T>> {
        self.get(path, doing).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, doing: &str) -> Result<T> {
        let answer = self.0.get(path).await?;
        if answer.is_success() { answer.json() } else { Err(answer.refusal(doing)) }
    }
}

const fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const METRICS: &str = include_str!("../../tests/fixtures/alertmanager-metrics.txt");

    #[test]
    fn deliveries_are_requests_minus_failed_ones_and_not_notifications() {
        let counters = Counters::parse(METRICS).unwrap();
        assert!((counters.slack.requests - 5.0).abs() < f64::EPSILON, "{counters:?}");
        assert!((counters.slack.accepted() - 2.0).abs() < f64::EPSILON, "{counters:?}");
        assert!(counters.webhook.requests.abs() < f64::EPSILON, "{counters:?}");
        assert!((counters.groups - 1.0).abs() < f64::EPSILON, "{counters:?}");
        assert!(counters.started > 1.0e9);
        let other =
            METRICS.replace("alertmanager_notification_requests_total", "alertmanager_requests_total");
        assert_eq!(Counters::parse(&other), None, "a missing counter is not zero");
    }

    #[test]
    fn a_silence_matches_as_alertmanager_would() {
        let labels: BTreeMap<String, String> = [("alertname", "HighCPUUsage"), ("instance", "10.0.0.7:9100")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        for (name, value, is_regex, is_equal, expected) in [
            ("alertname", "HighCPUUsage", false, true, true),
            ("alertname", "HighCPU", false, true, false),
            ("alertname", "HighCPU", true, true, false),
            ("alertname", "High.*", true, true, true),
            ("alertname", "A|High.*", true, true, true),
            ("instance", "10\\.0\\.0\\.8:.*", true, false, true),
            ("team", "", false, true, true),
            ("team", "web", false, false, true),
            ("team", ".+", true, true, false),
            ("alertname", "[", true, true, true),
        ] {
            let matcher = Matcher { name: name.into(), value: value.into(), is_regex, is_equal };
            let silence = Silence {
                id: String::new(),
                matchers: vec![matcher],
                ends_at: String::new(),
                created_by: String::new(),
                comment: String::new(),
                status: SilenceStatus::default(),
            };
            assert_eq!(silence.matches(&labels), expected, "{name} {value}");
        }
    }
}
