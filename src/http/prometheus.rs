//! Prometheus' HTTP API, as `verify/` and `status` need it. Read-only.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Answer, Client, Endpoint};
use crate::error::{Error, Result};
use crate::retry::Patience;

/// Its port on the loopback of the monitoring host.
pub const PORT: u16 = 9090;

/// Prometheus' discovery settles within this time after a start or a reload.
pub const DISCOVERY_SETTLES_WITHIN: Duration = Duration::from_secs(12);
/// The pause between two requests while it does.
const DISCOVERY_PAUSE: Duration = Duration::from_millis(500);

/// Labels by name.
pub type Labels = BTreeMap<String, String>;

/// A client of one Prometheus.
#[derive(Debug, Clone)]
pub struct Prometheus(Client);

/// One series of an instant query.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Its labels.
    pub labels: Labels,
    /// Its value now.
    pub value: f64,
}

/// An alerting rule as Prometheus has loaded it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct AlertingRule {
    /// The alert's name.
    pub name: String,
    /// The expression.
    pub query: String,
    /// The rule's `for`, in seconds.
    #[serde(default)]
    pub duration: f64,
    /// The labels that the rule adds.
    #[serde(default)]
    pub labels: Labels,
    /// The annotations, as templates.
    #[serde(default)]
    pub annotations: Labels,
    /// `ok`, `err` or `unknown`.
    #[serde(default)]
    pub health: String,
    /// Why the last evaluation failed.
    #[serde(default, rename = "lastError")]
    pub last_error: Option<String>,
}

/// State of a rule for one series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertState {
    /// True, but not yet for the duration of `for`.
    Pending,
    /// Sent to Alertmanager.
    Firing,
}

/// An alert that is pending or firing.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ActiveAlert {
    /// Its labels, `alertname` among them.
    pub labels: Labels,
    /// Its state.
    pub state: AlertState,
    /// Since when, as RFC 3339.
    #[serde(default, rename = "activeAt")]
    pub active_at: String,
}

impl ActiveAlert {
    /// The alert's name.
    pub fn name(&self) -> &str {
        self.labels.get("alertname").map_or("", String::as_str)
    }
}

/// A scrape target.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Target {
    /// Its labels, `job` and `instance` among them.
    pub labels: Labels,
    /// `up`, `down` or `unknown`.
    pub health: String,
    /// Why the last scrape failed; empty if it did not.
    #[serde(default, rename = "lastError")]
    pub last_error: String,
    /// The URL that is scraped.
    #[serde(default, rename = "scrapeUrl")]
    pub scrape_url: String,
    /// How often it is scraped, in Prometheus' syntax; empty before Prometheus 2.30.
    #[serde(default, rename = "scrapeInterval")]
    pub scrape_interval: String,
}

/// A list that Prometheus wraps in an object of one field.
#[derive(Deserialize)]
struct Query {
    result: Vec<Series>,
}

#[derive(Deserialize)]
struct Series {
    #[serde(default)]
    metric: Labels,
    value: (f64, String),
}

#[derive(Deserialize)]
struct Matrix {
    result: Vec<Curve>,
}

#[derive(Deserialize)]
struct Curve {
    #[serde(default)]
    metric: Labels,
    values: Vec<(f64, String)>,
}

#[derive(Deserialize)]
struct Build {
    version: String,
}

#[derive(Deserialize)]
struct Runtime {
    #[serde(rename = "startTime")]
    started: jiff::Timestamp,
}

#[derive(Deserialize)]
struct Alerts {
    alerts: Vec<ActiveAlert>,
}

#[derive(Deserialize)]
struct Groups {
    groups: Vec<RuleGroup>,
}

/// A group of alerting rules, which are evaluated together.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct RuleGroup {
    /// The file on the monitoring host.
    #[serde(default)]
    pub file: String,
    /// How often they are evaluated, in seconds.
    #[serde(default)]
    pub interval: f64,
    /// The rules.
    pub rules: Vec<AlertingRule>,
}

#[derive(Deserialize)]
struct Targets {
    #[serde(rename = "activeTargets")]
    active: Vec<Target>,
}

#[derive(Deserialize)]
struct Alertmanagers {
    #[serde(rename = "activeAlertmanagers")]
    active: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Envelope<T> {
    data: T,
}

impl Prometheus {
    /// A client of the Prometheus at this endpoint.
    ///
    /// # Errors
    /// When no HTTP client can be set up.
    pub fn new(endpoint: &Endpoint) -> Result<Self> {
        Ok(Self(Client::new("Prometheus", endpoint)?))
    }

    /// An instant query. Series without a finite value are left out.
    ///
    /// # Errors
    /// When Prometheus does not answer or refuses the expression, or its value is not a vector.
    pub async fn query(&self, expression: &str) -> Result<Vec<Sample>> {
        let answer = self.0.get_with("/api/v1/query", &[("query", expression)]).await?;
        samples(&answer, expression)
    }

    /// An instant query of an expression that need not be valid: none if Prometheus refuses it.
    ///
    /// # Errors
    /// When Prometheus does not answer as documented.
    pub async fn query_if_valid(&self, expression: &str) -> Result<Option<Vec<Sample>>> {
        let answer = self.0.get_with("/api/v1/query", &[("query", expression)]).await?;
        // 400: not PromQL. 422: PromQL that cannot be evaluated.
        if matches!(answer.status, 400 | 422) { Ok(None) } else { samples(&answer, expression).map(Some) }
    }

