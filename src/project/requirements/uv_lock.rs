//! `uv.lock`: hosts export it with uv. Packages at paths are copied along.

use toml::Value;

use super::pyproject::{self, Project};
use super::requirement_files::RequirementFiles;
use crate::error::{Error, Result};

/// The file's name.
const NAME: &str = "uv.lock";

/// Reads the lock file and the `pyproject.toml` beside it.
pub(super) fn read(files: &mut RequirementFiles) -> Result<()> {
    Project::read(files, pyproject::NAME)?;
    let (lock, place) = (files.text(NAME)?, files.path(NAME).display().to_string());
    let table = pyproject::parse::<toml::Table>(&lock, &place)?;
    for package in table.get("package").and_then(Value::as_array).into_iter().flatten() {
        let name = package.get("name").and_then(Value::as_str).unwrap_or("?");
        let source = |kind: &str| package.get("source").and_then(|source| source.get(kind)?.as_str());
        let folder = ["virtual", "editable", "directory"].into_iter().find_map(source);
        if folder.is_some_and(|folder| folder != ".") {
            return Err(Error::invalid(format!(
                "`{name}` is a package in another folder of the workspace, which hosts do not build"
            ))
            .at(place)
            .remedy("publish it, or build a wheel and name that by `path` in `tool.uv.sources`"));
        }
        if source("git").is_some_and(|url| url.starts_with("ssh:")) {
            return Err(Error::invalid(format!("`{name}` needs a key for ssh, which hosts do not have"))
                .at(place)
                .remedy("name its repository by `https://`"));
        }
        if let Some(path) = source("path") {
            files.add_package(&files.path(path)).map_err(|error| error.at(place.as_str()))?;
        }
    }
    let project = files.text(pyproject::NAME)?;
    files.add(pyproject::NAME, &project);
    files.add(NAME, &lock);
    Ok(())
}
