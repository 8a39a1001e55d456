//! Reads a Django project's files without running them: whether django-prometheus serves its metrics and where, which
//! sets the default of `app.metrics`; and which settings it names.

pub(crate) mod python;
mod settings;
mod urls;

use std::path::{Path, PathBuf};

use super::app::{App, EnvValue, Metrics};
use super::names::UrlPath;

/// Sets the defaults of `app.metrics` and `app.metrics_path`: the project's own django-prometheus only where the
/// settings in use install it and the URLs show its path.
pub(super) fn decide(folder: &Path, app: &mut App) {
    if app.metrics == Some(Metrics::Exporter) {
        return;
    }
    let found = metrics_path(folder, app);
    let choice = if found.is_some() { Metrics::Builtin } else { Metrics::Exporter };
    app.metrics.get_or_insert(choice);
    app.metrics_path = app.metrics_path.take().or(found);
}

/// The metrics path of the project's django-prometheus; none where it is not installed or the path is unknown.
fn metrics_path(folder: &Path, app: &App) -> Option<UrlPath> {
    let settings = settings::in_use(folder, app.wsgi.module(), chosen_settings(app))?;
    let text = settings::text_of(&settings);
    if !text.contains("'django_prometheus'") && !text.contains("\"django_prometheus\"") {
        return None;
    }
    let urls = settings::value(&text, "ROOT_URLCONF")?;
    // A path that cannot be scraped is not one of its metrics.
    urls::of_metrics(folder, &urls)?.parse().ok()
}

/// The settings module that the application's environment names.
fn chosen_settings(app: &App) -> Option<&str> {
    match app.env.get("DJANGO_SETTINGS_MODULE")? {
        EnvValue::Plain(name) => Some(name),
        EnvValue::Secret(_) => None,
    }
}

/// Whether a project's settings name something: the settings in use, or all of them where those are unknown.
pub(super) fn settings_mention(folder: &Path, app: &App, name: &str) -> bool {
    let files = settings::in_use(folder, app.wsgi.module(), chosen_settings(app));
    settings::text_of(&files.unwrap_or_else(|| settings::all(folder))).contains(name)
}

/// The file of a module in the project's folder.
pub(crate) fn file_of(folder: &Path, module: &str) -> Option<PathBuf> {
    let path = folder.join(module.replace('.', "/"));
    [path.with_extension("py"), path.join("__init__.py")].into_iter().find(|file| file.is_file())
}

#[cfg(test)]
mod tests;
