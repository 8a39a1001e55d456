//! `integration.yaml`: what an integration declares about itself.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::flag::Flag;
use crate::host::Role;

/// The content of `integration.yaml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    /// Its title in descriptions, such as `node exporter`.
    pub title: String,
    /// The roles whose hosts it monitors. Defaults to every role. Its steps run there.
    #[serde(default)]
    pub roles: Option<BTreeSet<Role>>,
    /// What Prometheus scrapes on those hosts.
    #[serde(default)]
    pub scrape: Vec<ScrapeJob>,
    /// The path of its program, which its units start as `{{ program }}`.
    #[serde(default)]
    pub program: Option<Program>,
}

/// A scrape job of Prometheus, with a target on each host of the integration.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScrapeJob {
    /// The name of the job.
    pub job: String,
    /// The port of the metrics. Only the monitoring host may reach it, unless it is the application's own.
    pub port: ScrapePort,
    /// The path of the metrics.
    #[serde(default)]
    pub path: ScrapePath,
    /// The job is left out unless the spec has this flag.
    #[serde(default)]
    pub when: Option<Flag>,
}

/// The absolute path of a program, by how software is obtained.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Program {
    /// Always the same.
    Always(String),
    /// From a release tarball or from a package.
    By {
        /// With `monitoring.install: release`.
        release: String,
        /// With `monitoring.install: distribution`.
        distribution: String,
    },
}

/// A port: a number, or the setting of the spec that holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum ScrapePort {
    /// A number.
    Number(u16),
    /// A setting.
    Setting(PortSetting),
}

/// A setting of the spec that is a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum PortSetting {
    /// The application's own port.
    #[serde(rename = "app.port")]
    App,
    /// The port of the exporter that counts the application's requests.
    #[serde(rename = "app.metrics_port")]
    AppMetrics,
}

/// A path of metrics: a fixed one that begins with `/`, or the setting of the spec that holds it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum ScrapePath {
    /// A setting.
    Setting(PathSetting),
    /// A path.
    Fixed(String),
}

/// A setting of the spec that is a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum PathSetting {
    /// The metrics path of the project's own django-prometheus.
    #[serde(rename = "app.metrics_path")]
    AppMetrics,
}

impl Default for ScrapePath {
    fn default() -> Self {
        Self::Fixed("/metrics".to_owned())
    }
}

impl Manifest {
    /// A fault in a well-formed manifest, if any.
    pub fn fault(&self) -> Option<String> {
        // It is part of descriptions of security group rules, for which EC2 allows few characters.
        let is_plain = |c: char| c.is_ascii_alphanumeric() || " ,-".contains(c);
        if self.title.trim().is_empty() || !self.title.chars().all(is_plain) {
            return Some("`title` must consist of letters, digits, spaces, commas and hyphens".to_owned());
        }
        if self.roles.as_ref().is_some_and(BTreeSet::is_empty) {
            return Some("`roles` is empty; leave it out to monitor the hosts of every role".to_owned());
        }
        let without_slash = |job: &ScrapeJob| match &job.path {
            ScrapePath::Fixed(path) if !path.starts_with('/') => {
                Some(format!("`path: {path}` does not begin with `/`"))
            }
            _ => None,
        };
        self.scrape.iter().find_map(without_slash)
    }
}
