//! What `down` takes back from a Grafana that exists.

use std::path::Path;
use std::time::Duration;

use super::access::GrafanaAccess;
use super::{desired, drift};
use crate::commands::dashboards::{self, WantedDashboards};
use crate::error::{Error, Result};
use crate::event::Events;
use crate::grafana::{Desired, GrafanaClient, Leftovers};
use crate::provider::Provider;
use crate::spec::Loaded;

/// It runs already.
const READY_WITHIN: Duration = Duration::from_secs(10);

/// What monctl has in a Grafana that exists.
#[derive(Debug)]
pub(in crate::commands) struct Guest {
    client: GrafanaClient,
    desired: Desired,
    leftovers: Leftovers,
}

impl Guest {
    /// Looks; `None` where the spec names no Grafana that exists.
    ///
    /// # Errors
    /// When it refuses the token or does not answer.
    pub async fn look(loaded: &Loaded, provider: &dyn Provider) -> Result<Option<Self>> {
        let Some(client) = GrafanaAccess::of(loaded, provider)?.guest(READY_WITHIN).await? else {
            return Ok(None);
        };
        // A file of the user's that is broken by now must not hold up the rest.
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
        let leftovers = client.leftovers(&desired).await?;
        Ok(Some(Self { client, desired, leftovers }))
    }

    /// What would be removed, a line each.
    pub fn lines(&self) -> Vec<String> {
        self.leftovers.lines()
    }

    /// Removes it, keeps copies beside the spec of what persons made of it, and looks again. Returns what is gone and
    /// what stays since it is not monctl's.
    ///
    /// # Errors
    /// When something of monctl's is still there, or no copy can be kept, in which case nothing was removed.
    pub async fn take_back(self, base: &Path, events: &Events) -> Result<(Vec<String>, Option<String>)> {
        for changed in self.leftovers.drifts() {
            let path = drift::copy(base, changed)?;
            events.note(format!("what a person made of it is kept in `{}`", path.display()));
        }
        let (gone, errors) = self.client.take_back(&self.desired, &self.leftovers).await;
        if let Some(error) = Error::all(errors) {
            return Err(error);
        }
        let left = self.client.leftovers(&self.desired).await?;
        match left.lines() {
            lines if lines.is_empty() => Ok((gone, left.kept())),
            lines => Err(Error::failed(format!("still in Grafana: {}", lines.join(", ")))),
        }
    }
}
