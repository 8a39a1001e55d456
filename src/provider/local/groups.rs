//! The control groups of machines. Each machine has its own, named after it, which contains exactly its processes:
//! that group shows whether the machine runs, ends it, and shows what is left of it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{files, sys};
use crate::error::{Error, Result};
use crate::retry::Patience;

/// Timeout for killed processes to end. Generous: the kernel needs milliseconds.
const END: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(5);

/// The slice in which systemd keeps machines, if it is this computer's init system.
const SLICE: &str = "machine.slice";

/// Mount points of the hierarchies in which systemd-nspawn tracks processes: the unified one, and systemd's own of
/// version 1.
pub(super) fn hierarchies() -> Result<Vec<PathBuf>> {
    let path = "/proc/self/mountinfo";
    let table = fs::read_to_string(path)
        .map_err(|error| Error::could_not_run(format!("cannot read `{path}`")).because(error))?;
    Ok(mounted_hierarchies(&table))
}

fn mounted_hierarchies(mountinfo: &str) -> Vec<PathBuf> {
    let parse = |line: &str| {
        let (place, source) = line.split_once(" - ")?;
        let (kind, options) = source.split_once(' ')?;
        let tracks = kind == "cgroup2" || (kind == "cgroup" && options.contains("name=systemd"));
        tracks.then(|| place.split(' ').nth(4).map(PathBuf::from))?
    };
    mountinfo.lines().filter_map(parse).collect()
}

/// The folders of the groups whose name `is_wanted` accepts, with systemd's suffix taken off.
pub(super) fn find(is_wanted: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>> {
    let parents = hierarchies()?.into_iter().flat_map(|mount| [mount.join(SLICE), mount]);
    let mut found = Vec::new();
    for parent in parents {
        let mut folders = files::entries(&parent)?;
        folders.retain(|folder| {
            let name = files::name(folder).map(|name| name.strip_suffix(".service").unwrap_or(name));
            name.is_some_and(&is_wanted)
        });
        found.extend(folders);
    }
    found.sort();
    Ok(found)
}

/// Whether the machine's own init process is alive.
pub(super) fn is_running(group: &str) -> Result<bool> {
    let init = ["payload/init.scope", "payload"];
    for folder in find(|name| name == group)? {
        for init in init {
            if !members(&folder.join(init))?.is_empty() {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// All processes of the groups, those of groups within them too.
pub(super) fn processes(groups: &[PathBuf]) -> Result<Vec<i32>> {
    let mut all = Vec::new();
    for folder in groups.iter().flat_map(|group| subtree(group)) {
        all.extend(members(&folder)?);
    }
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

/// Ends all processes of the groups and removes the groups.
pub(super) async fn end(groups: &[PathBuf]) -> Result<()> {
    let mut patience = Patience::new(END).pausing(PAUSE, PAUSE * 10);
    loop {
        let remaining = processes(groups)?;
        for id in &remaining {
            sys::kill(*id, || groups.iter().any(|group| is_member(*id, group)))?;
        }
        if remaining.is_empty() && groups.iter().all(|group| remove(group)) {
            return Ok(());
        }
        patience.again(do_not_end(&remaining)).await?;
    }
}

fn do_not_end(processes: &[i32]) -> Error {
    let processes: Vec<String> = processes.iter().map(i32::to_string).collect();
    Error::failed(format!("processes of a machine do not end: {}", processes.join(", ")))
        .remedy("look at them with `ps`, then run the command again")
}

/// The kernel's error (`ENODEV`) for a group that is removed while its file is read.
const GONE: i32 = 19;

/// The processes directly in a group. A group that is gone has none, and those of a threaded group belong to its
/// parent. Fails if the group cannot be read.
fn members(folder: &Path) -> Result<Vec<i32>> {
    let path = folder.join("cgroup.procs");
    match fs::read_to_string(&path) {
        // The kernel writes numbers only.
        Ok(list) => Ok(list.lines().filter_map(|id| id.parse().ok()).collect()),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::Unsupported)
                || error.raw_os_error() == Some(GONE) =>
        {
            Ok(Vec::new())
        }
        Err(error) => Err(Error::failed(format!("cannot read `{}`", path.display())).because(error)),
    }
}

/// Whether the process is in the group or a subgroup, according to its `/proc/ID/cgroup`.
fn is_member(id: i32, group: &Path) -> bool {
    // A process that is gone is in no group.
    let own = fs::read_to_string(format!("/proc/{id}/cgroup")).unwrap_or_default();
    let name = group.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    own.lines().any(|line| line.split('/').any(|part| part == name))
}

/// The folder and all below it, the deepest first.
fn subtree(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    // A group that is removed meanwhile has nothing below it.
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            all.extend(subtree(&entry.path()));
        }
    }
    all.push(folder.to_owned());
    all
}

/// Removes a group without processes; returns whether it is gone. systemd removes the groups of its units itself.
fn remove(group: &Path) -> bool {
    let gone = |folder: &PathBuf| match fs::remove_dir(folder) {
        Ok(()) => true,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    };
    subtree(group).iter().all(gone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_of_control_groups_are_recognized() {
        let hybrid = "24 1 0:20 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
            25 24 0:21 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n\
            26 24 0:22 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd\n\
            27 24 0:23 / /sys/fs/cgroup/unified rw,relatime shared:4 - cgroup2 cgroup2 rw\n";
        assert_eq!(
            mounted_hierarchies(hybrid),
            [Path::new("/sys/fs/cgroup/systemd"), Path::new("/sys/fs/cgroup/unified")]
        );
        let unified = "35 24 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
        assert_eq!(mounted_hierarchies(unified), [Path::new("/sys/fs/cgroup")]);
    }
}
