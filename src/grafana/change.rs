//! The differences between the desired and the actual state of a Grafana, as data, each with a reason. Pure.

use std::fmt;

use serde_json::Value;

use super::dashboard::Dashboard;
use super::data_source::DataSource;
use super::desired::Desired;
use super::folder::{Folder, FoundFolder};
use super::grafana_state::GrafanaState;
use super::object_change::{GrafanaObject, ObjectChange, needed};
use super::orphaned_dashboards::OrphanedDashboard;
use super::remote_dashboard::{Drift, FoundDashboard};

/// One change to a Grafana.
#[derive(Debug, Clone, PartialEq)]
pub enum GrafanaChange {
    /// To the data source.
    DataSource(ObjectChange<DataSource, Value>),
    /// To the folder.
    Folder(ObjectChange<Folder, FoundFolder>),
    /// To a dashboard.
    Dashboard(ObjectChange<Dashboard, FoundDashboard>),
    /// A dashboard of monctl's that is removed.
    OrphanedDashboard(OrphanedDashboard),
}

impl GrafanaChange {
    /// What is changed: ``dashboard `Hosts` ``.
    pub fn subject(&self) -> String {
        match self {
            Self::DataSource(change) => change.wanted.name(),
            Self::Folder(change) => change.wanted.name(),
            Self::Dashboard(change) => change.wanted.name(),
            Self::OrphanedDashboard(stray) => stray.name(),
        }
    }

    /// A person's edit of a dashboard that this change would undo.
    pub fn drift(&self) -> Option<Drift> {
        match self {
            Self::Dashboard(change) => change.wanted.drift(change.found.as_ref()?),
            Self::OrphanedDashboard(stray) => stray.drift(),
            Self::DataSource(_) | Self::Folder(_) => None,
        }
    }

    /// Uid and folder of a dashboard that is in another folder and was last written by somebody else: it may never have
    /// belonged to monctl.
    pub fn moved(&self) -> Option<(&str, &str)> {
        match self {
            Self::Dashboard(change) => {
                let folder = change.wanted.moved(change.found.as_ref()?)?;
                Some((change.wanted.uid.as_str(), folder))
            }
            Self::DataSource(_) | Self::Folder(_) | Self::OrphanedDashboard(_) => None,
        }
    }

    /// Whether the object does not exist yet.
    pub const fn is_new(&self) -> bool {
        match self {
            Self::DataSource(change) => change.found.is_none(),
            Self::Folder(change) => change.found.is_none(),
            Self::Dashboard(change) => change.found.is_none(),
            Self::OrphanedDashboard(_) => false,
        }
    }

    /// `+` for create, `~` for change, `-` for remove.
    pub const fn sign(&self) -> char {
        match self {
            Self::OrphanedDashboard(_) => '-',
            _ if self.is_new() => '+',
            _ => '~',
        }
    }

    /// Whether it concerns a dashboard, which needs the folder.
    pub(super) const fn is_in_folder(&self) -> bool {
        matches!(self, Self::Dashboard(_) | Self::OrphanedDashboard(_))
    }

    /// Why it is changed: `does not exist`, ``differs in `refresh` ``.
    pub fn reason(&self) -> &str {
        match self {
            Self::DataSource(change) => &change.reason,
            Self::Folder(change) => &change.reason,
            Self::Dashboard(change) => &change.reason,
            Self::OrphanedDashboard(stray) => stray.reason(),
        }
    }
}

impl fmt::Display for GrafanaChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.sign(), self.subject(), self.reason())
    }
}

/// The changes that bring a Grafana to the desired state.
pub fn diff(desired: &Desired, state: &GrafanaState) -> Vec<GrafanaChange> {
    let data_source =
        desired.data_source.clone().and_then(|wanted| needed(wanted, state.data_source.clone()));
    let folders = desired.folders.iter().filter_map(|folder| {
        let found = state.folders.get(&folder.uid).cloned();
        needed(folder.clone(), found).map(GrafanaChange::Folder)
    });
    let dashboards = desired.dashboards.iter().filter_map(|dashboard| {
        let found = state.dashboards.get(&dashboard.uid).cloned();
        needed(dashboard.clone(), found).map(GrafanaChange::Dashboard)
    });
    let bases = data_source.map(GrafanaChange::DataSource).into_iter().chain(folders);
    let orphaned = state.orphaned.iter().cloned().map(GrafanaChange::OrphanedDashboard);
    bases.chain(dashboards).chain(orphaned).collect()
}
