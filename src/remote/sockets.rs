//! The folders of ssh's sockets. Each belongs to one process of this program, which holds a lock in it for its
//! lifetime: the kernel releases the lock however the process ends, and it is valid in every namespace that sees the
//! folder.

use std::env;
use std::fs::{self, File, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::error::{Error, Result};

/// Prefix of the folders' names.
const PREFIX: &str = "monctl-ssh-";
/// Name of the lock file.
const LOCK: &str = "owner";
/// Longest path of the parent folder, in bytes: a socket's path has at most 107 (103 on a Mac), including ssh's names.
const LONGEST_PARENT: usize = 36;
/// The parent folder if the path of the folder for temporary files is too long.
const SHORT_PARENT: &str = "/tmp";

/// A folder for sockets, removed when dropped.
#[derive(Debug)]
pub(super) struct Sockets {
    folder: TempDir,
    /// Holds the lock while it is open.
    _lock: File,
}

impl Sockets {
    /// Creates a folder, and removes those of processes that have ended.
    pub(super) fn new() -> Result<Self> {
        sweep();
        let parent = parent();
        let cannot = |error: std::io::Error| {
            Error::failed(format!("cannot make a folder for ssh's sockets in `{}`", parent.display()))
                .because(error)
        };
        loop {
            let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(&parent).map_err(cannot)?;
            let lock = File::create(folder.path().join(LOCK)).map_err(cannot)?;
            match lock.try_lock() {
                Ok(()) => return Ok(Self { folder, _lock: lock }),
                // Another process is sweeping and took this folder for an abandoned one.
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(cannot(error)),
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }
}

fn parent() -> PathBuf {
    let usual = env::temp_dir();
    if usual.as_os_str().len() <= LONGEST_PARENT { usual } else { SHORT_PARENT.into() }
}

/// Removes the sockets that killed runs of this user left behind.
pub fn sweep() {
    // The next run retries what cannot be listed or removed now; it takes only a few bytes.
    let user = rustix::process::geteuid().as_raw();
    for entry in fs::read_dir(parent()).into_iter().flatten().flatten() {
        let is_named_so = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        let is_ours = || entry.metadata().is_ok_and(|it| it.is_dir() && it.uid() == user);
        if is_named_so
            && is_ours()
            && let Ok(lock) = File::open(entry.path().join(LOCK))
            && lock.try_lock().is_ok()
        {
            // The lock is held meanwhile: a process that is about to take it creates another folder.
            #[expect(clippy::let_underscore_must_use, reason = "the next run removes a folder that stays")]
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_killed_runs_are_swept_and_folders_in_use_stay() {
        let left = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent()).unwrap();
        fs::write(left.path().join("1.sock"), "").unwrap();
        let ours = Sockets::new().unwrap();
        assert!(left.path().exists(), "a folder without a lock may belong to a run that has just begun");

        // Held through another file description, as by another process in any namespace.
        let lock = File::create(left.path().join(LOCK)).unwrap();
        lock.lock().unwrap();
        sweep();
        assert!(left.path().exists() && ours.path().exists());
        drop(lock);
        sweep();
        assert!(!left.path().exists());
        assert!(ours.path().exists());
    }
}
