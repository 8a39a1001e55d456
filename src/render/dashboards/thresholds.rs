//! `"alerts": ["HighCPUUsage"]`: a panel's thresholds are those of the alerts, as the spec has them, and its help says
//! so. An alert that the spec does not have leaves no line.

use serde_json::{Value, json};

use crate::render::Rule;
use crate::spec::Unit;

/// Of values that are fine. Blue and orange differ for everybody, whatever colours they see.
const FINE: &str = "#0072B2";
const WARNING: &str = "#E69F00";
const CRITICAL: &str = "#D55E00";

/// A line in a panel: from this value on the alert's expression holds.
pub(super) struct Threshold<'a> {
    rule: &'a Rule,
    above: f64,
}

/// The thresholds of the alerts of these names, the lowest first.
pub(super) fn of<'a>(names: &[&str], rules: &'a [Rule]) -> Vec<Threshold<'a>> {
    let chosen = rules.iter().filter(|rule| names.contains(&rule.name.as_str()));
    let mut found: Vec<_> =
        chosen.filter_map(|rule| rule.above.map(|above| Threshold { rule, above })).collect();
    found.sort_by(|a, b| a.above.total_cmp(&b.above));
    found
}

/// As `fieldConfig.defaults.thresholds`.
pub(super) fn steps(thresholds: &[Threshold]) -> Value {
    let fine = json!({"color": FINE, "value": null});
    let step = |line: &Threshold| json!({"color": line.color(), "value": line.above});
    let steps: Vec<Value> = std::iter::once(fine).chain(thresholds.iter().map(step)).collect();
    json!({"mode": "absolute", "steps": steps})
}

/// What a panel's help says of its alerts.
pub(super) fn sentence(names: &[&str], thresholds: &[Threshold]) -> String {
    let about = |name: &&str| {
        let line = thresholds.iter().find(|line| line.rule.name == **name);
        line.map_or_else(|| format!(" The spec has no alert {name} with a threshold."), Threshold::sentence)
    };
    names.iter().map(about).collect()
}

impl Threshold<'_> {
    fn color(&self) -> &'static str {
        let severity = self.rule.labels.get("severity").map(String::as_str);
        if severity == Some("critical") { CRITICAL } else { WARNING }
    }

    fn sentence(&self) -> String {
        let Self { rule, above } = self;
        let unit = match rule.unit {
            Some(Unit::Percent) => " %",
            Some(Unit::Seconds) => " s",
            Some(Unit::Count) | None => "",
        };
        let held = rule.hold.map(|hold| format!(" for {hold}")).unwrap_or_default();
        format!(" {} fires above {above}{unit}{held}.", rule.name)
    }
}
