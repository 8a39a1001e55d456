//! What the files of a Django project say about how it is deployed.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::packages;
use super::processes::{Procfile, procfile};
use super::services;
use super::variables::{self, EnvironmentVariable, variables};
use super::written::written;
use crate::bounded::read_text;
use crate::error::{Error, Result};
use crate::spec::{AppService, python};

/// How deep below the folder `manage.py` is looked for.
const DEEPEST: usize = 2;
/// Folders without a project's own code.
const OTHER_CODE: [&str; 6] = ["node_modules", "venv", "env", "site-packages", "static", "docs"];
/// Names of settings that are not meant for production, and of those that are.
const DEVELOPMENT: [&str; 6] = ["base", "common", "local", "dev", "development", "test"];
const PRODUCTION: [&str; 3] = ["production", "prod", "live"];
/// Files with example values of the environment.
const EXAMPLES: [&str; 4] = [".env.example", ".env.sample", ".env.template", ".env.dist"];

/// What was found in a project's folder.
#[derive(Debug)]
pub struct Survey {
    /// The name of the folder.
    pub(super) name: String,
    /// The folder of `manage.py`, relative to the project's folder; empty if it is the same.
    pub(super) manage: PathBuf,
    /// The module that a server loads, such as `shop.wsgi`.
    pub(super) entry: Option<String>,
    /// The settings that must be chosen, where those of the entry are not meant for production.
    pub(super) settings: Option<String>,
    /// The variables that the settings read and the file of variables does not set.
    pub(super) variables: Vec<EnvironmentVariable>,
    /// The file of variables, relative to the project's folder, and what it sets.
    pub(super) env_file: Option<(PathBuf, BTreeMap<String, String>)>,
    /// Example values, by name.
    pub(super) examples: BTreeMap<String, String>,
    /// The Debian packages that the requirements need, each with the requirement.
    pub(super) packages: Vec<(&'static str, &'static str)>,
    /// The servers that monctl can install for the project, each with the place that uses it.
    pub(super) services: Vec<(AppService, String)>,
    /// What the settings write next to the code.
    pub(super) written: Vec<String>,
    /// The content of a `Procfile`.
    pub(super) procfile: Procfile,
}

impl Survey {
    /// Reads a project's folder.
    ///
    /// # Errors
    /// If there is no `manage.py`, more than one, or a file cannot be read.
    pub fn of(folder: &Path) -> Result<Self> {
        let folder = folder.canonicalize().map_err(|error| {
            Error::invalid(format!("cannot open the folder `{}`", folder.display())).because(error)
        })?;
        let manage = manage_folder(&folder)?;
        let default_settings = python::named_settings(&folder.join(&manage).join("manage.py"));
        let project = code_folder(folder.join(&manage), default_settings.as_deref());
        let procfile = match text_of(&folder, Path::new("Procfile"))? {
            Some(text) => procfile(&text),
            None => Procfile::default(),
        };
        let entry = entry(&project, procfile.entry.clone(), default_settings.as_deref());
        let of_entry =
            entry.as_deref().and_then(|entry| python::settings_of_entry(&project, module_of(entry)));
        let in_use = of_entry.or(default_settings);
        let settings = in_use.as_deref().and_then(|module| for_production(&project, module));
        let read = match settings.as_ref().or(in_use.as_ref()) {
            Some(module) => python::files_of_settings(&project, module),
            None => Vec::new(),
        };
        let code = code_of(&folder, &read)?;
        let all_code: String = code.iter().map(|(_, code)| code.as_str()).collect();
        let env_file = assignments(&folder, &manage, &[".env"])?;
        let is_set = |variable: &EnvironmentVariable| {
            let value = env_file.as_ref().and_then(|(_, values)| values.get(&variable.name));
            // The file is that of a developer.
            value.is_some_and(|value| !variable.is_debug() || variables::is_false(value))
        };
        let variables: Vec<_> =
            variables(&code)?.into_values().filter(|variable| !is_set(variable)).collect();
        let requirements = requirements_text(&folder, &manage)?;
        Ok(Self {
            name: folder.file_name().map_or(String::new(), |name| name.to_string_lossy().into_owned()),
            entry,
            settings,
            services: services::services(&variables, &all_code, &requirements),
            variables,
            examples: assignments(&folder, &manage, &EXAMPLES)?.map_or(BTreeMap::new(), |(_, values)| values),
            packages: packages::needed(&requirements),
            written: written(&all_code)?.into_iter().map(|path| below(&manage, &path)).collect(),
            procfile,
            env_file,
            manage,
        })
    }
}

