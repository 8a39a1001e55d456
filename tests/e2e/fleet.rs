//! A new version on two application hosts that share a database: the release commands run once, before any host
//! switches, and the hosts switch one after the other.

use monctl::host::HostName;

use crate::scenarios::{self, scenarios};
use crate::site::{APP, CALM, EACH_SECOND, MONITORING, Site, get};
use crate::turns;

const SECOND: HostName = HostName::app(2);

/// SQLite's settings begin and end with these.
const ENGINE: &str = "\"ENGINE\": \"django.db.backends.sqlite3\",";
const OPTIONS: &str = "        \"OPTIONS\": {\n            \"timeout\": 20,\n            \
    \"transaction_mode\": \"IMMEDIATE\",\n            \
    \"init_command\": \"PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;\",\n        },\n";

/// Notes who ran it and when, by a clock that all machines of this computer share.
const TRACE: &str = "import socket, time\n\ndef trace(connection, what):\n    with connection.cursor() as it:\n        \
    it.execute(\"insert into trace values (%s, %s, %s)\", [what, socket.gethostname(), time.monotonic()])\n";
const MIGRATION: &str = "from django.db import migrations\nfrom notebook.trace import trace\n\n\n\
    class Migration(migrations.Migration):\n    dependencies = [(\"notebook\", \"0001_initial\")]\n    operations = [\n        \
    migrations.RunSQL(\"create table trace (what text, host text, at double precision)\"),\n        \
    migrations.RunPython(lambda apps, schema: trace(schema.connection, \"migration\")),\n    ]\n";
const FAILING: &str = "from django.db import migrations\n\ndef fail(apps, schema):\n    raise RuntimeError(\"half done\")\n\n\n\
    class Migration(migrations.Migration):\n    dependencies = [(\"notebook\", \"0002_trace\")]\n    \
    operations = [migrations.RunPython(fail)]\n";
const COMMAND: &str = "from django.core.management.base import BaseCommand\nfrom django.db import connection\n\
    from notebook.trace import trace\n\n\nclass Command(BaseCommand):\n    def handle(self, **_):\n        \
    trace(connection, \"command\")\n";

#[test]
fn versions_reach_two_hosts_with_one_database() {
    let Some(site) = Site::new() else { return };
    site.edit("monctl.yaml", EACH_SECOND, CALM);
    let scenarios = scenarios![Site:
        with_sqlite_each_host_migrates_its_own_database,
        a_shared_database_is_migrated_once_before_the_hosts_switch_in_turn,
        a_host_that_fails_is_named_and_the_next_run_goes_on_without_another_release,
        a_version_that_fails_on_the_first_host_leaves_the_others_untouched,
        a_migration_that_fails_switches_no_host,
    ];
    let repair = |site: &Site, files| {
        site.put_back(&files);
        let _turn = turns::busy();
        let _ = site.call("up --yes").run();
    };
    scenarios::run(&site, &scenarios, 2, Site::files, repair);
}

fn with_sqlite_each_host_migrates_its_own_database(site: &Site) {
    site.edit("monctl.yaml", "  path: app\n", "  path: app\n  count: 2\n");
    site.converge();
    for host in [APP, SECOND] {
        assert_eq!(get(&site.address(host), "/").unwrap().0, 200, "{host}");
    }
}

fn a_shared_database_is_migrated_once_before_the_hosts_switch_in_turn(site: &Site) {
    site.on(
        MONITORING,
        "apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends postgresql && \
         echo 'host all all 0.0.0.0/0 trust' >>/etc/postgresql/*/main/pg_hba.conf && \
         echo \"listen_addresses = '*'\" >>/etc/postgresql/*/main/postgresql.conf && \
         systemctl restart postgresql postgresql@*-main && \
         runuser -u postgres -- psql -qc 'create role notes login' -c 'create database notes owner notes'",
    );
    let settings = "app/notes/settings.py";
    let host = format!("\"USER\": \"notes\", \"HOST\": \"{}\",", site.address(MONITORING));
    site.edit(settings, ENGINE, &format!("\"ENGINE\": \"django.db.backends.postgresql\", {host}"));
    site.edit(settings, "BASE_DIR / \"db.sqlite3\"", "\"notes\"");
    site.edit(settings, OPTIONS, "");
    site.edit("app/requirements.txt", "Django==5.2.*\n", "Django==5.2.*\npsycopg[binary]\n");
    site.edit("monctl.yaml", "  path: app\n", "  path: app\n  packages: [postgresql-client]\n");
    site.write("app/notebook/trace.py", TRACE);
    site.write("app/notebook/migrations/0002_trace.py", MIGRATION);
    site.converge();
    assert_eq!(trace(site), ["migration app"]);
    let migrated: f64 = rows(site, "select at from trace")[0].parse().unwrap();
    let [first, second] = [APP, SECOND].map(|host| times(site, host));
    assert!(migrated < first.0, "migrated at {migrated}, switched at {first:?}");
    assert!(first.1 < second.0, "{APP} switched at {first:?}, {SECOND} at {second:?}");
}

