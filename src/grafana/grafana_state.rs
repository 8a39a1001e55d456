//! What a Grafana holds.

use std::collections::BTreeMap;

use serde_json::Value;

use super::folder::FoundFolder;
use super::found::FoundDashboard;
use super::stray::Stray;

/// What a Grafana holds of what is wanted there.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GrafanaState {
    /// The data source under its uid, as Grafana shows it.
    pub data_source: Option<Value>,
    /// The folders under their uids; those that are missing are not in here.
    pub folders: BTreeMap<String, FoundFolder>,
    /// The dashboards under their uids; those that are missing are not in here.
    pub dashboards: BTreeMap<String, FoundDashboard>,
    /// Dashboards of ours that are wanted no more.
    pub strays: Vec<Stray>,
}
