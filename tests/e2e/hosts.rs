//! Scenarios on one shared pair of machines. Each leaves everything as in the spec. The first one creates the objects
//! that the others need, and always runs.

use std::process::Command;
use std::time::Duration;

use monctl::host::HostName;
use monctl::provider::Provider as _;
use tempfile::TempDir;

use crate::scenarios::{self, scenarios};
use crate::site::{APP, CALM, EACH_SECOND, Finding, MONITORING, Site, eventually, keeps_secrets};
use crate::test_project::{TestProject, runtime};
use crate::traces::Traces;
use crate::{at_hand, domain, layouts, processes, secrets, software, trust, turns};

#[test]
fn hosts_are_brought_up_kept_and_taken_down() {
    let Some(site) = Site::new() else { return };
    site.edit("monctl.yaml", EACH_SECOND, CALM);
    let scenarios = scenarios![Site:
        an_interrupted_or_killed_run_ends_and_the_next_one_converges,
        a_command_runs_on_a_host_word_for_word,
        a_management_command_runs_as_the_application_does,
        a_second_up_changes_nothing_with_one_ssh_session_per_host,
        up_waits_for_the_targets_of_a_prometheus_that_has_just_started,
        what_git_tracks_is_copied_and_settings_that_are_not_fit_for_users_are_warned_of,
        units_are_hardened_and_none_runs_as_root,
        changes_by_hand_are_repaired_and_nothing_else_is_touched,
        objects_removed_by_hand_are_recreated,
        a_lock_of_apt_is_waited_for_and_its_holder_named,
        a_set_that_fails_its_check_leaves_everything_untouched,
        a_set_with_an_unhealthy_unit_is_rolled_back,
        another_process_on_a_port_does_not_count_as_healthy,
        a_new_version_is_deployed_without_a_failed_request,
        an_asgi_application_is_deployed_and_restarted_without_a_failed_request,
        a_version_that_does_not_start_is_rolled_back,
        processes::processes_restart_with_each_deploy_and_are_rolled_back_with_it,
        domain::a_domain_gets_a_certificate_and_a_deploy_loses_no_request,
        trust::the_applications_user_cannot_redirect_writes_of_root,
        trust::packages_are_built_by_a_dedicated_user_that_leaves_nothing_behind,
        trust::a_host_of_an_earlier_version_is_migrated_without_data_loss,
        trust::a_failed_migration_restores_a_host_of_an_earlier_version,
        trust::prepared_links_on_a_host_of_an_earlier_version_are_not_followed,
        layouts::a_repository_with_its_code_in_src_and_a_lock_of_uv_is_deployed,
        another_application_host_is_created_scraped_protected_and_removed,
        at_hand::journals_are_one_stream_in_the_order_of_time,
        at_hand::a_web_interface_is_reached_until_ctrl_c_and_survives_a_lost_connection,
        software::releases_replace_packages,
        secrets::secrets_stay_where_they_belong,
        after_a_reboot_of_this_computer_up_brings_everything_back,
        down_removes_everything_of_the_project_and_nothing_else,
    ];
    // The others begin in a clean state, as far as possible.
    let repair = |site: &Site, files: TempDir| {
        site.put_back(&files);
        let _turn = turns::busy();
        let _ = site.call("up --yes").run();
    };
    scenarios::run(&site, &scenarios, 1, Site::files, repair);
}

