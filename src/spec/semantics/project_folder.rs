//! The application's folder: whether it holds what the spec names. A finding names what is there instead.

use std::path::Path;

use super::super::app::{App, EnvValue};
use super::super::detect::layout::{code_folder, manage_folders};
use super::super::detect::{entry_points, file_of};
use super::super::finding::SpecFinding;
use super::super::listing::names;

/// Files of tools that lock requirements, each with the command that makes the lock file.
const UNLOCKED: [(&str, &str); 2] =
    [("Pipfile", "pipenv lock"), ("pyproject.toml", "uv lock` or `poetry lock")];

/// Findings about the application's files. `base` is the folder to which the spec's paths are relative.
pub(super) fn check(app: &App, base: &Path, findings: &mut Vec<SpecFinding>) {
    let mut find =
        |path: &str, message: String| findings.push(SpecFinding::new(path, message).about("app.path"));
    let root = base.join(&app.path);
    if app.path.as_os_str().is_empty() {
        find("app.path", "the path is empty; write `.` for the spec's own folder".to_owned());
        return;
    }
    if !root.is_dir() {
        find("app.path", format!("there is no folder `{}`", root.display()));
        return;
    }
    if matches!(app.env.get("PYTHONPATH"), Some(EnvValue::Secret(_))) {
        find("app.env.PYTHONPATH", "folders are no secret; write them as text".to_owned());
    }
    let manage = app.manage_in(&root);
    if !manage.join("manage.py").is_file() {
        let key = if app.manage.is_some() { "app.manage" } else { "app.path" };
        find(key, format!("there is no `manage.py` in `{}`; {}", manage.display(), other_manage(&root)));
        return;
    }
    for (index, pattern) in app.include.iter().enumerate() {
        let message = match pattern.files(&root) {
            Ok(files) if files.is_empty() => format!("no file below `{}` matches this", root.display()),
            Ok(_) => continue,
            Err(error) => format!("this selects no files: {error}"),
        };
        find(&format!("app.include.{index}"), message);
    }
    match &app.requirements {
        Some(path) if root.join(path).is_file() => {}
        Some(path) => find(
            "app.requirements",
            format!("there is no file `{}`{}", root.join(path).display(), other_requirements(&root, app)),
        ),
        None => find(
            "app.path",
            format!(
                "there are no requirements with a usual name in `{}`{}",
                manage.display(),
                other_requirements(&root, app)
            ),
        ),
    }
    entry_point(&root, app, findings);
}

/// Findings about the module that Gunicorn serves.
fn entry_point(root: &Path, app: &App, findings: &mut Vec<SpecFinding>) {
    if app.wsgi.is_some() && app.asgi.is_some() {
        let message = "`wsgi` is given, too; leave out the one that is not to be served";
        findings.push(SpecFinding::new("app.asgi", message).about("app.wsgi"));
    }
    let (manage, code) = (app.manage_in(root), code_folder(root, app));
    let given = [("app.wsgi", &app.wsgi), ("app.asgi", &app.asgi)];
    for (key, module) in given.into_iter().filter_map(|(key, module)| Some((key, module.as_ref()?.module())))
    {
        if file_of(&code, module).is_none() {
            let file = code.join(module.replace('.', "/"));
            let message = format!("there is no `{}.py`{}", file.display(), other_module(&manage));
            findings.push(SpecFinding::new(key, message).about("app.path"));
        }
    }
    if app.module().is_none() {
        let message = no_module(&manage);
        let finding = SpecFinding::new("app", message).about("app.path");
        findings.push(finding.about("app.wsgi").about("app.asgi"));
    }
}

