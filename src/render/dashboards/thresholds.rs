//! `"alerts": ["HighCPUUsage"]`: a panel's thresholds are those of the spec's alerts, and its help names them. An alert
//! that the spec does not have draws no line.

use serde_json::{Value, json};

use super::super::rules::Rule;
use crate::duration::PromDuration;
use crate::spec::ThresholdUnit;

/// The colour of good values. Blue and orange are distinguishable with colour blindness.
const FINE: &str = "#0072B2";
const WARNING: &str = "#E69F00";
const CRITICAL: &str = "#D55E00";

const DAYS: &str = "suffix:days";
const SECONDS_PER_DAY: f64 = 86_400.0;

/// A line in a panel; the alert's expression holds on one side of it.
pub(super) struct PanelThreshold<'a> {
    rule: &'a Rule,
    side: Side,
}

/// The side on which the alert fires.
#[derive(Clone, Copy)]
enum Side {
    Above(f64),
    /// For predictive alerts: the panel shows the time left.
    Within(PromDuration),
}

/// The thresholds of the alerts of these names, the lowest first.
pub(super) fn of<'a>(names: &[&str], rules: &'a [Rule]) -> Vec<PanelThreshold<'a>> {
    let chosen = rules.iter().filter(|rule| names.contains(&rule.name.as_str()));
    let mut found: Vec<_> =
        chosen.filter_map(|rule| Some(PanelThreshold { rule, side: Side::of(rule)? })).collect();
    // Of two lines at one value the last one is visible: the critical one.
    let order = |line: &PanelThreshold| line.color() == CRITICAL;
    found.sort_by(|a, b| a.side.at().total_cmp(&b.side.at()).then(order(a).cmp(&order(b))));
    found
}

/// The `fieldConfig.defaults.thresholds` of a panel in this unit. For a predictive alert, values below the line are
/// bad.
pub(super) fn steps(thresholds: &[PanelThreshold], unit: &str) -> Value {
    // Times are in seconds, except where a panel counts days.
    let scale = if unit == DAYS { SECONDS_PER_DAY } else { 1.0 };
    let step =
        |color: &str, from: Option<f64>| json!({"color": color, "value": from.map(|from| from / scale)});
    let (ahead, above): (Vec<_>, Vec<_>) = thresholds.iter().partition(|line| line.side.is_ahead());
    let mut steps = match ahead.last() {
        Some(line) => vec![step(line.color(), None), step(FINE, Some(line.side.at()))],
        None => vec![step(FINE, None)],
    };
    steps.extend(above.iter().map(|line| step(line.color(), Some(line.side.at()))));
    json!({"mode": "absolute", "steps": steps})
}

/// The sentences about its alerts in a panel's help.
pub(super) fn sentence(names: &[&str], thresholds: &[PanelThreshold]) -> String {
    let about = |name: &&str| {
        let line = thresholds.iter().find(|line| line.rule.name == **name);
        line.map_or_else(
            || format!(" The spec has no alert {name} with a threshold."),
            PanelThreshold::sentence,
        )
    };
    names.iter().map(about).collect()
}

impl Side {
    fn of(rule: &Rule) -> Option<Self> {
        rule.within.map(Self::Within).or_else(|| rule.above.map(Self::Above))
    }

    const fn is_ahead(self) -> bool {
        matches!(self, Self::Within(_))
    }

    /// The value of the line, in seconds if it is a time.
    fn at(self) -> f64 {
        match self {
            Self::Above(above) => above,
            Self::Within(within) => within.as_secs_f64(),
        }
    }
}

impl PanelThreshold<'_> {
    fn color(&self) -> &'static str {
        let severity = self.rule.labels.get("severity").map(String::as_str);
        if severity == Some("critical") { CRITICAL } else { WARNING }
    }

    fn sentence(&self) -> String {
        let unit = match self.rule.unit {
            Some(ThresholdUnit::Percent) => " %",
            Some(ThresholdUnit::Seconds) => " s",
            Some(ThresholdUnit::Count) | None => "",
        };
        let line = match self.side {
            Side::Above(above) => format!("above {above}{unit}"),
            Side::Within(within) => format!("below {within}"),
        };
        let held = self.rule.hold.map(|hold| format!(" for {hold}")).unwrap_or_default();
        format!(" {} fires {line}{held}.", self.rule.name)
    }
}
