//! The application's requirements: the file that the spec names, in any of its formats, and what it refers to.

mod encoding;
mod locked_package;
mod pin;
mod pipfile;
mod poetry;
mod poetry_graph;
mod pyproject;
mod requirement_files;
mod requirement_line;
mod text;
mod uv_lock;
mod uv_project;

use std::path::{Component, Path, PathBuf};

use self::requirement_files::RequirementFiles;
use crate::error::{Error, Result};
use crate::playbook::Requirements;

/// Reads the application's requirements. `root` is the application's folder; `entry` is the file, relative to it, and
/// `manage` the folder of `manage.py`. `added` is what monctl adds, one requirement a line, comments allowed.
///
/// # Errors
/// When a file is missing, is outside the folder, is not valid, or names what hosts do not have.
pub fn requirements(root: &Path, entry: &Path, manage: &str, added: &str) -> Result<Requirements> {
    let (top, name) = placed(root, entry)?;
    let folder = top.join(name.parent().unwrap_or(Path::new("")));
    let file_name = name.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let (files, entry_name) = match file_name {
        "uv.lock" | "poetry.lock" | "Pipfile.lock" | pyproject::NAME => {
            let mut files = RequirementFiles::new(&folder, &[])?;
            match file_name {
                "uv.lock" => uv_lock::read(&mut files)?,
                "poetry.lock" => poetry::read(&mut files)?,
                "Pipfile.lock" => pipfile::read(&mut files)?,
                _ => uv_project::read(&mut files)?,
            }
            (files, file_name.to_owned())
        }
        "Pipfile" => {
            return Err(Error::invalid("a `Pipfile` names no versions")
                .at(root.join(entry).display().to_string())
                .remedy("run `pipenv lock` and name `Pipfile.lock`"));
        }
        _ => {
            let mut files = RequirementFiles::new(&top, &[&root.join(manage), root])?;
            let name = requirement_files::as_text(&name)?;
            text::read(&mut files, &name)?;
            (files, name)
        }
    };
    let added = text::lines(added).into_iter().map(|line| line.joined).collect();
    let source = entry.display().to_string();
    Ok(Requirements { files: files.found, entry: entry_name, source, added, python: None })
}

/// The folder that holds all requirements files, and the path of the entry in it. The folder is the application's, or
/// one above it if the entry lies there.
fn placed(root: &Path, entry: &Path) -> Result<(PathBuf, PathBuf)> {
    let mut top = root.canonicalize().map_err(|error| {
        Error::invalid(format!("cannot read the application's folder `{}`", root.display())).because(error)
    })?;
    let mut below = PathBuf::new();
    for component in entry.components() {
        match component {
            Component::Normal(part) => below.push(part),
            Component::ParentDir if below.pop() || top.pop() => {}
            Component::CurDir => {}
            _ => {
                let text = format!("`{}` is not a path relative to `app.path`", entry.display());
                return Err(Error::invalid(text).remedy("name a file such as `requirements.txt`"));
            }
        }
    }
    Ok((top, below))
}

#[cfg(test)]
mod tests;
