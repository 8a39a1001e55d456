//! Alerts that no route delivers: Alertmanager's tree of routes, walked with what is known of an alert's labels.

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
        "Alertmanager's routes lead it to {}, which {} nobody",
        names.join(" or "),
        if names.len() == 1 { "tells" } else { "tell" }
    );
    let remedy =
        "give the alert labels that a route asks for (`severity`, `labels`), or the receiver an address";
    Some(Finding::of(rule, FindingKind::NotDelivered, "labels", evidence, remedy))
}
