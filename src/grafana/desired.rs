//! What monctl wants in Grafana: the data source, the folders, and the dashboards in them.

use super::dashboard::Dashboard;
use super::data_source::DataSource;
use super::folder::Folder;

/// What Grafana is to hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Desired {
    /// The data source; `None` where dashboards ask one that is not monctl's.
    pub data_source: Option<DataSource>,
    /// The folders: monctl's first, then those of the user's dashboards.
    pub folders: Vec<Folder>,
    /// The dashboards.
    pub dashboards: Vec<Dashboard>,
    /// Whether these are all of them, so that any other one of ours is wanted no more.
    pub complete: bool,
}

impl Desired {
    /// The dashboards, over a data source. All of them are in monctl's folder, or the caller adds theirs.
    pub fn new(data_source: impl Into<Option<DataSource>>, dashboards: Vec<Dashboard>) -> Self {
        Self { data_source: data_source.into(), folders: vec![Folder::ours()], dashboards, complete: true }
    }
}
