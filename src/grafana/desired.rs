//! The desired state of a Grafana: the data source, the folders, and the dashboards in them.

use super::dashboard::Dashboard;
use super::data_source::DataSource;
use super::folder::Folder;

/// The desired state of a Grafana.
#[derive(Debug, Clone, PartialEq)]
pub struct Desired {
    /// The data source; `None` if the dashboards query one that is not monctl's.
    pub data_source: Option<DataSource>,
    /// The folders: monctl's first, then those of the user's dashboards.
    pub folders: Vec<Folder>,
    /// The dashboards.
    pub dashboards: Vec<Dashboard>,
    /// Whether the list is complete, so that any other dashboard of monctl's is to be removed.
    pub complete: bool,
}

impl Desired {
    /// Dashboards that use a data source. All are in monctl's folder, or the caller adds their folders.
    pub fn new(data_source: impl Into<Option<DataSource>>, dashboards: Vec<Dashboard>) -> Self {
        Self { data_source: data_source.into(), folders: vec![Folder::ours()], dashboards, complete: true }
    }
}
