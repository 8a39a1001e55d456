//! Projects with requirements in all formats.

use std::fs;

use super::*;

struct Project(tempfile::TempDir);

impl Project {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self(folder)
    }

    fn read(&self, entry: &str) -> Result<Requirements> {
        requirements(self.0.path(), Path::new(entry), "", "gunicorn==1 # why\n\n# note\n")
    }
}

/// The requirements of a project whose first file is the entry.
fn read_all(files: &[(&str, &str)]) -> Result<Requirements> {
    Project::new(files).read(files[0].0)
}

fn names(found: &Requirements) -> Vec<&str> {
    found.files.keys().map(String::as_str).collect()
}

/// The text of the entry as hosts get it.
fn text(found: &Requirements) -> &str {
    found.files[&found.entry].text().unwrap()
}

#[test]
fn included_files_are_copied() {
    let found = read_all(&[
        ("requirements/prod.txt", "-r base.txt\n--constraint=../pins.txt\n"),
        ("requirements/base.txt", "Django~=5.2\n-r prod.txt\n"),
        ("pins.txt", "asgiref==3.8\n"),
    ])
    .unwrap();
    assert_eq!(names(&found), ["pins.txt", "requirements/base.txt", "requirements/prod.txt"]);
    assert_eq!(found.added, ["gunicorn==1"]);
    assert_eq!(text(&found), "-r base.txt\n--constraint=../pins.txt\n");
}

#[test]
fn lines_that_name_no_path_stay_as_they_are() {
    let lines = "-r https://x.test/r.txt\n# -e .\n-e git+https://x.test/y\na==1 \\\n    --hash=sha256:0 # why\n\nb==2\\\n";
    assert_eq!(text(&read_all(&[("r.txt", lines)]).unwrap()), lines);
}

#[test]
fn a_wheel_beside_the_requirements_is_copied_in_each_notation() {
    for (line, expected) in [
        ("./wheels/x-1-py3-none-any.whl", "./wheels/x-1-py3-none-any.whl"),
        ("wheels/x-1-py3-none-any.whl", "./wheels/x-1-py3-none-any.whl"),
        (
            "wheels/x-1-py3-none-any.whl[e] ; python_version > '3'",
            "./wheels/x-1-py3-none-any.whl[e] ; python_version > '3'",
        ),
        ("x @ wheels/x-1-py3-none-any.whl", "x @ ./wheels/x-1-py3-none-any.whl"),
        ("x[e] @ file:wheels/x-1-py3-none-any.whl", "x[e] @ ./wheels/x-1-py3-none-any.whl"),
        (
            "./wheels/x-1-py3-none-any.whl \\\n  --hash=sha256:0",
            "./wheels/x-1-py3-none-any.whl --hash=sha256:0",
        ),
        ("--find-links=wheels", "--find-links file://${PROJECT_ROOT}/wheels"),
        ("-f ./wheels/", "--find-links file://${PROJECT_ROOT}/wheels"),
    ] {
        let found = read_all(&[
            ("requirements/prod.txt", &format!("Django\n{line}\nx==1\n")),
            ("wheels/x-1-py3-none-any.whl", "zip"),
            ("wheels/notes.txt", ""),
        ])
        .unwrap();
        assert_eq!(names(&found), ["requirements/prod.txt", "wheels/x-1-py3-none-any.whl"], "{line}");
        assert_eq!(text(&found), format!("Django\n{expected}\nx==1\n"), "{line}");
    }
}

#[test]
fn what_hosts_do_not_have_is_refused_with_its_line() {
    for line in [
        "-e src/x",
        "--editable ./x[extra]",
        "./x.whl",
        "../x",
        "/x",
        "~/x.whl",
        "x-1.2-py3-none-any.whl",
        "x @ file:///x",
        "x @ wheels/x.whl",
        "git+file:///x",
        "-f wheels",
        "--index-url=file:///mirror",
        "-e git+ssh://git@x.test/y.git@v1#egg=y",
        "-r ../secret.txt",
    ] {
        let error = read_all(&[("r.txt", &format!("Django\n{line}\n"))]).unwrap_err();
        assert!(error.place().unwrap().ends_with("r.txt:2"), "{line}: {error}");
    }
    assert!(read_all(&[("r.txt", "-r missing.txt\n")]).is_err());
}

#[test]
fn packages_out_of_the_folder_are_refused() {
    let project = Project::new(&[("app/r.txt", "./x.whl\n"), ("x.whl", "zip"), ("app/f.txt", "-f ..\n")]);
    std::os::unix::fs::symlink("../x.whl", project.0.path().join("app/x.whl")).unwrap();
    let root = project.0.path().join("app");
    for entry in ["r.txt", "f.txt"] {
        let error = requirements(&root, Path::new(entry), "", "").unwrap_err();
        assert!(error.message().contains("lies outside of"), "{error}");
    }
}

