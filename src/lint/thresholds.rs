//! Thresholds that the value never or always exceeds, and numbers in another unit than the value.

use super::finding::{Finding, FindingKind};
use super::snapshot::{CheckedRule, Snapshot};
use crate::promql::{BinaryExpr, Expr};
use crate::promql::{
    Bounds, Comparison, PERCENT, SHARE, Threshold, alternatives, bounds, comparison, comparisons, number,
};

/// A comparison with a number.
struct Condition<'a> {
    left: &'a Expr,
    threshold: Threshold,
    bounds: Bounds,
}

pub(super) fn findings(snapshot: &Snapshot, rule: &CheckedRule, expression: &Expr) -> Vec<Finding> {
    let key = if rule.entry.is_some() { "above" } else { "expr" };
    let mut findings = Vec::new();
    for alternative in alternatives(expression) {
        let conditions: Vec<Condition> = comparisons(alternative).into_iter().filter_map(condition).collect();
        findings.extend(conditions.iter().filter_map(|condition| never(rule, key, condition)));
        findings.extend(conditions.iter().filter_map(|condition| mixed_up(snapshot, rule, key, condition)));
        // Of several conditions that all have to hold, one that always holds may be intended.
        if let [condition] = conditions.as_slice() {
            findings.extend(always(rule, key, condition));
        }
    }
    findings
}

fn condition(binary: &BinaryExpr) -> Option<Condition<'_>> {
    let (left, turned, value) = match (number(&binary.lhs), number(&binary.rhs)) {
        (None, Some(value)) => (&*binary.lhs, false, value),
        (Some(value), None) => (&*binary.rhs, true, value),
        _ => return None,
    };
    let comparison = comparison(binary.op.id())?;
    let comparison = if turned { comparison.turned() } else { comparison };
    Some(Condition { left, threshold: Threshold { comparison, value, unit: "" }, bounds: bounds(left) })
}

impl Condition<'_> {
    fn shown(&self) -> String {
        let Bounds { low, high } = self.bounds;
        match (low.is_finite(), high.is_finite()) {
            (true, true) => format!("`{}` lies between {low} and {high}", self.left),
            (true, false) => format!("`{}` is never below {low}", self.left),
            _ => format!("`{}` is never above {high}", self.left),
        }
    }
}

fn never(rule: &CheckedRule, key: &'static str, condition: &Condition) -> Option<Finding> {
    let Condition { threshold, bounds, .. } = condition;
    let Bounds { low, high } = *bounds;
    let value = threshold.value;
    let is_possible = match threshold.comparison {
        Comparison::More => high > value,
        Comparison::AtLeast => high >= value,
        Comparison::Less => low < value,
        Comparison::AtMost => low <= value,
        Comparison::Equal => low <= value && value <= high,
        Comparison::Unequal => bounds.only().is_none_or(|only| (only - value).abs() > f64::EPSILON),
    };
    if is_possible {
        return None;
    }
    let remedy = if *bounds == SHARE && value > 1.0 && value <= 100.0 {
        format!("write {}, or multiply the left side by 100", value / 100.0)
    } else if *bounds == PERCENT && value > 100.0 {
        "write a number between 0 and 100".into()
    } else {
        "write a number that the left side can reach".into()
    };
    let evidence = format!("{}: it is never {threshold}", condition.shown());
    Some(Finding::of(rule, FindingKind::NeverReached, key, evidence, remedy))
}

fn always(rule: &CheckedRule, key: &'static str, condition: &Condition) -> Option<Finding> {
    let Condition { threshold, bounds, .. } = condition;
    let Bounds { low, high } = *bounds;
    // An expression with a single possible value is meant to be true whenever it returns anything.
    if bounds.only().is_some() {
        return None;
    }
    let value = threshold.value;
    let is_always = match threshold.comparison {
        Comparison::More => low > value,
        Comparison::AtLeast => low >= value,
        Comparison::Less => high < value,
        Comparison::AtMost => high <= value,
        Comparison::Equal => false,
        Comparison::Unequal => value < low || value > high,
    };
    if !is_always {
        return None;
    }
    let evidence = format!("{}: whenever it has a value, it is {threshold}", condition.shown());
    let remedy = if *bounds == SHARE && value > 1.0 && value <= 100.0 {
        format!("write {}, or multiply the left side by 100", value / 100.0)
    } else {
        "write a number between the values that the left side can have".to_owned()
    };
    Some(Finding::of(rule, FindingKind::AlwaysReached, key, evidence, remedy))
}

/// A percentage that is compared with a fraction. Half a percent of failed requests may be intended, so a threshold
/// counts as a mistake only if the value is beyond it now, or if it compares what is left with less than one percent.
fn mixed_up(
    snapshot: &Snapshot,
    rule: &CheckedRule,
    key: &'static str,
    condition: &Condition,
) -> Option<Finding> {
    let Condition { left, threshold, bounds } = condition;
    let value = threshold.value;
    if *bounds != PERCENT || value <= 0.0 || value >= 1.0 {
        return None;
    }
    // Without present values, none is beyond the threshold.
    let values = snapshot.values.get(&left.to_string()).map(Vec::as_slice).unwrap_or_default();
    let beyond = values.iter().filter(|&&now| threshold.holds(now)).count();
    let compares_what_is_left = matches!(threshold.comparison, Comparison::Less | Comparison::AtMost);
    if beyond == 0 && !compares_what_is_left {
        return None;
    }
    let evidence = format!(
        "`{left}` is a percentage, so {value} means {value}%; {beyond} of {} values are {threshold} now",
        values.len()
    );
    let remedy = format!("write {}, or remove the multiplication by 100", value * 100.0);
    Some(Finding::of(rule, FindingKind::NeverReached, key, evidence, remedy))
}
