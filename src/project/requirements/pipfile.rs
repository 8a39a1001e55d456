//! `Pipfile.lock`, as the requirements of its section `default`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::pin::Pin;
use super::requirement_files::RequirementFiles;
use crate::error::{Error, Result};

/// The file's name.
const NAME: &str = "Pipfile.lock";

/// The index that hosts use anyway.
const PYPI: &str = "https://pypi.org/simple";

#[derive(Deserialize)]
struct Lock {
    #[serde(rename = "_meta", default)]
    meta: Meta,
    default: BTreeMap<String, Package>,
}

#[derive(Default, Deserialize)]
struct Meta {
    #[serde(default)]
    sources: Vec<Index>,
}

#[derive(Deserialize)]
struct Index {
    url: String,
}

#[derive(Deserialize)]
struct Package {
    version: Option<String>,
    #[serde(default)]
    extras: Vec<String>,
    #[serde(default)]
    hashes: Vec<String>,
    markers: Option<String>,
    git: Option<String>,
    r#ref: Option<String>,
    subdirectory: Option<String>,
    /// A URL, or a path.
    file: Option<String>,
    path: Option<String>,
}

/// Reads the lock file as requirements.
pub(super) fn read(files: &mut RequirementFiles) -> Result<()> {
    let place = files.path(NAME).display().to_string();
    let lock: Lock = serde_json::from_str(&files.text(NAME)?)
        .map_err(|error| Error::invalid("not a valid lock file of pipenv").at(&place).because(error))?;
    let mut text = String::new();
    let indexes = lock.meta.sources.iter().map(|index| index.url.trim_end_matches('/'));
    for (number, url) in indexes.filter(|url| *url != PYPI).enumerate() {
        let without_pypi = !lock.meta.sources.iter().any(|index| index.url.trim_end_matches('/') == PYPI);
        let option = if number == 0 && without_pypi { "--index-url" } else { "--extra-index-url" };
        text.push_str(&format!("{option} {url}\n"));
    }
    for (name, package) in lock.default {
        let what = package.what(files, &name).map_err(|error| error.at(&place))?;
        let Some(what) = what else { continue };
        let extras =
            if package.extras.is_empty() { String::new() } else { format!("[{}]", package.extras.join(",")) };
        // A repository has no digest.
        let hashes = if what.starts_with("==") { package.hashes } else { Vec::new() };
        let marker = package.markers.unwrap_or_default();
        text.push_str(&Pin { name: format!("{name}{extras}"), what, marker, hashes }.line());
    }
    files.add(NAME, &text);
    Ok(())
}

impl Package {
    /// Its version or place, as a requirement names it; none for the application's own project, whose dependencies are
    /// locked, too.
    fn what(&self, files: &mut RequirementFiles, name: &str) -> Result<Option<String>> {
        let local = self.path.as_deref().or(self.file.as_deref().filter(|file| !file.contains("://")));
        if let Some(version) = &self.version {
            return Ok(Some(version.clone()));
        }
        if let Some(url) = &self.git {
            if !url.starts_with("https://") {
                return Err(Error::invalid(format!("`{name}` needs a key for ssh, which hosts do not have"))
                    .remedy("name its repository by `https://`"));
            }
            let at = self.r#ref.as_ref().map_or(String::new(), |commit| format!("@{commit}"));
            let below =
                self.subdirectory.as_ref().map_or(String::new(), |folder| format!("#subdirectory={folder}"));
            return Ok(Some(format!(" @ git+{url}{at}{below}")));
        }
        match (local, &self.file) {
            (Some("."), _) => Ok(None),
            (Some(path), _) if files.path(path).is_file() => {
                let name = files.add_package(&files.path(path))?;
                Ok(Some(format!(" @ ./{name}")))
            }
            (None, Some(url)) => Ok(Some(format!(" @ {url}"))),
            _ => Err(Error::invalid(format!("`{name}` is a package in a folder, which hosts do not build"))
                .remedy("build a wheel, and name that in the `Pipfile`")),
        }
    }
}
