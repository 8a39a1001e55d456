//! What a Django project's files say of themselves: whether it has django-prometheus, which decides `app.metrics` where the
//! spec leaves it open, and which settings it names.

use std::fs;
use std::path::Path;

use super::{App, Metrics};

/// How a project's requests are counted: as the spec says, else by the project's own django-prometheus if it
/// has it.
pub(super) fn metrics(folder: &Path, app: &App) -> Metrics {
    if let Some(chosen) = app.metrics {
        return chosen;
    }
    let required = fs::read_to_string(folder.join(&app.requirements)).is_ok_and(|text| requires(&text));
    if required || settings_mention(folder, "django_prometheus") {
        Metrics::Builtin
    } else {
        Metrics::Exporter
    }
}

fn requires(requirements: &str) -> bool {
    let name = |line: &str| {
        line.split(|c: char| !(c.is_alphanumeric() || "-_.".contains(c))).next().map(str::to_lowercase)
    };
    requirements
        .lines()
        .filter_map(|line| name(line.trim()))
        .any(|name| name.replace(['_', '.'], "-") == "django-prometheus")
}

/// Whether a project's settings name something: in the Python files that have `settings` in their path and are not ignored
/// by git.
pub(super) fn settings_mention(folder: &Path, name: &str) -> bool {
    let is_settings = |path: &Path| {
        let inside = path.strip_prefix(folder).unwrap_or(path);
        path.extension().is_some_and(|extension| extension == "py")
            && inside.to_string_lossy().contains("settings")
    };
    ignore::WalkBuilder::new(folder)
        .max_depth(Some(4))
        .require_git(false)
        .build()
        .flatten()
        .filter(|entry| is_settings(entry.path()))
        .any(|entry| fs::read_to_string(entry.path()).is_ok_and(|text| mentions(&text, name)))
}

fn mentions(python: &str, name: &str) -> bool {
    python.lines().any(|line| line.split('#').next().is_some_and(|code| code.contains(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_name_it_in_any_spelling() {
        for line in [
            "django-prometheus",
            "Django_Prometheus>=2.3",
            "django.prometheus[x]==2 # why",
            " django-prometheus ; x",
        ] {
            assert!(requires(&format!("Django\n{line}\n")), "{line}");
        }
        for line in ["# django-prometheus", "django-prometheus-extra", "prometheus-client"] {
            assert!(!requires(line), "{line}");
        }
    }

    #[test]
    fn settings_name_it_outside_of_comments() {
        assert!(mentions("INSTALLED_APPS = ['django_prometheus']", "django_prometheus"));
        assert!(!mentions("x = 1  # django_prometheus", "django_prometheus"));
    }
}
