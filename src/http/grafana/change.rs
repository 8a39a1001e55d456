//! What differs between the Grafana wanted and the one found, as data with a reason each. Pure.

use std::fmt;

use serde_json::Value;

use super::dashboard::{Dashboard, Drift, FoundDashboard};
use super::data_source::DataSource;
use super::folder::{Folder, FoundFolder};
use super::thing::{Change, Thing, needed};
use super::{Desired, GrafanaState};

/// One change to a Grafana.
#[derive(Debug, Clone, PartialEq)]
pub enum GrafanaChange {
    /// To the data source.
    DataSource(Change<DataSource, Value>),
    /// To the folder.
    Folder(Change<Folder, FoundFolder>),
    /// To a dashboard.
    Dashboard(Change<Dashboard, FoundDashboard>),
}

impl GrafanaChange {
    /// What is changed: ``dashboard `Hosts` ``.
    pub fn subject(&self) -> String {
        match self {
            Self::DataSource(change) => change.wanted.name(),
            Self::Folder(change) => change.wanted.name(),
            Self::Dashboard(change) => change.wanted.name(),
        }
    }

    /// What a person made of a dashboard, which this change would undo.
    pub fn drift(&self) -> Option<Drift> {
        match self {
            Self::Dashboard(change) => change.wanted.drift(change.found.as_ref()?),
            Self::DataSource(_) | Self::Folder(_) => None,
        }
    }

    /// Whether the thing is not there yet.
    pub fn is_new(&self) -> bool {
        match self {
            Self::DataSource(change) => change.found.is_none(),
            Self::Folder(change) => change.found.is_none(),
            Self::Dashboard(change) => change.found.is_none(),
        }
    }

    /// Why it is changed: `is not there`, ``differs in `refresh` ``.
    pub fn reason(&self) -> &str {
        match self {
            Self::DataSource(change) => &change.reason,
            Self::Folder(change) => &change.reason,
            Self::Dashboard(change) => &change.reason,
        }
    }
}

impl fmt::Display for GrafanaChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.is_new() { '+' } else { '~' };
        write!(f, "{sign} {}: {}", self.subject(), self.reason())
    }
}

/// The changes that make a Grafana as wanted, in the order in which they depend on each other; none where it is.
pub fn diff(desired: &Desired, state: &GrafanaState) -> Vec<GrafanaChange> {
    let data_source = needed(desired.data_source.clone(), state.data_source.clone());
    let folder = needed(desired.folder.clone(), state.folder.clone());
    let dashboards = desired.dashboards.iter().filter_map(|dashboard| {
        let found = state.dashboards.get(&dashboard.uid).cloned();
        needed(dashboard.clone(), found).map(GrafanaChange::Dashboard)
    });
    let bases = [data_source.map(GrafanaChange::DataSource), folder.map(GrafanaChange::Folder)];
    bases.into_iter().flatten().chain(dashboards).collect()
}
