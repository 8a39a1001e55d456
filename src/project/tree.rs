//! The application's folder as it is copied to hosts: what git tracks, what the spec includes, and what else
//! `.gitignore` does not exclude, without data.
//!
//! Files are read piece by piece. Small ones stay in memory for the plan's diffs, up to a sum; the others are read
//! again when they are sent.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use ignore::overrides::OverrideBuilder;
use ignore::{DirEntry, Walk, WalkBuilder};

use super::link;
use super::tracked::Tracked;
use crate::digest::Sha256;
use crate::error::{Error, Result};
use crate::playbook::{File, Tree};
use crate::spec::IncludePattern;

/// Folders and caches that are copied only if git tracks what is in them.
const LEFT_OUT: [&str; 8] =
    [".git", "__pycache__", "*.pyc", ".venv", "venv", "node_modules", ".env/", ".pytest_cache"];

/// Larger files are not kept in memory; the sum of all kept files is limited, too.
const KEPT_FILE_BYTES: u64 = 1 << 20;
const KEPT_BYTES: u64 = 16 << 20;
/// With more files, `app.path` is most likely the wrong folder.
const FILES_AT_MOST: usize = 200_000;
/// Limit of folders read through links: links to folders of links multiply them.
const LINKED_FOLDERS_AT_MOST: usize = 2_000;

/// The application's folder as it was read.
#[derive(Debug)]
pub struct AppFolder {
    /// What is copied to hosts.
    pub tree: Tree,
    /// Secrets and databases that git does not ignore, and that are not copied.
    pub(super) private: BTreeSet<String>,
    /// Submodules of git that are not checked out, so that nothing of them is copied.
    pub(super) empty_submodules: BTreeSet<String>,
    /// Whether git tracks files of the folder.
    pub(super) has_tracked_files: bool,
    /// Whether this computer has no git to list what it tracks.
    pub(super) is_without_git: bool,
}

/// Reads the application's folder. `include` adds files that git ignores.
///
/// # Errors
/// When a file cannot be read or its name is not portable; when a link leads out of the folder or is circular; when git
/// fails.
pub fn app_folder(folder: &Path, include: &[IncludePattern]) -> Result<AppFolder> {
    let root = folder.canonicalize().map_err(|error| unreadable(folder, error))?;
    let tracked = Tracked::below(&root)?;
    let found = AppFolder {
        tree: Tree::default(),
        private: BTreeSet::new(),
        empty_submodules: BTreeSet::new(),
        has_tracked_files: matches!(tracked, Tracked::Files(_)),
        is_without_git: tracked == Tracked::NoGit,
    };
    let mut reader =
        Reader { folder, root: root.clone(), tracked, found, kept: 0, followed: BTreeSet::new() };
    reader.walk(&root, Path::new(""), &mut Vec::new())?;
    for pattern in include {
        for path in pattern.files(&root).map_err(|error| unreadable(folder, error))? {
            reader.take(&root.join(&path), &path, &mut vec![root.clone()])?;
        }
    }
    let AppFolder { tree, private, .. } = &mut reader.found;
    private.retain(|name| !tree.files.contains_key(name));
    Ok(reader.found)
}

/// Whether the name is that of a file with secrets, such as `.env` and `.env.production`.
pub(super) fn has_secrets(name: &str) -> bool {
    name == ".env" || name.starts_with(".env.")
}

/// Whether the name is that of a database: the developer's own must never replace the one in use.
pub(super) fn is_database(name: &str) -> bool {
    [".sqlite3", ".sqlite", ".db"].iter().any(|end| name.ends_with(end)) || name.contains(".sqlite3-")
}

