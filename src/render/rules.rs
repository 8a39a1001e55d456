//! Alerting rules: the spec's alerts with everything from the catalogue filled in. Also read by `verify/`,
//! which predicts from them.

use std::collections::BTreeMap;

use serde::Serialize;

use super::quote::go_text;
use crate::spec::{Alert, CatalogueAlert, Monitoring, PromDuration, RuleName, Spec, Unit, catalogue_alert};

/// An alerting rule as Prometheus gets it. Labels and annotations are Prometheus templates.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rule {
    /// The alert's name.
    pub name: String,
    /// The rule group.
    #[serde(skip)]
    pub group: String,
    /// The `PromQL` expression.
    pub expr: String,
    /// How long the expression must hold; not at all where absent.
    #[serde(rename = "for")]
    pub hold: Option<PromDuration>,
    /// The labels, `severity` among them.
    pub labels: BTreeMap<String, String>,
    /// The annotations.
    pub annotations: BTreeMap<&'static str, String>,
    /// The threshold of a catalogue alert.
    #[serde(skip)]
    pub above: Option<f64>,
    /// What the threshold measures.
    #[serde(skip)]
    pub unit: Option<Unit>,
    /// The time over which a catalogue alert takes rates.
    #[serde(skip)]
    pub window: Option<PromDuration>,
}

/// The group of the user's own rules.
const OWN_GROUP: &str = "own-alerts";

/// The spec's rules, in alphabetical order.
pub fn rules(spec: &Spec) -> Vec<Rule> {
    let rule = |(name, alert): (&RuleName, &Alert)| match catalogue_alert(name.as_str()) {
        Some(entry) if alert.expr.is_none() => from_catalogue(name, alert, entry, &spec.monitoring),
        _ => own(name, alert),
    };
    spec.alerts.iter().map(rule).collect()
}

fn from_catalogue(name: &RuleName, alert: &Alert, entry: &CatalogueAlert, monitoring: &Monitoring) -> Rule {
    let above = alert.above.or(entry.above);
    let window = alert.window.unwrap_or_else(|| default_window(monitoring.scrape_interval));
    let fill = |template: &str| {
        let text = template.replace("${window}", &window.to_string());
        above.map_or(text.clone(), |above| text.replace("${above}", &above.to_string()))
    };
    let annotation =
        |own: &Option<String>, template: &str| own.as_deref().map_or_else(|| fill(template), go_text);
    let severity = alert.severity.as_ref().unwrap_or(&entry.severity);
    Rule {
        name: name.to_string(),
        group: entry.group.clone(),
        expr: fill(&entry.expr),
        hold: Some(alert.hold.unwrap_or(entry.hold)),
        labels: labels(alert, Some(severity), go_text),
        annotations: BTreeMap::from([
            ("summary", annotation(&alert.summary, &entry.summary)),
            ("description", annotation(&alert.description, &entry.description)),
        ]),
        above,
        unit: entry.unit,
        window: entry.expr.contains("${window}").then_some(window),
    }
}

/// The user's own rule, taken as it is.
fn own(name: &RuleName, alert: &Alert) -> Rule {
    let annotations = [("summary", &alert.summary), ("description", &alert.description)];
    Rule {
        name: name.to_string(),
        group: OWN_GROUP.to_owned(),
        expr: alert.expr.clone().unwrap_or_default(),
        hold: alert.hold,
        labels: labels(alert, alert.severity.as_ref(), str::to_owned),
        annotations: annotations.into_iter().filter_map(|(name, text)| Some((name, text.clone()?))).collect(),
        above: None,
        unit: None,
        window: None,
    }
}

fn labels(alert: &Alert, severity: Option<&String>, text: fn(&str) -> String) -> BTreeMap<String, String> {
    let severity = severity.map(|severity| ("severity".to_owned(), text(severity)));
    let others = alert.labels.iter().map(|(name, value)| (name.to_string(), text(value)));
    severity.into_iter().chain(others).collect()
}

/// Four scrapes: `rate` then sees at least three steps even where one scrape fails.
fn default_window(scrape_interval: PromDuration) -> PromDuration {
    PromDuration::seconds(
        scrape_interval.get().as_millis().saturating_mul(4).div_ceil(1000).try_into().unwrap_or(60),
    )
}
