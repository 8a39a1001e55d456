//! What monctl wants in Grafana: the data source, the folder, and the dashboards in it.

use super::{Dashboard, DataSource, Folder};

/// The folder's uid.
pub const FOLDER_UID: &str = "monctl";

/// What Grafana is to hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Desired {
    /// The data source; `None` where dashboards ask one that is not monctl's.
    pub data_source: Option<DataSource>,
    /// The folder of all dashboards.
    pub folder: Folder,
    /// The dashboards.
    pub dashboards: Vec<Dashboard>,
    /// Whether these are all of them, so that any other one of ours is wanted no more.
    pub complete: bool,
}

impl Desired {
    /// The dashboards, in monctl's folder, over a data source.
    pub fn new(data_source: impl Into<Option<DataSource>>, dashboards: Vec<Dashboard>) -> Self {
        let folder = Folder { uid: FOLDER_UID.into(), title: "monctl".into() };
        Self { data_source: data_source.into(), folder, dashboards, complete: true }
    }
}
