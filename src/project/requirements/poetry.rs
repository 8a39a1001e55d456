//! `poetry.lock`, as the requirements of the main group. Since Poetry 2 the file says which packages these are and where
//! they are installed; before, both follow from the dependencies in `pyproject.toml`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::files::Files;
use super::pin::Pin;
use super::poetry_graph::{Dependencies, Graph};
use super::pyproject::{self, Project, normalized};
use crate::error::{Error, Result};

/// The file's name.
const NAME: &str = "poetry.lock";

/// The group of what the application itself needs.
const MAIN: &str = "main";

#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    package: Vec<Package>,
    #[serde(default)]
    metadata: Metadata,
}

/// Before format 2 the digests are here, by package.
#[derive(Default, Deserialize)]
struct Metadata {
    #[serde(default)]
    files: BTreeMap<String, Vec<PackageFile>>,
}

/// A locked package.
#[derive(Deserialize)]
pub(super) struct Package {
    pub name: String,
    version: String,
    /// Since Poetry 2.
    groups: Option<Vec<String>>,
    markers: Option<Markers>,
    #[serde(default)]
    files: Vec<PackageFile>,
    source: Option<Source>,
    #[serde(default)]
    pub dependencies: Dependencies,
    #[serde(default)]
    pub extras: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
struct PackageFile {
    hash: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Markers {
    Same(String),
    ByGroup(BTreeMap<String, String>),
}

#[derive(Deserialize)]
struct Source {
    r#type: String,
    url: String,
    resolved_reference: Option<String>,
    subdirectory: Option<String>,
}

/// Reads the lock file as requirements.
pub(super) fn read(files: &mut Files) -> Result<()> {
    let place = files.path(NAME).display().to_string();
    let lock: Lock = pyproject::parse(&files.text(NAME)?, &place)?;
    let markers = if lock.package.iter().any(|package| package.groups.is_some()) {
        lock.package.iter().filter_map(Package::in_main).collect()
    } else {
        unique(&lock.package).map_err(|error| error.at(&place))?;
        let project = Project::read(files, pyproject::NAME)?;
        Graph::new(&lock.package).reachable(&project).map_err(|error| error.at(&place))?
    };
    let mut indexes = BTreeSet::new();
    let mut text = String::new();
    for (package, marker) in markers {
        let of_metadata =
            lock.metadata.files.iter().find(|(name, _)| normalized(name) == normalized(&package.name));
        let of_metadata = of_metadata.map(|(_, files)| files).into_iter().flatten();
        let mut hashes: Vec<String> =
            package.files.iter().chain(of_metadata).map(|file| file.hash.clone()).collect();
        let what = match &package.source {
            None => format!("=={}", package.version),
            Some(source) if source.r#type == "legacy" => {
                indexes.insert(source.url.as_str());
                format!("=={}", package.version)
            }
            Some(source) => {
                hashes.clear();
                source.place(files, &package.name).map_err(|error| error.at(&place))?
            }
        };
        text.push_str(&Pin { name: package.name.clone(), what, marker, hashes }.line());
    }
    let indexes: String = indexes.iter().map(|url| format!("--extra-index-url {url}\n")).collect();
    files.add(NAME, &format!("{indexes}{text}"));
    Ok(())
}

impl Package {
    /// Its marker in the main group, if it is in that.
    fn in_main(&self) -> Option<(&Self, String)> {
        self.groups.as_ref()?.iter().find(|group| *group == MAIN)?;
        let marker = match &self.markers {
            None => "",
            Some(Markers::Same(marker)) => marker,
            Some(Markers::ByGroup(groups)) => groups.get(MAIN).map_or("", String::as_str),
        };
        Some((self, marker.to_owned()))
    }
}

impl Source {
    /// The place of a package outside of indexes, as a requirement names it.
    fn place(&self, files: &mut Files, name: &str) -> Result<String> {
        let refused = |why: &str, remedy: &'static str| {
            Err(Error::invalid(format!("`{name}` {why}, which hosts do not have")).remedy(remedy))
        };
        match self.r#type.as_str() {
            "url" => Ok(format!(" @ {}", self.url)),
            "git" if !self.url.starts_with("https://") => {
                refused("needs a key for ssh", "name its repository by `https://`")
            }
            "git" => {
                let at =
                    self.resolved_reference.as_ref().map_or(String::new(), |commit| format!("@{commit}"));
                let below =
                    self.subdirectory.as_ref().map_or(String::new(), |it| format!("#subdirectory={it}"));
                Ok(format!(" @ git+{}{at}{below}", self.url))
            }
            "file" => Ok(format!(" @ ./{}", files.add_package(&files.path(&self.url))?)),
            _ => refused(
                "is a package in a folder",
                "build a wheel, and name that as its `path` in `pyproject.toml`",
            ),
        }
    }
}

/// Before Poetry 2 the file does not say which of several versions of a package is installed where.
fn unique(packages: &[Package]) -> Result<()> {
    let mut seen = BTreeSet::new();
    let twice = packages.iter().find(|package| !seen.insert(normalized(&package.name)));
    twice.map_or(Ok(()), |package| {
        Err(Error::invalid(format!("`{}` is locked in more than one version", package.name))
            .remedy("lock again with Poetry 2 or later, or make a requirements file with `poetry export`"))
    })
}
