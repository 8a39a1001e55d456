//! Alerts that no route delivers: Alertmanager's tree of routes, walked with what is known of an alert's labels.

use std::collections::BTreeSet;

use super::finding::Finding;
use super::finding::Kind;
use super::routing::Configuration;
use super::snapshot::{CheckedRule, Snapshot};

pub(super) fn undelivered(snapshot: &Snapshot, rule: &CheckedRule) -> Option<Finding> {
    // It was read when the snapshot was taken.
    let configuration: Configuration = serde_saphyr::from_str(&snapshot.routing).ok()?;
    let mut labels = rule.labels.clone();
    labels.insert("alertname".into(), rule.name.clone());
    let mut possible = BTreeSet::new();
    configuration.route.receivers(&labels, None, &mut possible);
    let tells = |name: &&str| configuration.receivers.iter().any(|it| it.name == **name && it.tells());
    if possible.is_empty() || possible.iter().any(tells) {
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
    Some(Finding::of(rule, Kind::NotDelivered, "labels", evidence, remedy))
}