fn an_interrupted_or_killed_run_ends_and_the_next_one_converges(site: &Site) {
    let before = site.monctl("plan").code(3);
    before.stdout_contains("+ machine app: absent").stdout_contains("unit monctl-node-exporter.service");
    // In these events: a machine is being made, packages are being installed, the application is being deployed.
    let moments = [
        ("create machine", "INT"),
        (r#""step":"packages""#, "TERM"),
        (r#""step":"venv""#, "KILL"),
        (r#""step":"app""#, "INT"),
    ];
    for (moment, signal) in moments {
        if moment.contains("venv") {
            // It may be there already: it does not wait for the packages of the other host.
            site.on(APP, "rm -rf /opt/monctl/venvs");
        }
        let (code, took, output) = site.signal_at("up --yes", moment, signal);
        if signal == "KILL" {
            assert_eq!(code, None, "{output}");
            continue;
        }
        assert_eq!(code, Some(130), "{output}");
        assert!(took < Duration::from_secs(10), "{took:?}");
        assert!(output.contains("`monctl up` goes on from here"), "{output}");
    }
    site.converge();
    assert!(site.page().contains("<title>"));
    site.targets_are_up(4);
}

fn a_second_up_changes_nothing_with_one_ssh_session_per_host(site: &Site) {
    let logins = |host| -> u32 {
        let count = "journalctl --unit ssh --output cat | grep -c 'Accepted publickey'";
        site.on(host, count).parse().unwrap()
    };
    let processes = site.processes();
    let before = [APP, MONITORING].map(logins);
    let ran = site.monctl("up --yes").success();
    ran.stdout_contains("no change").stdout_contains("one ssh session each");
    // The look at the journal is a login, too.
    let after = [APP, MONITORING].map(logins);
    assert_eq!(after, before.map(|logins| logins + 2));
    assert_eq!(site.processes().changed_since(&processes), Vec::<&str>::new());
}

fn up_waits_for_the_targets_of_a_prometheus_that_has_just_started(site: &Site) {
    // For some seconds it answers, and has no target.
    site.on(
        MONITORING,
        "systemctl restart monctl-prometheus && \
         until curl -sf --noproxy '*' 127.0.0.1:9090/-/ready >/dev/null; do sleep 0.1; done",
    );
    site.monctl("up --yes").success().stdout_contains("no change");
    site.monctl("status").stdout_contains("targets\n").stdout_lacks("no target of this job");
}

fn what_git_tracks_is_copied_and_settings_that_are_not_fit_for_users_are_warned_of(site: &Site) {
    let files = site.files();
    database(
        site,
        "insert into notebook_note (title, body, created, changed) values ('of the host', '', datetime(), datetime())",
    );
    std::fs::create_dir(site.path("app/built")).unwrap();
    for (name, text) in [
        ("app/.gitignore", "*.db\n*.sqlite3\nbuilt/\n"),
        ("app/places.db", "places"),
        ("app/built/x.css", "a {}"),
        ("app/db.sqlite3", "the developer's own"),
        ("variables", "export FROM_FILE='of the file'\nDEBUG=true\nALLOWED_HOSTS=shop.example.org\n"),
    ] {
        site.write(name, text);
    }
    for words in [&["init", "--quiet"][..], &["add", "--all"], &["add", "--force", "places.db", "db.sqlite3"]]
    {
        let git = Command::new("git").args(words).current_dir(site.path("app")).status();
        assert!(git.unwrap().success(), "{words:?}");
    }
    site.edit("monctl.yaml", "    ALLOWED_HOSTS: \"*\"\n", "");
    site.edit("monctl.yaml", "  env:\n", "  env_file: variables\n  include: [built]\n  env:\n");
    let address = site.address(APP);
    site.converge()
        .stdout_contains(&format!("app: http://{address}:8000/"))
        // It cannot be installed here.
        .stdout_lacks("Grafana: `monctl open` opens it")
        .stdout_contains("warning: DEBUG IS ON")
        .stdout_contains(&format!("`ALLOWED_HOSTS` refuses the address `{address}` of app"))
        .stdout_lacks("of the file");
    site.monctl("plan").success().stdout_contains("warning: DEBUG IS ON").stdout_lacks("of the file");
    site.monctl("up --yes").success().stdout_contains("no change").stdout_contains("warning: DEBUG IS ON");
    assert_eq!(site.on(APP, "cd /srv/monctl/current && cat places.db built/x.css"), "placesa {}");
    assert_eq!(
        database(site, "select title from notebook_note where title = 'of the host'"),
        "('of the host',)"
    );
    assert_eq!(site.on(APP, "stat -L -c '%a %U' /etc/monctl/app/environment"), "600 monctl-app");
    assert_eq!(site.on(APP, "grep FROM_FILE /etc/monctl/app/environment"), "FROM_FILE=\"of the file\"");
    database(site, "delete from notebook_note where title = 'of the host'");
    site.put_back(&files);
    site.converge().stdout_lacks("DEBUG IS ON");
}

fn a_command_runs_on_a_host_word_for_word(site: &Site) {
    let words = ["ssh", "app", "--", "printf", "%s|", "two words", "$HOME", "it's", "*"];
    let ran = keeps_secrets(site.call("--output text").args(words).run());
    ran.success().stdout_is("two words|$HOME|it's|*|");
    site.monctl("ssh monitoring -- hostname").success().stdout_is("monitoring\n");
    site.monctl("ssh app -- false").code(1);
    site.monctl("ssh app-2 -- true").code(2).stderr_contains("the project has no host `app-2`");
}

fn a_management_command_runs_as_the_application_does(site: &Site) {
    let manage = |words: &[&str]| keeps_secrets(site.call("manage --").args(words).run());
    let script = "import os, pwd; from django.conf import settings; \
        print(pwd.getpwuid(os.getuid()).pw_name, os.getcwd(), bool(settings.SECRET_KEY))";
    manage(&["shell", "--command", script]).success().stdout_contains("monctl-app /srv/monctl/app True");
    manage(&["migrate", "--check"]).success();
    let write =
        "from notebook.models import Note; Note.objects.create(title='by hand').delete(); print('written')";
    manage(&["shell", "--command", write]).success().stdout_contains("written");
    // Its sandbox is the unit's: the code is read-only, as is everything outside the application's data.
    for path in ["/srv/monctl/app/x", "/etc/x", "/opt/x"] {
        manage(&["shell", "--command", &format!("open('{path}', 'w')")]).code(1).stderr_contains("OSError");
    }
    manage(&["frobnicate"]).code(1).stderr_contains("Unknown command");
    site.monctl("manage --host monitoring -- check").code(2).stderr_contains("does not run the application");
    assert!(site.findings(APP).is_empty(), "nothing was changed on the host");
}

fn units_are_hardened_and_none_runs_as_root(site: &Site) {
    for host in [APP, MONITORING] {
        let units = site.on(
            host,
            "cd /etc/systemd/system && for unit in monctl-*.service; do \
             printf '%s ' \"$unit\" \"$(systemctl show --property User --value \"$unit\")\" \
             \"$(systemd-analyze security --no-pager \"$unit\" | sed -n 's/.*exposure level for .*: \\([0-9.]*\\) .*/\\1/p')\"; \
             echo; done",
        );
        assert!(units.lines().count() >= 2, "{units}");
        for line in units.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let exposure: f64 = words.last().unwrap().parse().unwrap();
            assert!(exposure <= 4.0, "{line}");
            assert!(words.len() == 3 || words[0] == "monctl-firewall.service", "runs as root: {line}");
        }
    }
}

/// A damage, and its line in the plan.
struct Damage {
    host: HostName,
    command: &'static str,
    step: &'static str,
    what: &'static str,
    why: &'static str,
}

fn damage(
    host: HostName,
    command: &'static str,
    step: &'static str,
    what: &'static str,
    why: &'static str,
) -> Damage {
    Damage { host, command, step, what, why }
}

/// Does damage, finds it in the plan, and runs `up` to repair it.
fn repair(site: &Site, damages: &[Damage]) -> Vec<Finding> {
    for damage in damages {
        site.on(damage.host, damage.command);
    }
    site.monctl("plan").code(3);
    let mut all = Vec::new();
    for host in [APP, MONITORING] {
        let found = site.findings(host);
        for damage in damages.iter().filter(|damage| damage.host == host) {
            let is_in_plan = |finding: &&Finding| {
                finding.step == damage.step
                    && finding.what == damage.what
                    && finding.why.starts_with(damage.why)
            };
            assert!(found.iter().any(|it| is_in_plan(&it)), "`{}` is not in {found:#?}", damage.command);
        }
        all.extend(found);
    }
    site.converge();
    all
}

fn changes_by_hand_are_repaired_and_nothing_else_is_touched(site: &Site) {
    let before = site.processes();
    let rules = "/etc/monctl/monitoring/alert_rules.yml";
    let firewall = "unit monctl-firewall.service";
    let exporter = "unit monctl-node-exporter.service";
    let found = repair(
        site,
        &[
            damage(
                MONITORING,
                "echo '# by hand' >>/etc/monctl/monitoring/alert_rules.yml",
                "monitoring",
                rules,
                "content differs",
            ),
            damage(APP, "nft flush table inet monctl", "firewall", firewall, "what it set up was changed"),
            damage(APP, "systemctl stop monctl-node-exporter", "node-exporter", exporter, "not running"),
        ],
    );
    let diff = &found.iter().find(|finding| finding.what == rules).unwrap().diff;
    assert!(diff.contains("-# by hand"), "{diff}");
    assert_eq!(site.processes().changed_since(&before), ["node-exporter"]);
    // A missing table is detected as well.
    repair(
        site,
        &[damage(APP, "nft delete table inet monctl", "firewall", firewall, "what it set up was changed")],
    );
    assert_eq!(site.processes().changed_since(&before), ["node-exporter"]);
}

fn objects_removed_by_hand_are_recreated(site: &Site) {
    let before = site.processes();
    repair(
        site,
        &[
            damage(
                MONITORING,
                "systemctl disable --quiet --now monctl-alertmanager && \
                 ln -sf /dev/null /etc/systemd/system/monctl-alertmanager.service && systemctl daemon-reload",
                "monitoring",
                "unit monctl-alertmanager.service",
                "masked",
            ),
            damage(
                MONITORING,
                "userdel -f monctl-alertmanager",
                "alertmanager-user",
                "user monctl-alertmanager",
                "absent",
            ),
            damage(
                MONITORING,
                "chmod 600 /etc/monctl/monitoring/prometheus.yml",
                "monitoring",
                "/etc/monctl/monitoring/prometheus.yml",
                "mode is 600, must be 644",
            ),
            damage(APP, "apt-get -qq -y remove stress-ng", "packages", "package stress-ng", "not installed"),
            damage(
                APP,
                "chown nobody: /etc/monctl/app/environment",
                "app",
                "/etc/monctl/app/environment",
                "owner is nobody:nogroup",
            ),
            damage(
                APP,
                "echo '# by hand' >>/srv/monctl/current/notes/urls.py",
                "app",
                "/srv/monctl/current/notes/urls.py",
                "content differs",
            ),
            damage(
                APP,
                "rm -r /opt/monctl/app/lib/python3*/site-packages/django/urls",
                "venv",
                "Python environment for requirements.txt",
                "files were changed by hand",
            ),
        ],
    );
    let changed = site.processes();
    assert!(!changed.changed_since(&before).contains(&"prometheus"), "a reload is enough for Prometheus");
    assert_eq!(site.on(APP, "cat /srv/monctl/current/notes/urls.py | grep -c 'by hand' || true"), "0");
    assert!(site.page().contains("<title>"));
    site.targets_are_up(4);
}

fn a_set_that_fails_its_check_leaves_everything_untouched(site: &Site) {
    let sets =
        "readlink /etc/monctl/monitoring /etc/monctl/app; cat /etc/monctl/monitoring/*.yml | sha256sum";
    let before = (site.processes(), site.on(MONITORING, sets));
    // A function that a newer Prometheus may know is checked by the host's own promtool.
    let broken = "  Broken: {expr: no_such_function(up) > 1}\n";
    site.edit("monctl.yaml", "alerts:\n", &format!("alerts:\n{broken}"));
    let ran = site.monctl("up --yes").code(1);
    ran.stdout_contains("step `monitoring` failed").stdout_contains("nothing was activated");
    assert_eq!((site.processes(), site.on(MONITORING, sets)), before);
    site.edit("monctl.yaml", broken, "");
    site.monctl("plan").success();
}

fn a_set_with_an_unhealthy_unit_is_rolled_back(site: &Site) {
    let before = site.on(MONITORING, "cat /etc/monctl/monitoring/*.yml | sha256sum");
    let alertmanager = site.process(MONITORING, "alertmanager");
    // promtool accepts the rule; Prometheus exits at once because its retention is out of range.
    let extreme = "monitoring:\n  retention: 99y99999d\n";
    site.edit("monctl.yaml", "monitoring:\n", extreme);
    // A valid change of the same set that does not affect Alertmanager.
    site.edit("monctl.yaml", "above: 80", "above: 81");
    let ran = site.monctl("up --yes").code(1);
    ran.stdout_contains("monctl-prometheus.service is not healthy")
        .stdout_contains("rolled back: the previous set is active again and healthy")
        .stdout_contains("`monctl up` goes on from here");
    assert_eq!(site.on(MONITORING, "cat /etc/monctl/monitoring/*.yml | sha256sum"), before);
    assert_eq!(site.process(MONITORING, "alertmanager"), alertmanager);
    site.targets_are_up(4);
    site.edit("monctl.yaml", extreme, "monitoring:\n");
    site.edit("monctl.yaml", "above: 81", "above: 80");
    site.monctl("plan").success();
}

fn another_process_on_a_port_does_not_count_as_healthy(site: &Site) {
    let processes = site.processes();
    site.on(
        MONITORING,
        "systemctl stop monctl-alertmanager && systemd-run --quiet --unit squatter systemd-socket-activate \
         --accept --inetd --listen 127.0.0.1:9093 /bin/sh -c 'printf \"HTTP/1.0 200 OK\\r\\n\\r\\n\"'",
    );
    eventually("the other process listens", || {
        site.project.ssh(MONITORING, "ss -Hltn | grep -q 127.0.0.1:9093").status.success()
    });
    let ran = site.monctl("up --yes").code(1);
    ran.stdout_contains("monctl-alertmanager.service is not healthy")
        .stdout_contains("address already in use");
    // Stopped, so that systemd does not start it before `up` does.
    site.on(MONITORING, "systemctl stop squatter monctl-alertmanager");
    site.converge();
    let now = site.processes();
    assert_eq!(now.changed_since(&processes), ["alertmanager"]);
}

const BASE: &str = "app/notebook/templates/notebook/base.html";
const COLOUR: &str = "from django.db import migrations, models\n\n\nclass Migration(migrations.Migration):\n    \
    dependencies = [(\"notebook\", \"0001_initial\")]\n    operations = [\n        \
    migrations.AddField(\"note\", \"colour\", models.CharField(default=\"white\", max_length=20)),\n    ]\n";

/// Runs a statement on the application's database, as the application.
fn database(site: &Site, statement: &str) -> String {
    let program = format!(
        "import sqlite3\nwith sqlite3.connect(\"/var/lib/monctl/app/db.sqlite3\") as it:\n \
         print(*it.execute(\"{statement}\").fetchall())"
    );
    let program = monctl::playbook::quote(&program);
    site.on(APP, &format!("runuser -u monctl-app -- python3 -c {program}"))
}

fn a_new_version_is_deployed_without_a_failed_request(site: &Site) {
    let note = "insert into notebook_note (title, body, created, changed) values ";
    database(site, &format!("{note} (\'a note to keep\', \'\', datetime(), datetime())"));
    site.on(APP, "runuser -u monctl-app -- sh -c 'mkdir -p /var/lib/monctl/app/media && echo mine >/var/lib/monctl/app/media/upload'");
    site.edit(BASE, "</body>", "<p>second edition</p></body>");
    site.edit(
        "app/notebook/models.py",
        "    title =",
        "    colour = models.CharField(max_length=20, default=\"white\")\n    title =",
    );
    site.write("app/notebook/migrations/0002_colour.py", COLOUR);
    std::fs::remove_file(site.path("app/README.md")).unwrap();
    let gone = site.findings(APP);
    assert!(
        gone.iter()
            .any(|it| it.what == "/srv/monctl/current/README.md" && it.why == "no longer in the project"),
        "{gone:#?}"
    );
    let exporter = site.process(APP, "app-metrics");
    site.under_load(|| {
        let copied = "copied the database to /var/lib/monctl/app-copies/";
        site.converge().stderr_contains(copied);
    });
    let copies = "cd /var/lib/monctl && stat -c '%U %a' app-copies app-copies/* app-copies/*/default.sqlite3";
    assert_eq!(site.on(APP, copies), "monctl-app 700\nmonctl-app 700\nmonctl-app 600");
    assert_eq!(site.process(APP, "app-metrics"), exporter);
    let page = site.page();
    assert!(page.contains("second edition") && page.contains("a note to keep"), "{page}");
    assert!(database(site, "select colour from notebook_note").contains("white"));
    assert_eq!(
        site.on(APP, "ls /srv/monctl/current/README.md 2>/dev/null; cat /var/lib/monctl/app/media/upload"),
        "mine"
    );
}

fn an_asgi_application_is_deployed_and_restarted_without_a_failed_request(site: &Site) {
    let worker = |site: &Site| {
        site.on(
            APP,
            "journalctl --unit monctl-app.service --output cat | grep 'Using worker' | tail --lines 1",
        )
    };
    let wsgi = std::fs::read_to_string(site.path("app/notes/wsgi.py")).unwrap();
    site.write("app/notes/asgi.py", &wsgi.replace("wsgi", "asgi"));
    site.edit("monctl.yaml", "  wsgi: notes.wsgi\n", "  asgi: notes.wsgi\n");
    let process = site.process(APP, "app");
    site.monctl("up --yes").code(1).stdout_contains("name it with `app.wsgi` instead of `app.asgi`");
    assert_eq!(site.process(APP, "app"), process, "nothing was activated");

    site.edit("monctl.yaml", "  asgi: notes.wsgi\n", "  asgi: notes.asgi\n");
    site.under_load(|| {
        site.converge();
        site.on(APP, "systemctl restart monctl-app.service");
        site.on(APP, "systemctl restart monctl-app.service");
    });
    assert!(worker(site).contains("asgi"), "{}", worker(site));
    assert!(site.on(APP, "/etc/monctl/app/manage check").contains("no issues"));

    // Without a name, `wsgi.py` is found next to the settings that manage.py names.
    site.edit("monctl.yaml", "  asgi: notes.asgi\n", "");
    std::fs::remove_file(site.path("app/notes/asgi.py")).unwrap();
    site.under_load(|| {
        site.converge();
    });
    assert!(worker(site).contains("gthread"), "{}", worker(site));
    site.edit("monctl.yaml", "  path: app\n", "  path: app\n  wsgi: notes.wsgi\n");
    site.monctl("plan").success();
}

fn a_version_that_does_not_start_is_rolled_back(site: &Site) {
    let edition = site.page().contains("second edition");
    let same = |site: &Site| {
        site.page().contains("a note to keep") && site.page().contains("second edition") == edition
    };
    site.edit(BASE, "</body>", "<p>broken edition</p></body>");

    // It cannot even be imported: nothing is touched.
    let process = site.process(APP, "app");
    site.edit("app/notes/wsgi.py", "import os", "import os, no_such_module");
    site.under_load(|| {
        let ran = site.monctl("up --yes").code(1);
        ran.stdout_contains("no_such_module").stdout_contains("nothing was activated");
    });
    assert_eq!(site.process(APP, "app"), process);
    assert!(same(site));

    // It passes the check and fails under Gunicorn: the previous version comes back, clients wait meanwhile.
    site.edit(
        "app/notes/wsgi.py",
        "import os, no_such_module",
        "import os, sys\nif \"gunicorn\" in sys.modules:\n    raise RuntimeError(\"not today\")\n",
    );
    site.under_load(|| {
        let ran = site.monctl("up --yes").code(1);
        ran.stdout_contains("not today")
            .stdout_contains("rolled back: the previous set is active again and healthy");
    });
    assert!(same(site));
    assert_eq!(site.on(APP, "cat /var/lib/monctl/app/media/upload"), "mine");

    site.edit(
        "app/notes/wsgi.py",
        "import os, sys\nif \"gunicorn\" in sys.modules:\n    raise RuntimeError(\"not today\")\n",
        "import os",
    );
    site.edit(BASE, "<p>broken edition</p></body>", "</body>");
    site.monctl("plan").success();
}

fn another_application_host_is_created_scraped_protected_and_removed(site: &Site) {
    let second = HostName::app(2);
    let before = site.processes();
    site.edit("monctl.yaml", "  path: app\n", "  path: app\n  count: 2\n");
    site.monctl("plan").code(3).stdout_contains("+ machine app-2: absent");
    site.converge();
    site.targets_are_up(6);
    assert_eq!(site.processes().changed_since(&before), Vec::<&str>::new());

    // From a third address of the project's network, and from this computer.
    let (app, monitoring) = (site.address(APP), site.address(MONITORING));
    let connects = |host: Option<HostName>, address: &str, port: u16| {
        let command = format!("timeout 3 bash -c '</dev/tcp/{address}/{port}'");
        match host {
            Some(host) => site.project.ssh(host, &command).status.success(),
            None => {
                std::process::Command::new("bash").args(["-c", &command]).output().unwrap().status.success()
            }
        }
    };
    for from in [Some(second), None] {
        assert!(connects(from, &app, 8000), "{from:?}");
        for port in [9100, 9101] {
            assert!(!connects(from, &app, port), "{from:?} reaches {port}");
        }
        for port in [3000, 9090, 9093, 9094, 9099] {
            assert!(!connects(from, &monitoring, port), "{from:?} reaches {port}");
        }
    }
    for port in [9100, 9101] {
        assert!(connects(Some(MONITORING), &app, port), "monitoring does not reach {port}");
    }
    for port in [9090, 9093] {
        assert!(!connects(Some(APP), &monitoring, port), "the application's host reaches {port}");
    }

    site.edit("monctl.yaml", "  count: 2\n", "");
    site.monctl("plan").code(3).stdout_contains("- machine app-2");
    site.converge();
    site.targets_are_up(4);
    assert_eq!(site.processes().changed_since(&before), Vec::<&str>::new());
}

/// apt-daily holds the lock of the lists while it updates them, another program dpkg's; each for a minute.
fn a_lock_of_apt_is_waited_for_and_its_holder_named(site: &Site) {
    for (unit, lock) in
        [("apt-daily", "/var/lib/apt/lists/lock"), ("somebody", "/var/lib/dpkg/lock-frontend")]
    {
        // The lock is held for a minute, which a wait for a turn would use up.
        let _turn = turns::busy();
        // The lists are old, so that they are updated.
        site.on(APP, "apt-get -qq remove --yes stress-ng >/dev/null && find /var/lib/apt/lists -name '*Packages*' -delete");
        let hold = format!(
            "import fcntl, time; file = open('{lock}', 'w'); fcntl.lockf(file, fcntl.LOCK_EX); open('/run/held', 'w'); \
             time.sleep(60)"
        );
        site.on(
            APP,
            &format!(
                "rm -f /run/held && systemd-run --quiet --collect --unit=held-by-{unit} python3 -c \"{hold}\" && \
                 until [ -e /run/held ]; do sleep 0.1; done"
            ),
        );
        let ran = site.monctl_at_once("up --yes").success();
        ran.stderr_contains("packages waits for python3 (process ")
            .stderr_contains(&format!(" of held-by-{unit}.service), which holds the lock of apt or dpkg"));
        site.monctl("plan").success();
    }
}

fn after_a_reboot_of_this_computer_up_brings_everything_back(site: &Site) {
    let page = site.page();
    Traces::of(&site.project).end_as_a_reboot_does();
    site.monctl("plan").code(3).stdout_contains("~ machine app: not running");
    site.converge();
    assert_eq!(site.page().contains("a note to keep"), page.contains("a note to keep"));
    site.targets_are_up(4);
}

fn down_removes_everything_of_the_project_and_nothing_else(site: &Site) {
    let other = TestProject::new().unwrap();
    runtime().block_on(other.provider.create_network()).unwrap();
    let others = runtime().block_on(other.provider.observe()).unwrap();
    let traces = Traces::of(&site.project);
    assert!(traces.found().len() > 5, "{:?}", traces.found());

    // A run that is killed leaves its connections' sockets behind.
    site.signal_at("up --yes", "connected", "KILL");
    let ran = site.monctl("down --yes").success();
    ran.stderr_contains("data on app: files that the application wrote")
        .stdout_contains("removed machine `app`");
    assert_eq!(traces.found(), Vec::<String>::new());
    let left: Vec<_> = std::fs::read_dir(site.temporary()).unwrap().flatten().map(|it| it.path()).collect();
    assert!(left.is_empty(), "folders of killed runs: {left:?}");
    site.monctl("down --yes").success().stdout_contains("nothing is left");
    assert_eq!(runtime().block_on(other.provider.observe()).unwrap(), others);

    // If the spec is lost, the name is enough.
    let elsewhere = tempfile::tempdir().unwrap();
    let words = format!("down --yes --project {}", other.name);
    keeps_secrets(site.call(&words).current_dir(elsewhere.path()).run()).success();
    assert_eq!(Traces::of(&other).found(), Vec::<String>::new());
}
