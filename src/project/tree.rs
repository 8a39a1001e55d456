//! The application's folder as it is copied to hosts: what `.gitignore` does not exclude, without data.
//!
//! Files are read piece by piece. Small ones stay in memory for the plan's diffs, up to a sum; the others are read
//! again when they are sent.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use ignore::overrides::OverrideBuilder;
use ignore::{DirEntry, Walk, WalkBuilder};

use super::link;
use crate::digest::Sha256;
use crate::error::{Error, Result};
use crate::playbook::{File, Tree};

/// Never copied to a host, whether ignored by git or not: caches, environments, secrets, and databases, since the
/// developer's own must never replace the one in use.
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

/// Larger files are not kept in memory; the sum of all kept files is limited, too.
const KEPT_FILE_BYTES: u64 = 1 << 20;
const KEPT_BYTES: u64 = 16 << 20;
/// With more files, `app.path` is most likely the wrong folder.
const FILES_AT_MOST: usize = 200_000;
/// Limit of folders read through links: links to folders of links multiply them.
const LINKED_FOLDERS_AT_MOST: usize = 2_000;

/// Reads the application's folder.
///
/// # Errors
/// When a file cannot be read or its name is not portable; when a link leads out of the folder or is circular.
pub fn tree(folder: &Path) -> Result<Tree> {
    let root = folder.canonicalize().map_err(|error| unreadable(folder, error))?;
    let mut reader = Reader { folder, root: root.clone(), tree: Tree::default(), kept: 0, linked_folders: 0 };
    reader.walk(&root, Path::new(""), &mut Vec::new())?;
    Ok(reader.tree)
}

struct Reader<'a> {
    /// The folder as the user wrote it.
    folder: &'a Path,
    /// The same without links.
    root: PathBuf,
    tree: Tree,
    /// The bytes that are kept in memory.
    kept: u64,
    /// How many folders were read because a link leads to them.
    linked_folders: usize,
}

impl Reader<'_> {
    /// Reads everything below `folder`, which appears as `name` in the tree. `above` are the link targets on the way
    /// here.
    fn walk(&mut self, folder: &Path, name: &Path, above: &mut Vec<PathBuf>) -> Result<()> {
        above.push(folder.to_owned());
        for entry in entries(folder).map_err(|error| unreadable(self.folder, error))? {
            let entry = entry.map_err(|error| unreadable(self.folder, error))?;
            let below = entry.path().strip_prefix(folder).unwrap_or(entry.path());
            let name = name.join(below);
            match entry.file_type() {
                Some(kind) if kind.is_file() => self.add(entry.path(), &name)?,
                Some(kind) if kind.is_symlink() => self.follow(entry.path(), &name, above)?,
                _ => {}
            }
        }
        above.pop();
        Ok(())
    }

    fn follow(&mut self, link: &Path, name: &Path, above: &mut Vec<PathBuf>) -> Result<()> {
        let Some(target) = link::resolve(&self.root, link)? else { return Ok(()) };
        if target.is_dir() {
            if link.starts_with(&target) || above.contains(&target) {
                return Err(link::circle(&self.folder.join(name)));
            }
            if is_environment(&target) {
                return Ok(());
            }
            self.linked_folders += 1;
            if self.linked_folders > LINKED_FOLDERS_AT_MOST {
                let text = format!(
                    "links in `{}` lead to folders more than {LINKED_FOLDERS_AT_MOST} times",
                    self.folder.display()
                );
                return Err(Error::invalid(text)
                    .remedy("exclude the folders whose links lead to other folders with `.gitignore`"));
            }
            return self.walk(&target, name, above);
        }
        if target.is_file() { self.add(&target, name) } else { Ok(()) }
    }

    fn add(&mut self, path: &Path, name: &Path) -> Result<()> {
        let name = portable_name(self.folder, name)?;
        let failed = |error: std::io::Error| {
            Error::invalid(format!("cannot read `{}`", self.folder.join(&name).display())).because(error)
        };
        let size = path.metadata().map_err(failed)?.len();
        let is_kept = size <= KEPT_FILE_BYTES && self.kept + size <= KEPT_BYTES;
        let file = if is_kept {
            File::public(fs::read(path).map_err(failed)?)
        } else {
            let (sha256, size) = fs::File::open(path).and_then(Sha256::of_reader).map_err(failed)?;
            File::on_disk(path, size, sha256)
        };
        self.kept += if is_kept { size } else { 0 };
        let is_executable = path.metadata().map_err(failed)?.permissions().mode() & 0o100 != 0;
        self.tree.files.insert(name, (file, is_executable));
        if self.tree.files.len() > FILES_AT_MOST {
            let text = format!("`{}` holds more than {FILES_AT_MOST} files", self.folder.display());
            return Err(Error::invalid(text).remedy(
                "exclude other files than code with `.gitignore`, or set `app.path` to the project's own folder",
            ));
        }
        Ok(())
    }
}

/// The entries of a folder that are not excluded. Links are not followed.
fn entries(folder: &Path) -> Result<Walk, ignore::Error> {
    let mut overrides = OverrideBuilder::new(folder);
    for pattern in LEFT_OUT {
        overrides.add(&format!("!{pattern}"))?;
    }
    Ok(WalkBuilder::new(folder)
        .hidden(false)
        .require_git(false)
        // Only git's rules apply: `.ignore` is for search tools.
        .ignore(false)
        .filter_entry(|entry: &DirEntry| !is_environment(entry.path()))
        .overrides(overrides.build()?)
        .sort_by_file_name(Ord::cmp)
        .build())
}

