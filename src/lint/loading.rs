//! Rules that Prometheus has not, or cannot evaluate, and a Prometheus that tells nobody.

use super::finding::{Finding, FindingKind, Weight};
use super::snapshot::CheckedRule;

/// What keeps a rule from being looked at any further.
pub(super) fn fault(rule: &CheckedRule) -> Option<Finding> {
    if rule.file.is_none() {
        let evidence = "Prometheus has no rule of this name".into();
        return Some(Finding::of(rule, FindingKind::NotLoaded, "", evidence, "bring it there: `monctl up`"));
    }
    let error = rule.error.as_ref()?;
    let evidence = format!("its last evaluation failed: {error}");
    let remedy = "correct the expression, then `monctl up`";
    Some(Finding::of(rule, FindingKind::CannotBeEvaluated, "expr", evidence, remedy))
}

pub(super) fn no_alertmanager() -> Finding {
    Finding {
        kind: FindingKind::NoAlertmanager,
        weight: Weight::Wrong,
        rule: None,
        key: "",
        evidence: "Prometheus knows no Alertmanager: whatever fires is told to nobody".into(),
        remedy: "look at both: `monctl status`; `monctl up` mends them".into(),
        family: None,
    }
}