#[test]
fn the_projects_own_folder_stands_for_its_dependencies() {
    let own = (
        "pyproject.toml",
        "[project]\nname = 'shop'\ndependencies = ['Django~=5.2']\n[project.optional-dependencies]\n\
                Prod_Like = ['psycopg[binary]', './wheels/x.whl']\n",
    );
    let files = |line| [("requirements/prod.txt", line), own, ("manage.py", ""), ("wheels/x.whl", "zip")];
    for line in ["-e .", "-e file:.", ".", "./", "--editable=."] {
        assert_eq!(text(&read_all(&files(line)).unwrap()), "Django~=5.2\n", "{line}");
    }
    let found = read_all(&files("-e .[prod-like]\nx==1\n")).unwrap();
    assert_eq!(text(&found), "Django~=5.2\npsycopg[binary]\n./wheels/x.whl\nx==1\n");
    assert_eq!(names(&found), ["requirements/prod.txt", "wheels/x.whl"]);
    for (line, expected) in [("-e .[other]", "no extra `other`"), ("-e . --no-deps", "not supported")] {
        let error = read_all(&files(line)).unwrap_err();
        assert!(error.message().contains(expected), "{line}: {error}");
    }
    for (name, content, expected) in [
        ("setup.py", "", "`pyproject.toml`"),
        ("pyproject.toml", "[project]\ndynamic = ['dependencies']\n", "`dynamic`"),
        ("pyproject.toml", "[tool.poetry]\n", "no section `project`"),
        ("pyproject.toml", "[project\n", "not valid TOML"),
    ] {
        let error = read_all(&[("r.txt", "-e .\n"), (name, content)]).unwrap_err();
        assert!(error.message().contains(expected), "{error}");
        assert!(error.hint().is_some() || expected == "not valid TOML", "{error}");
    }
}

#[test]
fn requirements_may_lie_above_the_applications_folder() {
    let project = Project::new(&[
        ("requirements/base.txt", "Django\n-r ../pins.txt\n"),
        ("pins.txt", ""),
        ("site/manage.py", ""),
    ]);
    let root = project.0.path().join("site");
    // Only what the spec itself names there widens the folder.
    let found = requirements(&root, Path::new("../pins.txt"), "", "").unwrap();
    assert_eq!((names(&found), found.source.as_str()), (vec!["pins.txt"], "../pins.txt"));
    let error =
        requirements(&root, Path::new("../requirements/base.txt"), "", "").map(|found| found.files.len());
    assert_eq!(error.unwrap(), 2);
    assert!(requirements(&root, Path::new("/etc/passwd"), "", "").is_err());
}

#[test]
fn a_file_of_powershell_is_sent_in_utf8() {
    let project = Project::new(&[]);
    let utf16 =
        [0xfeff].into_iter().chain("Django==5.2\r\n-r b.txt\r\n".encode_utf16()).flat_map(u16::to_le_bytes);
    fs::write(project.0.path().join("r.txt"), utf16.collect::<Vec<u8>>()).unwrap();
    fs::write(project.0.path().join("b.txt"), "b==1").unwrap();
    assert_eq!(text(&project.read("r.txt").unwrap()), "Django==5.2\r\n-r b.txt\r\n");
    fs::write(project.0.path().join("b.txt"), b"b\xf6").unwrap();
    assert_eq!(project.read("r.txt").unwrap_err().hint(), Some("save the file in UTF-8"));
}

#[test]
fn a_file_that_is_a_link_out_of_the_folder_is_refused() {
    let project = Project::new(&[("r.txt", "-c pins.txt\n")]);
    std::os::unix::fs::symlink("/etc/passwd", project.0.path().join("pins.txt")).unwrap();
    let error = project.read("r.txt").unwrap_err();
    assert!(error.message().contains("/pins.txt` leads out of the application's folder"), "{error}");
}

#[test]
fn dependencies_of_a_project_file_are_installed_by_uv() {
    let plain = "[project]\nname = 'shop'\nversion = '1'\ndependencies = ['Django~=5.2']\n";
    let found = read_all(&[("backend/pyproject.toml", plain)]).unwrap();
    assert_eq!((found.entry.as_str(), found.source.as_str()), ("pyproject.toml", "backend/pyproject.toml"));
    assert_eq!(text(&found), plain);
    let wheel = format!("{plain}[tool.uv.sources]\nx = {{ path = 'wheels/x.whl' }}\n");
    let found = read_all(&[("pyproject.toml", &wheel), ("wheels/x.whl", "zip")]).unwrap();
    assert_eq!(names(&found), ["pyproject.toml", "wheels/x.whl"]);
    for source in ["{ path = 'libs/x' }", "{ workspace = true }", "[{ git = 'ssh://git@x.test/x' }]"] {
        let text = format!("{plain}[tool.uv.sources]\nx = {source}\n");
        let error = read_all(&[("pyproject.toml", &text)]).unwrap_err();
        assert!(error.message().contains("the source of `x`"), "{error}");
    }
}

