//! The application's folder as it goes to hosts: what `.gitignore` does not leave out, and no data.

use std::path::Path;
use std::sync::Arc;

use ignore::WalkBuilder;
use ignore::overrides::OverrideBuilder;

use crate::error::{Error, Result};
use crate::playbook::{File, Tree};

/// What never goes to a host, whether ignored by git or not: caches, environments, secrets, and
/// databases, since the developer's own must never replace the one in use.
const LEFT_OUT: [&str; 13] = [
    ".git",
    "__pycache__",
    "*.pyc",
    ".venv",
    "venv",
    "node_modules",
    ".env",
    ".env.*",
    "*.sqlite3",
    "*.sqlite3-*",
    "*.sqlite",
    "*.db",
    ".pytest_cache",
];

/// Reads the application's folder.
///
/// # Errors
/// When a file cannot be read, or has a name that cannot travel.
pub fn tree(folder: &Path) -> Result<Tree> {
    let unreadable = |error: ignore::Error| {
        Error::invalid(format!("cannot read the application's folder `{}`", folder.display())).because(error)
    };
    let mut overrides = OverrideBuilder::new(folder);
    for pattern in LEFT_OUT {
        overrides.add(&format!("!{pattern}")).map_err(unreadable)?;
    }
    let walk = WalkBuilder::new(folder)
        .hidden(false)
        .require_git(false)
        .follow_links(true)
        // Only git's rules count: `.ignore` is for search tools.
        .ignore(false)
        .filter_entry(|entry| !is_environment(entry.path()))
        .overrides(overrides.build().map_err(unreadable)?)
        .build();
    let mut tree = Tree::default();
    for entry in walk {
        let entry = match entry {
            // An editor's lock is such a link, and there is nothing to bring.
            Err(error) if leads_nowhere(&error) => continue,
            entry => entry.map_err(unreadable)?,
        };
        if entry.file_type().is_some_and(|kind| kind.is_file()) {
            let name = portable_name(folder, entry.path())?;
            tree.files.insert(name, read(entry.path())?);
        }
    }
    Ok(tree)
}

/// Whether a folder is a Python environment, by whatever name.
fn is_environment(path: &Path) -> bool {
    path.join("pyvenv.cfg").is_file()
}

/// Whether a symbolic link to nothing was met.
fn leads_nowhere(error: &ignore::Error) -> bool {
    match error {
        ignore::Error::WithPath { path, .. } => path.is_symlink() && !path.exists(),
        ignore::Error::WithDepth { err, .. } => leads_nowhere(err),
        _ => false,
    }
}

fn read(path: &Path) -> Result<(File, bool)> {
    let failed =
        |error: std::io::Error| Error::invalid(format!("cannot read `{}`", path.display())).because(error);
    let bytes: Arc<[u8]> = std::fs::read(path).map_err(failed)?.into();
    Ok((File::public(bytes), is_executable(path).map_err(failed)?))
}

fn is_executable(path: &Path) -> std::io::Result<bool> {
    use std::os::unix::fs::PermissionsExt;
    Ok(path.metadata()?.permissions().mode() & 0o100 != 0)
}

/// The path below the folder. Hosts are asked about files line by line, so no name may break a line.
fn portable_name(folder: &Path, path: &Path) -> Result<String> {
    path.strip_prefix(folder)
        .ok()
        .and_then(Path::to_str)
        .filter(|name| !name.contains(|c: char| c.is_control() || c == '\\'))
        .map(str::to_owned)
        .ok_or_else(|| {
            Error::invalid(format!("the file name {:?} cannot travel to a host", path.display().to_string()))
                .remedy("rename it, or leave it out by `.gitignore`: names are UTF-8 without control characters and backslashes")
        })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        tree(folder).unwrap().files.into_keys().collect()
    }

    #[test]
    fn code_travels_and_data_stays() {
        let folder = tempfile::tempdir().unwrap();
        for name in
            ["manage.py", ".gitignore", "db.sqlite3", ".env", "media/a.png", "notes/wsgi.py", "notes/x.pyc"]
        {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, if name == ".gitignore" { "media/\n" } else { "" }).unwrap();
        }
        assert_eq!(names(folder.path()), [".gitignore", "manage.py", "notes/wsgi.py"]);
    }

    #[test]
    fn environments_and_dangling_links_stay_and_search_rules_do_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name| folder.path().join(name);
        fs::create_dir(path("env3")).unwrap();
        for (name, text) in [("env3/pyvenv.cfg", ""), ("env3/x.py", ""), (".ignore", "a.py\n"), ("a.py", "")]
        {
            fs::write(path(name), text).unwrap();
        }
        std::os::unix::fs::symlink("/nowhere/at/all", path(".#a.py")).unwrap();
        std::os::unix::fs::symlink("a.py", path("b.py")).unwrap();
        assert_eq!(names(folder.path()), [".ignore", "a.py", "b.py"]);
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        assert!(tree(Path::new("/nowhere/at/all")).is_err());
    }

    #[test]
    fn a_name_that_would_break_a_line_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a\nb"), "").unwrap();
        let error = tree(folder.path()).unwrap_err();
        assert!(error.message().contains("a\\nb"), "{error}");
    }
}
