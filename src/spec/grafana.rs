//! The spec's section `grafana`: monctl's own or an existing one, whether it is required, the user's dashboards, and
//! what happens to those edited in the browser.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::names::{BaseUrl, GrafanaUid, Sha256Text};
use super::secret_ref::SecretRef;
use crate::digest::Sha256;

/// The uid of monctl's own data source: letters, digits and underscores, since a hyphen breaks one of Grafana's
/// endpoints.
pub const DATA_SOURCE_UID: &str = "monctl_prometheus";

/// The title of the folder of the user's dashboards, apart from monctl's own, so that titles cannot collide.
const OWN_FOLDER: &str = "Own dashboards";

/// Grafana.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Grafana {
    /// Whether a run fails if Grafana cannot be downloaded or does not answer.
    pub required: bool,
    /// Your own dashboards: files, and those published at grafana.com.
    pub dashboards: Vec<OwnDashboard>,
    /// What `apply` does with a dashboard of the spec that was edited in the browser.
    pub on_drift: OnDrift,
    /// The base URL of a mirror of grafana.com, for closed networks.
    pub mirror: Option<BaseUrl>,
    /// The address of an existing Grafana; monctl then installs none. Needs `token`, and one of `data_source` and
    /// `prometheus_url`.
    pub url: Option<BaseUrl>,
    /// The token of a service account of that Grafana, which is a secret. docs/grafana.md lists its permissions.
    pub token: Option<SecretRef>,
    /// The uid of an existing Prometheus data source for the dashboards to query. monctl then creates none.
    pub data_source: Option<GrafanaUid>,
    /// The URL at which that Grafana reaches this project's Prometheus. monctl creates a data source for it.
    pub prometheus_url: Option<BaseUrl>,
}

/// An existing Grafana.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExistingGrafana<'a> {
    /// Its address, without a trailing slash.
    pub url: &'a str,
    /// How it reaches the data.
    pub data: ExistingData<'a>,
}

impl<'a> ExistingGrafana<'a> {
    /// The path of its address: empty, or `/grafana`.
    pub fn path(&self) -> &'a str {
        let rest = self.url.split_once("://").map_or(self.url, |(_, rest)| rest);
        rest.find('/').map_or("", |slash| &rest[slash..])
    }
}

/// How an existing Grafana reaches the project's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExistingData<'a> {
    /// By an existing data source with this uid.
    Theirs(&'a str),
    /// By one that monctl creates, for the Prometheus at this address.
    Ours(&'a str),
}

impl Default for Grafana {
    fn default() -> Self {
        Self {
            required: true,
            dashboards: Vec::new(),
            on_drift: OnDrift::default(),
            mirror: None,
            url: None,
            token: None,
            data_source: None,
            prometheus_url: None,
        }
    }
}

/// What happens to a dashboard that was edited in the browser.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnDrift {
    /// A copy is saved next to the spec, then the spec's version is restored.
    #[default]
    Restore,
    /// It stays as it was edited.
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
    /// Its id at grafana.com.
    #[schemars(range(min = 1))]
    pub id: Option<u32>,
    /// Its revision there.
    #[schemars(range(min = 1))]
    pub revision: Option<u32>,
    /// The sha256 of the download.
    pub sha256: Option<Sha256Text>,
    /// Values of its inputs, such as the uid of another data source, by the input's name or by the source's type:
    /// `{DS_LOKI: logs}`, `{loki: logs}`. Inputs for Prometheus are filled in.
    pub inputs: BTreeMap<String, String>,
    /// A uid to replace its own.
    pub uid: Option<GrafanaUid>,
    /// A title to replace its own.
    pub title: Option<String>,
    /// The title of its folder. Defaults to the folder of all your own dashboards.
    pub folder: Option<String>,
}

/// Where a dashboard of the user's comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DashboardSource<'a> {
    /// A file, relative to the spec.
    File(&'a Path),
    /// grafana.com, or a mirror of it.
    Published {
        /// Its id.
        id: u32,
        /// Its revision.
        revision: u32,
        /// The digest of its text.
        sha256: Sha256,
    },
}

impl OwnDashboard {
    /// Where it comes from; `None` if the mapping names no source, which loading rejects.
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
}

impl OwnDashboard {
    /// Its other settings in the spec.
    pub fn settings(&self) -> OwnDashboardSettings {
        match self {
            Self::Path(_) => OwnDashboardSettings::default(),
            Self::With(settings) => settings.clone(),
        }
    }

    /// The title of its folder.
    pub fn folder(&self) -> &str {
        match self {
            Self::With(OwnDashboardSettings { folder: Some(folder), .. }) => folder,
            _ => OWN_FOLDER,
        }
    }
}