/// The folder that Python loads the project's code from: that of `manage.py`, or its `src`.
fn code_folder(manage: PathBuf, settings: Option<&str>) -> PathBuf {
    let src = manage.join("src");
    let is_in = |folder: &Path| settings.is_some_and(|module| python::file_of(folder, module).is_some());
    if !is_in(&manage) && is_in(&src) { src } else { manage }
}

/// A path below the folder of `manage.py` as one below the project's folder.
fn below(manage: &Path, path: &str) -> String {
    manage.join(path).display().to_string()
}

/// The module of an entry, without its callable.
fn module_of(entry: &str) -> &str {
    entry.split(':').next().unwrap_or(entry)
}

/// The folder of `manage.py`, relative to the project's folder.
fn manage_folder(folder: &Path) -> Result<PathBuf> {
    let mut level = vec![PathBuf::new()];
    for _ in 0..=DEEPEST {
        let found: Vec<&PathBuf> =
            level.iter().filter(|name| folder.join(name).join("manage.py").is_file()).collect();
        match found[..] {
            [one] => return Ok(one.clone()),
            [] => {}
            [..] => {
                let names: Vec<String> =
                    found.iter().map(|name| format!("`{}`", folder.join(name).display())).collect();
                return Err(Error::invalid(format!(
                    "there are several Django projects: {}",
                    names.join(", ")
                ))
                .remedy("name one of these folders: `monctl init FOLDER`"));
            }
        }
        let mut below = Vec::new();
        for name in &level {
            below.extend(subfolders(&folder.join(name))?.into_iter().map(|sub| name.join(sub)));
        }
        level = below;
    }
    Err(Error::invalid(format!("there is no `manage.py` in `{}`", folder.display()))
        .remedy("name the folder of a Django project: `monctl init FOLDER`"))
}

