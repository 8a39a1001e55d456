//! Rules that Prometheus has not loaded or cannot evaluate, and a Prometheus without an Alertmanager.

use super::finding::{Finding, FindingKind, Weight};
use super::snapshot::CheckedRule;

/// The fault because of which a rule is not checked any further.
pub(super) fn fault(rule: &CheckedRule) -> Option<Finding> {
    if rule.file.is_none() {
        let evidence = "Prometheus has no rule of this name".into();
        return Some(Finding::of(rule, FindingKind::NotLoaded, "", evidence, "load it with `monctl up`"));
    }
    let error = rule.error.as_ref()?;
    let evidence = format!("its last evaluation failed: {error}");
    let remedy = "correct the expression, then run `monctl up`";
    Some(Finding::of(rule, FindingKind::CannotBeEvaluated, "expr", evidence, remedy))
}

pub(super) fn no_alertmanager() -> Finding {
    Finding {
        kind: FindingKind::NoAlertmanager,
        weight: Weight::Wrong,
        rule: None,
        key: "",
        evidence: "Prometheus sends alerts to no Alertmanager: no alert is delivered".into(),
        remedy: "check both with `monctl status`; `monctl up` repairs them".into(),
        family: None,
    }
}
