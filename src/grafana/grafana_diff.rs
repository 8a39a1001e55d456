//! The desired content of a project's Grafana, monctl's own or an existing one, compared with its current content.

use super::change::{GrafanaChange, diff};
use super::client::GrafanaClient;
use super::dashboard::Dashboard;
use super::data_source::DataSource;
use super::desired::Desired;
use super::folder::Folder;
use crate::error::{Error, Result};
use crate::spec::{self, DATA_SOURCE_UID, ExistingData, OnDrift, Spec};

/// The address of Prometheus for monctl's own Grafana.
const PROMETHEUS: &str = "http://127.0.0.1:9090";

/// The dashboards of a project, and those of its spec that are unavailable now.
#[derive(Debug, Default)]
pub struct WantedDashboards {
    /// monctl's own and the user's.
    pub dashboards: Vec<Dashboard>,
    /// The folders of the user's dashboards.
    pub folders: Vec<Folder>,
    /// Why published dashboards cannot be downloaded. Nothing else depends on them.
    pub missing: Vec<Error>,
}

/// The changes to make in a Grafana, and the ones to leave out.
#[derive(Debug, Default)]
pub struct GrafanaDiff {
    /// The changes to make.
    pub changes: Vec<GrafanaChange>,
    /// Differences that a person made, if the spec says to keep them.
    pub kept: Vec<GrafanaChange>,
}

/// Compares the desired content of Grafana with its current content.
///
/// # Errors
/// When Grafana refuses or does not answer; in an existing one, also if another dashboard is in the way.
pub async fn compare(client: &GrafanaClient, desired: &Desired, spec: &spec::Grafana) -> Result<GrafanaDiff> {
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
pub fn desired(spec: &Spec, wanted: WantedDashboards) -> Desired {
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
