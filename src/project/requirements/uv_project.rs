//! `pyproject.toml` as the requirements themselves: uv installs its dependencies.

use std::path::Path;

use toml::Value;

use super::pyproject::{NAME, Project};
use super::requirement_files::RequirementFiles;
use super::text;
use crate::error::{Error, Result};

/// Reads the file as the requirements themselves: uv installs its dependencies.
pub(super) fn read(files: &mut RequirementFiles) -> Result<()> {
    let project = Project::read(files, NAME)?;
    for dependency in project.dependencies(&[])? {
        let rewritten =
            text::rewritten(files, NAME, &dependency).map_err(|error| error.at(&project.place))?;
        if rewritten.is_some() {
            return Err(Error::invalid(format!("`{dependency}` is a path, which hosts do not have"))
                .at(&project.place)
                .remedy("name it in a requirements file instead, as `./wheels/….whl`"));
        }
    }
    let sources = project.table.get("tool").and_then(|tool| tool.get("uv")?.get("sources")?.as_table());
    for (name, source) in sources.into_iter().flatten() {
        let alternatives = source.as_array().map_or(std::slice::from_ref(source), Vec::as_slice);
        for source in alternatives {
            check_source(&project, files, name, source)?;
        }
    }
    let text = files.text(NAME)?;
    files.add(NAME, &text);
    Ok(())
}

/// Adds a package that uv takes from a path; refuses what hosts do not have.
fn check_source(project: &Project, files: &mut RequirementFiles, name: &str, source: &Value) -> Result<()> {
    let path = source.get("path").and_then(Value::as_str);
    let file = path.and_then(|path| files.locate(NAME, path, Path::is_file));
    if let Some(file) = file {
        return files.add_package(&file).map(drop).map_err(|error| error.at(&project.place));
    }
    let is_ssh = source
        .get("git")
        .and_then(Value::as_str)
        .is_some_and(|url| url.starts_with("ssh:") || url.starts_with("git@"));
    if path.is_none() && source.get("workspace").is_none() && !is_ssh {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "the source of `{name}` in `tool.uv.sources` is something that hosts do not have"
    ))
    .at(&project.place)
    .remedy("publish it, or build a wheel and name that as its `path`"))
}
