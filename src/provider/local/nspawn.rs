//! The files of a machine that systemd-nspawn keeps under `/run` and leaves behind when it is killed.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::files;
use super::names::MachineFolder;
use crate::error::Result;

const FOLDER: &str = "/run/systemd/nspawn";

/// The folders that it created for machines whose name `is_wanted` accepts. Recent versions mount something there.
pub(super) fn folders(is_wanted: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>> {
    let parents = ["propagate", "unix-export"].map(|parent| Path::new(FOLDER).join(parent));
    let mut found = Vec::new();
    for parent in parents {
        found.extend(files::entries(&parent)?);
    }
    found.retain(|folder| files::name(folder).is_some_and(&is_wanted));
    found.sort();
    Ok(found)
}

/// The lock with which recent versions prevent booting a root twice; it is named after the root's inode.
pub(super) fn lock(machine: &MachineFolder) -> Option<PathBuf> {
    let root = fs::metadata(machine.root()).ok()?;
    let path = Path::new(FOLDER).join(format!("locks/inode-{}:{}", root.dev(), root.ino()));
    path.exists().then_some(path)
}
