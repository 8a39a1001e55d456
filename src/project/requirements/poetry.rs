//! `poetry.lock`, as the requirements of the main group. Since Poetry 2 the file has the groups and markers of each
//! package; before, both follow from the dependencies in `pyproject.toml`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::locked_package::{LockedPackage, PackageFile};
use super::pin::Pin;
use super::poetry_graph::Graph;
use super::pyproject::{self, Project, normalized};
use super::requirement_files::RequirementFiles;
use crate::error::{Error, Result};

/// The file's name.
const NAME: &str = "poetry.lock";

#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    package: Vec<LockedPackage>,
    #[serde(default)]
    metadata: Metadata,
}

/// Before format 2 the digests are here, by package.
#[derive(Default, Deserialize)]
struct Metadata {
    #[serde(default)]
    files: BTreeMap<String, Vec<PackageFile>>,
}

/// Reads the lock file as requirements.
pub(super) fn read(files: &mut RequirementFiles) -> Result<()> {
    let place = files.path(NAME).display().to_string();
    let lock: Lock = pyproject::parse(&files.text(NAME)?, &place)?;
    let markers = if lock.package.iter().any(|package| package.groups.is_some()) {
        lock.package.iter().filter_map(LockedPackage::in_main).collect()
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
    let indexes: String = indexes.iter().flat_map(|url| ["--extra-index-url ", url, "\n"]).collect();
    files.add(NAME, &format!("{indexes}{text}"));
    Ok(())
}

/// Refuses several versions of a package: before Poetry 2 the file does not have their markers.
fn unique(packages: &[LockedPackage]) -> Result<()> {
    let mut seen = BTreeSet::new();
    let twice = packages.iter().find(|package| !seen.insert(normalized(&package.name)));
    twice.map_or(Ok(()), |package| {
        Err(Error::invalid(format!("`{}` is locked in more than one version", package.name))
            .remedy("lock again with Poetry 2 or later, or make a requirements file with `poetry export`"))
    })
}
