//! The state of a Grafana.

use std::collections::BTreeMap;

use serde_json::Value;

use super::folder::FoundFolder;
use super::orphaned_dashboards::OrphanedDashboard;
use super::remote_dashboard::FoundDashboard;

/// The actual state of the desired objects in a Grafana.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GrafanaState {
    /// The data source, as Grafana returns it.
    pub data_source: Option<Value>,
    /// The existing folders by uid.
    pub folders: BTreeMap<String, FoundFolder>,
    /// The existing dashboards by uid.
    pub dashboards: BTreeMap<String, FoundDashboard>,
    /// Dashboards of monctl's that are no longer in the spec.
    pub orphaned: Vec<OrphanedDashboard>,
}
