//! Grafana as `plan`, `up` and `status` see it: its password, the way to it, and what is to be imported.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::event::Events;
use crate::http::Endpoint;
use crate::http::grafana::{Dashboard, DataSource, Desired, Drift, GrafanaChange, GrafanaClient, diff};
use crate::plan::GrafanaAction;
use crate::playbook::Facts;
use crate::remote::Remote;
use crate::secret::Secret;
use crate::spec::{OnDrift, Spec};

/// The administrator's name.
const USER: &str = "admin";
/// Grafana's port on the monitoring host's loopback.
const PORT: u16 = 3000;
/// Prometheus as Grafana reaches it.
const PROMETHEUS: &str = "http://127.0.0.1:9090";
/// The unit.
pub(super) const UNIT: &str = "monctl-grafana.service";
/// The folder beside the spec for what persons made of dashboards.
const DRIFT: &str = "grafana-drift";
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

/// What is to be done in a Grafana, and what is left alone.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub changes: Vec<GrafanaChange>,
    /// What a person changed, where the spec says to leave it so.
    pub kept: Vec<GrafanaChange>,
}

/// What differs between what is wanted in Grafana and what it holds.
pub(super) async fn compare(
    client: &GrafanaClient,
    desired: &Desired,
    on_drift: OnDrift,
    limit: Duration,
) -> Result<Found> {
    client.wait_ready(limit).await?;
    let changes = diff(desired, &client.observe(desired).await?);
    let is_kept = |change: &GrafanaChange| on_drift == OnDrift::Keep && change.drift().is_some();
    let (kept, changes) = changes.into_iter().partition(is_kept);
    Ok(Found { changes, kept })
}

/// A change as a plan shows it.
pub(super) fn action(change: &GrafanaChange) -> GrafanaAction {
    let why = match change.drift() {
        Some(drift) => format!("{}; a copy is kept in `{DRIFT}/{}`", change.reason(), copy_name(&drift)),
        None => change.reason().to_owned(),
    };
    GrafanaAction { what: change.subject(), why }
}

/// What is left alone, as a plan shows it.
pub(super) fn kept(change: &GrafanaChange) -> GrafanaAction {
    GrafanaAction { what: change.subject(), why: change.reason().to_owned() }
}

/// Keeps a copy of what each change would undo, in a folder beside the spec. A dashboard of which none can be kept is
/// left as it is, with an error.
pub(super) fn keep_copies(
    base: &Path,
    changes: Vec<GrafanaChange>,
    events: &Events,
) -> (Vec<GrafanaChange>, Vec<Error>) {
    let mut errors = Vec::new();
    let mut safe = Vec::new();
    for change in changes {
        match change.drift().map(|drift| copy(base, &drift)).transpose() {
            Ok(path) => {
                if let Some(path) = path {
                    events.note(format!("{}: kept in `{}`", change.subject(), path.display()));
                }
                safe.push(change);
            }
            Err(error) => errors.push(error.remedy(
                "the dashboard was left as a person made it; make the folder writable, then run `monctl up` again",
            )),
        }
    }
    (safe, errors)
}

fn copy(base: &Path, drift: &Drift) -> Result<PathBuf> {
    let path = base.join(DRIFT).join(copy_name(drift));
    let write = || {
        fs::create_dir_all(base.join(DRIFT))?;
        fs::write(&path, format!("{:#}\n", drift.document))
    };
    match write() {
        Ok(()) => Ok(path),
        Err(error) => Err(unusable(&path, error)),
    }
}

/// `monctl_hosts-v3.json`: the version is that of Grafana's history.
fn copy_name(drift: &Drift) -> String {
    format!("{}-v{}.json", drift.uid, drift.version)
}

/// What Grafana is to hold.
pub(super) fn desired(spec: &Spec, dashboards: Vec<Dashboard>) -> Desired {
    let interval = spec.monitoring.scrape_interval.to_string();
    Desired::new(DataSource::prometheus(spec.grafana.data_source(), PROMETHEUS, &interval), dashboards)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_copy_has_the_name_of_its_dashboard_and_version_and_can_be_imported_again() {
        let folder = tempfile::tempdir().unwrap();
        let document = json!({"uid": "monctl_hosts", "title": "Mine", "panels": []});
        let drift = Drift { uid: "monctl_hosts".into(), version: 3, document: document.clone() };
        let path = copy(folder.path(), &drift).unwrap();
        assert!(path.ends_with("grafana-drift/monctl_hosts-v3.json"), "{}", path.display());
        let text = fs::read_to_string(path).unwrap();
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), document);
    }

    #[test]
    fn where_no_copy_can_be_kept_that_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(DRIFT), "a file in the way").unwrap();
        let drift = Drift { uid: "a".into(), version: 1, document: json!({}) };
        copy(folder.path(), &drift).unwrap_err();
    }
}
