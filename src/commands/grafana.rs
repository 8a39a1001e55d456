//! Grafana as `plan`, `up` and `status` see it: what is to be done there, in monctl's own or in one that exists.

mod access;
mod drift;
mod guest;
mod kept;

pub(super) use access::GrafanaAccess;
pub(super) use drift::{action, left_alone, spare};
pub(super) use guest::Guest;
use kept::KeptSecret;

use super::dashboards::WantedDashboards;
use crate::error::{Error, Result};
use crate::grafana::{DATA_SOURCE_UID, DataSource, Desired, GrafanaChange, GrafanaClient, diff};
use crate::playbook::Facts;
use crate::spec::{self, ExistingData, OnDrift, Spec};

/// The port of monctl's own on the monitoring host's loopback.
pub(super) const PORT: u16 = 3000;
/// Prometheus as monctl's own reaches it.
const PROMETHEUS: &str = "http://127.0.0.1:9090";
/// The unit.
pub(super) const UNIT: &str = "monctl-grafana.service";
/// The administrator's password on the monitoring host, read by Grafana at its first start.
pub(super) const PASSWORD_FILE: &str = "/etc/monctl/grafana/admin-password";

/// Whether Grafana runs on a host with these facts.
pub(super) fn runs(facts: &Facts) -> bool {
    facts.units.get(UNIT).is_some_and(|unit| unit.active == "active")
}

/// What is to be done in a Grafana, and what is left alone.
#[derive(Debug, Default)]
pub(super) struct GrafanaDiff {
    pub changes: Vec<GrafanaChange>,
    /// What a person changed, where the spec says to leave it so.
    pub kept: Vec<GrafanaChange>,
}

/// What differs between what is wanted in Grafana and what it holds.
///
/// # Errors
/// When Grafana refuses or does not answer; in one that exists also where something that is not monctl's is in the way.
pub(super) async fn compare(
    client: &GrafanaClient,
    desired: &Desired,
    spec: &spec::Grafana,
) -> Result<GrafanaDiff> {
    let existing = spec.existing();
    if let Some(ExistingData::Theirs(uid)) = existing.map(|existing| existing.data) {
        client.check_data_source(uid).await?;
    }
    let mut changes = diff(desired, &client.observe(desired).await?);
    if existing.is_some() {
        // There a folder is called as people like.
        changes.retain(|change| change.is_new() || !matches!(change, GrafanaChange::Folder(_)));
        check_moved(client, &changes).await?;
    }
    let is_kept = |change: &GrafanaChange| spec.on_drift == OnDrift::Keep && change.drift().is_some();
    let (kept, changes) = changes.into_iter().partition(is_kept);
    Ok(GrafanaDiff { changes, kept })
}

/// Makes sure that no dashboard of somebody else's would be taken for one that was moved.
async fn check_moved(client: &GrafanaClient, changes: &[GrafanaChange]) -> Result<()> {
    for (uid, folder) in changes.iter().filter_map(GrafanaChange::moved) {
        if !client.wrote(uid).await? {
            let text = format!("the dashboard with the uid `{uid}` in folder `{folder}` is not monctl's");
            return Err(Error::failed(text).remedy(
                "it is left as it is; give the spec's dashboard another `uid`, or take that one away",
            ));
        }
    }
    Ok(())
}

/// What Grafana is to hold. No other dashboard is taken for unwanted where some of the spec's cannot be had now, nor in a
/// Grafana that exists: there the folder may be shared with another project, whose dashboards look the same.
pub(super) fn desired(spec: &Spec, wanted: WantedDashboards) -> Desired {
    let interval = spec.monitoring.scrape_interval.to_string();
    let existing = spec.grafana.existing();
    let data_source = match existing.map(|existing| existing.data) {
        None => Some(DataSource::prometheus(DATA_SOURCE_UID, PROMETHEUS, &interval)),
        Some(ExistingData::Ours(url)) => Some(DataSource::beside_others(DATA_SOURCE_UID, url, &interval)),
        Some(ExistingData::Theirs(_)) => None,
    };
    let complete = existing.is_none() && wanted.missing.is_empty();
    let mut desired = Desired { complete, ..Desired::new(data_source, wanted.dashboards) };
    desired.folders.extend(wanted.folders);
    desired
}
