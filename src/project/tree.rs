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
        .overrides(overrides.build().map_err(unreadable)?)
        .build();
    let mut tree = Tree::default();
    for entry in walk {
        let entry = entry.map_err(unreadable)?;
        if entry.file_type().is_some_and(|kind| kind.is_file()) {
            let name = portable_name(folder, entry.path())?;
            tree.files.insert(name, read(entry.path())?);
        }
    }
    Ok(tree)
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
    fn a_name_that_would_break_a_line_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a\nb"), "").unwrap();
        let error = tree(folder.path()).unwrap_err();
        assert!(error.message().contains("a\\nb"), "{error}");
    }
}
