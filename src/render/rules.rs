//! Alerting rules: the spec's alerts with everything from the catalogue filled in. Also read by `verify/`,
//! which predicts from them.

use std::collections::BTreeMap;

use serde::Serialize;

use super::intervals::RuleIntervals;
use super::parameters::Parameters;
use super::quote::go_text;
use crate::duration::PromDuration;
use crate::spec::{
    Alert, AlertName, BaseUrl, CatalogueAlert, HOST_DOWN, RuleMeaning, RuleOrigin, Spec, ThresholdUnit,
};

/// A complete alerting rule. Labels and annotations are Prometheus templates.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rule {
    /// The alert's name.
    pub name: String,
    /// The rule group.
    #[serde(skip)]
    pub group: String,
    /// The `PromQL` expression.
    pub expr: String,
    /// How long the expression must hold; none for 0s.
    #[serde(rename = "for")]
    pub hold: Option<PromDuration>,
    /// How long it keeps firing after the expression stops holding.
    pub keep_firing_for: Option<PromDuration>,
    /// The labels, `severity` among them.
    pub labels: BTreeMap<String, String>,
    /// The annotations.
    pub annotations: BTreeMap<String, String>,
    /// The threshold of a catalogue alert.
    #[serde(skip)]
    pub above: Option<f64>,
    /// What the threshold measures.
    #[serde(skip)]
    pub unit: Option<ThresholdUnit>,
    /// The range of a catalogue alert's rates.
    #[serde(skip)]
    pub window: Option<PromDuration>,
    /// How far ahead a predictive catalogue alert looks.
    #[serde(skip)]
    pub within: Option<PromDuration>,
    /// Where it stands, if it is of a rule file of the user's own.
    #[serde(skip)]
    pub origin: Option<RuleOrigin>,
    /// What its expression comes down to without recorded series.
    #[serde(skip)]
    pub meaning: RuleMeaning,
}

impl Rule {
    /// How often Prometheus evaluates it.
    pub fn interval(&self, spec: &Spec) -> PromDuration {
        let own = self.origin.as_ref().and_then(|origin| origin.interval);
        own.unwrap_or(spec.monitoring.evaluation_interval)
    }
}

/// The group of the user's own rules.
const OWN_GROUP: &str = "own-alerts";

/// The label that identifies a host for inhibition: the instance without its port, for any exporter.
const HOST: (&str, &str) = ("host", r#"{{ reReplaceAll ":[0-9]+$" "" $labels.instance }}"#);

/// The spec's rules, in alphabetical order.
pub fn rules(spec: &Spec) -> Vec<Rule> {
    let writer = Writer {
        pace: RuleIntervals::of(spec),
        has_details: spec.notify.message().is_ours(),
        runbooks: spec.notify.runbooks.as_ref(),
        names_host: spec.alerts.keys().any(|name| name.as_str() == HOST_DOWN),
        spec,
    };
    let rule = |name: &AlertName, alert: &Alert| match spec.catalogue.entry(name.as_str(), alert) {
        Some(entry) => writer.known(name, alert, entry),
        None => writer.own(name, alert),
    };
    spec.alerts.iter().flat_map(|(name, alert)| alert.each().map(|alert| rule(name, alert))).collect()
}

/// Settings of a spec for all of its rules.
struct Writer<'a> {
    pace: RuleIntervals,
    /// Whether messages show more than summary and description. If not, rules omit the other annotations.
    has_details: bool,
    runbooks: Option<&'a BaseUrl>,
    names_host: bool,
    spec: &'a Spec,
}

