//! The spec's section `alerts`: an entry of the catalogue with its parameters, or a rule of the user's own.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::names::{BaseUrl, LabelName};
use crate::duration::PromDuration;

/// An alert: one of the catalogue's, or your own where `expr` is given.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Alert {
    /// Your own rule's `PromQL` expression. Its annotations are Prometheus templates, taken as they are.
    pub expr: Option<String>,
    /// The threshold of a catalogue alert; a percentage where the catalogue says so.
    pub above: Option<f64>,
    /// The time over which a catalogue alert takes rates; the catalogue's, and at least four scrapes, where absent.
    pub window: Option<PromDuration>,
    /// How far ahead a catalogue alert looks that foresees something.
    pub within: Option<PromDuration>,
    /// The traffic below which a catalogue alert about shares or quantiles says nothing, per second.
    pub traffic: Option<f64>,
    /// How long the expression must hold.
    #[serde(rename = "for")]
    pub hold: Option<PromDuration>,
    /// How long your own rule goes on firing once the expression holds no more, so that gaps do not end it.
    pub keep_firing_for: Option<PromDuration>,
    /// The `severity` label.
    pub severity: Option<String>,
    /// The `summary` annotation: plain text for a catalogue alert, a template for your own.
    pub summary: Option<String>,
    /// The `description` annotation: plain text for a catalogue alert, a template for your own.
    pub description: Option<String>,
    /// What to do first, plain text; the catalogue's where absent.
    pub action: Option<String>,
    /// A page about the alert; the one of the catalogue where absent.
    pub runbook_url: Option<BaseUrl>,
    /// More labels.
    pub labels: BTreeMap<LabelName, String>,
}