struct Reader<'a> {
    /// The folder as the user wrote it.
    folder: &'a Path,
    /// The same without links.
    root: PathBuf,
    tracked: Tracked,
    found: AppFolder,
    /// The bytes that are kept in memory.
    kept: u64,
    /// The links to folders that were read.
    followed: BTreeSet<PathBuf>,
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
            let file_name = entry.file_name().to_string_lossy();
            if entry.file_type().is_none_or(|kind| kind.is_dir()) {
                continue;
            }
            let is_private = has_secrets(&file_name) || is_database(&file_name);
            if is_private && !self.tracked.has(self.inside(entry.path())) {
                self.found.private.insert(name.to_string_lossy().into_owned());
            } else {
                self.take(entry.path(), &name, above)?;
            }
        }
        for path in self.tracked.at_or_below(self.inside(folder)) {
            let path = self.root.join(path);
            let name = name.join(path.strip_prefix(folder).unwrap_or(&path));
            let is_known = name.to_str().is_some_and(|name| self.found.tree.files.contains_key(name));
            if !is_known && !is_in_environment(&path, folder) {
                self.take(&path, &name, above)?;
            }
        }
        above.pop();
        Ok(())
    }

    /// A path of the folder, relative to it.
    fn inside<'p>(&self, path: &'p Path) -> &'p Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }

    /// Adds a file, or what a link leads to.
    fn take(&mut self, path: &Path, name: &Path, above: &mut Vec<PathBuf>) -> Result<()> {
        if name.to_str().is_some_and(|name| self.found.tree.files.contains_key(name)) {
            return Ok(());
        }
        // A folder on the way may be a link, too.
        let Some(target) = link::resolve(&self.root, path)? else { return Ok(()) };
        if !target.is_dir() {
            return if target.is_file() { self.add(&target, name) } else { Ok(()) };
        }
        if path.is_symlink() {
            return self.follow(path, &target, name, above);
        }
        // git lists a submodule that is not checked out as one path.
        self.found.empty_submodules.insert(name.to_string_lossy().into_owned());
        Ok(())
    }

    fn follow(&mut self, link: &Path, target: &Path, name: &Path, above: &mut Vec<PathBuf>) -> Result<()> {
        if link.starts_with(target) || above.iter().any(|folder| folder == target) {
            return Err(link::circle(&self.folder.join(name)));
        }
        if is_environment(target) {
            return Ok(());
        }
        if !self.followed.insert(name.to_owned()) {
            return Ok(());
        }
        if self.followed.len() > LINKED_FOLDERS_AT_MOST {
            let text = format!(
                "links in `{}` lead to folders more than {LINKED_FOLDERS_AT_MOST} times",
                self.folder.display()
            );
            return Err(Error::invalid(text)
                .remedy("exclude the folders whose links lead to other folders with `.gitignore`"));
        }
        self.walk(target, name, above)
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
        self.found.tree.files.insert(name, (file, is_executable));
        if self.found.tree.files.len() > FILES_AT_MOST {
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

/// Whether a path below `folder` is in a Python environment, which fits this computer only.
fn is_in_environment(path: &Path, folder: &Path) -> bool {
    path.ancestors().skip(1).take_while(|above| *above != folder).any(is_environment)
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

    use super::super::tracked::tests::git;

    fn tree(folder: &Path) -> Result<Tree> {
        app_folder(folder, &[]).map(|found| found.tree)
    }

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
    fn everything_that_git_tracks_is_copied_and_other_secrets_and_databases_are_named() {
        let folder = project(&[
            "app/manage.py",
            "app/places.db",
            "app/.env.example",
            "app/.env",
            "app/own.sqlite3",
            "app/lib/a.mo",
            "app/env/pyvenv.cfg",
            "app/env/x.py",
            "app/built/b.css",
            "app/new.py",
            "app/linked/c.db",
        ]);
        let app = folder.path().join("app");
        fs::write(app.join(".gitignore"), "lib/\n*.mo\nbuilt/\n*.db\n.env.*\nenv/\n").unwrap();
        symlink("lib", app.join("also")).unwrap();
        symlink("linked/c.db", app.join("c.db")).unwrap();
        git(&app, &["init", "--quiet"]);
        let tracked = ["manage.py", "places.db", ".env.example", "lib", "env", "also", "c.db", "linked"];
        git(&app, &[&["add", "--force"][..], &tracked].concat());
        let found = app_folder(&app, &[]).unwrap();
        let expected = [
            ".env.example",
            ".gitignore",
            "also/a.mo",
            "c.db",
            "lib/a.mo",
            "linked/c.db",
            "manage.py",
            "new.py",
            "places.db",
        ];
        assert_eq!(found.tree.files.into_keys().collect::<Vec<_>>(), expected);
        assert_eq!(found.private, [".env", "own.sqlite3"].map(str::to_owned).into());
        let include = ["built".parse().unwrap()];
        assert!(app_folder(&app, &include).unwrap().tree.files.contains_key("built/b.css"));
        // A deleted file is no longer part of the project.
        fs::remove_file(app.join("places.db")).unwrap();
        assert!(!names(&app).contains(&"places.db".to_owned()));
    }

    #[test]
    fn submodules_are_copied_and_those_that_are_not_checked_out_are_named() {
        let folder = project(&["library/code.py"]);
        let library = folder.path().join("library");
        git(&library, &["init", "--quiet"]);
        git(&library, &["add", "code.py"]);
        git(&library, &["commit", "--quiet", "--message", "first"]);
        let app = folder.path().join("app");
        fs::create_dir(&app).unwrap();
        git(&app, &["init", "--quiet"]);
        git(&app, &["submodule", "--quiet", "add", library.to_str().unwrap(), "library"]);
        let found = app_folder(&app, &[]).unwrap();
        assert!(found.tree.files.contains_key("library/code.py") && found.empty_submodules.is_empty());
        git(&app, &["submodule", "--quiet", "deinit", "--force", "library"]);
        let found = app_folder(&app, &[]).unwrap();
        assert!(!found.tree.files.contains_key("library/code.py"));
        assert_eq!(found.empty_submodules, ["library".to_owned()].into());
    }

    #[test]
    fn a_tracked_link_out_of_the_folder_is_refused() {
        let folder = project(&["app/manage.py", "app/code/x.py"]);
        let app = folder.path().join("app");
        git(&app, &["init", "--quiet"]);
        fs::write(app.join(".gitignore"), "code\n").unwrap();
        git(&app, &["add", "--force", "code"]);
        // The folder became a link since.
        fs::rename(app.join("code"), folder.path().join("outside/code")).unwrap();
        symlink("../outside/code", app.join("code")).unwrap();
        let error = tree(&app).unwrap_err();
        assert!(error.message().contains("leads out of the application's folder"), "{error}");
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
