//! Grafana as `plan`, `up` and `status` see it: its password, the way to it, and what is to be imported.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::http::Endpoint;
use crate::http::grafana::{Dashboard, DataSource, Desired, GrafanaChange, GrafanaClient, diff};
use crate::playbook::Facts;
use crate::remote::Remote;
use crate::secret::Secret;
use crate::spec::Spec;

/// The administrator's name.
const USER: &str = "admin";
/// Grafana's port on the monitoring host's loopback.
const PORT: u16 = 3000;
/// Prometheus as Grafana reaches it.
const PROMETHEUS: &str = "http://127.0.0.1:9090";
/// The unit.
pub(super) const UNIT: &str = "monctl-grafana.service";
/// The operator's copy of the password, in the project's folder.
const COPY: &str = "grafana-password";

/// The administrator's password from the operator's copy, or a new one that is kept nowhere yet.
pub(super) fn password(folder: &Path) -> Result<Secret> {
    match fs::read_to_string(folder.join(COPY)) {
        Ok(password) => Ok(Secret::new(password)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Secret::random(),
        Err(error) => Err(unusable(&folder.join(COPY), error)),
    }
}

/// Keeps the operator's copy, readable by its owner only.
pub(super) fn keep(folder: &Path, password: &Secret) -> Result<()> {
    let path = folder.join(COPY);
    if path.exists() {
        return Ok(());
    }
    let beside = folder.join(format!(".{COPY}.new"));
    let write = || {
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.write_all(password.expose().as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, &path)
    };
    write().map_err(|error| unusable(&path, error))
}

fn unusable(path: &Path, error: std::io::Error) -> Error {
    Error::failed(format!("cannot use `{}`", path.display())).because(error)
}

/// Whether Grafana runs on a host with these facts.
pub(super) fn runs(facts: &Facts) -> bool {
    facts.units.get(UNIT).is_some_and(|unit| unit.active == "active")
}

/// A client through an ssh forward.
pub(super) async fn client(remote: &Remote, password: &Secret) -> Result<GrafanaClient> {
    client_at(remote.forward(PORT).await?, password)
}

/// A client through the socket of a forward that is open.
pub(super) fn client_at(socket: PathBuf, password: &Secret) -> Result<GrafanaClient> {
    GrafanaClient::new(Endpoint::Unix(socket), USER, password.clone())
}

/// The cookies of a session, for a browser.
pub(super) async fn log_in(socket: PathBuf, password: &Secret) -> Result<Vec<Secret>> {
    client_at(socket, password)?.session(password).await
}

/// What differs between what is wanted in Grafana and what it holds.
pub(super) async fn changes(
    client: &GrafanaClient,
    desired: &Desired,
    limit: Duration,
) -> Result<Vec<GrafanaChange>> {
    client.wait_ready(limit).await?;
    Ok(diff(desired, &client.observe(desired).await?))
}

/// What Grafana is to hold.
pub(super) fn desired(spec: &Spec, dashboards: Vec<Dashboard>) -> Desired {
    let interval = spec.monitoring.scrape_interval.to_string();
    Desired::new(DataSource::prometheus(spec.grafana.data_source(), PROMETHEUS, &interval), dashboards)
}
