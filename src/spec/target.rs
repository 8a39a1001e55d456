//! Scrape targets of the user's own, in `monitoring.targets`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::names::{HostPort, JobName, LabelName, UrlPath};
use super::secret_ref::{SecretName, SecretRef};

/// A scrape job of the user's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScrapeTarget {
    /// The targets, each as `HOST:PORT`, reachable from the monitoring host.
    pub address: Vec<HostPort>,
    /// The path of the metrics. Defaults to `/metrics`.
    #[serde(default)]
    pub path: Option<UrlPath>,
    /// `http` or `https`. Defaults to `http`, and to `https` with `tls`.
    #[serde(default)]
    pub scheme: Option<TargetScheme>,
    /// How the certificate of an `https` target is checked. By default, by the CAs of the monitoring host.
    #[serde(default)]
    pub tls: Option<TargetTls>,
    /// How Prometheus authenticates.
    #[serde(default)]
    pub auth: Option<TargetAuth>,
    /// Labels of all series of the job.
    #[serde(default)]
    pub labels: BTreeMap<LabelName, String>,
}

/// The scheme of a target's URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TargetScheme {
    /// Unencrypted.
    Http,
    /// Over TLS.
    Https,
}

impl TargetScheme {
    /// The word in URLs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// How the certificate of a target is checked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TargetTls {
    /// A PEM file, relative to the spec, with the certificates of the CAs that the target's certificate must come from.
    pub ca_file: Option<PathBuf>,
    /// The name in the target's certificate, if it is not the host of its address.
    pub server_name: Option<String>,
    /// Accepts any certificate.
    pub insecure: bool,
    /// The text of `ca_file`. Only loading sets it.
    #[serde(skip)]
    pub ca: Option<String>,
}

/// How Prometheus authenticates at a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TargetAuth {
    /// HTTP basic authentication.
    Basic(TargetBasicAuth),
    /// A bearer token.
    Bearer(SecretRef),
}

/// The credentials of HTTP basic authentication.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetBasicAuth {
    /// The user.
    pub username: String,
    /// The password, a secret.
    pub password: SecretRef,
}

impl ScrapeTarget {
    /// The scheme of its URLs.
    pub fn scheme(&self) -> TargetScheme {
        let of_tls = if self.tls.is_some() { TargetScheme::Https } else { TargetScheme::Http };
        self.scheme.unwrap_or(of_tls)
    }

    /// The path of its metrics.
    pub fn path(&self) -> &str {
        self.path.as_ref().map_or("/metrics", UrlPath::as_str)
    }

    /// The reference to its password or token.
    pub fn secret(&self) -> Option<&SecretRef> {
        match self.auth.as_ref()? {
            TargetAuth::Basic(basic) => Some(&basic.password),
            TargetAuth::Bearer(token) => Some(token),
        }
    }

    /// The same, to change it.
    pub(super) fn secret_mut(&mut self) -> Option<&mut SecretRef> {
        match self.auth.as_mut()? {
            TargetAuth::Basic(basic) => Some(&mut basic.password),
            TargetAuth::Bearer(token) => Some(token),
        }
    }
}

impl SecretName {
    /// The secret of a scrape target, if it has one.
    pub fn of_target(job: &JobName, target: &ScrapeTarget) -> Option<Self> {
        Some(match target.auth.as_ref()? {
            TargetAuth::Basic(_) => Self::TargetPassword(job.clone()),
            TargetAuth::Bearer(_) => Self::TargetToken(job.clone()),
        })
    }
}
