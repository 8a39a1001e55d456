//! Changes in Grafana, as a plan shows them.

use crate::grafana::{self, GrafanaChange};
use crate::plan::GrafanaAction;
use crate::playbook::Facts;

/// Whether monctl's own Grafana runs on a host with these facts.
pub fn grafana_runs(facts: &Facts) -> bool {
    facts.units.get(grafana::UNIT).is_some_and(|unit| unit.active == "active")
}

/// A change as a plan shows it.
pub(super) fn action(change: &GrafanaChange) -> GrafanaAction {
    let mut why = change.reason().to_owned();
    if let Some(effect) = effect(change) {
        why = format!("{why}; {effect}");
    }
    if let Some(drift) = change.drift() {
        why = format!("{why}; a copy is kept in `{}`", grafana::copy_place(&drift));
    }
    GrafanaAction { sign: change.sign(), what: change.subject(), why }
}

/// What a change does to an existing object, if its reason alone does not show it.
fn effect(change: &GrafanaChange) -> Option<&'static str> {
    match change {
        _ if change.is_new() => None,
        GrafanaChange::DataSource(_) => Some("these are set to the values of the spec; its secrets stay"),
        GrafanaChange::Folder(_) => Some("its name is restored"),
        GrafanaChange::OrphanedDashboard(_) => Some("it is deleted"),
        GrafanaChange::Dashboard(_) => None,
    }
}

/// A difference that is kept, as a plan shows it.
pub(super) fn left_alone(change: &GrafanaChange) -> GrafanaAction {
    GrafanaAction { sign: '=', what: change.subject(), why: change.reason().to_owned() }
}
