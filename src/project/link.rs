//! Symbolic links in the application's folder. What they lead to travels only where it lies in the folder itself: a link
//! that leads out of it could bring anything of this computer to a host.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Where a path leads, all links on the way followed; nothing where it leads nowhere, as an editor's lock does.
///
/// # Errors
/// Where it leads out of `root`, which has no links in it, or in a circle.
pub(super) fn resolve(root: &Path, path: &Path) -> Result<Option<PathBuf>> {
    match path.canonicalize() {
        Ok(target) if target.starts_with(root) => Ok(Some(target)),
        Ok(target) => Err(Error::invalid(format!(
            "`{}` leads out of the application's folder, to `{}`",
            path.display(),
            target.display()
        ))
        .remedy("put the file or folder itself in the place of the link, or leave it out by `.gitignore`")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if path.is_symlink() && error.kind() != io::ErrorKind::PermissionDenied => {
            Err(circle(path).because(error))
        }
        Err(error) => Err(Error::invalid(format!("cannot read `{}`", path.display())).because(error)),
    }
}

/// A link that leads back to where one came from.
pub(super) fn circle(path: &Path) -> Error {
    Error::invalid(format!("`{}` is a link that leads in a circle", path.display()))
        .remedy("remove the link, or leave it out by `.gitignore`")
}
