//! Reads a Django project's files without running them: where its parts lie; its entry point, the default of `app.wsgi`
//! or `app.asgi`; whether django-prometheus serves its metrics and where, the default of `app.metrics`; and which
//! settings it names.

mod entry_point;
pub(super) mod layout;
pub(crate) mod python;
mod settings;
mod urls;

use std::path::{Path, PathBuf};

use super::app::{App, EnvValue, Metrics};
use super::app_names::AppModule;
use super::env_file::FileVariables;
use super::names::UrlPath;
use super::secret_ref::SecretRef;
use crate::secret::Secret;

pub(super) use entry_point::entry_points;

/// Sets the defaults that depend on the project in the application's folder, `root`.
pub(super) fn decide(root: &Path, app: &mut App, variables: &FileVariables) {
    layout::decide_manage(root, app);
    entry_point::decide(&app.manage_in(root), app);
    layout::decide(root, app);
    decide_metrics(root, app, variables);
}

/// Sets the defaults of `app.metrics` and `app.metrics_path`: the project's own django-prometheus only where the
/// settings in use install it and the URLs show its path.
fn decide_metrics(root: &Path, app: &mut App, variables: &FileVariables) {
    if app.metrics == Some(Metrics::Exporter) {
        return;
    }
    let found = metrics_path(root, app, variables);
    let choice = if found.is_some() { Metrics::Builtin } else { Metrics::Exporter };
    app.metrics.get_or_insert(choice);
    app.metrics_path = app.metrics_path.take().or(found);
}

/// The metrics path of the project's django-prometheus; none where it is not installed or the path is unknown.
fn metrics_path(root: &Path, app: &App, variables: &FileVariables) -> Option<UrlPath> {
    let settings = settings_files(root, app, variables)?;
    let text = settings::text_of(&settings);
    if !text.contains("'django_prometheus'") && !text.contains("\"django_prometheus\"") {
        return None;
    }
    let urls = settings::value(&text, "ROOT_URLCONF")?;
    // A path that cannot be scraped is not one of its metrics.
    urls::of_metrics(&layout::code_folder(root, app), &urls)?.parse().ok()
}

/// The settings module that the application's environment names.
fn chosen_settings<'a>(app: &'a App, variables: &'a FileVariables) -> Option<&'a str> {
    const NAME: &str = "DJANGO_SETTINGS_MODULE";
    match app.env.get(NAME)? {
        EnvValue::Plain(name) => Some(name),
        EnvValue::Secret(SecretRef::EnvFile) => variables.get(NAME).map(Secret::expose),
        EnvValue::Secret(_) => None,
    }
}

/// The files of the settings in use; none where they cannot be found without running the project.
pub(super) fn settings_files(root: &Path, app: &App, variables: &FileVariables) -> Option<Vec<PathBuf>> {
    let folder = layout::code_folder(root, app);
    settings::in_use(&folder, app.module().map(AppModule::module), chosen_settings(app, variables))
}

/// Whether a project's settings name something: the settings in use, or all of them where those are unknown.
/// `root` is the application's folder.
/// Of an application that monctl does not deploy, the settings are unknown and may name anything.
pub(super) fn settings_mention(root: &Path, app: &App, variables: &FileVariables, name: &str) -> bool {
    if !app.deploy {
        return true;
    }
    let files = settings_files(root, app, variables);
    settings::text_of(&files.unwrap_or_else(|| settings::all(&layout::code_folder(root, app)))).contains(name)
}

/// The file of a module in a folder from which Python imports.
pub(crate) fn file_of(folder: &Path, module: &str) -> Option<PathBuf> {
    let path = folder.join(module.replace('.', "/"));
    [path.with_extension("py"), path.join("__init__.py")].into_iter().find(|file| file.is_file())
}

#[cfg(test)]
mod tests;
