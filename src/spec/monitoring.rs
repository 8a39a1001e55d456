//! The spec's section `monitoring`: intervals, retention, and how software is obtained.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::names::{BaseUrl, JobName};
use super::target::ScrapeTarget;
use crate::duration::PromDuration;

/// Prometheus and Alertmanager.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Monitoring {
    /// How often targets are scraped.
    pub scrape_interval: PromDuration,
    /// How often rules are evaluated.
    pub evaluation_interval: PromDuration,
    /// How long samples are kept.
    pub retention: PromDuration,
    /// How software is obtained.
    pub install: Install,
    /// How Prometheus discovers the application hosts.
    pub discovery: Discovery,
    /// Prometheus rule files of your own, relative to the spec, with alerting and recording rules. See docs/rules.md.
    pub rules: Vec<PathBuf>,
    /// Scrape targets of your own, by the name of their job. See docs/rules.md.
    pub targets: BTreeMap<JobName, ScrapeTarget>,
}

/// How Prometheus discovers the application hosts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Discovery {
    /// From its configuration: the hosts of the spec.
    #[default]
    Static,
    /// From EC2: every running instance with the tag `monctl:scrape`, including those of an autoscaling group.
    Ec2,
}

impl Default for Monitoring {
    fn default() -> Self {
        Self {
            scrape_interval: PromDuration::seconds(15),
            evaluation_interval: PromDuration::seconds(15),
            retention: PromDuration::seconds(15 * 24 * 3600),
            install: Install::default(),
            discovery: Discovery::default(),
            rules: Vec::new(),
            targets: BTreeMap::new(),
        }
    }
}

/// How Prometheus, Alertmanager and node exporter are obtained: a bare word, or a word with settings.
/// Grafana always comes as a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", from = "InstallForm")]
#[schemars(with = "InstallForm")]
pub enum Install {
    /// Debian's signed packages.
    Distribution(Releases),
    /// Upstream's release tarballs, pinned by sha256.
    Release(Releases),
}

impl Install {
    /// Where release tarballs come from. With `distribution`, this is for Grafana only.
    pub const fn releases(&self) -> &Releases {
        match self {
            Self::Distribution(releases) | Self::Release(releases) => releases,
        }
    }

    /// Whether Prometheus, Alertmanager and node exporter are release tarballs.
    pub const fn is_release(&self) -> bool {
        matches!(self, Self::Release(_))
    }
}

impl Default for Install {
    fn default() -> Self {
        Self::Release(Releases::default())
    }
}

/// [`Install`] as it is written.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Install", description = "how Prometheus, Alertmanager and node exporter are obtained")]
enum InstallForm {
    /// A bare word: no settings.
    Bare(InstallWord),
    /// A word with settings.
    With(InstallSettings),
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum InstallWord {
    /// Debian's signed packages.
    Distribution,
    /// Upstream's release tarballs, pinned by sha256.
    Release,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum InstallSettings {
    /// Debian's signed packages; the settings are for Grafana.
    Distribution(Releases),
    /// Upstream's release tarballs, pinned by sha256.
    Release(Releases),
}

impl From<InstallForm> for Install {
    fn from(form: InstallForm) -> Self {
        match form {
            InstallForm::Bare(InstallWord::Distribution) => Self::Distribution(Releases::default()),
            InstallForm::Bare(InstallWord::Release) => Self::Release(Releases::default()),
            InstallForm::With(InstallSettings::Distribution(releases)) => Self::Distribution(releases),
            InstallForm::With(InstallSettings::Release(releases)) => Self::Release(releases),
        }
    }
}

/// Where release tarballs come from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Releases {
    /// The base URL of a mirror of the same files, for closed networks.
    pub mirror: Option<BaseUrl>,
    /// The path of your own catalogue, relative to the spec.
    pub catalogue: Option<PathBuf>,
    /// Versions by product (`prometheus`, `alertmanager`, `node_exporter`, `grafana`, and those of your own catalogue).
    /// Default to the catalogue's.
    pub versions: BTreeMap<String, String>,
}