    /// The values of an expression over time: each series with its times (seconds since 1970) and values. `step` is
    /// in seconds. What is not finite is left out.
    ///
    /// # Errors
    /// When Prometheus does not answer or refuses the expression.
    pub async fn range(
        &self,
        expression: &str,
        from: f64,
        to: f64,
        step: f64,
    ) -> Result<Vec<(Labels, Vec<(f64, f64)>)>> {
        let [from, to, step] = [from, to, step].map(|number| format!("{number:.3}"));
        let query = [("query", expression), ("start", &from), ("end", &to), ("step", &step)];
        let answer = self.0.get_with("/api/v1/query_range", &query).await?;
        if !answer.is_success() {
            return Err(answer.refusal("evaluate an expression").at(format!("`{expression}`")));
        }
        let Matrix { result } = answer.json::<Envelope<Matrix>>()?.data;
        let point = |(at, value): (f64, String)| {
            let value: f64 = value.parse().ok()?;
            value.is_finite().then_some((at, value))
        };
        let series = |one: Curve| (one.metric, one.values.into_iter().filter_map(point).collect());
        Ok(result.into_iter().map(series).collect())
    }

    /// Its version.
    ///
    /// # Errors
    /// When Prometheus does not answer as documented.
    pub async fn version(&self) -> Result<String> {
        let Build { version } = self.data("/api/v1/status/buildinfo", "report its version").await?;
        Ok(version)
    }

    /// How long it has been running, by its own clock.
    ///
    /// # Errors
    /// When Prometheus does not answer as documented.
    pub async fn running_for(&self) -> Result<Duration> {
        let Runtime { started } = self.data("/api/v1/status/runtimeinfo", "report its start time").await?;
        let now = self.query("vector(time())").await?;
        let now = now.first().ok_or_else(|| Error::failed("Prometheus does not report its time"))?.value;
        let seconds = now - started.as_duration().as_secs_f64();
        // A clock that was set back in between is not evidence of a restart.
        Ok(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
    }

    /// All alerting rules.
    ///
    /// # Errors
    /// When Prometheus does not answer as documented.
    pub async fn rules(&self) -> Result<Vec<AlertingRule>> {
        Ok(self.rule_groups().await?.into_iter().flat_map(|group| group.rules).collect())
    }

    /// All alerting rules, by group.
    ///
    /// # Errors
    /// When Prometheus does not answer as documented.
    pub async fn rule_groups(&self) -> Result<Vec<RuleGroup>> {
        let Groups { groups } = self.data("/api/v1/rules?type=alert", "list its rules").await?;
        Ok(groups)
    }

    /// The names of all metrics that had samples since then, in seconds since 1970.
    ///
    /// # Errors
    /// When Prometheus does not answer as documented.
    pub async fn metric_names(&self, since: i64) -> Result<BTreeSet<String>> {
        let path = format!("/api/v1/label/__name__/values?start={since}");
        self.data(&path, "list its metrics").await
    }

    /// The labels of all series that a selector matches and that had samples since then, in seconds since 1970.
    ///
    /// # Errors
    /// When Prometheus does not answer as documented or refuses the selector.
    pub async fn series(&self, selector: &str, since: i64) -> Result<Vec<Labels>> {
        let query = [("match[]", selector), ("start", &since.to_string())];
        let answer = self.0.get_with("/api/v1/series", &query).await?;
        if answer.is_success() {
            return Ok(answer.json::<Envelope<Vec<Labels>>>()?.data);
        }
        Err(answer.refusal("list series").at(format!("`{selector}`")))
    }

    /// The alerts that are pending or firing.
    ///
    /// # Errors
    /// When Prometheus does not answer as documented.
    pub async fn alerts(&self) -> Result<Vec<ActiveAlert>> {
        let Alerts { alerts } = self.data("/api/v1/alerts", "list its alerts").await?;
        Ok(alerts)
    }

    /// The scrape targets.
    ///
    /// # Errors
    /// When Prometheus does not answer as documented.
    pub async fn targets(&self) -> Result<Vec<Target>> {
        let Targets { active } = self.data("/api/v1/targets?state=active", "list its targets").await?;
        Ok(active)
    }

    /// How many Alertmanagers it sends to.
    ///
    /// # Errors
    /// When Prometheus does not answer as documented.
    pub async fn alertmanagers(&self) -> Result<usize> {
        let Alertmanagers { active } = self.data("/api/v1/alertmanagers", "list its Alertmanagers").await?;
        Ok(active.len())
    }

    /// How many Alertmanagers it sends to. Zero is accepted only if it persists: for some seconds after a reload there
    /// are none.
    ///
    /// # Errors
    /// When Prometheus does not answer as documented.
    pub async fn settled_alertmanagers(&self) -> Result<usize> {
        let mut patience = Patience::every(DISCOVERY_PAUSE, DISCOVERY_SETTLES_WITHIN);
        loop {
            let count = self.alertmanagers().await?;
            if count > 0 || patience.is_over() {
                return Ok(count);
            }
            patience.pause().await;
        }
    }

    async fn data<T: DeserializeOwned>(&self, path: &str, doing: &str) -> Result<T> {
        let answer = self.0.get(path).await?;
        if answer.is_success() {
            return Ok(answer.json::<Envelope<T>>()?.data);
        }
        Err(answer.refusal(doing))
    }
}

/// The series of a response. Those without a finite value are left out.
fn samples(answer: &Answer, expression: &str) -> Result<Vec<Sample>> {
    if !answer.is_success() {
        return Err(answer.refusal("evaluate an expression").at(format!("`{expression}`")));
    }
    let Query { result } = answer.json::<Envelope<Query>>()?.data;
    let sample = |series: Series| {
        let value: f64 = series.value.1.parse().ok()?;
        value.is_finite().then_some(Sample { labels: series.metric, value })
    };
    Ok(result.into_iter().filter_map(sample).collect())
}
