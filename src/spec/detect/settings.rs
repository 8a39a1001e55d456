//! Which settings a project uses: those that its entry module names, and those that they import.

use std::path::{Path, PathBuf};

use regex::Regex;

use super::file_of;
use crate::bounded::read_text;

/// The files of the settings in use; none where they cannot be found without running the project.
pub(super) fn in_use(folder: &Path, entry: Option<&str>, chosen: Option<&str>) -> Option<Vec<PathBuf>> {
    let module = match chosen {
        Some(module) => module.to_owned(),
        None => named_by(&code(&file_of(folder, entry?)?)?)?,
    };
    let mut files = Vec::new();
    follow(folder, &module, &mut files);
    (!files.is_empty()).then_some(files)
}

/// The settings module that an entry module or `manage.py` names.
pub(super) fn named_by(text: &str) -> Option<String> {
    let named = Regex::new(r#"DJANGO_SETTINGS_MODULE['"]\s*(?:,|\]\s*=)\s*['"]([\w.]+)['"]"#).ok()?;
    Some(named.captures(text)?[1].to_owned())
}

/// Adds the file of a module and those of the modules that it imports from, if they are the project's own.
pub(super) fn follow(folder: &Path, module: &str, files: &mut Vec<PathBuf>) {
    let Some(file) = file_of(folder, module).filter(|file| !files.contains(file)) else { return };
    let is_package = file.file_name().is_some_and(|name| name == "__init__.py");
    let Some(text) = code(&file) else { return };
    files.push(file);
    let Ok(import) = Regex::new(r"(?m)^\s*from\s+(\.*)([\w.]*)\s+import\b") else { return };
    for found in import.captures_iter(&text) {
        let (dots, name) = (found[1].len(), &found[2]);
        let mut parts: Vec<&str> = if dots == 0 { Vec::new() } else { module.split('.').collect() };
        // One dot is the module's own package.
        parts.truncate(parts.len().saturating_sub(dots.saturating_sub(usize::from(is_package))));
        parts.extend(name.split('.').filter(|part| !part.is_empty()));
        follow(folder, &parts.join("."), files);
    }
}

/// The Python files that have `settings` in their path and are not ignored by git.
pub(super) fn all(folder: &Path) -> Vec<PathBuf> {
    let is_settings = |path: &Path| {
        let inside = path.strip_prefix(folder).unwrap_or(path);
        path.extension().is_some_and(|extension| extension == "py")
            && inside.to_string_lossy().contains("settings")
    };
    // The application's user could not read such a folder either.
    let walk = ignore::WalkBuilder::new(folder).max_depth(Some(4)).require_git(false).build();
    walk.flatten().map(ignore::DirEntry::into_path).filter(|path| is_settings(path)).collect()
}

/// The code of these files, one after the other.
pub(super) fn text_of(files: &[PathBuf]) -> String {
    files.iter().filter_map(|file| code(file)).collect()
}

/// The value of a setting that is a plain text.
pub(super) fn value(text: &str, setting: &str) -> Option<String> {
    let assigned = Regex::new(&format!(r#"(?m)^\s*{setting}\s*=\s*['"]([^'"]+)['"]"#)).ok()?;
    Some(assigned.captures(text)?[1].to_owned())
}

/// A Python file without its comments; none where it cannot be read.
pub(crate) fn code(file: &Path) -> Option<String> {
    let text = read_text(file).ok()?;
    Some(text.lines().flat_map(|line| [line.split('#').next().unwrap_or(line), "\n"]).collect())
}
