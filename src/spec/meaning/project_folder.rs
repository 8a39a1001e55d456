//! The Django project's folder: whether it holds what the spec names. A finding names what is there instead.

use std::fs;
use std::io;
use std::path::Path;

use super::super::app::App;
use super::super::finding::SpecFinding;
use super::super::names::WsgiModule;

/// How to make a requirements file from the files of other tools, which monctl does not read.
const OTHER_TOOLS: [(&str, &str); 4] = [
    ("uv.lock", "uv export --format requirements-txt"),
    ("poetry.lock", "poetry export"),
    ("Pipfile.lock", "pipenv requirements"),
    ("pyproject.toml", "uv pip compile pyproject.toml"),
];

/// Findings about the application's files. `base` is the folder to which the spec's paths are relative.
pub(super) fn check(app: &App, base: &Path, findings: &mut Vec<SpecFinding>) {
    let mut find =
        |path: &str, message: String| findings.push(SpecFinding::new(path, message).about("app.path"));
    let folder = base.join(&app.path);
    if app.path.as_os_str().is_empty() {
        find("app.path", "the path is empty; write `.` for the spec's own folder".to_owned());
        return;
    }
    if !folder.is_dir() {
        find("app.path", format!("there is no folder `{}`", folder.display()));
        return;
    }
    if !folder.join("manage.py").is_file() {
        let below =
            subfolders(&folder).into_iter().find(|name| folder.join(name).join("manage.py").is_file());
        let remedy = below.map_or("name the folder of the Django project".to_owned(), |name| {
            format!("there is one in `{name}`: write `path: {}`", app.path.join(&name).display())
        });
        find("app.path", format!("there is no `manage.py` in `{}`; {remedy}", folder.display()));
        return;
    }
    if !has_module(&folder, &app.wsgi) {
        let file = app.wsgi.module().replace('.', "/");
        find(
            "app.wsgi",
            format!("there is no `{}.py`{}", folder.join(file).display(), other_module(&folder)),
        );
    }
    for (index, pattern) in app.include.iter().enumerate() {
        let message = match pattern.files(&folder) {
            Ok(files) if files.is_empty() => format!("no file below `{}` matches this", folder.display()),
            Ok(_) => continue,
            Err(error) => format!("this selects no files: {error}"),
        };
        find(&format!("app.include.{index}"), message);
    }
    let requirements = folder.join(&app.requirements);
    if !requirements.is_file() {
        let key = if app.has_usual_requirements() { "app.path" } else { "app.requirements" };
        find(key, format!("there is no file `{}`{}", requirements.display(), other_requirements(&folder)));
    }
}

fn has_module(folder: &Path, module: &WsgiModule) -> bool {
    let path = folder.join(module.module().replace('.', "/"));
    path.with_extension("py").is_file() || path.join("__init__.py").is_file()
}

/// Names the module with the usual name, if it is elsewhere.
fn other_module(folder: &Path) -> String {
    let found = subfolders(folder).into_iter().find(|name| folder.join(name).join("wsgi.py").is_file());
    found.map_or(String::new(), |name| format!("; there is `{name}/wsgi.py`: write `wsgi: {name}.wsgi`"))
}

/// Names the requirements that are there.
fn other_requirements(folder: &Path) -> String {
    let is_text = |name: &String| Path::new(name).extension().is_some_and(|end| end == "txt");
    let mut found: Vec<String> =
        names(folder).into_iter().filter(|name| name.starts_with("requirements") && is_text(name)).collect();
    let inside = names(&folder.join("requirements")).into_iter().filter(is_text);
    found.extend(inside.map(|name| format!("requirements/{name}")));
    if !found.is_empty() {
        let found: Vec<String> = found.iter().map(|name| format!("`{name}`")).collect();
        return format!("; the folder has {}: name one with `app.requirements`", found.join(", "));
    }
    let other = OTHER_TOOLS.iter().find(|(name, _)| folder.join(name).is_file());
    other.map_or(String::new(), |(name, command)| {
        format!("; make one from `{name}`: `{command} > requirements.txt`")
    })
}

/// The names in a folder, in order, without hidden ones. A folder that cannot be read has none to suggest.
fn names(folder: &Path) -> Vec<String> {
    let read = || -> io::Result<Vec<String>> {
        let entries: io::Result<Vec<_>> = fs::read_dir(folder)?.collect();
        Ok(entries?.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
    };
    // The finding itself is complete without a suggestion.
    let mut names = read().unwrap_or_default();
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    names
}

fn subfolders(folder: &Path) -> Vec<String> {
    names(folder).into_iter().filter(|name| folder.join(name).is_dir()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::tree::KeyPath;

    /// The findings for a project with these files.
    fn findings(files: &[&str], more: &str) -> Vec<(KeyPath, String)> {
        let base = tempfile::tempdir().unwrap();
        for file in files {
            let path = base.path().join("shop").join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let app: App = serde_saphyr::from_str(&format!("path: shop\nwsgi: shop.wsgi\n{more}")).unwrap();
        let mut findings = Vec::new();
        check(&app, base.path(), &mut findings);
        let root = format!("{}/", base.path().display());
        findings.into_iter().map(|finding| (finding.path, finding.message.replace(&root, ""))).collect()
    }

    #[test]
    fn what_is_missing_is_named_with_what_is_there_instead() {
        let complete = ["manage.py", "shop/wsgi.py", "requirements.txt"];
        assert_eq!(findings(&complete, ""), []);
        assert_eq!(findings(&complete, "include: [shop, '*.txt']"), []);
        let none = "no file below `shop` matches this".to_owned();
        assert_eq!(findings(&complete, "include: [shop, dist/*.css]"), [("app.include.1".into(), none)]);
        for (files, more, key, message) in [
            (&[][..], "", "app.path", "there is no folder `shop`"),
            (
                &["shop/wsgi.py", "backend/manage.py"],
                "",
                "app.path",
                "there is no `manage.py` in `shop`; there is one in `backend`: write `path: shop/backend`",
            ),
            (
                &["README"],
                "",
                "app.path",
                "there is no `manage.py` in `shop`; name the folder of the Django project",
            ),
            (
                &["manage.py", "config/wsgi.py", "requirements.txt"],
                "",
                "app.wsgi",
                "there is no `shop/shop/wsgi.py`; there is `config/wsgi.py`: write `wsgi: config.wsgi`",
            ),
            (
                &["manage.py", "shop/wsgi.py", "requirements-dev.txt", "requirements/base.txt", "uv.lock"],
                "",
                "app.path",
                "there is no file `shop/requirements.txt`; the folder has `requirements-dev.txt`, `requirements/base.txt`: name \
                 one with `app.requirements`",
            ),
            (
                &["manage.py", "shop/wsgi.py", "pyproject.toml", "poetry.lock"],
                "",
                "app.path",
                "there is no file `shop/requirements.txt`; make one from `poetry.lock`: `poetry export > requirements.txt`",
            ),
            (
                &["manage.py", "shop/wsgi.py"],
                "requirements: base.txt",
                "app.requirements",
                "there is no file `shop/base.txt`",
            ),
        ] {
            assert_eq!(findings(files, more), [(KeyPath::from(key), message.to_owned())], "{files:?}");
        }
    }
}
