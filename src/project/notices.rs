//! What the user should know about the application's folder before it is copied: what stays on this computer although
//! the application may need it, and what goes to hosts although it should not.

use std::path::{Component, PathBuf};

use super::tree::{AppFolder, has_secrets, is_database};
use crate::spec::{App, Loaded};

/// How many files a notice names; the rest is counted.
const NAMED: usize = 5;
/// Larger folders probably contain data.
const LARGE_FOLDER_BYTES: u64 = 64_000_000;
/// Ends of the names of examples, which contain no secrets.
const EXAMPLES: [&str; 4] = [".example", ".sample", ".template", ".dist"];

/// Notices about the application's folder, each a sentence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notices {
    /// Files that are not copied, with the way to copy them.
    pub left_out: Vec<String>,
    /// What is most likely not what the user wants.
    pub warnings: Vec<String>,
}

impl Notices {
    /// The notices about an application that something else deploys.
    pub(super) fn of_watched(app: &App) -> Self {
        let uncounted = "alerts and dashboards about requests: nothing counts them without `app.count_requests` or `app.metrics_url`";
        let left_out =
            (app.metrics_url.is_none() && app.count_requests.is_none()).then(|| uncounted.to_owned());
        Self { left_out: left_out.into_iter().collect(), warnings: Vec::new() }
    }
}

/// The notices about the application's folder.
pub fn notices(found: &AppFolder, loaded: &Loaded) -> Notices {
    Notices {
        left_out: [settings(found, loaded), env_file(loaded, found), private(found, loaded)]
            .into_iter()
            .flatten()
            .collect(),
        warnings: [
            without_git(found),
            submodules(found),
            tracked_secrets(found),
            databases(found),
            large_files(found),
            large_folder(found),
        ]
        .into_iter()
        .flatten()
        .collect(),
    }
}

/// Modules of the settings that are not copied: usually `local_settings.py`.
fn settings(found: &AppFolder, loaded: &Loaded) -> Option<String> {
    let folder = loaded.app_dir();
    // Where the settings are unknown, so is what they import.
    let files = loaded.settings_files()?;
    let names = files.iter().filter_map(|file| file.strip_prefix(&folder).ok()?.to_str());
    let missing: Vec<&str> = names.filter(|name| !found.tree.files.contains_key(*name)).collect();
    let pronoun = if missing.len() == 1 { "it" } else { "them" };
    (!missing.is_empty()).then(|| {
        format!(
            "{}: the settings import {pronoun} and git ignores {pronoun}; to copy {pronoun}, write `{}`",
            listed(&missing),
            include(loaded, &missing)
        )
    })
}

/// A `.env` in the application's folder or beside the spec.
fn env_file(loaded: &Loaded, found: &AppFolder) -> Option<String> {
    if loaded.spec.app.env_file.is_some() || found.tree.files.contains_key(".env") {
        return None;
    }
    let places = [loaded.spec.app.path.join(".env"), PathBuf::from(".env")];
    let place = places.iter().find(|place| loaded.base_dir().join(place).is_file())?;
    let place: PathBuf = place.components().filter(|part| *part != Component::CurDir).collect();
    Some(format!(
        "`{0}`: to give its variables to the application, write `app.env_file: {0}`",
        place.display()
    ))
}

/// Secrets and databases that git neither tracks nor ignores.
fn private(found: &AppFolder, loaded: &Loaded) -> Option<String> {
    let names: Vec<&str> = found.private.iter().map(String::as_str).filter(|name| *name != ".env").collect();
    let first = names.first()?;
    Some(format!(
        "{}: monctl copies secrets and databases only if git tracks them, or with a line such as `{}`",
        listed(&names),
        include(loaded, &[first])
    ))
}

/// The line of the spec that includes these files, too.
fn include(loaded: &Loaded, more: &[&str]) -> String {
    let known = loaded.spec.app.include.iter().map(AsRef::as_ref);
    format!("app.include: [{}]", known.chain(more.iter().copied()).collect::<Vec<_>>().join(", "))
}

fn without_git(found: &AppFolder) -> Option<String> {
    let text = "git is not installed on this computer: files that git tracks are not copied if `.gitignore` excludes \
                them; install git";
    found.is_without_git.then(|| text.to_owned())
}

fn submodules(found: &AppFolder) -> Option<String> {
    let names: Vec<&str> = found.empty_submodules.iter().map(String::as_str).collect();
    (!names.is_empty()).then(|| {
        format!(
            "submodules that are not checked out are not copied: {}; check them out: `git submodule update --init`",
            listed(&names)
        )
    })
}

/// Files with secrets that are part of the code.
fn tracked_secrets(found: &AppFolder) -> Option<String> {
    let is_secret = |name: &str| has_secrets(name) && !EXAMPLES.iter().any(|end| name.ends_with(end));
    let names = names_like(found, is_secret);
    let first = names.first()?;
    Some(format!(
        "files with secrets are copied as a part of the code: {}; remove them from git (`git rm --cached {first}`) and \
         give their variables to the application with `app.env_file`",
        listed(&names)
    ))
}

/// Databases that are part of the code.
fn databases(found: &AppFolder) -> Option<String> {
    let names = names_like(found, is_database);
    let first = names.first()?;
    Some(format!(
        "databases are copied as a part of the code: {}; a host that has no such database yet starts with this content, \
         and later keeps its own; to start with an empty one, remove it from git: `git rm --cached {first}`",
        listed(&names)
    ))
}

