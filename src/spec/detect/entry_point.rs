//! Finds the module with the callable that Gunicorn serves: the `wsgi.py` of a project, or its `asgi.py`.

use std::path::Path;

use super::super::app::{App, SRC};
use super::super::app_names::AppModule;
use super::super::listing::subfolders;
use super::settings::{code, named_by};

/// How a server calls the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::spec) enum Interface {
    Wsgi,
    Asgi,
}

impl Interface {
    /// Its key in the spec, which is also the usual name of its module.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Wsgi => "wsgi",
            Self::Asgi => "asgi",
        }
    }
}

/// A module with the usual name of an entry point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::spec) struct EntryPoint {
    pub interface: Interface,
    pub module: AppModule,
}

impl EntryPoint {
    /// The line of the spec that names it.
    pub fn line(&self) -> String {
        format!("{}: {}", self.interface.key(), self.module)
    }

    /// Its file, relative to the project's folder.
    pub fn file(&self) -> String {
        format!("{}.py", self.module.module().replace('.', "/"))
    }
}

/// Sets `app.wsgi` or `app.asgi` if the spec has neither and there is one candidate.
pub(super) fn decide(folder: &Path, app: &mut App) {
    if app.module().is_some() {
        return;
    }
    if let [entry] = entry_points(folder).as_slice() {
        let place = match entry.interface {
            Interface::Wsgi => &mut app.wsgi,
            Interface::Asgi => &mut app.asgi,
        };
        *place = Some(entry.module.clone());
    }
}

/// The candidates: the one next to the settings that `manage.py` names, else all of the project's packages. A `wsgi.py`
/// is preferred to an `asgi.py`, since `startproject` creates both.
pub(in crate::spec) fn entry_points(manage: &Path) -> Vec<EntryPoint> {
    // Python imports from the folder of `manage.py`, or from its `src`.
    let folders = [manage.to_owned(), manage.join(SRC)];
    let packages = above_settings(manage);
    let near = folders.iter().find_map(|folder| among(folder, &packages).into_iter().next());
    let all =
        || folders.iter().map(|folder| among(folder, &everywhere(folder))).find(|found| !found.is_empty());
    near.map(|entry| vec![entry]).or_else(all).into_iter().flatten().collect()
}

/// The packages that have the settings that `manage.py` names, from the inside outwards.
fn above_settings(manage: &Path) -> Vec<String> {
    let settings = code(&manage.join("manage.py")).and_then(|text| named_by(&text));
    let above =
        |module: &str| module.rsplit_once('.').map_or(String::new(), |(package, _)| package.to_owned());
    let packages = std::iter::successors(settings.as_deref().map(above), |package| {
        (!package.is_empty()).then(|| above(package))
    });
    packages.collect()
}

/// The project's folder itself and those in it.
fn everywhere(folder: &Path) -> Vec<String> {
    let mut packages = vec![String::new()];
    packages.extend(subfolders(folder));
    packages
}

/// The entry points in these packages: all with the preferred interface.
fn among(folder: &Path, packages: &[String]) -> Vec<EntryPoint> {
    let with = |interface: Interface| -> Vec<EntryPoint> {
        let modules = packages.iter().filter_map(|package| {
            let name = if package.is_empty() {
                interface.key().to_owned()
            } else {
                format!("{package}.{}", interface.key())
            };
            // A folder whose name Python cannot import is no package.
            let entry = EntryPoint { interface, module: name.parse().ok()? };
            folder.join(entry.file()).is_file().then_some(entry)
        });
        modules.collect()
    };
    let wsgi = with(Interface::Wsgi);
    if wsgi.is_empty() { with(Interface::Asgi) } else { wsgi }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const MANAGE: &str = "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'conf.settings.dev')\n";

    /// The lines that name the candidates of a project with these files.
    fn lines(manage: &str, files: &[&str]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("manage.py"), manage).unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        entry_points(folder.path()).iter().map(EntryPoint::line).collect()
    }

    #[test]
    fn the_entry_point_next_to_the_settings_is_found() {
        for (files, found) in [
            (&["conf/wsgi.py", "conf/asgi.py", "other/wsgi.py"][..], &["wsgi: conf.wsgi"][..]),
            (&["conf/settings/wsgi.py", "conf/wsgi.py"], &["wsgi: conf.settings.wsgi"]),
            (&["conf/asgi.py"], &["asgi: conf.asgi"]),
            (&["conf/asgi.py", "wsgi.py"], &["wsgi: wsgi"]),
            (&["conf/asgi.py", "other/wsgi.py"], &["asgi: conf.asgi"]),
        ] {
            assert_eq!(lines(MANAGE, files), found, "{files:?}");
        }
    }

    #[test]
    fn every_package_is_a_candidate_if_there_is_none_next_to_the_settings() {
        for (files, found) in [
            (&["one/wsgi.py", "two/wsgi.py", "two/asgi.py"][..], &["wsgi: one.wsgi", "wsgi: two.wsgi"][..]),
            (&["one/asgi.py"], &["asgi: one.asgi"]),
            (&["not-a-package/wsgi.py", "one/wsgi.py"], &["wsgi: one.wsgi"]),
            (&["deep/er/wsgi.py"], &[]),
        ] {
            assert_eq!(lines(MANAGE, files), found, "{files:?}");
            assert_eq!(lines("settings = choose()\n", files), found, "{files:?}");
        }
    }
}