/// Names the folders with a `manage.py`.
fn other_manage(root: &Path) -> String {
    match &manage_folders(root)[..] {
        [] if root.join("manage.py").is_file() => "leave `manage` out: it is in `app.path` itself".to_owned(),
        [] => "name the folder of the Django project".to_owned(),
        [only] => format!("there is one in `{only}`: write `manage: {only}`"),
        [first, ..] if root.join("manage.py").is_file() => {
            format!("there is one in `app.path` itself, and in folders such as `{first}`")
        }
        found => format!("there is one in {}: name a folder with `app.manage`", listed(found)),
    }
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

/// Names the requirements that are there: in the folder of `manage.py`, in those above it, and beside the application's
/// folder.
fn other_requirements(root: &Path, app: &App) -> String {
    let folders = Path::new(app.manage()).ancestors().chain([Path::new("..")]);
    let found: Vec<String> = folders
        .flat_map(|folder| {
            let inside =
                names(&root.join(folder).join("requirements")).into_iter().filter(|name| is_text(name));
            names(&root.join(folder))
                .into_iter()
                .filter(|name| name.starts_with("requirements") && is_text(name) || is_lock(name))
                .chain(inside.map(|name| format!("requirements/{name}")))
                .map(|name| folder.join(name).display().to_string())
                .collect::<Vec<_>>()
        })
        .collect();
    if !found.is_empty() {
        return format!("; there is {}: name a file with `app.requirements`", listed(&found));
    }
    let unlocked = UNLOCKED.iter().find(|(name, _)| app.manage_in(root).join(name).is_file());
    unlocked.map_or("; add a `requirements.txt`".to_owned(), |(name, command)| {
        format!("; `{name}` has no lock file: make one with `{command}`")
    })
}

fn is_text(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|end| end == "txt")
}

fn is_lock(name: &str) -> bool {
    ["uv.lock", "poetry.lock", "Pipfile.lock"].contains(&name)
}

