//! Grafana in `plan`, `up` and `status`: the changes to make, in monctl's own Grafana or in an existing one.

mod drift;
mod external_instance;
mod local_secrets;
mod session;

pub(super) use drift::{action, left_alone, spare};
pub(super) use external_instance::ExternalInstance;
use local_secrets::KeptSecret;
pub(super) use session::GrafanaAccess;

use super::dashboards::WantedDashboards;
use crate::error::{Error, Result};
use crate::grafana::{DATA_SOURCE_UID, DataSource, Desired, GrafanaChange, GrafanaClient, diff};
use crate::playbook::Facts;
use crate::spec::{self, ExistingData, OnDrift, Spec};

/// The port of monctl's own Grafana on the monitoring host's loopback.
pub(super) const PORT: u16 = 3000;
/// The address of Prometheus for monctl's own Grafana.
const PROMETHEUS: &str = "http://127.0.0.1:9090";
/// The unit.
pub(super) const UNIT: &str = "monctl-grafana.service";
/// The administrator's password on the monitoring host, read by Grafana at its first start.
pub(super) const PASSWORD_FILE: &str = "/etc/monctl/grafana/admin-password";

/// Whether Grafana runs on a host with these facts.
pub(super) fn runs(facts: &Facts) -> bool {
    facts.units.get(UNIT).is_some_and(|unit| unit.active == "active")
}

/// The changes to make in a Grafana, and the ones to leave out.
#[derive(Debug, Default)]
pub(super) struct GrafanaDiff {
    pub changes: Vec<GrafanaChange>,
    /// Differences that a person made, if the spec says to keep them.
    pub kept: Vec<GrafanaChange>,
}

/// Compares the desired content of Grafana with its current content.
///
/// # Errors
/// When Grafana refuses or does not answer; in an existing one, also if another dashboard is in the way.
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
        // In an existing Grafana people may rename the folder.
        changes.retain(|change| change.is_new() || !matches!(change, GrafanaChange::Folder(_)));
        check_moved(client, &changes).await?;
    }
    let is_kept = |change: &GrafanaChange| spec.on_drift == OnDrift::Keep && change.drift().is_some();
    let (kept, changes) = changes.into_iter().partition(is_kept);
    Ok(GrafanaDiff { changes, kept })
}

/// Makes sure that no other dashboard is mistaken for one of monctl's that was moved.
async fn check_moved(client: &GrafanaClient, changes: &[GrafanaChange]) -> Result<()> {
    for (uid, folder) in changes.iter().filter_map(GrafanaChange::moved) {
        if !client.wrote(uid).await? {
            let text = format!("the dashboard with the uid `{uid}` in folder `{folder}` is not monctl's");
            return Err(Error::failed(text).remedy(
                "it is left as it is; give the spec's dashboard another `uid`, or remove the other one",
            ));
        }
    }
    Ok(())
}

/// The desired content of Grafana. Other dashboards are not removed if some of the spec's are unavailable now, nor in
/// an existing Grafana: another project may share the folder, and its dashboards look the same.
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
