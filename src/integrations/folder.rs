//! The files of an integration, embedded or from the user's disk. All of them are text.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use include_dir::Dir;

use crate::bounded::read_text;
use crate::error::{Error, Result};

/// Files by their path below the integration's folder, with `/` between parts.
pub(super) type Files = BTreeMap<String, Cow<'static, str>>;

/// Allowed files and subfolders. Other names are refused, since a misspelled one would be ignored silently.
const FILES: [&str; 4] = ["integration.yaml", "install.yaml", "overview.json", "README.md"];
const FOLDERS: [&str; 5] = ["alerts", "dashboards", "files", "runbooks", "systemd"];

/// The files of an embedded folder.
pub(super) fn embedded(folder: &'static Dir<'static>) -> Result<Files> {
    let mut files = Files::new();
    let subfolders = folder.dirs().flat_map(Dir::files);
    for file in folder.files().chain(subfolders) {
        let path = file.path().strip_prefix(folder.path()).unwrap_or(file.path());
        let name = path.to_string_lossy().into_owned();
        let text = file.contents_utf8().ok_or_else(|| Error::failed(format!("`{name}` is not UTF-8")))?;
        files.insert(name, text.into());
    }
    Ok(files)
}

/// The files of the user's folder.
pub(super) fn on_disk(folder: &Path) -> Result<Files> {
    let mut files = Files::new();
    for (name, is_folder) in entries(folder)? {
        let known: &[&str] = if is_folder { &FOLDERS } else { &FILES };
        if !known.contains(&name.as_str()) {
            let kind = if is_folder { "folder" } else { "file" };
            return Err(Error::invalid(format!("unexpected {kind} `{name}` in an integration"))
                .at(folder.display().to_string())
                .remedy(format!(
                    "an integration may contain {} and the folders {}",
                    FILES.join(", "),
                    FOLDERS.join(", ")
                )));
        }
        if is_folder {
            for (file, is_folder) in entries(&folder.join(&name))? {
                if is_folder {
                    return Err(Error::invalid(format!("`{name}/{file}` is a folder"))
                        .at(folder.display().to_string())
                        .remedy(format!("put files directly into `{name}`")));
                }
                let path = format!("{name}/{file}");
                files.insert(path.clone(), text(&folder.join(path))?);
            }
        } else {
            files.insert(name.clone(), text(&folder.join(name))?);
        }
    }
    Ok(files)
}

/// Names in a folder, and whether each is a folder. Hidden ones and Python's caches are left out.
fn entries(folder: &Path) -> Result<Vec<(String, bool)>> {
    let unreadable = |error| {
        Error::invalid("cannot read the folder of an integration")
            .at(folder.display().to_string())
            .because(error)
            .remedy("correct `integrations` in the spec, or the folder's permissions")
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') || name == "__pycache__" {
            continue;
        }
        let is_folder = fs::metadata(entry.path()).map_err(unreadable)?.is_dir();
        found.push((name, is_folder));
    }
    Ok(found)
}

fn text(path: &Path) -> Result<Cow<'static, str>> {
    let text = read_text(path).map_err(|error| {
        Error::invalid("cannot read a file of an integration")
            .at(path.display().to_string())
            .because(error)
            .remedy("correct the file, or remove it from the folder")
    })?;
    Ok(text.into())
}
