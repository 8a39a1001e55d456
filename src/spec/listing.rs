//! The names in a project's folder.

use std::fs;
use std::io;
use std::path::Path;

/// The names in a folder, in order, without hidden ones. A folder that cannot be read has none.
pub(super) fn names(folder: &Path) -> Vec<String> {
    let read = || -> io::Result<Vec<String>> {
        let entries: io::Result<Vec<_>> = fs::read_dir(folder)?.collect();
        Ok(entries?.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
    };
    // Whatever needs a file of such a folder reports that it is missing.
    let mut names = read().unwrap_or_default();
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    names
}

/// The folders in a folder, likewise.
pub(super) fn subfolders(folder: &Path) -> Vec<String> {
    names(folder).into_iter().filter(|name| folder.join(name).is_dir()).collect()
}
