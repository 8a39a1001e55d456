//! The project's folder on this computer, which needs no root: ssh configuration, the list of hosts that were ever
//! changed for the project, Grafana's password.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::host::ProjectName;
use crate::own_files;

/// Parent of the projects' folders.
pub(super) fn root() -> Result<PathBuf> {
    Ok(own_files::data_folder()?.join("hosts"))
}

/// The folder of one project.
pub(super) fn of(project: &ProjectName) -> Result<PathBuf> {
    Ok(root()?.join(project.as_str()))
}

/// Creates a folder and its parents, accessible to their owner only.
pub(super) fn create(path: &Path) -> Result<()> {
    own_files::create_folder(path).map_err(|error| cannot("make", path, error))
}

/// Writes a file that only its owner may read, by renaming it into place; a power failure leaves the old content
/// or the new one.
pub(super) fn write(path: &Path, text: &str) -> Result<()> {
    own_files::replace(path, text.as_bytes(), 0o600).map_err(|error| cannot("write", path, error))
}

/// Reads a file; `None` if it does not exist.
pub(super) fn read(path: &Path) -> Result<Option<String>> {
    own_files::read(path).map_err(|error| cannot("read", path, error))
}

pub(super) fn cannot(verb: &str, path: &Path, error: io::Error) -> Error {
    Error::could_not_run(format!("cannot {verb} `{}`", path.display())).because(error)
}
