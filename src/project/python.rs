//! The version of Python that a project states in its own files.

use std::io::ErrorKind;
use std::path::Path;

use serde::Deserialize;

use crate::bounded::read_text;
use crate::error::{Error, Result};
use crate::playbook::PythonRequest;
use crate::spec::PythonVersion;

/// The files that state a version, in the order in which they count, and how each is read.
const FILES: [(&str, Read); 3] = [
    (".python-version", of_version_file),
    ("pyproject.toml", of_pyproject),
    ("runtime.txt", of_runtime_file),
];

/// The version that a file states, if it states one.
type Read = fn(&str) -> std::result::Result<Option<String>, String>;

/// The Python that an application needs: the spec's choice, else what a file states in the folder of `manage.py` or in
/// one above, else none, which is the host's. `manage` is relative to `folder`.
///
/// # Errors
/// When a file cannot be read, or states a version that is not one of `CPython` 3.
pub fn python(
    folder: &Path,
    manage: &str,
    chosen: Option<&PythonVersion>,
    mirror: Option<&str>,
) -> Result<Option<PythonRequest>> {
    let request = |version: &PythonVersion, source: &str| PythonRequest {
        version: version.to_string(),
        source: source.to_owned(),
        mirror: mirror.map(|mirror| mirror.trim_end_matches('/').to_owned()),
    };
    if let Some(version) = chosen {
        return Ok(Some(request(version, "app.python")));
    }
    let folders = Path::new(manage).ancestors();
    for (path, name, stated) in
        folders.flat_map(|it| FILES.map(|(name, read)| (folder.join(it).join(name), name, read)))
    {
        let place = path.display().to_string();
        let text = match read_text(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => {
                return Err(Error::invalid("cannot read the project's version of Python")
                    .at(place)
                    .because(error));
            }
        };
        let version = stated(&text).and_then(|found| found.map(|text| text.parse()).transpose());
        match version {
            Ok(Some(version)) => return Ok(Some(request(&version, name))),
            Ok(None) => {}
            Err(why) => {
                return Err(Error::invalid("cannot tell which version of Python the project needs")
                    .at(place)
                    .because(why)
                    .remedy("write the version into the spec, such as `app: {python: \"3.12\"}`"));
            }
        }
    }
    Ok(None)
}

/// Its first line with content. pyenv takes further versions from further lines.
#[expect(clippy::unnecessary_wraps, reason = "a reader of `FILES`, of which some fail")]
fn of_version_file(text: &str) -> std::result::Result<Option<String>, String> {
    let lines = text.lines().map(str::trim);
    let first = lines.into_iter().find(|line| !line.is_empty() && !line.starts_with('#'));
    let version = first.map(|line| line.strip_prefix("cpython-").unwrap_or(line));
    Ok(version.filter(|version| *version != "system").map(str::to_owned))
}

/// Heroku's file: `python-3.12.4`.
#[expect(clippy::unnecessary_wraps, reason = "a reader of `FILES`, of which some fail")]
fn of_runtime_file(text: &str) -> std::result::Result<Option<String>, String> {
    let line = text.trim();
    Ok((!line.is_empty()).then(|| line.strip_prefix("python-").unwrap_or(line).to_owned()))
}

fn of_pyproject(text: &str) -> std::result::Result<Option<String>, String> {
    #[derive(Deserialize)]
    struct Document {
        project: Option<Project>,
    }
    #[derive(Deserialize)]
    struct Project {
        #[serde(rename = "requires-python")]
        requires_python: Option<String>,
    }
    let document: Document = toml::from_str(text).map_err(|error| error.to_string())?;
    Ok(document.project.and_then(|project| project.requires_python).map(|text| text.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn stated(files: &[(&str, &str)]) -> Result<Option<(String, String)>> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        Ok(python(folder.path(), "", None, None)?.map(|request| (request.version, request.source)))
    }

    const PYPROJECT: (&str, &str) =
        ("pyproject.toml", "[project]\nname = 'x'\nrequires-python = '>=3.11, <4'\n");
    const RUNTIME: (&str, &str) = ("runtime.txt", "python-3.11.9\n");

    #[test]
    fn the_first_file_that_states_a_version_counts() {
        let found = |version: &str, source: &str| Some((version.to_owned(), source.to_owned()));
        let pinned = (".python-version", "# ours\n3.12.4\n3.11\n");
        assert_eq!(stated(&[pinned, PYPROJECT, RUNTIME]).unwrap(), found("3.12.4", ".python-version"));
        assert_eq!(stated(&[PYPROJECT, RUNTIME]).unwrap(), found(">=3.11, <4", "pyproject.toml"));
        assert_eq!(stated(&[RUNTIME]).unwrap(), found("3.11.9", "runtime.txt"));
        let silent = ("pyproject.toml", "[tool.black]\nline-length = 100\n");
        assert_eq!(stated(&[(".python-version", "system\n"), silent]).unwrap(), None);
        assert_eq!(stated(&[]).unwrap(), None);
    }

    #[test]
    fn the_spec_counts_before_all_files() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(RUNTIME.0), RUNTIME.1).unwrap();
        let chosen = "3.13".parse().unwrap();
        let found = python(folder.path(), "", Some(&chosen), Some("https://m.test/files/")).unwrap().unwrap();
        assert_eq!((&*found.version, &*found.source), ("3.13", "app.python"));
        assert_eq!(found.mirror.as_deref(), Some("https://m.test/files"));
    }

    #[test]
    fn a_version_that_is_not_known_is_refused_with_its_file() {
        for (name, text) in [
            (".python-version", "pypy3.10-7.3\n"),
            ("pyproject.toml", "[project]\nrequires-python = '^3.11'\n"),
            ("pyproject.toml", "[project\n"),
            ("runtime.txt", "python-2.7.18\n"),
        ] {
            let error = stated(&[(name, text)]).unwrap_err();
            assert!(error.place().unwrap().ends_with(name), "{error}");
            assert!(error.hint().unwrap().contains("python: \"3.12\""), "{error}");
        }
    }
}