#[test]
fn a_lock_of_uv_travels_with_its_project_file() {
    let project = ("pyproject.toml", "[project]\nname = 'shop'\n");
    let lock = |source: &str| format!("version = 1\n[[package]]\nname = 'shop'\nsource = {source}\n");
    for source in ["{ virtual = '.' }", "{ editable = '.' }", "{ registry = 'https://pypi.org/simple' }"] {
        let found = read_all(&[("uv.lock", &lock(source)), project]).unwrap();
        assert_eq!((names(&found), found.entry.as_str()), (vec!["pyproject.toml", "uv.lock"], "uv.lock"));
    }
    let found = read_all(&[("uv.lock", &lock("{ path = 'w/x.whl' }")), project, ("w/x.whl", "zip")]).unwrap();
    assert_eq!(names(&found), ["pyproject.toml", "uv.lock", "w/x.whl"]);
    for source in [
        "{ editable = 'libs/x' }",
        "{ directory = '../x' }",
        "{ git = 'ssh://git@x.test/x?rev=1#0' }",
        "{ path = 'no.whl' }",
    ] {
        assert!(read_all(&[("uv.lock", &lock(source)), project]).is_err(), "{source}");
    }
    assert!(read_all(&[("uv.lock", "version = 1\n")]).is_err());
}

