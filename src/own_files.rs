//! monctl's own files on this computer: where they are, and how they are written.

use std::env;
use std::fs::{self, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::{Error, Result};

/// The folder of monctl's data: `$XDG_DATA_HOME/monctl`, by default `~/.local/share/monctl`.
///
/// # Errors
/// If the environment names neither that folder nor a home folder by an absolute path.
pub fn data_folder() -> Result<PathBuf> {
    let named = env::var_os("XDG_DATA_HOME").map(PathBuf::from);
    let usual = || env::home_dir().map(|home| home.join(".local/share"));
    let data = named.filter(|path| path.is_absolute()).or_else(usual).filter(|path| path.is_absolute());
    data.map(|data| data.join("monctl")).ok_or_else(|| {
        Error::could_not_run(
            "there is no data folder for this user: neither `XDG_DATA_HOME` nor `HOME` is set",
        )
        .remedy("set `HOME` to your home folder")
    })
}

/// Creates a folder and its parents, accessible to their owner only.
///
/// # Errors
/// If it cannot be created.
pub fn create_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// The folder of a file; `.` for a name alone.
pub fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Reads a text file; `None` if it does not exist.
///
/// # Errors
/// If it exists and cannot be read.
pub fn read(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

/// Writes a file by renaming a complete one into its place; a power failure leaves the old content or the new one.
///
/// # Errors
/// If the folder does not exist or cannot be written to.
pub fn replace(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    complete(path, content, mode)?.persist(path).map(drop).map_err(|error| error.error)
}

/// Writes a new file as a whole.
///
/// # Errors
/// If it exists already, or the folder does not exist or cannot be written to.
pub fn create(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    complete(path, content, mode)?.persist_noclobber(path).map(drop).map_err(|error| error.error)
}

/// A complete file beside its place.
fn complete(place: &Path, content: &[u8], mode: u32) -> io::Result<NamedTempFile> {
    let mut file = NamedTempFile::new_in(folder_of(place))?;
    file.write_all(content)?;
    file.as_file().set_permissions(Permissions::from_mode(mode))?;
    file.as_file().sync_data()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_does_not_replace_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        create(&path, b"first", 0o644).unwrap();
        let error = create(&path, b"second", 0o644).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(read(&path).unwrap().as_deref(), Some("first"));
    }

    #[test]
    fn a_file_is_replaced_as_a_whole_with_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        assert_eq!(read(&path).unwrap(), None);
        for (content, mode) in [("first", 0o600), ("second", 0o644)] {
            replace(&path, content.as_bytes(), mode).unwrap();
            assert_eq!(read(&path).unwrap().as_deref(), Some(content));
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
        assert!(replace(&folder.path().join("none/file"), b"", 0o600).is_err());
        assert!(read(folder.path()).is_err(), "a folder is not absent");
    }
}
