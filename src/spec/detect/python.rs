//! A Django project's Python files, read without running them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::super::env_file;
pub(crate) use super::file_of;
pub(crate) use super::layout::requirements;
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

/// What a file in the syntax of dotenv sets, as far as it can be read.
pub(crate) fn variables_of_file(text: &str) -> BTreeMap<String, String> {
    env_file::readable(text)
        .into_iter()
        .map(|(name, value)| (name.to_string(), value.expose().to_owned()))
        .collect()
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
