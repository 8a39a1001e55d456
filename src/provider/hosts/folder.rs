//! The project's folder on this computer, which needs no root: ssh configuration, the list of hosts that were ever
//! changed for the project, Grafana's password.

use std::env;
use std::fs::{self, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::{Error, Result};
use crate::host::ProjectName;

/// Parent of the projects' folders: `$XDG_DATA_HOME/monctl/hosts`, by default below `~/.local/share`.
pub(super) fn root() -> Result<PathBuf> {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let data = absolute("XDG_DATA_HOME").or_else(|| Some(absolute("HOME")?.join(".local/share")));
    data.map(|data| data.join("monctl/hosts")).ok_or_else(|| {
        Error::could_not_run("there is no folder for the project: neither `XDG_DATA_HOME` nor `HOME` is set")
            .remedy("set `HOME` to your home folder")
    })
}

/// The folder of one project.
pub(super) fn of(project: &ProjectName) -> Result<PathBuf> {
    Ok(root()?.join(project.as_str()))
}

/// Creates a folder and its parents, accessible to their owner only.
pub(super) fn create(path: &Path) -> Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| cannot("make", path, error))
}

/// Writes a file that only its owner may read, by renaming it into place; a power failure leaves the old content
/// or the new one.
pub(super) fn write(path: &Path, text: &str) -> Result<()> {
    let write = || {
        let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
        let mut file = NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().set_permissions(Permissions::from_mode(0o600))?;
        file.as_file().sync_data()?;
        file.persist(path).map(drop).map_err(|error| error.error)
    };
    write().map_err(|error: io::Error| cannot("write", path, error))
}

/// Reads a file; `None` if it does not exist.
pub(super) fn read(path: &Path) -> Result<Option<String>> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some).map_err(|error| cannot("read", path, error)),
    }
}

pub(super) fn cannot(verb: &str, path: &Path, error: io::Error) -> Error {
    Error::could_not_run(format!("cannot {verb} `{}`", path.display())).because(error)
}
