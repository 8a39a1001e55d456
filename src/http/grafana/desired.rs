//! What monctl wants in Grafana: the data source, the folder, and the dashboards that it brings along.

use include_dir::{Dir, File, include_dir};

use super::{Dashboard, DataSource, Folder};
use crate::error::Result;

/// The data source's uid, to which every panel refers.
pub const DATA_SOURCE_UID: &str = "monctl_prometheus";
/// The folder's uid.
pub const FOLDER_UID: &str = "monctl";

/// The dashboards; adding one is adding a file.
static DASHBOARDS: Dir = include_dir!("$CARGO_MANIFEST_DIR/templates/dashboards");

/// What Grafana is to hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Desired {
    /// The data source.
    pub data_source: DataSource,
    /// The folder of all dashboards.
    pub folder: Folder,
    /// The dashboards.
    pub dashboards: Vec<Dashboard>,
}

impl Desired {
    /// What monctl brings along, for the Prometheus that Grafana's host reaches at `prometheus_url`; `scrape_interval`
    /// is written as in the spec, `15s`.
    ///
    /// # Errors
    /// When a dashboard of ours is broken, which a test excludes.
    pub fn bundled(prometheus_url: &str, scrape_interval: &str) -> Result<Self> {
        let parse = |file: &File| {
            let name = file.path().display().to_string();
            Dashboard::parse(&name, file.contents_utf8().unwrap_or_default(), FOLDER_UID)
        };
        Ok(Self {
            data_source: DataSource {
                uid: DATA_SOURCE_UID.into(),
                name: "Prometheus".into(),
                url: prometheus_url.into(),
                interval: scrape_interval.into(),
            },
            folder: Folder { uid: FOLDER_UID.into(), title: "monctl".into() },
            dashboards: DASHBOARDS.files().map(parse).collect::<Result<_>>()?,
        })
    }
}
