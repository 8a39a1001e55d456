//! The folders of ssh's sockets. Each belongs to one process of this program, which holds a lock in it as long as it lives:
//! the kernel gives the lock back however the process ends, and it counts in every namespace that sees the folder.

use std::env;
use std::fs::{self, File, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::error::{Error, Result};

/// How the names begin.
const PREFIX: &str = "monctl-ssh-";
/// The file that is locked.
const LOCK: &str = "owner";
/// A socket's path has at most 107 bytes (103 on a Mac), and ssh adds its own names to that of the folder.
const LONGEST_PARENT: usize = 36;
/// Where the folders lie if the folder for temporary files has too long a name.
const SHORT_PARENT: &str = "/tmp";

/// A folder for sockets, removed when dropped.
#[derive(Debug)]
pub(super) struct Sockets {
    folder: TempDir,
    /// Holds the lock as long as it is open.
    _lock: File,
}

impl Sockets {
    /// Makes one, and removes those that processes left that are gone.
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
                // Somebody sweeps at this very moment and takes it for one that was left.
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

/// Removes what killed runs of this user left of their connections.
pub fn sweep() {
    // What cannot be seen or removed now is tried again by the next run, and takes a few bytes until then.
    let user = rustix::process::geteuid().as_raw();
    for entry in fs::read_dir(parent()).into_iter().flatten().flatten() {
        let is_named_so = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        let is_ours = || entry.metadata().is_ok_and(|it| it.is_dir() && it.uid() == user);
        if is_named_so
            && is_ours()
            && let Ok(lock) = File::open(entry.path().join(LOCK))
            && lock.try_lock().is_ok()
        {
            // The lock is held meanwhile: who is about to take it makes another folder.
            #[expect(
                clippy::let_underscore_must_use,
                reason = "a folder that stays is met again by the next run"
            )]
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_run_left_is_swept_and_what_is_in_use_stays() {
        let left = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent()).unwrap();
        fs::write(left.path().join("1.sock"), "").unwrap();
        let ours = Sockets::new().unwrap();
        assert!(left.path().exists(), "one that has no lock yet may be somebody's who has just begun");

        // Held by another description of the file, as another process holds it, whatever its namespace.
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
