//! A Django project's Python files, read without running them.

use std::path::{Path, PathBuf};

pub(crate) use super::file_of;
use super::settings;
pub(crate) use super::settings::code;

/// The settings module that a file names by `DJANGO_SETTINGS_MODULE`, as manage.py does.
pub(crate) fn named_settings(file: &Path) -> Option<String> {
    settings::named_by(&code(file)?)
}

/// The settings module that a module of a server's entry names.
pub(crate) fn settings_of_entry(folder: &Path, module: &str) -> Option<String> {
    named_settings(&file_of(folder, module)?)
}

/// The files of a settings module: its own, and those that it imports from.
pub(crate) fn files_of_settings(folder: &Path, module: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    settings::follow(folder, module, &mut files);
    files
}

/// The value of a setting that is a plain text.
pub(crate) fn setting(folder: &Path, module: &str, name: &str) -> Option<String> {
    settings::value(&settings::text_of(&files_of_settings(folder, module)), name)
}
