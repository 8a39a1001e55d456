//! Hosts whose application or packages are compromised: the attacker does not become root. And hosts of earlier
//! versions, where the application owned its code, are migrated without data loss.

use std::fs;

use crate::site::{APP, Site, eventually};

const ATTACK: &str = include_str!("attack.sh");

/// Brings the application's host into the state of an earlier version.
const BEFORE: &str = include_str!("before.sh");

const BASE: &str = "app/notebook/templates/notebook/base.html";

/// A folder of root's with the names of the application's modules, to which links lead.
const OUTSIDE: &str = "/opt/outside";

/// Runs a script of bash on the application's host, where `run` is the command before it.
fn script(site: &Site, run: &str, text: &str, arguments: &str) -> String {
    site.on(APP, &format!("{run} bash -c {} script {arguments}", monctl::playbook::quote(text)))
}

/// The part of the system that only root may change: names, times, owners and contents.
fn state_of_the_system(site: &Site) -> String {
    site.on(
        APP,
        &format!(
            "find {OUTSIDE} /usr/lib/python3* /etc/cron.d ! -path '*/__pycache__*' -printf '%p %u %m %T@ %s\\n' | sort; \
             find {OUTSIDE} -type f -exec sha256sum {{}} + | sort; find /srv/monctl /opt/monctl -name written"
        ),
    )
}

fn attack(site: &Site, how: &str) {
    script(site, "runuser -u monctl-app --", ATTACK, &format!("{OUTSIDE} {how}"));
}

/// Works while the application swaps folders and links as fast as it can.
fn under_attack(site: &Site, work: impl FnOnce()) {
    let run = "systemd-run --quiet --collect --unit=attack --uid=monctl-app --gid=monctl-app";
    script(site, run, ATTACK, &format!("{OUTSIDE} race"));
    work();
    site.on(APP, "systemctl is-active --quiet attack && systemctl stop attack");
}

/// Removes the remains of attacks.
fn clear(site: &Site) {
    let left = "notes notebook staticfiles media swapped written *.away";
    site.on(APP, &format!("rm -r {OUTSIDE}; cd /var/lib/monctl/app && rm -rf {left}"));
}

fn make_outside(site: &Site) {
    site.on(
        APP,
        &format!(
            "mkdir -p {OUTSIDE}/migrations && cd {OUTSIDE} && for it in __init__ apps models settings urls views wsgi; do \
             echo root >$it.py; done && echo root >upload"
        ),
    );
}

fn deploy(site: &Site, edition: &str) {
    site.edit(BASE, "</body>", &format!("<p>{edition}</p></body>"));
    site.converge();
    assert!(site.page().contains(edition));
}

pub fn the_applications_user_cannot_redirect_writes_of_root(site: &Site) {
    make_outside(site);
    let before = state_of_the_system(site);
    attack(site, "once");
    deploy(site, "after an attack");
    assert_eq!(state_of_the_system(site), before);

    under_attack(site, || {
        deploy(site, "under attack");
        // A rollback is root's work as well.
        let broken =
            "import os, sys\nif \"gunicorn\" in sys.modules:\n    raise RuntimeError(\"not today\")\n";
        site.edit("app/notes/wsgi.py", "import os", broken);
        site.monctl("up --yes").code(1).stdout_contains("rolled back: the previous set is active again");
        site.edit("app/notes/wsgi.py", broken, "import os");
        site.converge();
    });
    assert_eq!(state_of_the_system(site), before);
    clear(site);
}

pub fn a_host_of_an_earlier_version_is_migrated_without_data_loss(site: &Site) {
    let upload = "mkdir -p /var/lib/monctl/app/media && echo mine >/var/lib/monctl/app/media/upload";
    site.on(APP, &format!("runuser -u monctl-app -- sh -c '{upload}'"));
    script(site, "", BEFORE, "");
    let rows = "sha256sum </srv/monctl/app/db.sqlite3";
    let body = || site.page().split_once("\r\n\r\n").unwrap().1.to_owned();
    let (rows, page) = (site.on(APP, rows), body());
    let found = site.findings(APP);
    for name in ["db.sqlite3", "media/upload"] {
        let moves = format!("it moves to /var/lib/monctl/app/{name}");
        let is_named = |it: &crate::site::Finding| {
            it.what == format!("/srv/monctl/app/{name}") && it.why.contains(&moves)
        };
        assert!(found.iter().any(is_named), "{name} is not in {found:#?}");
    }
    site.under_load(|| {
        site.converge();
    });
    assert_eq!(body(), page);
    assert_eq!(site.on(APP, "sha256sum </var/lib/monctl/app/db.sqlite3"), rows);
    assert_eq!(site.on(APP, "cat /var/lib/monctl/app/media/upload"), "mine");
    assert_eq!(site.on(APP, "ls -A /srv/monctl/app; stat -c %U /srv/monctl/app"), "root");
    site.on(APP, "systemctl is-enabled --quiet monctl-app.service monctl-app.socket");
}

