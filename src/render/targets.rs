//! Scrape jobs of the user's own: their part of `prometheus.yml`, and the files that it names.

use serde::Serialize;

use super::content::{Content, Part};
use crate::spec::{JobName, ScrapeTarget, SecretName, Spec, TargetAuth};

/// The folder of the jobs' CAs and secrets.
pub(super) const TARGETS: &str = "targets/";

/// A scrape job of the user's own. Files are named relative to `prometheus.yml`.
#[derive(Debug, Serialize)]
pub(super) struct OwnScrapeConfig<'a> {
    pub name: &'a JobName,
    pub path: &'a str,
    pub scheme: &'static str,
    pub tls: Option<OwnTls<'a>>,
    /// The user of HTTP basic authentication.
    pub username: Option<&'a str>,
    /// The file with the password or the token.
    pub secret_file: Option<String>,
    pub target: &'a ScrapeTarget,
}

/// How the certificate is checked.
#[derive(Debug, Serialize)]
pub(super) struct OwnTls<'a> {
    pub ca_file: Option<String>,
    pub server_name: Option<&'a str>,
    pub insecure: bool,
}

impl<'a> OwnScrapeConfig<'a> {
    pub(super) fn of((name, target): (&'a JobName, &'a ScrapeTarget)) -> Self {
        let tls = target.tls.as_ref().map(|tls| OwnTls {
            ca_file: tls.ca.as_ref().map(|_| ca_file(name)),
            server_name: tls.server_name.as_deref(),
            insecure: tls.insecure,
        });
        let username = match &target.auth {
            Some(TargetAuth::Basic(basic)) => Some(basic.username.as_str()),
            Some(TargetAuth::Bearer(_)) | None => None,
        };
        Self {
            name,
            path: target.path(),
            scheme: target.scheme().word(),
            tls,
            username,
            secret_file: target.secret().map(|_| secret_file(name)),
            target,
        }
    }
}

fn ca_file(job: &JobName) -> String {
    format!("{TARGETS}{job}.ca")
}

fn secret_file(job: &JobName) -> String {
    format!("{TARGETS}{job}.secret")
}

/// The files of all jobs.
pub(super) fn files(spec: &Spec) -> impl Iterator<Item = (String, Content)> {
    spec.monitoring.targets.iter().flat_map(|(name, target)| {
        let ca = target.tls.as_ref().and_then(|tls| tls.ca.clone());
        let ca = ca.map(|text| (ca_file(name), Content::text(text)));
        let secret = SecretName::of_target(name, target);
        let secret = secret.map(|secret| (secret_file(name), Content::of(vec![Part::Secret(secret)])));
        ca.into_iter().chain(secret)
    })
}
