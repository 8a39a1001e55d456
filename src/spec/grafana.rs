//! The spec's section `grafana`: whether it has to be there, which dashboards beside monctl's own, and what becomes of
//! those that a person changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BaseUrl, Sha256Text};
use crate::digest::Sha256;

/// The uid of the data source that monctl brings: letters, digits and underscores, as a hyphen breaks one of Grafana's
/// ways to it.
pub const DATA_SOURCE_UID: &str = "monctl_prometheus";

/// Grafana.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Grafana {
    /// Whether a run fails where Grafana cannot be obtained or does not answer.
    pub required: bool,
    /// Your own dashboards: files, and those published at grafana.com.
    pub dashboards: Vec<OwnDashboard>,
    /// What becomes of a dashboard of the spec that a person changed in the browser.
    pub on_drift: OnDrift,
    /// A base URL that serves what grafana.com publishes, for closed networks.
    pub mirror: Option<BaseUrl>,
}

impl Default for Grafana {
    fn default() -> Self {
        Self { required: true, dashboards: Vec::new(), on_drift: OnDrift::default(), mirror: None }
    }
}

/// What becomes of a dashboard that a person changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnDrift {
    /// A copy is kept beside the spec, then the spec's is put back.
    #[default]
    Restore,
    /// It stays as the person made it.
    Keep,
}

/// A dashboard of the user's: the path of its file, or a mapping.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum OwnDashboard {
    /// The path of its file, relative to the spec.
    Path(PathBuf),
    /// Where it comes from, and what its inputs are.
    With(OwnDashboardSettings),
}

/// Where a dashboard comes from: `path`, or `id`, `revision` and `sha256`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OwnDashboardSettings {
    /// The path of its file, relative to the spec.
    pub path: Option<PathBuf>,
    /// Its number at grafana.com.
    #[schemars(range(min = 1))]
    pub id: Option<u32>,
    /// Its revision there.
    #[schemars(range(min = 1))]
    pub revision: Option<u32>,
    /// The sha256 of what is fetched.
    pub sha256: Option<Sha256Text>,
    /// Values of its inputs, such as the uid of another data source: `{DS_LOKI: loki}`. Prometheus is known.
    pub inputs: BTreeMap<String, String>,
}

/// Where a dashboard of the user's comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DashboardSource<'a> {
    /// A file, relative to the spec.
    File(&'a Path),
    /// grafana.com, or a mirror of it.
    Published {
        /// Its number.
        id: u32,
        /// Its revision.
        revision: u32,
        /// What its text must be.
        sha256: Sha256,
    },
}

impl OwnDashboard {
    /// Where it comes from; `None` where the mapping does not say, which loading excludes.
    pub fn source(&self) -> Option<DashboardSource<'_>> {
        let of = match self {
            Self::Path(path) => return Some(DashboardSource::File(path)),
            Self::With(settings) => settings,
        };
        match (&of.path, of.id, of.revision, &of.sha256) {
            (Some(path), None, None, None) => Some(DashboardSource::File(path)),
            (None, Some(id), Some(revision), Some(sha256)) => {
                Some(DashboardSource::Published { id, revision, sha256: sha256.as_str().parse().ok()? })
            }
            _ => None,
        }
    }

    /// The values of its inputs.
    pub fn inputs(&self) -> BTreeMap<String, String> {
        match self {
            Self::Path(_) => BTreeMap::new(),
            Self::With(settings) => settings.inputs.clone(),
        }
    }
}

impl Grafana {
    /// The uid of the data source that dashboards ask.
    pub const fn data_source(&self) -> &'static str {
        DATA_SOURCE_UID
    }
}
