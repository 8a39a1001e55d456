//! Only one process changes a project at a time. The kernel releases the lock (`flock`) when its holder ends,
//! however that happens. Lock files are in `/run`, which a reboot empties, or where a user who is not root may write.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::host::ProjectName;

/// Folder of the lock files for machines on this computer.
const FOLDER: &str = "/run/monctl";

/// The right to change a project, until it is dropped.
#[derive(Debug)]
pub struct ProjectLock {
    path: PathBuf,
    /// Holds the lock as long as it is open.
    _file: File,
}

impl ProjectLock {
    /// Takes the lock at once or fails.
    pub(super) fn acquire(project: &ProjectName) -> Result<Self> {
        Self::acquire_in(Path::new(FOLDER), project)
    }

    /// The same with lock files in another folder.
    pub(super) fn acquire_in(folder: &Path, project: &ProjectName) -> Result<Self> {
        let path = folder.join(format!("{project}.lock"));
        loop {
            let mut file = open(&path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(busy(project, &mut file)),
                Err(TryLockError::Error(error)) => return Err(unusable(&path, error)),
            }
            // Its last holder may have removed the file between our opening and our locking it.
            if is_still_at(&file, &path) {
                write_holder(&mut file).map_err(|error| unusable(&path, error))?;
                return Ok(Self { path, _file: file });
            }
        }
    }
}

impl Drop for ProjectLock {
    fn drop(&mut self) {
        // Removed while the lock is still held: afterwards, the file may be another process' new lock.
        // A file that is left behind locks nothing.
        drop(fs::remove_file(&self.path));
    }
}

/// Waits for a short-lived lock that all projects share; dropping the file releases it.
pub(super) fn wait_for(name: &str) -> Result<File> {
    let path = Path::new(FOLDER).join(format!(".{name}.lock"));
    let file = open(&path)?;
    file.lock().map_err(|error| unusable(&path, error))?;
    Ok(file)
}

fn open(path: &Path) -> Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| unusable(path, error))?;
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options.open(path).map_err(|error| unusable(path, error))
}

fn is_still_at(file: &File, path: &Path) -> bool {
    let ours = file.metadata().map(|meta| (meta.dev(), meta.ino()));
    let theirs = fs::metadata(path).map(|meta| (meta.dev(), meta.ino()));
    matches!((ours, theirs), (Ok(ours), Ok(theirs)) if ours == theirs)
}

fn write_holder(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    write!(file, "{}", std::process::id())
}

fn busy(project: &ProjectName, file: &mut File) -> Error {
    let mut holder = String::new();
    let holder = match file.read_to_string(&mut holder) {
        Ok(_) if !holder.is_empty() => format!(" (process {holder})"),
        // The process id is only a help; the lock is held in any case.
        _ => String::new(),
    };
    Error::could_not_run(format!("another monctl{holder} is changing project `{project}`"))
        .remedy("wait until it has ended, then run the command again")
}

fn unusable(path: &Path, error: std::io::Error) -> Error {
    Error::could_not_run(format!("cannot use the lock file `{}`", path.display()))
        .remedy("make its folder writable; for machines on this computer, run monctl as root")
        .because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project() -> ProjectName {
        "shop".parse().unwrap()
    }

    #[test]
    fn a_second_holder_is_refused_with_the_process_id_of_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let _held = ProjectLock::acquire_in(folder.path(), &project()).unwrap();
        let error = ProjectLock::acquire_in(folder.path(), &project()).unwrap_err();
        let holder = format!("(process {})", std::process::id());
        assert!(error.message().contains(&holder), "{error}");
    }

    #[test]
    fn a_lock_that_was_dropped_leaves_no_file_and_can_be_taken_again() {
        let folder = tempfile::tempdir().unwrap();
        drop(ProjectLock::acquire_in(folder.path(), &project()).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        ProjectLock::acquire_in(folder.path(), &project()).unwrap();
    }

    #[test]
    fn another_project_is_not_held_up() {
        let folder = tempfile::tempdir().unwrap();
        let _held = ProjectLock::acquire_in(folder.path(), &project()).unwrap();
        ProjectLock::acquire_in(folder.path(), &"blog".parse().unwrap()).unwrap();
    }
}
