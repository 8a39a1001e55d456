//! The disk of a machine: an overlay over the shared base image if the file system supports that, else a copy of it
//! (with shared blocks if the file system supports that).

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::command::{run, tool};
use super::files::{self, cannot};
use super::names::MachineFolder;
use super::{image, sys};
use crate::error::{Error, Result};

/// How a disk is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Layout {
    /// An overlay over the base image, mounted while it is in use.
    Overlay,
    /// A copy of the base image.
    Copy,
}

/// Creates a new disk over the image and makes it accessible.
pub(super) async fn create(folder: &MachineFolder, image: &str) -> Result<Layout> {
    for path in [folder.root(), folder.upper(), folder.work()] {
        fs::create_dir_all(&path).map_err(|error| cannot("make", &path, error))?;
    }
    let lower = image::folder(image);
    if sys::mount_overlay(&lower, &folder.upper(), &folder.work(), &folder.root()).is_ok() {
        return Ok(Layout::Overlay);
    }
    run(tool("cp")
        .args(["--archive", "--reflink=auto", "--no-target-directory"])
        .arg(lower)
        .arg(folder.root()))
    .await?;
    Ok(Layout::Copy)
}

/// Makes an existing disk accessible again, for example after a reboot of this computer.
pub(super) fn attach(folder: &MachineFolder, image: &str, layout: Layout) -> Result<()> {
    if layout == Layout::Copy || is_mounted(&folder.root())? {
        return Ok(());
    }
    let lower = image::folder(image);
    if !lower.is_dir() {
        return Err(Error::failed(format!(
            "base image `{image}` is missing, and with it most of the machine's disk"
        ))
        .at(lower.display().to_string())
        .remedy("remove the machines with `monctl down`, then create them again with `monctl up`"));
    }
    sys::mount_overlay(&lower, &folder.upper(), &folder.work(), &folder.root())
}

/// Detaches and removes a machine's folder.
pub(super) async fn remove(folder: &Path) -> Result<()> {
    for mount in mounts_below(folder)? {
        sys::unmount(&mount)?;
    }
    files::remove(folder).await
}

/// The mounts at or below a folder, deepest first.
pub(super) fn mounts_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let path = Path::new("/proc/self/mountinfo");
    let table = fs::read(path).map_err(|error| cannot("read", path, error))?;
    let place = |line: &[u8]| line.split(|byte| *byte == b' ').nth(4).map(unescaped);
    let mut found: Vec<PathBuf> = table
        .split(|byte| *byte == b'\n')
        .filter_map(place)
        .filter(|mount| mount.starts_with(folder))
        .collect();
    found.sort();
    found.reverse();
    Ok(found)
}

fn is_mounted(path: &Path) -> Result<bool> {
    Ok(mounts_below(path)?.iter().any(|mount| mount == path))
}

/// Decodes a path as the kernel writes it, with octal escapes such as `\040` for white space.
fn unescaped(path: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((first, tail)) = rest.split_first() {
        let code = tail.get(..3).filter(|_| *first == b'\\');
        // Other text is not an escape.
        let code = code.and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 8).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &tail[3..] } else { tail };
    }
    PathBuf::from(std::ffi::OsStr::from_bytes(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_mounts_are_read_as_they_are() {
        assert_eq!(unescaped(br"/mnt/a\040b\134c"), Path::new(r"/mnt/a b\c"));
        assert_eq!(unescaped(br"/mnt\"), Path::new(r"/mnt\"));
    }

    #[test]
    fn only_mounts_below_the_folder_are_found() {
        assert!(mounts_below(Path::new("/")).unwrap().contains(&PathBuf::from("/proc")));
        assert_eq!(mounts_below(Path::new("/proc")).unwrap().last().unwrap(), Path::new("/proc"));
        assert!(mounts_below(Path::new("/pro")).unwrap().is_empty());
    }
}