fn listed(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::spec::detect;
    use crate::spec::env_file::FileVariables;
    use crate::spec::tree::KeyPath;

    /// The application of a spec after loading, and the findings for a project with these files in `shop`.
    fn loaded(files: &[&str], more: &str) -> (App, Vec<(KeyPath, String)>) {
        loaded_with(files, &format!("wsgi: shop.wsgi\n{more}"))
    }

    fn findings_of(files: &[&str], spec: &str) -> Vec<(KeyPath, String)> {
        loaded_with(files, spec).1
    }

    fn loaded_with(files: &[&str], spec: &str) -> (App, Vec<(KeyPath, String)>) {
        let base = tempfile::tempdir().unwrap();
        for file in files {
            let path = base.path().join("shop").join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, if file.ends_with("pyproject.toml") { "[project]\n" } else { "" }).unwrap();
        }
        let mut app: App = serde_saphyr::from_str(&format!("path: shop\n{spec}")).unwrap();
        detect::decide(&base.path().join("shop"), &mut app, &FileVariables::default());
        let mut findings = Vec::new();
        check(&app, base.path(), &mut findings);
        let root = format!("{}/", base.path().display());
        let findings = findings.into_iter().map(|it| (it.path, it.message.replace(&root, "")));
        let findings = findings.collect();
        (app, findings)
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
        let findings = |more: &str| loaded(&complete, more).1;
        assert_eq!(findings("include: [shop, '*.txt']"), []);
        let none = "no file below `shop` matches this".to_owned();
        assert_eq!(findings("include: [shop, dist/*.css]"), [("app.include.1".into(), none)]);
        for (files, more, key, message) in [
            (&[][..], "", "app.path", "there is no folder `shop`"),
            (
                &["README"],
                "",
                "app.path",
                "there is no `manage.py` in `shop`; name the folder of the Django project",
            ),
            (
                &["a/manage.py", "b/c/manage.py", "venv/pyvenv.cfg", "venv/x/manage.py", "d/e/f/manage.py"],
                "",
                "app.path",
                "there is no `manage.py` in `shop`; there is one in `a`, `b/c`: name a folder with `app.manage`",
            ),
            (
                &["backend/manage.py", "shop/wsgi.py"],
                "manage: shop",
                "app.manage",
                "there is no `manage.py` in `shop/shop`; there is one in `backend`: write `manage: backend`",
            ),
            (
                &["manage.py", "shop/wsgi.py"],
                "manage: shop",
                "app.manage",
                "there is no `manage.py` in `shop/shop`; leave `manage` out: it is in `app.path` itself",
            ),
            (
                &["manage.py", "config/wsgi.py", "requirements.txt"],
                "",
                "app.wsgi",
                "there is no `shop/shop/wsgi.py`; there is `config/wsgi.py`: write `wsgi: config.wsgi`",
            ),
            (
                &["manage.py", "shop/wsgi.py", "requirements-dev.txt", "requirements/ci.txt", "Pipfile"],
                "",
                "app.path",
                "there are no requirements with a usual name in `shop`; there is `requirements-dev.txt`, \
                 `requirements/ci.txt`: name a file with `app.requirements`",
            ),
            (
                &["manage.py", "shop/wsgi.py", "../requirements.txt"],
                "",
                "app.path",
                "there are no requirements with a usual name in `shop`; there is `../requirements.txt`: name a file \
                 with `app.requirements`",
            ),
            (
                &["manage.py", "shop/wsgi.py", "Pipfile"],
                "",
                "app.path",
                "there are no requirements with a usual name in `shop`; `Pipfile` has no lock file: make one with \
                 `pipenv lock`",
            ),
            (
                &["manage.py", "shop/wsgi.py", "uv.lock"],
                "requirements: base.txt",
                "app.requirements",
                "there is no file `shop/base.txt`; there is `uv.lock`: name a file with `app.requirements`",
            ),
            (
                &["manage.py", "shop/wsgi.py", "requirements.txt"],
                "env: {PYTHONPATH: {env: X}}",
                "app.env.PYTHONPATH",
                "folders are no secret; write them as text",
            ),
        ] {
            assert_eq!(loaded(files, more).1, [(KeyPath::from(key), message.to_owned())], "{files:?}");
        }
    }

    #[test]
    fn the_parts_of_a_project_are_found() {
        for (files, more, manage, is_src_layout, requirements) in [
            (
                &["manage.py", "shop/wsgi.py", "requirements.txt", "uv.lock"][..],
                "",
                "",
                false,
                "requirements.txt",
            ),
            (&["backend/manage.py", "backend/shop/wsgi.py", "uv.lock"], "", "backend", false, "uv.lock"),
            (
                &["a/b/manage.py", "a/b/shop/wsgi.py", "a/pyproject.toml", "requirements.txt"],
                "",
                "a/b",
                false,
                "a/pyproject.toml",
            ),
            (
                &["manage.py", "src/shop/wsgi/__init__.py", "requirements/prod.txt"],
                "",
                "",
                true,
                "requirements/prod.txt",
            ),
            (&["src/manage.py", "src/shop/wsgi.py", "pyproject.toml"], "", "src", false, "pyproject.toml"),
            (
                &["x/manage.py", "y/manage.py", "y/shop/wsgi.py", "y/r.txt"],
                "manage: y\nrequirements: y/r.txt",
                "y",
                false,
                "y/r.txt",
            ),
            (
                &["manage.py", "lib/shop/wsgi.py", "poetry.lock"],
                "env: {PYTHONPATH: '/usr/x:lib'}",
                "",
                false,
                "poetry.lock",
            ),
            (
                &["b/manage.py", "lib/shop/wsgi.py", "Pipfile.lock"],
                "env: {PYTHONPATH: /srv/monctl/app/lib}",
                "b",
                false,
                "Pipfile.lock",
            ),
        ] {
            let (app, findings) = loaded(files, more);
            assert_eq!(findings, [], "{files:?}");
            let found = (app.manage(), app.is_src_layout, app.requirements.as_deref());
            assert_eq!(found, (manage, is_src_layout, Some(Path::new(requirements))), "{files:?}");
        }
    }
}
