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

/// The folders in a folder, in order, without hidden ones, Python environments and JavaScript packages.
pub(super) fn subfolders(folder: &Path) -> Vec<String> {
    let is_of_project = |name: &String| {
        let path = folder.join(name);
        path.is_dir() && name != "node_modules" && !path.join("pyvenv.cfg").is_file()
    };
    names(folder).into_iter().filter(is_of_project).collect()
}
