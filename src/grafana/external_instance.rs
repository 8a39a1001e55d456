//! What `down` removes from an existing Grafana.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::client::GrafanaClient;
use super::desired::Desired;
use super::drift_copy;
use super::grafana_diff::{WantedDashboards, desired};
use super::residue::GrafanaResidue;
use super::session::GrafanaAccess;
use crate::error::{Error, Result};
use crate::event::Events;
use crate::spec::Loaded;

/// Time limit for a running Grafana to answer.
const READY_WITHIN: Duration = Duration::from_secs(10);

/// What monctl owns in an existing Grafana.
#[derive(Debug)]
pub struct ExternalInstance {
    client: GrafanaClient,
    desired: Desired,
    leftovers: GrafanaResidue,
}

impl ExternalInstance {
    /// Queries it; `None` if the spec names no existing Grafana. `folder` is the project's on this computer.
    ///
    /// # Errors
    /// When it refuses the token or does not answer.
    pub async fn look(loaded: &Loaded, folder: PathBuf, wanted: WantedDashboards) -> Result<Option<Self>> {
        let Some(client) = GrafanaAccess::of(loaded, folder)?.external(READY_WITHIN).await? else {
            return Ok(None);
        };
        let desired = desired(&loaded.spec, wanted);
        let leftovers = client.residue(&desired).await?;
        Ok(Some(Self { client, desired, leftovers }))
    }

    /// What would be removed, one line each.
    pub fn lines(&self) -> Vec<String> {
        self.leftovers.lines()
    }

    /// Removes it, keeps copies of dashboards that people changed beside the spec, and verifies the result. Returns
    /// what was removed, and what stays because it is not monctl's.
    ///
    /// # Errors
    /// When something of monctl's still exists, or a copy cannot be kept; in that case nothing was removed.
    pub async fn take_back(self, base: &Path, events: &Events) -> Result<(Vec<String>, Option<String>)> {
        for changed in self.leftovers.drifts() {
            let path = drift_copy::copy(base, changed)?;
            events.note(format!("a copy of a changed dashboard is kept in `{}`", path.display()));
        }
        let (gone, errors) = self.client.take_back(&self.desired, &self.leftovers).await;
        if let Some(error) = Error::all(errors) {
            return Err(error);
        }
        let left = self.client.residue(&self.desired).await?;
        match left.lines() {
            lines if lines.is_empty() => Ok((gone, left.kept())),
            lines => Err(Error::failed(format!("still in Grafana: {}", lines.join(", ")))),
        }
    }
}
