//! Grafana's secrets on the operator's computer, in the project's folder, readable by its owner only: the
//! administrator's password, the next password during a rotation, and the token for daily work.

use std::fs;
use std::path::Path;

use crate::error::{Error, Result};
use crate::own_files;
use crate::secret::Secret;

/// A secret that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeptSecret {
    /// The administrator's password.
    Password,
    /// The administrator's next password: written before Grafana receives it, so that an interrupted run does not lose
    /// it.
    NextPassword,
    /// The token of monctl's service account.
    Token,
}

impl KeptSecret {
    const fn file(self) -> &'static str {
        match self {
            Self::Password => "grafana-password",
            Self::NextPassword => "grafana-password-next",
            Self::Token => "grafana-token",
        }
    }

    /// The secret, if there is one.
    pub fn read(self, folder: &Path) -> Result<Option<Secret>> {
        let path = folder.join(self.file());
        let text = own_files::read(&path).map_err(|error| unusable(&path, error))?;
        Ok(text.map(Secret::new))
    }

    /// Writes a secret, replacing the previous one.
    pub fn write(self, folder: &Path, secret: &Secret) -> Result<()> {
        let path = folder.join(self.file());
        own_files::replace(&path, secret.expose().as_bytes(), 0o600).map_err(|error| unusable(&path, error))
    }

    /// Renames this secret, replacing the other one.
    pub fn replace(self, other: Self, folder: &Path) -> Result<()> {
        let path = folder.join(other.file());
        fs::rename(folder.join(self.file()), &path).map_err(|error| unusable(&path, error))
    }
}

pub(super) fn unusable(path: &Path, error: std::io::Error) -> Error {
    Error::failed(format!("cannot use `{}`", path.display())).because(error)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_secret_is_readable_by_its_owner_only_and_can_replace_another() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(KeptSecret::Password.read(folder.path()).unwrap(), None);
        KeptSecret::Password.write(folder.path(), &Secret::new("old")).unwrap();
        KeptSecret::NextPassword.write(folder.path(), &Secret::new("new")).unwrap();
        KeptSecret::NextPassword.replace(KeptSecret::Password, folder.path()).unwrap();
        assert_eq!(KeptSecret::Password.read(folder.path()).unwrap().unwrap().expose(), "new");
        assert_eq!(KeptSecret::NextPassword.read(folder.path()).unwrap(), None);
        let mode = fs::metadata(folder.path().join("grafana-password")).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
