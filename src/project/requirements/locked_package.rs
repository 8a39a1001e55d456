//! A package of `poetry.lock`, with its source and its dependencies.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::requirement_files::RequirementFiles;
use crate::error::{Error, Result};

/// The group of what the application itself needs.
const MAIN: &str = "main";

/// A locked package.
#[derive(Deserialize)]
pub(super) struct LockedPackage {
    pub name: String,
    pub version: String,
    /// Since Poetry 2.
    pub groups: Option<Vec<String>>,
    markers: Option<Markers>,
    #[serde(default)]
    pub files: Vec<PackageFile>,
    pub source: Option<Source>,
    #[serde(default)]
    pub dependencies: Dependencies,
    #[serde(default)]
    pub extras: BTreeMap<String, Vec<String>>,
}

/// A file of a package.
#[derive(Deserialize)]
pub(super) struct PackageFile {
    pub hash: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Markers {
    Same(String),
    ByGroup(BTreeMap<String, String>),
}

/// The source of a package outside of the default index.
#[derive(Deserialize)]
pub(super) struct Source {
    pub r#type: String,
    pub url: String,
    resolved_reference: Option<String>,
    subdirectory: Option<String>,
}

/// Dependencies by name.
pub(super) type Dependencies = BTreeMap<String, Alternatives>;

/// A dependency, or several that differ in markers.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Alternatives {
    Version(#[expect(dead_code, reason = "the lock file has the version")] String),
    One(Dependency),
    Several(Vec<Dependency>),
}

/// A dependency with its conditions.
#[derive(Clone, Default, Deserialize)]
pub(super) struct Dependency {
    #[serde(default)]
    pub optional: bool,
    #[serde(default)]
    pub extras: Vec<String>,
    pub markers: Option<String>,
    /// The range of Python's versions.
    pub python: Option<String>,
    /// The value of `sys_platform`.
    pub platform: Option<String>,
}

impl Alternatives {
    /// Each of them.
    pub fn each(&self) -> Vec<Dependency> {
        match self {
            Self::Version(_) => vec![Dependency::default()],
            Self::One(one) => vec![one.clone()],
            Self::Several(several) => several.clone(),
        }
    }
}

impl LockedPackage {
    /// Its marker in the main group, if it is in that.
    pub fn in_main(&self) -> Option<(&Self, String)> {
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
    pub fn place(&self, files: &mut RequirementFiles, name: &str) -> Result<String> {
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
