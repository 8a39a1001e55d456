//! The spec's section `alerts`: an entry of the catalogue with its parameters, or the user's own rule.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::drill::DrillKind;
use super::names::{BaseUrl, LabelName};
use super::rule_origin::RuleOrigin;
use crate::duration::PromDuration;

/// An alert: one of the catalogue's, or your own where `expr` is given.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Alert {
    /// Your own rule's `PromQL` expression. Its annotations are Prometheus templates, taken as they are.
    pub expr: Option<String>,
    /// The threshold of a catalogue alert, in the catalogue's unit: percent, seconds or a count.
    pub above: Option<f64>,
    /// The range of a catalogue alert's rates. Defaults to the catalogue's, and to at least four scrape intervals.
    pub window: Option<PromDuration>,
    /// How far ahead a predictive catalogue alert looks.
    pub within: Option<PromDuration>,
    /// The traffic per second below which a catalogue alert about ratios or quantiles does not fire.
    pub traffic: Option<f64>,
    /// How long the expression must hold.
    #[serde(rename = "for")]
    pub hold: Option<PromDuration>,
    /// How long your own rule keeps firing after the expression stops holding, so that gaps do not resolve it.
    pub keep_firing_for: Option<PromDuration>,
    /// The `severity` label.
    pub severity: Option<String>,
    /// The `summary` annotation: plain text for a catalogue alert, a template for your own.
    pub summary: Option<String>,
    /// The `description` annotation: plain text for a catalogue alert, a template for your own.
    pub description: Option<String>,
    /// What to do first, in plain text. Defaults to the catalogue's.
    pub action: Option<String>,
    /// The URL of a page about the alert. Defaults to the catalogue's runbook.
    pub runbook_url: Option<BaseUrl>,
    /// The fault that `monctl verify-alert` injects. Defaults to the drill of a catalogue alert; see docs/drills.md.
    pub drill: Option<DrillKind>,
    /// Additional labels.
    pub labels: BTreeMap<LabelName, String>,
    /// Additional annotations: plain text for a catalogue alert, templates for your own.
    pub annotations: BTreeMap<LabelName, String>,
    /// Where the alert stands, if it is of a file in `monitoring.rules`. Only loading sets it.
    #[serde(skip)]
    pub origin: Option<RuleOrigin>,
    /// The further rules of this name in files of `monitoring.rules`, which differ in their labels. Only loading sets
    /// them.
    #[serde(skip)]
    pub others: Vec<Alert>,
}

impl Alert {
    /// All rules of its name: itself, and the others.
    pub fn each(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(&self.others)
    }
}
