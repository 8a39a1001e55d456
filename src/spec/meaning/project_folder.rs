//! The Django project's folder: whether it holds what the spec names. A finding names what is there instead.

use std::path::Path;

use super::super::app::App;
use super::super::detect::entry_points;
use super::super::finding::SpecFinding;
use super::super::listing::{names, subfolders};
use super::super::names::AppModule;

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
    let requirements = folder.join(&app.requirements);
    if !requirements.is_file() {
        let key = if app.has_usual_requirements() { "app.path" } else { "app.requirements" };
        find(key, format!("there is no file `{}`{}", requirements.display(), other_requirements(&folder)));
    }
    entry_point(&folder, app, findings);
}

/// Findings about the module that Gunicorn serves.
fn entry_point(folder: &Path, app: &App, findings: &mut Vec<SpecFinding>) {
    if app.wsgi.is_some() && app.asgi.is_some() {
        let message = "`wsgi` is given, too; leave out the one that is not to be served";
        findings.push(SpecFinding::new("app.asgi", message).about("app.wsgi"));
    }
    let given = [("app.wsgi", &app.wsgi), ("app.asgi", &app.asgi)];
    for (key, module) in given.into_iter().filter_map(|(key, module)| Some((key, module.as_ref()?))) {
        if !has_module(folder, module) {
            let file = folder.join(module.module().replace('.', "/"));
            let message = format!("there is no `{}.py`{}", file.display(), other_module(folder));
            findings.push(SpecFinding::new(key, message).about("app.path"));
        }
    }
    if app.module().is_none() {
        let message = no_module(folder);
        let finding = SpecFinding::new("app", message).about("app.path");
        findings.push(finding.about("app.wsgi").about("app.asgi"));
    }
}

fn has_module(folder: &Path, module: &AppModule) -> bool {
    let path = folder.join(module.module().replace('.', "/"));
    path.with_extension("py").is_file() || path.join("__init__.py").is_file()
}

/// Names a module with the usual name, if it is elsewhere.
fn other_module(folder: &Path) -> String {
    let found = entry_points(folder).into_iter().next();
    found.map_or(String::new(), |entry| format!("; there is `{}`: write `{}`", entry.file(), entry.line()))
}

/// Why no module has been found: there is none with the usual name, or more than one.
fn no_module(folder: &Path) -> String {
    let entries = entry_points(folder);
    if entries.is_empty() {
        return format!(
            "there is no `wsgi.py` or `asgi.py` in a package of `{}`; name the module with `wsgi` or `asgi`, such as `wsgi: \
             mysite.wsgi`",
            folder.display()
        );
    }
    let files: Vec<String> = entries.iter().map(|entry| format!("`{}`", entry.file())).collect();
    let lines: Vec<String> = entries.iter().map(|entry| format!("`{}`", entry.line())).collect();
    format!("there are {}: write {}", files.join(" and "), lines.join(" or "))
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::spec::tree::KeyPath;

    /// The findings for a project with these files.
    fn findings(files: &[&str], more: &str) -> Vec<(KeyPath, String)> {
        findings_of(files, &format!("wsgi: shop.wsgi\n{more}"))
    }

    fn findings_of(files: &[&str], spec: &str) -> Vec<(KeyPath, String)> {
        let base = tempfile::tempdir().unwrap();
        for file in files {
            let path = base.path().join("shop").join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let app: App = serde_saphyr::from_str(&format!("path: shop\n{spec}")).unwrap();
        let mut findings = Vec::new();
        check(&app, base.path(), &mut findings);
        let root = format!("{}/", base.path().display());
        findings.into_iter().map(|finding| (finding.path, finding.message.replace(&root, ""))).collect()
    }

    #[test]
    fn exactly_one_entry_point_is_needed() {
        let with = |files: &[&str], spec: &str| {
            findings_of(&[&["manage.py", "requirements.txt"], files].concat(), spec)
        };
        let both = ["shop/wsgi.py", "shop/asgi.py"];
        assert_eq!(with(&both, "wsgi: shop.wsgi"), []);
        assert_eq!(with(&both, "asgi: shop.asgi"), []);
        for (files, spec, key, message) in [
            (
                &both[..],
                "{wsgi: shop.wsgi, asgi: shop.asgi}",
                "app.asgi",
                "`wsgi` is given, too; leave out the one that is not to be served",
            ),
            (
                &["shop/wsgi.py"],
                "asgi: shop.asgi",
                "app.asgi",
                "there is no `shop/shop/asgi.py`; there is `shop/wsgi.py`: write `wsgi: shop.wsgi`",
            ),
            (
                &["one/wsgi.py", "two/wsgi.py"],
                "",
                "app",
                "there are `one/wsgi.py` and `two/wsgi.py`: write `wsgi: one.wsgi` or `wsgi: two.wsgi`",
            ),
            (
                &[],
                "",
                "app",
                "there is no `wsgi.py` or `asgi.py` in a package of `shop`; name the module with `wsgi` or `asgi`, such as \
                 `wsgi: mysite.wsgi`",
            ),
        ] {
            let spec = spec.trim_matches(['{', '}']).replace(", ", "\n");
            assert_eq!(with(files, &spec), [(KeyPath::from(key), message.to_owned())], "{files:?}");
        }
    }

    #[test]
    fn what_is_missing_is_named_with_what_is_there_instead() {
        let complete = ["manage.py", "shop/wsgi.py", "requirements.txt"];
        assert_eq!(findings(&complete, ""), []);
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
