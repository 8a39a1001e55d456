//! Reads the state of a Grafana and applies changes to it.

use std::collections::BTreeMap;

use futures_util::{StreamExt, TryStreamExt, stream};

use super::change::GrafanaChange;
use super::client::{AT_ONCE, GrafanaClient};
use super::desired::Desired;
use super::folder::FoundFolder;
use super::grafana_state::GrafanaState;
use super::object_change::{Ask, GrafanaObject, settle};
use crate::error::{Error, Result};

impl GrafanaClient {
    /// Reads the objects with the desired uids. Writes nothing.
    ///
    /// The first read is sent alone: five wrong passwords lock the account, so a wrong one must cost one try, not four.
    ///
    /// # Errors
    /// When Grafana refuses the login (never tried twice) or does not answer.
    pub async fn observe(&self, desired: &Desired) -> Result<GrafanaState> {
        let data_source = match &desired.data_source {
            Some(data_source) => data_source.read(self).await?,
            None => None,
        };
        let dashboards = stream::iter(&desired.dashboards)
            .map(async |one| Ok::<_, Error>((one.uid.clone(), one.read(self).await?)))
            .buffer_unordered(AT_ONCE)
            .try_filter_map(async |(uid, found)| Ok(found.map(|found| (uid, found))))
            .try_collect();
        let folders = self.folders(desired).await?;
        let dashboards = dashboards.await?;
        let orphaned =
            if folders.is_empty() { Vec::new() } else { self.orphaned_dashboards(desired).await? };
        Ok(GrafanaState { data_source, folders, dashboards, orphaned })
    }

    /// The desired folders that exist.
    async fn folders(&self, desired: &Desired) -> Result<BTreeMap<String, FoundFolder>> {
        let mut folders = BTreeMap::new();
        for folder in &desired.folders {
            if let Some(found) = folder.read(self).await? {
                folders.insert(folder.uid.clone(), found);
            }
        }
        Ok(folders)
    }

    /// Applies the changes: data source and folders, then the dashboards. A failure does not stop the other changes,
    /// except that without the folders no dashboard is written. Calls `ask` before it undoes a person's edit, including
    /// one made since the plan.
    ///
    /// # Errors
    /// One for each change that failed.
    pub async fn apply(&self, changes: Vec<GrafanaChange>, ask: Ask<'_>) -> Result<(), Vec<Error>> {
        let (inside, bases): (Vec<_>, Vec<_>) = changes.into_iter().partition(GrafanaChange::is_in_folder);
        self.make_all(bases, ask).await?;
        // A removed dashboard may have the title of a new one.
        let (going, coming): (Vec<_>, Vec<_>) =
            inside.into_iter().partition(|change| matches!(change, GrafanaChange::OrphanedDashboard(_)));
        let results = [self.make_all(going, ask).await, self.make_all(coming, ask).await];
        let errors: Vec<Error> = results.into_iter().filter_map(Result::err).flatten().collect();
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    async fn make_all(&self, changes: Vec<GrafanaChange>, ask: Ask<'_>) -> Result<(), Vec<Error>> {
        let making = stream::iter(changes).map(|change| self.make(change, ask)).buffer_unordered(AT_ONCE);
        let errors: Vec<Error> = making.filter_map(async |done| done.err()).collect().await;
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    async fn make(&self, change: GrafanaChange, ask: Ask<'_>) -> Result<()> {
        match change {
            GrafanaChange::DataSource(change) => settle(change, self, ask).await,
            GrafanaChange::Folder(change) => settle(change, self, ask).await,
            GrafanaChange::Dashboard(change) => settle(change, self, ask).await,
            GrafanaChange::OrphanedDashboard(stray) => self.remove(stray, ask).await,
        }
    }
}