pub fn a_failed_migration_restores_a_host_of_an_earlier_version(site: &Site) {
    script(site, "", BEFORE, "");
    let before =
        site.on(APP, "cd /srv/monctl/app && find . ! -path '*__pycache__*' -printf '%p %u %m %s\\n' | sort");
    let broken = "import os, sys\nif \"gunicorn\" in sys.modules:\n    raise RuntimeError(\"not today\")\n";
    site.edit("app/notes/wsgi.py", "import os", broken);
    site.monctl("up --yes")
        .code(1)
        .stdout_contains("rolled back: the previous set is active again and healthy");
    assert!(site.page().contains("<title>"));
    let after =
        site.on(APP, "cd /srv/monctl/app && find . ! -path '*__pycache__*' -printf '%p %u %m %s\\n' | sort");
    assert_eq!(after, before);
    site.edit("app/notes/wsgi.py", broken, "import os");
    site.converge();
}

pub fn prepared_links_on_a_host_of_an_earlier_version_are_not_followed(site: &Site) {
    make_outside(site);
    script(site, "", BEFORE, "");
    let before = state_of_the_system(site);
    attack(site, "once");
    under_attack(site, || {
        site.converge();
    });
    assert_eq!(state_of_the_system(site), before);
    assert!(site.page().contains("<title>"));
    clear(site);
}

const SETUP: &str = "import os, subprocess, sys\nfrom setuptools import setup\n\
    open('hostile.py', 'w').write(f'BUILT_BY = {os.getuid()}\\n')\n\
    nothing = {'stdin': subprocess.DEVNULL, 'stdout': subprocess.DEVNULL, 'stderr': subprocess.DEVNULL}\n\
    subprocess.Popen(['sleep', '3000'], start_new_session=True, **nothing)\n\
    for path in ('/etc/cron.d/hostile', '/opt/monctl/hostile', '/usr/local/hostile'):\n    \
    try:\n        open(path, 'w').write('x')\n    except OSError:\n        pass\n\
    setup(name='hostile', version='1', py_modules=['hostile'])\n";

pub fn packages_are_built_by_a_dedicated_user_that_leaves_nothing_behind(site: &Site) {
    let requirements = fs::read_to_string(site.path("app/requirements.txt")).unwrap();
    // A source distribution, from an index on the host itself.
    let make = format!(
        "mkdir -p /opt/index/hostile-1 && cd /opt/index && printf %s {} >hostile-1/setup.py && tar -czf hostile-1.tar.gz hostile-1 && \
         systemd-run --quiet --collect --unit=index -p WorkingDirectory=/opt/index python3 -m http.server --bind 127.0.0.1 8765",
        monctl::playbook::quote(SETUP)
    );
    site.on(APP, &make);
    eventually("the index answers", || {
        site.project.ssh(APP, "curl -sf http://127.0.0.1:8765/hostile-1.tar.gz -o /dev/null").status.success()
    });
    site.write(
        "app/requirements.txt",
        &format!("{requirements}hostile @ http://127.0.0.1:8765/hostile-1.tar.gz\n"),
    );
    site.converge();
    let built_by = site.on(APP, "cat /opt/monctl/app/lib/python3*/site-packages/hostile.py");
    assert_eq!(built_by, format!("BUILT_BY = {}", site.on(APP, "id -u monctl-build")));
    let left = "ls /etc/cron.d/hostile /opt/monctl/hostile /usr/local/hostile 2>/dev/null; \
        find /proc -maxdepth 1 -user monctl-build 2>/dev/null; find /opt/monctl ! -user root; true";
    assert_eq!(site.on(APP, left), "");
    site.write("app/requirements.txt", &requirements);
    site.converge();
    site.on(APP, "systemctl stop index; rm -r /opt/index");
}
