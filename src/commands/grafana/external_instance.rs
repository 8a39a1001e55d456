//! What `down` removes from an existing Grafana.

use std::path::Path;
use std::time::Duration;

use super::session::GrafanaAccess;
use super::{desired, drift};
use crate::commands::dashboards::{self, WantedDashboards};
use crate::error::{Error, Result};
use crate::event::Events;
use crate::grafana::{Desired, GrafanaClient, GrafanaResidue};
use crate::provider::Provider;
use crate::spec::Loaded;

/// Time limit for a running Grafana to answer.
const READY_WITHIN: Duration = Duration::from_secs(10);

/// What monctl owns in an existing Grafana.
#[derive(Debug)]
pub(in crate::commands) struct ExternalInstance {
    client: GrafanaClient,
    desired: Desired,
    leftovers: GrafanaResidue,
}

impl ExternalInstance {
    /// Queries it; `None` if the spec names no existing Grafana.
    ///
    /// # Errors
    /// When it refuses the token or does not answer.
    pub async fn look(loaded: &Loaded, provider: &dyn Provider) -> Result<Option<Self>> {
        let Some(client) = GrafanaAccess::of(loaded, provider)?.external(READY_WITHIN).await? else {
            return Ok(None);
        };
        // An invalid dashboard file of the user must not block the rest.
        let wanted = if let Ok(wanted) = dashboards::wanted(loaded).await {
            wanted
        } else {
            let ours = dashboards::ours(&loaded.spec)?.into_iter();
            WantedDashboards {
                dashboards: ours.map(|(_, dashboard)| dashboard).collect(),
                ..WantedDashboards::default()
            }
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
            let path = drift::copy(base, changed)?;
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
