//! The rule tests of a catalogue alert as data: how a fault of a given size shows in metrics, and what must and
//! must not make the alert fire. `rule_tests/` turns it into cases for promtool.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::amount::Amount;

/// One way in which the alert's fault shows. The usual cases (fires after exactly `for`, not just below the
/// threshold, not on a short spike …) follow from it; `cases` are those that only this alert has.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trial {
    /// Its name, where there are several.
    #[serde(default)]
    pub by: Option<String>,
    /// The scrape job whose targets have the series, which sets their labels `job` and `instance`; none where the
    /// series have all labels themselves.
    #[serde(default)]
    pub target: Option<String>,
    /// The labels of the first series that the alert keeps.
    pub keeps: Vec<String>,
    /// How the expression looks at the past.
    #[serde(default)]
    pub sees: Sees,
    /// Whether its value grows while the window fills: a rate compared with a number, not a ratio.
    #[serde(default)]
    pub absolute: bool,
    /// The level of a healthy system.
    #[serde(default = "zero")]
    pub healthy: Amount,
    /// The level at which the alert must fire. Defaults to a little above the threshold.
    #[serde(default)]
    pub fault: Option<Amount>,
    /// The level at which it must not fire yet. Defaults to a little below the threshold.
    #[serde(default)]
    pub under: Option<Amount>,
    /// The level exactly at the threshold, where that is not `above`; tested where arithmetic is exact.
    #[serde(default)]
    pub at: Option<Amount>,
    /// The highest possible level.
    #[serde(default)]
    pub most: Option<Amount>,
    /// The level of an unmistakable fault. Defaults to `most` or `fault`.
    #[serde(default)]
    pub worst: Option<Amount>,
    /// The share of the window that such a fault must cover. Defaults to the one computed from the levels.
    #[serde(default)]
    pub share: Option<Amount>,
    /// When the expression first becomes true, in seconds, if the fault exists from the beginning.
    #[serde(default)]
    pub first: Option<Amount>,
    /// The value of the expression at a level.
    #[serde(default)]
    pub shows: Option<Amount>,
    /// The trial is skipped unless this is above 0: it makes no sense with such parameters.
    #[serde(default)]
    pub when: Option<Amount>,
    /// The usual cases that make no sense here.
    #[serde(default)]
    pub skip: Vec<Usual>,
    /// More numbers, by name.
    #[serde(default)]
    pub numbers: BTreeMap<String, Amount>,
    /// The series, as they depend on `level`, on the time `t` and on the numbers.
    pub series: Vec<Series>,
    /// Cases of this alert alone.
    #[serde(default)]
    pub cases: Vec<TrialCase>,
}

/// How an expression looks at the past.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sees {
    /// The last scrape.
    #[default]
    Latest,
    /// The time between the scrapes of its window: `rate` and shares of rates.
    Mean,
    /// The scrapes of its window: `avg_over_time`.
    Samples,
    /// Otherwise: the alert's own cases define it.
    Otherwise,
}

/// The cases that every trial has unless it skips them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Usual {
    /// Fires after exactly `for`.
    Fires,
    /// Quiet just below the threshold.
    Below,
    /// Quiet exactly at the threshold.
    At,
    /// Quiet on a short spike.
    Spike,
    /// Looks back as far as its window, and no further.
    Window,
    /// Quiet without any data.
    Missing,
    /// Resolves when its data end.
    Vanishing,
    /// A failed scrape changes nothing.
    Survives,
    /// Counter resets change nothing.
    Reset,
    /// Fires for the faulty one of several instances only.
    Several,
}

/// A series: either a gauge's value, or a counter's growth per second.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Series {
    /// The metric and its labels without those of the target; `${…}` in it is an amount.
    pub name: String,
    /// The value of a gauge.
    #[serde(default)]
    pub value: Option<Amount>,
    /// The growth of a counter per second.
    #[serde(default)]
    pub rate: Option<Amount>,
    /// The series is not there where this is above 0.
    #[serde(default)]
    pub gone: Option<Amount>,
}

/// A case that only this alert has.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrialCase {
    /// What it tests: a phrase that follows the alert's name.
    pub name: String,
    /// Whether the alert must fire.
    pub fires: bool,
    /// The level. Defaults to that of the fault.
    #[serde(default)]
    pub level: Option<Amount>,
    /// Left out unless this is above 0: the case makes no sense with such parameters.
    #[serde(default)]
    pub when: Option<Amount>,
    /// Labels that replace those of the series; several values mean several instances of the fault.
    #[serde(default)]
    pub labels: BTreeMap<String, LabelValues>,
    /// Other values of the trial's numbers.
    #[serde(default)]
    pub numbers: BTreeMap<String, Amount>,
    /// Series of the trial that are not there, by the beginning of their name.
    #[serde(default)]
    pub without: Vec<String>,
    /// More series.
    #[serde(default)]
    pub with: Vec<Series>,
    /// When to check, in seconds. Defaults to the end of the window and `for`.
    #[serde(default)]
    pub at: Option<Amount>,
    /// Whether it is only tested with the catalogue's own parameters, with which arithmetic is exact.
    #[serde(default)]
    pub exact: bool,
    /// How many alerts fire. Defaults to one for each value of `labels`.
    #[serde(default)]
    pub alerts: Option<usize>,
}

/// One value of a label, or several.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum LabelValues {
    /// One.
    One(String),
    /// Several.
    Several(Vec<String>),
}

impl LabelValues {
    /// All of them.
    pub fn all(&self) -> &[String] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::Several(values) => values,
        }
    }
}

fn zero() -> Amount {
    0.0.into()
}