impl Grafana {
    /// The uid of the data source that dashboards query.
    pub fn data_source(&self) -> &str {
        self.data_source.as_ref().map_or(DATA_SOURCE_UID, GrafanaUid::as_str)
    }

    /// The existing Grafana, if the spec names one in place of monctl's own.
    pub fn existing(&self) -> Option<ExistingGrafana<'_>> {
        let url = self.url.as_ref()?.as_str().trim_end_matches('/');
        let data = match (&self.data_source, &self.prometheus_url) {
            (Some(uid), _) => ExistingData::Theirs(uid.as_str()),
            (None, Some(url)) => ExistingData::Ours(url.as_str()),
            // Loading rejects this.
            (None, None) => ExistingData::Theirs(DATA_SOURCE_UID),
        };
        Some(ExistingGrafana { url, data })
    }

    /// Contradictory settings: the key, and a sentence.
    pub(super) fn contradictions(&self) -> Vec<(&'static str, &'static str)> {
        let Some(url) = &self.url else { return self.without_url() };
        let mut found = Vec::new();
        let mut find = |key, message| found.push((key, message));
        if self.token.is_none() {
            find("token", "an existing Grafana needs a `token`, such as `token: {env: GRAFANA_TOKEN}`");
        }
        if !url.as_str().starts_with("https://") && !url.is_loopback() {
            find("url", "the token would be sent unencrypted; use an address that begins with `https://`");
        }
        if url.as_str().contains(['?', '#']) {
            find(
                "url",
                "leave `?`, `#` and what follows out of the address, such as `https://example.org/grafana`",
            );
        }
        match (&self.data_source, &self.prometheus_url) {
            (None, None) => find(
                "data_source",
                "name the data of that Grafana: `data_source`, the uid of an existing data source, or \
                 `prometheus_url`, where it reaches this project's Prometheus",
            ),
            (Some(_), Some(_)) => find(
                "prometheus_url",
                "`data_source` and `prometheus_url` exclude each other; keep one of them",
            ),
            _ => {}
        }
        found
    }

    /// Settings of an existing Grafana where `url` is missing.
    fn without_url(&self) -> Vec<(&'static str, &'static str)> {
        let theirs = [
            (self.token.is_some(), "`token` is for an existing Grafana: add its `url`, or leave it out"),
            (
                self.data_source.is_some(),
                "`data_source` is for an existing Grafana: add its `url`, or leave it out",
            ),
            (
                self.prometheus_url.is_some(),
                "`prometheus_url` is for an existing Grafana: add its `url`, or leave it out",
            ),
        ];
        theirs.into_iter().filter(|(given, _)| *given).map(|(_, message)| ("url", message)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grafana(yaml: &str) -> Grafana {
        serde_saphyr::from_str(yaml).unwrap()
    }

    #[test]
    fn an_existing_grafana_has_all_that_it_needs_and_nothing_twice() {
        for (yaml, keys) in [
            ("{}", vec![]),
            ("{url: 'https://g/x/', token: {env: T}, data_source: prom}", vec![]),
            ("{url: 'https://g', token: {env: T}, prometheus_url: 'http://p:9090'}", vec![]),
            ("{url: 'http://127.0.0.1:3000', token: {env: T}, data_source: prom}", vec![]),
            ("{url: 'http://g', token: {env: T}, data_source: prom}", vec!["url"]),
            ("{url: 'http://localhost.example.org', token: {env: T}, data_source: prom}", vec!["url"]),
            ("{url: 'https://g?x', token: {env: T}, data_source: prom}", vec!["url"]),
            ("{url: 'https://g', data_source: prom}", vec!["token"]),
            ("{url: 'https://g', token: {env: T}}", vec!["data_source"]),
            (
                "{url: 'https://g', token: {env: T}, data_source: p, prometheus_url: 'http://p'}",
                vec!["prometheus_url"],
            ),
            ("{token: {env: T}}", vec!["url"]),
            ("{data_source: prom}", vec!["url"]),
            ("{prometheus_url: 'http://p'}", vec!["url"]),
        ] {
            let found: Vec<_> = grafana(yaml).contradictions().into_iter().map(|(key, _)| key).collect();
            assert_eq!(found, keys, "{yaml}");
        }
    }

    #[test]
    fn dashboards_query_the_named_data_source() {
        let named = grafana("{url: 'https://g/x/', token: {env: T}, data_source: prom}");
        assert_eq!(named.data_source(), "prom");
        let existing = named.existing().unwrap();
        assert_eq!((existing.url, existing.data), ("https://g/x", ExistingData::Theirs("prom")));
        assert_eq!(existing.path(), "/x");
        assert_eq!(Grafana::default().data_source(), DATA_SOURCE_UID);
    }
}
