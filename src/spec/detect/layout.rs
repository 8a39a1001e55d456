//! Where a project's parts lie: `manage.py`, the code that Python imports, and the requirements.

use std::path::{Path, PathBuf};

use super::super::app::{APP_ROOT, App, SRC};
use super::super::listing::subfolders;
use super::file_of;
use crate::bounded::read_text;

/// How deep below the application's folder a `manage.py` is found by itself.
const DEEPEST_MANAGE: usize = 2;

/// Names of requirements in the order in which they are looked for in a folder. A team that has a
/// `requirements.txt` beside a lock file deploys from the former.
const REQUIREMENTS: [&str; 8] = [
    "requirements.txt",
    "uv.lock",
    "poetry.lock",
    "Pipfile.lock",
    "requirements/production.txt",
    "requirements/prod.txt",
    "requirements/base.txt",
    PYPROJECT,
];

/// The file of projects as the Python packaging guides describe it.
const PYPROJECT: &str = "pyproject.toml";

/// Fills in the folder of `manage.py`. `root` is the application's folder.
pub(super) fn decide_manage(root: &Path, app: &mut App) {
    if app.manage.is_none() {
        // A folder whose name units cannot hold is not found by itself; the check of the folder reports it.
        app.manage = only_manage_folder(root).and_then(|folder| folder.parse().ok());
    }
}

/// Fills in where the other parts lie.
pub(super) fn decide(root: &Path, app: &mut App) {
    let manage = app.manage_in(root);
    let has_module =
        |folder: &Path| app.module().is_some_and(|module| file_of(folder, module.module()).is_some());
    app.is_src_layout = !has_module(&manage) && has_module(&manage.join(SRC));
    if app.requirements.is_none() {
        app.requirements = requirements(root, app.manage());
    }
}

/// The folder itself if it has a `manage.py`, else the only one below that has one.
fn only_manage_folder(root: &Path) -> Option<String> {
    if root.join("manage.py").is_file() {
        return Some(".".to_owned());
    }
    match &mut manage_folders(root)[..] {
        [only] => Some(std::mem::take(only)),
        _ => None,
    }
}

/// The folders with a `manage.py` at most two levels below a folder, relative to it.
pub(in super::super) fn manage_folders(root: &Path) -> Vec<String> {
    fn search(folder: &Path, name: &str, deep: usize, found: &mut Vec<String>) {
        for below in subfolders(folder) {
            let path = folder.join(&below);
            let name = if name.is_empty() { below } else { format!("{name}/{below}") };
            if path.join("manage.py").is_file() {
                found.push(name);
            } else if deep > 1 {
                search(&path, &name, deep - 1, found);
            }
        }
    }
    let mut found = Vec::new();
    search(root, "", DEEPEST_MANAGE, &mut found);
    found
}

/// The folder from which Python imports the application's module; that of `manage.py` if none has it.
pub(in super::super) fn code_folder(root: &Path, app: &App) -> PathBuf {
    let manage = app.manage_in(root);
    let on_path =
        app.python_path().into_iter().filter_map(|folder| match Path::new(folder).strip_prefix(APP_ROOT) {
            Ok(below) => Some(root.join(below)),
            // A folder of the host.
            Err(_) if folder.starts_with('/') => None,
            Err(_) => Some(manage.join(folder)),
        });
    let mut folders = [manage.clone()].into_iter().chain(on_path);
    let module = app.module();
    let has_module =
        |folder: &PathBuf| module.is_some_and(|module| file_of(folder, module.module()).is_some());
    folders.find(has_module).unwrap_or(manage)
}

/// The requirements with a usual name, relative to the application's folder: those in the folder of `manage.py`, else
/// in the next one above.
pub(crate) fn requirements(root: &Path, manage: &str) -> Option<PathBuf> {
    Path::new(manage).ancestors().find_map(|folder| {
        let name = REQUIREMENTS.iter().find(|name| is_requirements(&root.join(folder).join(name)))?;
        Some(folder.join(name))
    })
}

/// Whether a file can hold requirements: a `pyproject.toml` is often there for other tools only.
fn is_requirements(path: &Path) -> bool {
    if path.file_name().is_none_or(|name| name != PYPROJECT) {
        return path.is_file();
    }
    read_text(path).is_ok_and(|text| text.lines().any(|line| line.trim_end() == "[project]"))
}
