//! Alerts that no route delivers: walks Alertmanager's routing tree with the known labels of an alert.

use std::collections::BTreeSet;

use super::finding::{Finding, FindingKind};
use super::snapshot::{CheckedRule, Snapshot};

pub(super) fn undelivered(snapshot: &Snapshot, rule: &CheckedRule) -> Option<Finding> {
    let routing = &snapshot.routing;
    let mut labels = rule.labels.clone();
    labels.insert("alertname".into(), rule.name.clone());
    let mut possible = BTreeSet::new();
    routing.route.receivers(&labels, None, &mut possible);
    let notifies = |name: &&str| routing.receivers.iter().any(|it| it.name == **name && it.notifies());
    if possible.is_empty() || possible.iter().any(notifies) {
        return None;
    }
    let names: Vec<String> = possible.iter().map(|name| format!("`{name}`")).collect();
    let evidence = format!(
        "Alertmanager routes it to {}, which {} no one",
        names.join(" or "),
        if names.len() == 1 { "notifies" } else { "notify" }
    );
    let remedy =
        "give the alert labels that a route matches (`severity`, `labels`), or the receiver an integration";
    Some(Finding::of(rule, FindingKind::NotDelivered, "labels", evidence, remedy))
}
