//! Changes that people made to dashboards: the copies that are kept beside the spec before a dashboard is restored.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::local_secrets::unusable;
use super::remote_dashboard::Drift;
use crate::digest::Sha256;
use crate::error::Result;
use crate::event::Events;
use crate::spec::OnDrift;

/// The folder beside the spec.
const FOLDER: &str = "grafana-drift";

/// Handles a person's work that a change would undo: leaves it, or first keeps a copy in a folder beside the spec. If
/// no copy can be kept, the dashboard is left as it is, with an error.
pub fn spare<'a>(
    base: &'a Path,
    on_drift: OnDrift,
    events: &'a Events,
) -> impl Fn(&Drift) -> Result<OnDrift> + Sync + 'a {
    move |drift| {
        let note = match on_drift {
            OnDrift::Keep => "changed in Grafana; left as it is".to_owned(),
            OnDrift::Restore => {
                format!("changed in Grafana; a copy is kept in `{}`", copy(base, drift)?.display())
            }
        };
        events.note(format!("dashboard `{}`: {note}", drift.title));
        Ok(on_drift)
    }
}

/// The place of a copy, relative to the folder of the spec.
pub fn copy_place(drift: &Drift) -> String {
    format!("{FOLDER}/{}", copy_name(drift))
}

/// Writes a copy, never over another file: a new Grafana restarts its version numbers, so the name also contains the
/// content's digest. The same content is kept once; a file with other content (truncated or edited) is an error.
pub(super) fn copy(base: &Path, drift: &Drift) -> Result<PathBuf> {
    let path = base.join(copy_place(drift));
    let write = || {
        fs::create_dir_all(base.join(FOLDER))?;
        match File::create_new(&path) {
            Ok(mut file) => file.write_all(text(drift).as_bytes()),
            Err(_) if fs::read(&path).is_ok_and(|kept| kept == text(drift).as_bytes()) => Ok(()),
            Err(error) => Err(error),
        }
    };
    let remedy = "the dashboard was left unchanged; make room in that folder, then run `monctl up` again";
    write().map_err(|error| unusable(&path, error).remedy(remedy)).map(|()| path)
}

fn text(drift: &Drift) -> String {
    format!("{:#}\n", drift.document)
}

/// `monctl_hosts-v3-3f1a….json`: the version is the one in Grafana's history.
fn copy_name(drift: &Drift) -> String {
    format!("{}-v{}-{}.json", drift.uid, drift.version, Sha256::of(text(drift)).short())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn drift(document: &Value) -> Drift {
        Drift { uid: "monctl_hosts".into(), title: "Mine".into(), version: 3, document: document.clone() }
    }

    fn kept(path: &Path) -> Value {
        serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
    }

    #[test]
    fn a_copy_has_the_name_of_its_dashboard_and_version_and_can_be_imported_again() {
        let folder = tempfile::tempdir().unwrap();
        let document = json!({"uid": "monctl_hosts", "title": "Mine", "panels": []});
        let path = copy(folder.path(), &drift(&document)).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with("monctl_hosts-v3-"), "{name}");
        assert_eq!(path.parent().unwrap(), folder.path().join("grafana-drift"));
        assert_eq!(kept(&path), document);
    }

    #[test]
    fn an_older_copy_of_the_same_version_stays_and_equal_content_is_kept_once() {
        let folder = tempfile::tempdir().unwrap();
        let [before, after] = ["before", "after"].map(|title| json!({"title": title}));
        let first = copy(folder.path(), &drift(&before)).unwrap();
        let second = copy(folder.path(), &drift(&after)).unwrap();
        assert_eq!(copy(folder.path(), &drift(&after)).unwrap(), second);
        assert_eq!((kept(&first), kept(&second)), (before, after));
        assert_eq!(fs::read_dir(folder.path().join(FOLDER)).unwrap().count(), 2);
    }

    #[test]
    fn a_copy_that_cannot_be_kept_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FOLDER), "a file in the way").unwrap();
        let error = copy(folder.path(), &drift(&json!({}))).unwrap_err();
        assert!(error.hint().unwrap().contains("was left unchanged"));
    }
}
