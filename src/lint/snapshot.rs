//! The state of Prometheus and Alertmanager at one moment: the input of the check.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};

use super::routing::Routing;
use crate::duration::PromDuration;
use crate::error::Result;
use crate::http::alertmanager::{Alertmanager, Silence};
use crate::http::prometheus::{AlertingRule, Labels, Prometheus, RuleGroup};
use crate::promql::{metrics_of, sides_with_number};
use crate::render::{Rule, rules};
use crate::spec::{AlertName, CatalogueAlert, Spec};

/// A series exists if it had samples within this time.
const LIVELY: SignedDuration = SignedDuration::from_hours(1);

/// A rule of the spec or of Prometheus.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckedRule {
    /// Its name.
    pub name: String,
    /// Its expression.
    pub expression: String,
    /// Its `for`.
    pub hold: Duration,
    /// How often it is evaluated.
    pub interval: Duration,
    /// The labels that it adds, as templates.
    pub labels: Labels,
    /// Its annotations, as templates.
    pub annotations: Labels,
    /// The alert of the catalogue from which the spec takes its expression. Rule tests prove that expression.
    pub entry: Option<CatalogueAlert>,
    /// Whether the spec has it.
    pub is_of_spec: bool,
    /// The file on the monitoring host; `None` if Prometheus has not loaded the rule.
    pub file: Option<String>,
    /// Why its last evaluation failed.
    pub error: Option<String>,
}

/// The input of the check.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// When it was taken.
    pub now: Timestamp,
    /// All alerting rules.
    pub rules: Vec<CheckedRule>,
    /// The names of all metrics.
    pub metrics: BTreeSet<String>,
    /// The series of each metric that a rule names.
    pub series: BTreeMap<String, Vec<Labels>>,
    /// The present values of the left side of each comparison with a number.
    pub values: BTreeMap<String, Vec<f64>>,
    /// The scrape interval of each job; the longest, if its targets differ.
    pub scrape_intervals: BTreeMap<String, Duration>,
    /// How many Alertmanagers Prometheus sends to.
    pub alertmanagers: usize,
    /// Alertmanager's routes and receivers.
    pub routing: Routing,
    /// The silences in force.
    pub silences: Vec<Silence>,
}

/// Takes a snapshot. Only reads.
///
/// # Errors
/// Prometheus or Alertmanager does not answer as documented.
pub async fn take(spec: &Spec, prometheus: &Prometheus, alertmanager: &Alertmanager) -> Result<Snapshot> {
    let now = Timestamp::now();
    let since = (now - LIVELY).as_second();
    let rules = checked(spec, prometheus.rule_groups().await?);
    let metrics = prometheus.metric_names(since).await?;
    let named: BTreeSet<String> = rules.iter().flat_map(|rule| metrics_of(&rule.expression)).collect();
    let series = join_all(
        named
            .intersection(&metrics)
            .map(|name| async { Ok((name.clone(), prometheus.series(name, since).await?)) }),
    )
    .await;
    let compared: BTreeSet<String> =
        rules.iter().flat_map(|rule| sides_with_number(&rule.expression)).collect();
    let values = join_all(compared.into_iter().map(|left| async {
        // An expression that Prometheus cannot evaluate on its own has no values.
        let samples = prometheus.query_if_valid(&left).await?.unwrap_or_default();
        Ok((left, samples.into_iter().map(|sample| sample.value).collect()))
    }))
    .await;
    let routing = Routing::read(&alertmanager.configuration().await?)?;
    Ok(Snapshot {
        now,
        metrics,
        series: series.into_iter().collect::<Result<_>>()?,
        values: values.into_iter().collect::<Result<_>>()?,
        scrape_intervals: scrape_intervals(prometheus).await?,
        alertmanagers: prometheus.settled_alertmanagers().await?,
        routing,
        silences: alertmanager.silences().await?,
        rules,
    })
}

async fn scrape_intervals(prometheus: &Prometheus) -> Result<BTreeMap<String, Duration>> {
    let mut intervals: BTreeMap<String, Duration> = BTreeMap::new();
    for target in prometheus.targets().await? {
        // Empty before Prometheus 2.30; checks that depend on it are skipped then.
        let Ok(interval) = target.scrape_interval.parse::<PromDuration>() else { continue };
        let Some(job) = target.labels.get("job") else { continue };
        let known = intervals.entry(job.clone()).or_default();
        *known = interval.get().max(*known);
    }
    Ok(intervals)
}

/// The rules of Prometheus, and those of the spec that it has not loaded.
fn checked(spec: &Spec, groups: Vec<RuleGroup>) -> Vec<CheckedRule> {
    let of_spec = |name: &str| {
        // A name that is not valid in the spec belongs to a rule from elsewhere.
        let name = name.parse::<AlertName>().ok()?;
        spec.alerts.get(&name).map(|alert| spec.catalogue.entry(name.as_str(), alert))
    };
    let mut found: Vec<CheckedRule> = Vec::new();
    for group in groups {
        let interval = seconds(group.interval);
        for rule in group.rules {
            let of_spec = of_spec(&rule.name);
            let is_of_spec = of_spec.is_some();
            let entry = of_spec.flatten().cloned();
            let rule = loaded(rule, &group.file, interval);
            let expression = spec.without_recorded(&rule.expression);
            found.push(CheckedRule { expression, entry, is_of_spec, ..rule });
        }
    }
    let rules = rules(spec);
    let is_loaded = |rule: &Rule| {
        // Rules of one name differ in their labels.
        let several = rules.iter().filter(|other| other.name == rule.name).count() > 1;
        found.iter().any(|it| it.name == rule.name && (!several || it.labels == rule.labels))
    };
    let missing = rules.iter().filter(|rule| !is_loaded(rule)).cloned();
    let missing: Vec<CheckedRule> = missing
        .map(|rule| (rule.interval(spec), rule))
        .map(|(interval, rule)| CheckedRule {
            entry: of_spec(&rule.name).flatten().cloned(),
            name: rule.name,
            expression: spec.without_recorded(&rule.expr),
            hold: rule.hold.map(PromDuration::get).unwrap_or_default(),
            interval: interval.get(),
            labels: rule.labels,
            annotations: Labels::new(),
            is_of_spec: true,
            file: None,
            error: None,
        })
        .collect();
    found.extend(missing);
    found
}

/// A rule that Prometheus has loaded, as if it were not in the spec.
fn loaded(rule: AlertingRule, file: &str, interval: Duration) -> CheckedRule {
    CheckedRule {
        name: rule.name,
        expression: rule.query,
        hold: seconds(rule.duration),
        interval,
        labels: rule.labels,
        annotations: rule.annotations,
        entry: None,
        is_of_spec: false,
        file: Some(file.to_owned()),
        error: rule.last_error.filter(|error| !error.is_empty()),
    }
}

fn seconds(seconds: f64) -> Duration {
    // Prometheus returns no negative intervals.
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}