/// Whether a folder is a Python environment, by whatever name.
fn is_environment(path: &Path) -> bool {
    path.join("pyvenv.cfg").is_file()
}

fn unreadable(folder: &Path, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::invalid(format!("cannot read the application's folder `{}`", folder.display())).because(error)
}

/// The path below the folder. File lists are sent to hosts line by line, so a name must not contain a line break.
fn portable_name(folder: &Path, name: &Path) -> Result<String> {
    name.to_str()
        .filter(|name| !name.contains(|c: char| c.is_control() || c == '\\'))
        .map(str::to_owned)
        .ok_or_else(|| {
            Error::invalid(format!("the file name {:?} cannot be copied to a host", folder.join(name).display().to_string()))
                .remedy("rename it, or exclude it with `.gitignore`: names must be UTF-8 without control characters and backslashes")
        })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        tree(folder).unwrap().files.into_keys().collect()
    }

    /// A folder for the application, next to an unrelated one.
    fn project(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in files.iter().copied().chain(["outside/key"]) {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        }
        folder
    }

    #[test]
    fn code_is_copied_and_data_is_not() {
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
        symlink("/nowhere/at/all", path(".#a.py")).unwrap();
        symlink("a.py", path("b.py")).unwrap();
        assert_eq!(names(folder.path()), [".ignore", "a.py", "b.py"]);
    }

    #[test]
    fn links_inside_of_the_folder_are_followed() {
        let folder = project(&["app/src/one.py", "app/src/deep/two.py"]);
        let app = folder.path().join("app");
        symlink("src", app.join("lib")).unwrap();
        symlink("deep/two.py", app.join("src/near.py")).unwrap();
        // The folder itself may be reached by a link.
        symlink("app", folder.path().join("current")).unwrap();
        let expected =
            ["lib/deep/two.py", "lib/near.py", "lib/one.py", "src/deep/two.py", "src/near.py", "src/one.py"];
        for way in ["app", "current"] {
            let tree = tree(&folder.path().join(way)).unwrap();
            assert_eq!(tree.files.keys().collect::<Vec<_>>(), expected);
            assert_eq!(tree.files["lib/near.py"].0.text(), Some("app/src/deep/two.py"));
        }
    }

    #[test]
    fn a_link_out_of_the_folder_is_refused() {
        let outside = ["../outside/key", "../outside", "/etc/passwd", "detour"];
        for target in outside {
            let folder = project(&["app/manage.py"]);
            let app = folder.path().join("app");
            symlink("../outside/key", app.join("detour")).unwrap();
            symlink(target, app.join("config")).unwrap();
            if target != "detour" {
                fs::remove_file(app.join("detour")).unwrap();
            }
            let error = tree(&app).unwrap_err();
            assert!(
                error.message().contains("/app/config` leads out of the application's folder"),
                "{error}"
            );
            assert!(error.hint().unwrap().contains(".gitignore"), "{error}");
            fs::write(app.join(".gitignore"), "config\ndetour\n").unwrap();
            assert_eq!(names(&app), [".gitignore", "manage.py"]);
        }
    }

    #[test]
    fn a_circular_link_is_refused() {
        type Links = &'static [(&'static str, &'static str)];
        let circles: [Links; 4] = [
            &[("a/loop", "..")],
            &[("a/loop", "loop")],
            &[("a/loop", "../b/back"), ("b/back", "../a/loop")],
            &[("a/loop", "../b"), ("b/back", "../a")],
        ];
        for links in circles {
            let folder = project(&["app/a/x.py", "app/b/y.py"]);
            let app = folder.path().join("app");
            for (name, target) in links {
                symlink(target, app.join(name)).unwrap();
            }
            let error = tree(&app).unwrap_err();
            assert!(error.message().contains("is a circular link"), "{error}");
            assert!(error.message().contains("/app/"), "{error}");
        }
    }

    #[test]
    fn links_that_multiply_folders_are_limited() {
        let folder = project(&["app/0/x.py"]);
        let app = folder.path().join("app");
        for depth in 1..40 {
            fs::create_dir(app.join(depth.to_string())).unwrap();
            for name in ["a", "b"] {
                symlink(format!("../{}", depth - 1), app.join(format!("{depth}/{name}"))).unwrap();
            }
        }
        let error = tree(&app).unwrap_err();
        assert!(error.message().contains("more than 2000 times"), "{error}");
    }

    #[test]
    fn large_files_are_not_kept_in_memory_and_have_the_same_digest() {
        let folder = tempfile::tempdir().unwrap();
        let bytes = vec![7; usize::try_from(KEPT_FILE_BYTES).unwrap() + 1];
        fs::write(folder.path().join("large"), &bytes).unwrap();
        let (file, _) = &tree(folder.path()).unwrap().files["large"];
        assert_eq!((file.sha256(), file.size(), file.text()), (Sha256::of(&bytes), bytes.len() as u64, None));
    }

    #[test]
    fn a_missing_folder_is_an_error() {
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
