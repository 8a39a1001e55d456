//! What persons made of dashboards: how a plan tells it, and the copies that are kept beside the spec before it is put
//! back.

use std::fs;
use std::path::{Path, PathBuf};

use super::kept::unusable;
use crate::error::{Error, Result};
use crate::event::Events;
use crate::http::grafana::{Drift, GrafanaChange};
use crate::plan::GrafanaAction;

/// The folder beside the spec.
const FOLDER: &str = "grafana-drift";

/// A change as a plan shows it.
pub(in crate::commands) fn action(change: &GrafanaChange) -> GrafanaAction {
    let why = match change.drift() {
        Some(drift) => format!("{}; a copy is kept in `{FOLDER}/{}`", change.reason(), copy_name(&drift)),
        None => change.reason().to_owned(),
    };
    GrafanaAction { what: change.subject(), why }
}

/// What is left alone, as a plan shows it.
pub(in crate::commands) fn left_alone(change: &GrafanaChange) -> GrafanaAction {
    GrafanaAction { what: change.subject(), why: change.reason().to_owned() }
}

/// Keeps a copy of what each change would undo, in a folder beside the spec. A dashboard of which none can be kept is
/// left as it is, with an error.
pub(in crate::commands) fn keep_copies(
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
    let path = base.join(FOLDER).join(copy_name(drift));
    let write = || {
        fs::create_dir_all(base.join(FOLDER))?;
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
        fs::write(folder.path().join(FOLDER), "a file in the way").unwrap();
        let drift = Drift { uid: "a".into(), version: 1, document: json!({}) };
        copy(folder.path(), &drift).unwrap_err();
    }
}
