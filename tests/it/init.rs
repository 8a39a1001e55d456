//! `monctl init`: projects of different makes, each from its files to a spec that renders.

use std::fs;
use std::path::Path;

use crate::support::binary::Monctl;
use crate::support::terminal::type_lines;

/// A project: its files, and what else its environment must have before its files can be rendered.
struct Make {
    name: &'static str,
    files: &'static [(&'static str, &'static str)],
    secrets: &'static [&'static str],
}

const MANAGE: &str = "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n";
const WSGI: &str =
    "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\napplication = None\n";

const MAKES: [Make; 5] = [
    Make {
        name: "startproject",
        files: &[
            ("manage.py", MANAGE),
            ("shop/wsgi.py", WSGI),
            (
                "shop/settings.py",
                "SECRET_KEY = 'django-insecure-x'\nWSGI_APPLICATION = 'shop.wsgi.application'\n",
            ),
            ("requirements.txt", "Django\n"),
        ],
        secrets: &[],
    },
    Make {
        name: "django-environ",
        files: &[
            ("manage.py", MANAGE),
            ("shop/wsgi.py", WSGI),
            (
                "shop/settings.py",
                "env = environ.Env(DEBUG=(bool, True))\nSECRET_KEY = env('SECRET_KEY')\nDEBUG = env('DEBUG')\n\
                 ALLOWED_HOSTS = env.list('ALLOWED_HOSTS', default=[])\nDATABASES = {'default': env.db()}\n\
                 PAGE_SIZE = env.int('PAGE_SIZE', default=20)\nSITE = env('SITE_NAME')\n",
            ),
            (".env.example", "SITE_NAME=\"My shop\"\n"),
            ("requirements.txt", "Django\npsycopg2==2.9.10\n"),
        ],
        secrets: &["SECRET_KEY"],
    },
    Make {
        name: "file-of-variables",
        files: &[
            ("manage.py", MANAGE),
            ("shop/wsgi.py", WSGI),
            ("shop/settings.py", "SECRET_KEY = config('SECRET_KEY')\nDEBUG = config('DEBUG', cast=bool)\n"),
            (".env", "SECRET_KEY=abc\nDEBUG=True\n"),
            ("requirements.txt", "Django\n"),
        ],
        secrets: &[],
    },
    Make {
        name: "below-the-requirements",
        files: &[
            ("backend/manage.py", MANAGE),
            ("backend/shop/wsgi.py", WSGI),
            ("backend/shop/settings.py", "SECRET_KEY = os.environ['SECRET_KEY']\n"),
            ("requirements.txt", "Django\n"),
        ],
        secrets: &["SECRET_KEY"],
    },
    Make {
        name: "processes",
        files: &[
            ("manage.py", MANAGE),
            ("shop/wsgi.py", WSGI),
            ("shop/settings.py", ""),
            (
                "Procfile",
                "web: gunicorn shop.wsgi\nworker: celery -A shop worker -l info\nrelease: python manage.py migrate\n",
            ),
            ("requirements.txt", "Django\ncelery\n"),
        ],
        secrets: &[],
    },
];

fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

#[test]
fn every_make_of_project_gets_a_spec_that_renders() {
    for make in MAKES {
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join("shop"), make.files);
        let monctl = || Monctl::new().current_dir(folder.path());
        let result = monctl().args(["init", "--yes", "shop", "--output", "json"]).run().code(0).json();
        assert_eq!(result["secrets"], serde_json::json!(make.secrets), "{}", make.name);
        assert_eq!(result["complete"], true, "{}: {result}", make.name);
        let spec = fs::read_to_string(folder.path().join("monctl.yaml")).unwrap();
        insta::assert_snapshot!(format!("init_{}", make.name), spec);
        let render = monctl().args(["render", "--dry-run"]);
        make.secrets.iter().fold(render, |render, name| render.env(name, "x")).run().code(0);
    }
}

#[test]
fn an_existing_spec_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), MAKES[0].files);
    write(folder.path(), &[("monctl.yaml", "mine")]);
    let monctl = || Monctl::new().current_dir(folder.path());
    monctl()
        .args(["init", "--yes"])
        .run()
        .code(2)
        .stderr_contains("`monctl.yaml` exists already; nothing was changed");
    assert_eq!(fs::read_to_string(folder.path().join("monctl.yaml")).unwrap(), "mine");
    monctl().args(["init", "--yes", "--file", "other.yaml"]).run().code(0);
}

#[test]
fn a_folder_without_a_project_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let ran = Monctl::new().current_dir(folder.path()).args(["init", "--yes"]).run().code(2);
    ran.stderr_contains("there is no `manage.py`");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn what_files_cannot_say_is_asked() {
    for (lines, provider, slack) in [
        ("\n\n", "provider: local", None),
        ("aws\neu-west-1\nHOOK\n", "provider: {aws: {region: eu-west-1}}", Some("HOOK")),
        ("web1\nwatch1\n\n", "provider: {hosts: {app: [\"web1\"], monitoring: \"watch1\"}}", None),
    ] {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), MAKES[0].files);
        let shown = type_lines(folder.path(), "init", lines, &[]);
        assert!(shown.contains("wrote `monctl.yaml`"), "{shown}");
        let spec = fs::read_to_string(folder.path().join("monctl.yaml")).unwrap();
        assert!(spec.contains(provider), "{spec}");
        let webhook = slack.map(|name| format!("slack: {{webhook_url: {{env: {name}}}}}"));
        assert!(webhook.is_none_or(|webhook| spec.contains(&webhook)), "{spec}");
    }
}

#[test]
fn without_a_terminal_the_error_names_the_option() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), MAKES[0].files);
    let ran = Monctl::new().current_dir(folder.path()).arg("init").run().code(2);
    ran.stderr_contains("--yes");
    assert!(!folder.path().join("monctl.yaml").exists());
}