#[test]
fn a_lock_of_pipenv_is_read_without_its_packages_for_development() {
    let lock = r#"{"_meta": {"sources": [{"name": "pypi", "url": "https://pypi.org/simple", "verify_ssl": true},
        {"name": "own", "url": "https://x.test/simple", "verify_ssl": true}]},
        "default": {
            "asgiref": {"hashes": ["sha256:a", "sha256:b"], "markers": "python_version >= '3.8'", "version": "==3.8.1"},
            "django": {"extras": ["argon2"], "hashes": ["sha256:c"], "index": "pypi", "version": "==5.2"},
            "forked": {"git": "https://x.test/forked.git", "ref": "abc"},
            "shop": {"editable": true, "path": "."},
            "vendored": {"path": "wheels/v.whl", "hashes": ["sha256:d"]}
        }, "develop": {"pytest": {"version": "==8"}}}"#;
    let found = read_all(&[("Pipfile.lock", lock), ("wheels/v.whl", "zip")]).unwrap();
    assert_eq!(
        text(&found),
        "--extra-index-url https://x.test/simple\n\
         asgiref==3.8.1 ; python_version >= '3.8' \\\n    --hash=sha256:a \\\n    --hash=sha256:b\n\
         django[argon2]==5.2 \\\n    --hash=sha256:c\n\
         forked @ git+https://x.test/forked.git@abc\n\
         vendored @ ./wheels/v.whl\n"
    );
    assert_eq!(names(&found), ["Pipfile.lock", "wheels/v.whl"]);
    for package in [r#"{"path": "./libs/x", "editable": true}"#, r#"{"git": "git@x.test:y.git", "ref": "a"}"#]
    {
        let lock = format!(r#"{{"default": {{"x": {package}}}}}"#);
        assert!(read_all(&[("Pipfile.lock", &lock)]).is_err(), "{package}");
    }
    assert!(read_all(&[("Pipfile.lock", "{")]).is_err());
    assert!(read_all(&[("Pipfile", "")]).unwrap_err().hint().unwrap().contains("Pipfile.lock"));
}

#[test]
fn a_lock_of_poetry_names_the_packages_of_its_main_group() {
    let lock = r#"
[[package]]
name = "django"
version = "5.2"
groups = ["main"]
files = [{file = "a.whl", hash = "sha256:a"}, {file = "a.tar.gz", hash = "sha256:b"}]

[[package]]
name = "tzdata"
version = "2026.6"
groups = ["main", "dev"]
markers = {main = "sys_platform == \"win32\"", dev = "python_version < \"3.12\""}
files = [{file = "t.whl", hash = "sha256:t"}]

[[package]]
name = "certifi"
version = "2026"
optional = true
groups = ["main"]
markers = "extra == \"sentry\""
files = []

[[package]]
name = "pytest"
version = "8"
groups = ["dev"]
files = []

[[package]]
name = "forked"
version = "1"
groups = ["main"]
files = []
[package.source]
type = "git"
url = "https://x.test/forked.git"
reference = "main"
resolved_reference = "abc"

[[package]]
name = "own"
version = "2"
groups = ["main"]
files = [{file = "o.whl", hash = "sha256:o"}]
[package.source]
type = "legacy"
url = "https://x.test/simple"
reference = "own"

[[package]]
name = "vendored"
version = "3"
groups = ["main"]
files = [{file = "v.whl", hash = "sha256:v"}]
[package.source]
type = "file"
url = "wheels/v.whl"
"#;
    let found = read_all(&[("poetry.lock", lock), ("wheels/v.whl", "zip")]).unwrap();
    assert_eq!(
        text(&found),
        "--extra-index-url https://x.test/simple\n\
         django==5.2 \\\n    --hash=sha256:a \\\n    --hash=sha256:b\n\
         tzdata==2026.6 ; sys_platform == \"win32\" \\\n    --hash=sha256:t\n\
         certifi==2026 ; extra == \"sentry\"\n\
         forked @ git+https://x.test/forked.git@abc\n\
         own==2 \\\n    --hash=sha256:o\n\
         vendored @ ./wheels/v.whl\n"
    );
    for source in ["type = 'directory'\nurl = 'libs/x'", "type = 'git'\nurl = 'git@x.test:y.git'"] {
        let lock = format!(
            "[[package]]\nname = 'x'\nversion = '1'\ngroups = ['main']\n[package.source]\n{source}\n"
        );
        let error = read_all(&[("poetry.lock", &lock)]).unwrap_err();
        assert!(error.hint().is_some() && error.place().unwrap().ends_with("poetry.lock"), "{error}");
    }
}

/// The format of Poetry 1.5 to 1.8.
const OLD_LOCK: &str = r#"
[[package]]
name = "django"
version = "5.2"
files = [{file = "a.whl", hash = "sha256:a"}]
[package.dependencies]
asgiref = ">=3.8.1"
tzdata = {version = "*", markers = "sys_platform == \"win32\""}

[[package]]
name = "asgiref"
version = "3.8"
files = []
[package.dependencies]
typing-extensions = {version = ">=4", markers = "python_version < \"3.11\""}

[[package]]
name = "typing-extensions"
version = "4"
files = []

[[package]]
name = "tzdata"
version = "2026"
files = []

[[package]]
name = "psycopg"
version = "3.2"
files = []
[package.dependencies]
psycopg-binary = {version = "3.2", optional = true, markers = "implementation_name != \"pypy\" and extra == \"binary\""}
psycopg-pool = {version = "*", optional = true, markers = "extra == \"pool\""}
typing-extensions = {version = ">=4.6", markers = "python_version < \"3.13\""}
tzdata = {version = "*", markers = "sys_platform == \"win32\""}
[package.extras]
binary = ["psycopg-binary (==3.2)"]
pool = ["psycopg-pool"]

[[package]]
name = "psycopg-binary"
version = "3.2"
files = []

[[package]]
name = "tomli"
version = "2"
files = []

[[package]]
name = "pytest"
version = "8"
files = []

[metadata.files]
asgiref = [{file = "b.whl", hash = "sha256:b"}]
"#;

#[test]
fn an_old_lock_of_poetry_has_what_the_main_dependencies_need_with_its_markers() {
    let project = "[tool.poetry.dependencies]\npython = '^3.10'\nDjango = '~5.2'\n\
                   psycopg = {version = '^3.2', extras = ['binary']}\ntomli = {version = '^2', python = '<3.11'}\n\
                   pytest = {version = '*', optional = true}\n";
    let found = read_all(&[("poetry.lock", OLD_LOCK), ("pyproject.toml", project)]).unwrap();
    assert_eq!(
        text(&found),
        "asgiref==3.8 \\\n    --hash=sha256:b\n\
         django==5.2 \\\n    --hash=sha256:a\n\
         psycopg==3.2\n\
         psycopg-binary==3.2 ; implementation_name != \"pypy\"\n\
         tomli==2 ; python_version < \"3.11\"\n\
         typing-extensions==4 ; (python_version < \"3.11\") or (python_version < \"3.13\")\n\
         tzdata==2026 ; sys_platform == \"win32\"\n"
    );
    let twice = format!("{OLD_LOCK}\n").replace("name = \"pytest\"", "name = \"tomli\"");
    for (lock, project, expected) in [
        (twice.as_str(), project, "more than one version"),
        (OLD_LOCK, "[project]\nname = 'x'\n", "no `tool.poetry.dependencies`"),
        (OLD_LOCK, "[tool.poetry.dependencies]\nnowhere = '*'\n", "`nowhere` is not locked"),
        (OLD_LOCK, "[tool.poetry.dependencies]\ntomli = {python = '~3'}\n", "the range `~3`"),
    ] {
        let error = read_all(&[("poetry.lock", lock), ("pyproject.toml", project)]).unwrap_err();
        assert!(error.message().contains(expected), "{error}");
    }
}
