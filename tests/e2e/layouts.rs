//! Layouts of projects other than a `manage.py` beside everything else.

use std::fs;
use std::path::Path;

use crate::site::{APP, Site};
use crate::support::binary::Ran;

pub fn a_repository_with_its_code_in_src_and_a_lock_of_uv_is_deployed(site: &Site) {
    let files = site.files();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/layout");
    fs::create_dir_all(site.path("app/backend/src")).unwrap();
    for (from, to) in [
        ("manage.py", "backend/manage.py"),
        ("notes", "backend/src/notes"),
        ("notebook", "backend/src/notebook"),
    ] {
        fs::rename(site.path("app").join(from), site.path("app").join(to)).unwrap();
    }
    fs::remove_file(site.path("app/requirements.txt")).unwrap();
    for name in ["pyproject.toml", "uv.lock"] {
        fs::copy(fixtures.join(name), site.path("app").join(name)).unwrap();
    }
    site.monctl("plan").code(3).stdout_contains("Python environment for uv.lock");
    site.converge();
    assert!(site.page().contains("<title>"));
    let script = "import os, notes; print(os.getcwd(), notes.__file__, '$$ ${X}')";
    let ran: Ran = site.call("manage -- shell --command").args([script]).run();
    ran.success()
        .stdout_contains("/srv/monctl/app/backend /srv/monctl/app/backend/src/notes/__init__.py $$ ${X}");
    let locked = fs::read_to_string(fixtures.join("uv.lock")).unwrap();
    let version = locked.split("name = \"django\"\nversion = \"").nth(1).unwrap().split('"').next().unwrap();
    let packages = site.on(APP, "ls /opt/monctl/app/lib/python3*/site-packages");
    assert!(packages.lines().any(|name| name == format!("django-{version}.dist-info")), "{packages}");
    assert!(!packages.contains("iniconfig"), "{packages}");
    // The database is below the folder of the code, and data is kept by its path in the repository.
    assert_eq!(site.on(APP, "ls /var/lib/monctl/app/backend/src"), "db.sqlite3");
    site.put_back(&files);
    site.converge();
    assert!(site.page().contains("<title>"));
}
