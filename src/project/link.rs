//! Symbolic links in the application's folder. Only targets within the folder are copied: a link that leads out of it
//! could copy any file of this computer to a host.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The target of a path with all links resolved; none for a dangling link, such as an editor's lock.
///
/// # Errors
/// Where it leads out of `root`, which has no links in it, or is circular.
pub(super) fn resolve(root: &Path, path: &Path) -> Result<Option<PathBuf>> {
    match path.canonicalize() {
        Ok(target) if target.starts_with(root) => Ok(Some(target)),
        Ok(target) => Err(Error::invalid(format!(
            "`{}` leads out of the application's folder, to `{}`",
            path.display(),
            target.display()
        ))
        .remedy("replace the link by the file or folder itself, or exclude it with `.gitignore` (if git tracks it, also remove it \
                  from git's index: `git rm --cached`)")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if path.is_symlink() && error.kind() != io::ErrorKind::PermissionDenied => {
            Err(circle(path).because(error))
        }
        Err(error) => Err(Error::invalid(format!("cannot read `{}`", path.display())).because(error)),
    }
}

/// The error about a circular link.
pub(super) fn circle(path: &Path) -> Error {
    Error::invalid(format!("`{}` is a circular link", path.display()))
        .remedy("remove the link, or exclude it with `.gitignore`")
}