fn a_host_that_fails_is_named_and_the_next_run_goes_on_without_another_release(site: &Site) {
    for folder in ["app/notebook/management", "app/notebook/management/commands"] {
        std::fs::create_dir(site.path(folder)).unwrap();
        site.write(&format!("{folder}/__init__.py"), "");
    }
    site.write("app/notebook/management/commands/trace.py", COMMAND);
    site.edit("monctl.yaml", "  path: app\n", "  path: app\n  release: [migrate, trace]\n");
    site.edit(
        "app/notes/wsgi.py",
        "import os",
        "import os, sys\nif \"gunicorn\" in sys.modules and os.path.exists(\"/var/lib/monctl/app/sick\"):\n    \
         raise RuntimeError(\"not here\")\n",
    );
    site.on(SECOND, "runuser -u monctl-app -- touch /var/lib/monctl/app/sick");
    let before = site.on(APP, "readlink /srv/monctl/current");
    let plan = site.monctl("plan").code(3);
    plan.stdout_contains("application hosts switch one after the other: app, app-2");
    let ran = site.monctl("up --yes").code(1);
    ran.stdout_contains("app-2: step `app` failed")
        .stdout_contains("rolled back: the previous set is active again and healthy")
        .stdout_contains("`app-2` did not switch to the new version; `app` has it");
    let after = site.on(APP, "readlink /srv/monctl/current");
    assert_ne!(before, after);
    assert_eq!(site.on(SECOND, "readlink /srv/monctl/current"), before);
    assert_eq!(trace(site), ["migration app", "command app"]);

    site.on(SECOND, "rm /var/lib/monctl/app/sick");
    let process = site.process(APP, "app");
    site.converge();
    assert_eq!(site.on(SECOND, "readlink /srv/monctl/current"), after);
    assert_eq!(site.process(APP, "app"), process);
    assert_eq!(trace(site), ["migration app", "command app"]);
}

fn a_version_that_fails_on_the_first_host_leaves_the_others_untouched(site: &Site) {
    let processes = [APP, SECOND].map(|host| site.process(host, "app"));
    site.edit(
        "app/notes/wsgi.py",
        "import os",
        "import sys\nassert \"gunicorn\" not in sys.modules\nimport os",
    );
    let ran = site.monctl("up --yes").code(1);
    ran.stdout_contains("`app` did not switch to the new version; `app-2` was not touched");
    assert_eq!(site.process(SECOND, "app"), processes[1]);
    assert_ne!(site.process(APP, "app"), processes[0], "it was rolled back");
    site.edit(
        "app/notes/wsgi.py",
        "import sys\nassert \"gunicorn\" not in sys.modules\nimport os",
        "import os",
    );
    site.monctl("plan").success();
}

fn a_migration_that_fails_switches_no_host(site: &Site) {
    let processes = [APP, SECOND].map(|host| site.process(host, "app"));
    site.write("app/notebook/migrations/0003_failing.py", FAILING);
    let ran = site.monctl("up --yes").code(1);
    let ran = ran
        .stdout_contains("`migrate` fails: RuntimeError: half done")
        .stdout_contains("`app-2` was not touched");
    ran.stdout_contains("before these migrations: notebook.0003_failing")
        .stdout_contains("the database is not rolled back");
    let dump =
        "pg_restore --list /var/lib/monctl/app-copies/*/default.dump | grep -c 'TABLE DATA public trace'";
    assert_eq!(site.on(APP, dump), "1");
    assert_eq!([APP, SECOND].map(|host| site.process(host, "app")), processes);
    std::fs::remove_file(site.path("app/notebook/migrations/0003_failing.py")).unwrap();
    site.monctl("plan").success();
}

/// What was traced, in order: what, and the host.
fn trace(site: &Site) -> Vec<String> {
    rows(site, "select what || ' ' || host from trace order by at")
}

fn rows(site: &Site, query: &str) -> Vec<String> {
    let query = monctl::playbook::quote(query);
    let output = site.on(MONITORING, &format!("runuser -u postgres -- psql -At notes -c {query}"));
    output.lines().map(str::to_owned).collect()
}

/// When the application's process started, and when it was ready, in seconds of that clock.
fn times(site: &Site, host: HostName) -> (f64, f64) {
    let time = |property: &str| {
        let text =
            site.on(host, &format!("systemctl show --value -p {property}Monotonic monctl-app.service"));
        text.parse::<f64>().unwrap() / 1e6
    };
    (time("ExecMainStartTimestamp"), time("ActiveEnterTimestamp"))
}