impl Writer<'_> {
    /// A rule of the catalogue with the spec's parameters.
    fn known(&self, name: &AlertName, alert: &Alert, entry: &CatalogueAlert) -> Rule {
        let parameters = Parameters::of(alert, entry, &self.pace);
        let annotation = |own: &Option<String>, template: &str| {
            own.as_deref().map_or_else(|| parameters.fill(template), go_text)
        };
        let mut annotations = BTreeMap::from([
            ("summary", annotation(&alert.summary, &entry.summary)),
            ("description", annotation(&alert.description, &entry.description)),
        ]);
        if self.has_details {
            annotations.extend(entry.value.clone().map(|value| ("value", value)));
            annotations.insert("action", go_text(alert.action.as_ref().unwrap_or(&entry.action)));
            let (key, page) = self.page(name, alert);
            annotations.insert(key, page);
        }
        let expr = parameters.fill(&entry.expr);
        Rule {
            name: name.to_string(),
            group: entry.group.clone(),
            meaning: RuleMeaning::Known(expr.clone()),
            expr,
            hold: Some(parameters.hold),
            keep_firing_for: None,
            labels: self.labels(alert, Some(alert.severity.as_ref().unwrap_or(&entry.severity)), go_text),
            annotations: with_own(annotations, alert, go_text),
            origin: None,
            above: parameters.above,
            unit: entry.unit,
            window: entry.has_window().then_some(parameters.window),
            within: parameters.within,
        }
    }

    /// The user's own rule, as it is.
    fn own(&self, name: &AlertName, alert: &Alert) -> Rule {
        let texts = [("summary", &alert.summary), ("description", &alert.description)];
        let mut annotations: BTreeMap<_, _> =
            texts.into_iter().filter_map(|(name, text)| Some((name, text.clone()?))).collect();
        if self.has_details {
            annotations.extend(alert.action.as_deref().map(|action| ("action", go_text(action))));
            annotations.extend(alert.runbook_url.as_ref().map(|url| ("runbook_url", go_text(url.as_str()))));
        }
        // Loading rejects an alert without an expression that is not in the catalogue.
        let expr = alert.expr.clone().unwrap_or_default();
        let origin = alert.origin.clone();
        Rule {
            name: name.to_string(),
            group: origin.as_ref().map_or(OWN_GROUP, |origin| &origin.group).to_owned(),
            meaning: self.spec.meaning(&expr, origin.as_ref()),
            expr,
            hold: alert.hold,
            keep_firing_for: alert.keep_firing_for,
            labels: self.labels(alert, alert.severity.as_ref(), str::to_owned),
            annotations: with_own(annotations, alert, str::to_owned),
            origin,
            above: None,
            unit: None,
            window: None,
            within: None,
        }
    }

    /// The runbook of a catalogue alert: a URL, or a command if no URL is known.
    fn page(&self, name: &AlertName, alert: &Alert) -> (&'static str, String) {
        match (&alert.runbook_url, self.runbooks) {
            (Some(url), _) => ("runbook_url", go_text(url.as_str())),
            (None, Some(base)) => {
                let page = self.spec.catalogue.name(name.as_str()).unwrap_or(name.as_str());
                ("runbook_url", go_text(&format!("{}/{page}.md", base.as_str().trim_end_matches('/'))))
            }
            (None, None) => ("runbook", go_text(&format!("`monctl runbook {}`", shell_word(name.as_str())))),
        }
    }

    fn labels(
        &self,
        alert: &Alert,
        severity: Option<&String>,
        text: fn(&str) -> String,
    ) -> BTreeMap<String, String> {
        // A rule file stays as it is.
        let names_host = self.names_host && alert.origin.is_none();
        let host = names_host.then(|| (HOST.0.to_owned(), HOST.1.to_owned()));
        let severity = severity.map(|severity| ("severity".to_owned(), text(severity)));
        let others = alert.labels.iter().map(|(name, value)| (name.to_string(), text(value)));
        host.into_iter().chain(severity).chain(others).collect()
    }
}

/// All annotations, with those of the spec's `annotations`.
fn with_own(
    annotations: BTreeMap<&'static str, String>,
    alert: &Alert,
    text: fn(&str) -> String,
) -> BTreeMap<String, String> {
    let own = alert.annotations.iter().map(|(name, value)| (name.to_string(), text(value)));
    annotations.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(own).collect()
}

/// A name quoted for a command line.
fn shell_word(name: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "_-.".contains(c);
    if name.chars().all(is_plain) { name.to_owned() } else { format!("'{}'", name.replace('\'', "'\\''")) }
}