fn names_like(found: &AppFolder, is_like: impl Fn(&str) -> bool) -> Vec<&str> {
    let names = found.tree.files.keys().map(String::as_str);
    names.filter(|name| is_like(name.rsplit('/').next().unwrap_or(name))).collect()
}

/// Large files, which are probably not code.
fn large_files(found: &AppFolder) -> Option<String> {
    let large = found.tree.large_files();
    let (largest, _) = large.first()?;
    let named: Vec<String> =
        large.iter().take(NAMED).map(|(name, size)| format!("`{name}` ({})", megabytes(*size))).collect();
    Some(format!(
        "large files are copied to every application host: {}{}; to exclude data, add a line to the `.gitignore` of the \
         application's folder, such as `/{largest}`{}",
        named.join(", "),
        more_than_named(large.len()),
        if found.has_tracked_files { ", and remove it from git's index: `git rm --cached`" } else { "" },
    ))
}

/// A folder that is probably not only code.
fn large_folder(found: &AppFolder) -> Option<String> {
    let total: u64 = found.tree.files.values().map(|(file, _)| file.size()).sum();
    (total > LARGE_FOLDER_BYTES).then(|| {
        format!(
            "{} are copied to every application host, through its memory; code rarely has more than {}: exclude data with \
             `.gitignore`",
            megabytes(total),
            megabytes(LARGE_FOLDER_BYTES)
        )
    })
}

fn megabytes(size: u64) -> String {
    format!("{} MB", size / 1_000_000)
}

/// The first names, and how many more there are.
fn listed(names: &[&str]) -> String {
    let first: Vec<String> = names.iter().take(NAMED).map(|name| format!("`{name}`")).collect();
    format!("{}{}", first.join(", "), more_than_named(names.len()))
}

fn more_than_named(count: usize) -> String {
    match count.saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::super::tracked::tests::git;
    use super::super::tree::app_folder;
    use super::*;
    use crate::spec::load;

    const SPEC: &str = "version: 1\nproject: shop\nprovider: local\nnotify: {capture: {}}\n";
    const WSGI: &str = "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n";
    const SETTINGS: &str = "from .local_settings import *\n";

    /// The notices about a project with these files, of which git tracks some.
    fn of(files: &[(&str, &str)], tracked: &[&str], app: &str) -> Notices {
        let base = tempfile::tempdir().unwrap();
        let usual =
            [("manage.py", ""), ("requirements.txt", ""), ("shop/wsgi.py", WSGI), ("shop/settings.py", "")];
        for (name, text) in usual.iter().chain(files) {
            let path = base.path().join("code").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        if !tracked.is_empty() {
            git(base.path(), &["init", "--quiet"]);
            git(&base.path().join("code"), &[&["add", "--force"], tracked].concat());
        }
        let spec = base.path().join("monctl.yaml");
        fs::write(&spec, format!("{SPEC}app: {{path: ./code, wsgi: shop.wsgi{app}}}\n")).unwrap();
        let loaded = load(&spec).unwrap();
        notices(&app_folder(&loaded.app_dir(), &loaded.spec.app.include).unwrap(), &loaded)
    }

    #[test]
    fn an_ordinary_project_has_no_notices() {
        assert_eq!(of(&[], &["manage.py"], ""), Notices::default());
        assert_eq!(of(&[], &[], ""), Notices::default());
    }

    #[test]
    fn what_stays_on_this_computer_is_named_with_the_line_that_copies_it() {
        let files = [
            (".gitignore", "local_settings.py\n.env\n"),
            ("shop/settings.py", SETTINGS),
            ("shop/local_settings.py", ""),
            (".env", "A=b\n"),
            ("dev.db", ""),
            ("built/x.css", ""),
        ];
        let expected = [
            "`shop/local_settings.py`: the settings import it and git ignores it; to copy it, write \
             `app.include: [built, shop/local_settings.py]`",
            "`code/.env`: to give its variables to the application, write `app.env_file: code/.env`",
            "`dev.db`: monctl copies secrets and databases only if git tracks them, or with a line such as \
             `app.include: [built, dev.db]`",
        ];
        assert_eq!(of(&files, &["manage.py"], ", include: [built]").left_out, expected);
        let copied = ", include: [shop/local_settings.py, dev.db], env_file: code/.env";
        assert_eq!(of(&files, &["manage.py"], copied).left_out, [""; 0]);
    }

    #[test]
    fn secrets_and_databases_in_the_code_are_warned_of() {
        let files = [(".env", "A=b\n"), (".env.example", ""), ("db.sqlite3", "")];
        let found = of(&files, &["."], "");
        assert_eq!(found.left_out, [""; 0]);
        let [secrets, databases] = found.warnings.as_slice() else { panic!("{found:?}") };
        assert!(secrets.contains("copied as a part of the code: `.env`;"), "{secrets}");
        assert!(databases.contains("`git rm --cached db.sqlite3`"), "{databases}");
    }

    #[test]
    fn large_files_and_a_large_folder_are_warned_of() {
        let base = tempfile::tempdir().unwrap();
        for number in 0..7 {
            let file = File::create(base.path().join(number.to_string())).unwrap();
            file.set_len(20_000_001 + number).unwrap();
        }
        let found = app_folder(base.path(), &[]).unwrap();
        let text = large_files(&found).unwrap();
        assert!(
            text.contains("`6` (20 MB), `5` (20 MB)") && text.contains("`2` (20 MB) and 2 more"),
            "{text}"
        );
        assert!(text.ends_with("such as `/6`"), "{text}");
        assert!(large_folder(&found).unwrap().starts_with("140 MB are copied"));
    }
}