fn subfolders(folder: &Path) -> Result<Vec<String>> {
    let unreadable =
        |error: io::Error| Error::invalid(format!("cannot read `{}`", folder.display())).because(error);
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_code = !name.starts_with('.') && !OTHER_CODE.contains(&name.as_str());
        if is_code && entry.file_type().map_err(unreadable)?.is_dir() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// The module that a server loads: that of the `Procfile`, of `WSGI_APPLICATION`, or the one with the usual name.
fn entry(project: &Path, of_procfile: Option<String>, settings: Option<&str>) -> Option<String> {
    let exists = |entry: &String| python::file_of(project, module_of(entry)).is_some();
    let package = settings.and_then(|settings| settings.split('.').next());
    let of_settings = settings.and_then(|settings| {
        let application = python::setting(project, settings, "WSGI_APPLICATION")?;
        let (module, callable) = application.rsplit_once('.')?;
        let suffix = if callable == "application" { String::new() } else { format!(":{callable}") };
        Some(format!("{module}{suffix}"))
    });
    let usual = ["wsgi", "asgi"].into_iter().filter_map(|name| Some(format!("{}.{name}", package?)));
    of_procfile.into_iter().chain(of_settings).chain(usual).find(exists)
}

/// The settings for production beside settings that are not meant for it.
fn for_production(project: &Path, module: &str) -> Option<String> {
    let (package, name) = module.rsplit_once('.')?;
    if !DEVELOPMENT.contains(&name) {
        return None;
    }
    let candidates = PRODUCTION.map(|name| format!("{package}.{name}"));
    candidates.into_iter().find(|module| python::file_of(project, module).is_some())
}

/// The names of files, relative to the folder, with their code.
fn code_of(folder: &Path, files: &[PathBuf]) -> Result<Vec<(String, String)>> {
    let read = |file: &PathBuf| {
        let name = file.strip_prefix(folder).unwrap_or(file).display().to_string();
        let code = python::code(file)
            .ok_or_else(|| Error::invalid(format!("cannot read `{name}` as text in UTF-8")))?;
        Ok((name, code))
    };
    files.iter().map(read).collect()
}

/// The text of a file; `None` if it does not exist.
fn text_of(folder: &Path, file: &Path) -> Result<Option<String>> {
    let path = folder.join(file);
    if !path.is_file() {
        return Ok(None);
    }
    let unreadable = |error| Error::invalid(format!("cannot read `{}`", path.display())).because(error);
    read_text(&path).map(Some).map_err(unreadable)
}

/// The content of the requirements that a spec without the key names, and of those beside it that it may include.
fn requirements_text(folder: &Path, manage: &Path) -> Result<String> {
    let Some(file) = python::requirements(folder, &manage.display().to_string()) else {
        return Ok(String::new());
    };
    let included = ["base.txt", "requirements/base.txt"].map(|name| file.with_file_name(name));
    let texts: Result<Vec<_>> = [file].iter().chain(&included).map(|file| text_of(folder, file)).collect();
    Ok(texts?.into_iter().flatten().collect::<Vec<_>>().join("\n"))
}

/// What the first of these files sets that is in the folder of `manage.py` or in one above.
fn assignments(
    folder: &Path,
    manage: &Path,
    names: &[&str],
) -> Result<Option<(PathBuf, BTreeMap<String, String>)>> {
    for file in manage.ancestors().flat_map(|place| names.iter().map(|name| place.join(name))) {
        if let Some(text) = text_of(folder, &file)? {
            return Ok(Some((file, python::variables_of_file(&text))));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The survey of a project with these files, and `manage.py` where none is named.
    fn survey(files: &[(&str, &str)]) -> Result<Survey> {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("shop");
        let manage = "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n";
        let has_manage = files.iter().any(|(name, _)| name.ends_with("manage.py"));
        for (name, text) in files.iter().copied().chain((!has_manage).then_some(("manage.py", manage))) {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Survey::of(&folder)
    }

    const WSGI: (&str, &str) =
        ("shop/wsgi.py", "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n");

    #[test]
    fn manage_py_is_found_below_the_folder() {
        let found =
            survey(&[("backend/manage.py", ""), ("node_modules/x/manage.py", ""), ("README", "")]).unwrap();
        assert_eq!(found.manage, Path::new("backend"));
        let error = survey(&[("a/manage.py", ""), ("b/manage.py", "")]).unwrap_err();
        assert!(error.message().starts_with("there are several Django projects"), "{error}");
        let error = survey(&[("a/b/c/d/manage.py", "")]).unwrap_err();
        assert!(error.message().starts_with("there is no `manage.py`"), "{error}");
    }

    #[test]
    fn the_entry_is_that_of_the_procfile_the_settings_or_the_usual_one() {
        let asgi = ("shop/asgi.py", "");
        let settings = ("shop/settings.py", "WSGI_APPLICATION = 'shop.web.app'\n");
        let other = ("shop/web.py", "");
        for (files, expected) in [
            (&[WSGI][..], Some("shop.wsgi")),
            (&[WSGI, settings, other], Some("shop.web:app")),
            (&[WSGI, settings], Some("shop.wsgi")),
            (
                &[WSGI, asgi, ("Procfile", "web: gunicorn shop.asgi:application")],
                Some("shop.asgi:application"),
            ),
            (&[asgi], Some("shop.asgi")),
            (&[("README", "")], None),
        ] {
            assert_eq!(survey(files).unwrap().entry.as_deref(), expected, "{files:?}");
        }
    }

    #[test]
    fn settings_for_production_are_chosen_and_read() {
        let wsgi =
            ("shop/wsgi.py", "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings.base')\n");
        let base = ("shop/settings/base.py", "KEY = os.environ['BASE']\n");
        let production = ("shop/settings/production.py", "from .base import *\nX = os.environ['MORE']\n");
        let names = |survey: &Survey| -> Vec<String> {
            survey.variables.iter().map(|variable| format!("{} {}", variable.name, variable.place)).collect()
        };
        let found = survey(&[wsgi, base, production]).unwrap();
        assert_eq!(found.settings.as_deref(), Some("shop.settings.production"));
        assert_eq!(names(&found), ["BASE shop/settings/base.py:1", "MORE shop/settings/production.py:2"]);
        let found = survey(&[wsgi, base]).unwrap();
        assert_eq!(found.settings, None);
        assert_eq!(names(&found), ["BASE shop/settings/base.py:1"]);
    }

    #[test]
    fn a_file_of_variables_sets_what_is_needed() {
        let settings = ("shop/settings.py", "A = os.environ['A']\nB = os.environ['B']\n");
        let found =
            survey(&[WSGI, settings, (".env", "export A='x'\n# B=1\n"), (".env.example", "B=2 # two\n")]);
        let found = found.unwrap();
        let set = BTreeMap::from([("A".to_owned(), "x".to_owned())]);
        assert_eq!(found.env_file, Some((PathBuf::from(".env"), set)));
        assert_eq!(found.variables.iter().map(|variable| &variable.name).collect::<Vec<_>>(), ["B"]);
        assert_eq!(found.examples["B"], "2");
    }

    #[test]
    fn requirements_above_manage_py_name_packages() {
        let found = survey(&[("backend/manage.py", ""), ("requirements.txt", "psycopg2\n")]).unwrap();
        assert_eq!(found.packages, [("libpq-dev", "psycopg2")]);
    }
}
