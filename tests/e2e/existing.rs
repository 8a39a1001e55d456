//! Existing hosts: monctl logs in over ssh like its user, sets them up like its own machines, and restores them
//! afterwards. The hosts are machines of the local provider without monctl.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use monctl::host::HostName;

use crate::drills::{show_all_cpus, show_own_cpu_only};
use crate::operator::Operator;
use crate::programs::{PACKAGES, Programs};
use crate::scenarios::{self, scenarios};
use crate::site::{APP, CALM, EACH_SECOND, MONITORING, eventually, get};
use crate::test_project::{TestProject, runtime};
use crate::watched::an_application_that_something_else_deploys_is_watched_and_left_as_it_was;

const SNAPSHOT: &str = include_str!("snapshot.sh");

/// The packages of a host, one a line and in order.
const LIST: &str = "dpkg-query -W -f '${Package}\\n' | LC_ALL=C sort";

/// The machine that becomes a host of a further role.
const DATABASE: HostName = HostName::app(2);

/// Three hosts, one of which is reached through another, and an operator with access to them.
pub struct Existing {
    project: TestProject,
    programs: Programs,
    pub operator: Operator,
    pub app: String,
    database: String,
    monitoring: String,
}

impl Existing {
    fn new() -> Option<Self> {
        let project = TestProject::new()?;
        let programs = Programs::of(&project);
        let provider = &project.provider;
        let [app, database, monitoring] = runtime().block_on(async {
            provider.create_network().await.unwrap();
            let [app, database, monitoring] =
                [APP, DATABASE, MONITORING].map(|host| provider.create_machine(host));
            let made = tokio::join!(app, database, monitoring);
            [made.0, made.1, made.2].map(|machine| machine.unwrap().address.to_string())
        });
        let operator = Operator::new();
        let existing = Self { project, programs, operator, app, database, monitoring };
        let key = existing.operator.key();
        // A user who may use sudo on one, root on the other.
        existing.on(
            APP,
            &format!(
                "useradd --create-home --shell /bin/bash deploy && \
                 echo 'deploy ALL=(ALL:ALL) NOPASSWD: ALL' >/etc/sudoers.d/deploy && chmod 440 /etc/sudoers.d/deploy && \
                 install -d -o deploy -g deploy -m 700 ~deploy/.ssh && \
                 echo '{key}' >~deploy/.ssh/authorized_keys && chown deploy: ~deploy/.ssh/authorized_keys"
            ),
        );
        for host in [DATABASE, MONITORING] {
            existing.on(host, &format!("echo '{key}' >>/root/.ssh/authorized_keys"));
        }
        // At midnight, jobs of the distribution write copies of dpkg's database.
        for host in [APP, DATABASE, MONITORING] {
            existing.on(host, "systemctl stop '*.timer'");
        }
        existing.operator.write(
            "home/.ssh/config",
            &format!(
                "Host web\n    HostName {}\n    User deploy\n    ProxyJump watch\n\
                 Host watch\n    HostName {}\n    User root\n\
                 Host database\n    HostName {}\n    User root\n",
                existing.app, existing.monitoring, existing.database
            ),
        );
        existing.trust();
        existing.spec("");
        Some(existing)
    }

    /// Writes the spec, with these application hosts instead of `web` alone.
    pub fn spec(&self, hosts: &str) {
        let hosts = if hosts.is_empty() { "web" } else { hosts };
        let provider = format!("provider:\n  hosts:\n    app: [{hosts}]\n    monitoring: watch\n");
        let spec = include_str!("monctl.yaml")
            .replace("PROJECT", self.project.name.as_str())
            .replace("provider: local\n", &provider)
            .replace(EACH_SECOND, CALM)
            .replace(PACKAGES, &self.programs.install());
        self.operator.write("home/monctl.yaml", &spec);
    }

    fn fingerprint(&self, host: HostName) -> String {
        self.on(host, "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub | cut -d ' ' -f 2")
    }

    /// The operator's `known_hosts` as it is after connecting once to each.
    fn trust(&self) {
        let line = |host, address: &str| format!("{address} {}\n", self.host_key(host));
        let known =
            line(APP, &self.app) + &line(DATABASE, &self.database) + &line(MONITORING, &self.monitoring);
        self.operator.write("home/.ssh/known_hosts", &known);
    }

    /// The public host key, without its comment.
    fn host_key(&self, host: HostName) -> String {
        self.on(host, "cut -d ' ' -f 1,2 /etc/ssh/ssh_host_ed25519_key.pub")
    }

    #[track_caller]
    pub fn on(&self, host: HostName, command: &str) -> String {
        self.project.output(host, command)
    }

    /// Everything that must be the same before and after.
    #[track_caller]
    fn snapshot(&self, host: HostName) -> BTreeSet<String> {
        let config = self.project.folder().join("ssh/config");
        let mut ssh = Command::new("ssh");
        ssh.arg("-F").arg(config).arg(host.to_string()).arg("bash -s");
        let mut child = ssh.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(SNAPSHOT.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
    }

    pub fn snapshots(&self) -> [BTreeSet<String>; 2] {
        [APP, MONITORING].map(|host| self.snapshot(host))
    }

    /// Nothing on the hosts differs from what was.
    #[track_caller]
    pub fn is_as_before(&self, before: &[BTreeSet<String>; 2]) {
        let now = self.snapshots();
        for ((host, now), before) in [APP, MONITORING].iter().zip(&now).zip(before) {
            let more: Vec<_> = now.difference(before).map(|line| format!("+ {line}")).collect();
            let less: Vec<_> = before.difference(now).map(|line| format!("- {line}")).collect();
            assert!(
                more.is_empty() && less.is_empty(),
                "on {host}:\n{}\n{}",
                more.join("\n"),
                less.join("\n")
            );
        }
    }
}

#[test]
fn existing_hosts_are_set_up_and_restored() {
    let Some(existing) = Existing::new() else { return };
    let scenarios = scenarios![Existing:
        untrusted_hosts_and_denied_logins_are_refused_with_a_remedy,
        an_unsuitable_host_is_refused_with_its_requirements,
        a_hostile_or_silent_host_does_no_harm,
        hosts_are_set_up_updated_and_restored,
        builds_get_a_compiler_and_the_packages_of_the_spec_and_leave_nothing,
        a_host_of_a_further_role_is_watched_and_restored,
        an_application_that_something_else_deploys_is_watched_and_left_as_it_was,
        an_alert_on_an_existing_host_is_delivered,
        earlier_files_and_packages_are_restored,
        changes_by_people_are_kept,
        an_interrupted_run_can_be_undone,
        an_unreachable_host_does_not_block_the_others,
    ];
    let repair = |existing: &Existing, ()| {
        existing.trust();
        existing.spec("");
        let _ = existing.operator.monctl("down --yes");
    };
    scenarios::run(&existing, &scenarios, 0, |_| (), repair);
}

fn untrusted_hosts_and_denied_logins_are_refused_with_a_remedy(existing: &Existing) {
    let before = existing.snapshots();
    let operator = &existing.operator;
    let [app, monitoring] = [APP, MONITORING].map(|host| existing.fingerprint(host));
    let known = |hosts: &[(HostName, &str, HostName)]| {
        let line = |(_, address, key): &(HostName, &str, HostName)| {
            format!("{address} {}\n", existing.host_key(*key))
        };
        operator.write("home/.ssh/known_hosts", &hosts.iter().map(line).collect::<String>());
    };
    let refused = |texts: &[&str]| {
        let ran = operator.monctl("plan").code(5);
        texts.iter().fold(ran, |ran, text| ran.stderr_contains(text));
    };

    // Reached through the other host, which is known.
    known(&[(MONITORING, &existing.monitoring, MONITORING)]);
    refused(&[
        "  at app\n",
        &format!("error: the host key of `web` is not known; it presented {app}"),
        "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub",
        &format!("{{ssh: web, host_key: {app}}}"),
    ]);
    known(&[(APP, &existing.app, APP)]);
    refused(&[&format!("the host key of `{}`, a jump host for `web`, is not known", existing.monitoring)]);
    known(&[(APP, &existing.app, MONITORING), (MONITORING, &existing.monitoring, MONITORING)]);
    refused(&["presents a different host key than the known one", &app, "known_hosts:1`"]);

    // A fingerprint in the spec is decisive: a known host with another key is refused.
    existing.trust();
    existing.spec(&format!("{{ssh: web, host_key: '{monitoring}'}}"));
    refused(&[&format!("does not present the host key of the spec, {monitoring}, but {app}")]);
    existing.spec(&format!("{{ssh: web, host_key: '{app}'}}"));
    known(&[(MONITORING, &existing.monitoring, MONITORING)]);
    operator.monctl("plan").code(3);

    existing.trust();
    existing.spec("");
    existing.on(APP, "mv ~deploy/.ssh/authorized_keys ~deploy/.ssh/away");
    refused(&["  at app\n", "error: `web` accepts none of your ssh keys for user `deploy`", "ssh-add"]);
    existing.on(APP, "mv ~deploy/.ssh/away ~deploy/.ssh/authorized_keys");
    operator.edit("home/.ssh/config", "    ProxyJump watch\n", "    ProxyJump watch\n    Port 9\n");
    refused(&["  at app\n", "error: no ssh connection to `web`"]);
    operator.edit("home/.ssh/config", "    Port 9\n", "");
    existing.is_as_before(&before);
}

fn an_unsuitable_host_is_refused_with_its_requirements(existing: &Existing) {
    let before = existing.snapshots();
    let operator = &existing.operator;
    existing.on(APP, "mv /etc/sudoers.d/deploy /root/deploy");
    operator
        .monctl("plan")
        .code(5)
        .stderr_contains("error: user `deploy` cannot become root without a password")
        .stderr_contains("echo 'deploy ALL=(ALL:ALL) NOPASSWD: ALL' >/etc/sudoers.d/deploy");
    existing.on(APP, "mv /root/deploy /etc/sudoers.d/deploy");

    existing.on(APP, "mv /etc/os-release /root/release && printf 'ID=rocky\\nVERSION_ID=9.4\\nPRETTY_NAME=\"Rocky Linux 9.4\"\\n' >/etc/os-release");
    operator
        .monctl("plan")
        .code(5)
        .stderr_contains("error: the host cannot be set up: it runs Rocky Linux 9.4")
        .stderr_contains("Debian 12 or newer");
    existing.on(APP, "rm /etc/os-release && mv /root/release /etc/os-release");

    existing.spec("{ssh: web, address: 127.0.0.1}");
    operator.monctl("plan").code(5).stderr_contains("the other hosts cannot reach `web` at 127.0.0.1");
    // Another name of the same machine.
    let config = fs::read_to_string(operator.path("home/.ssh/config")).unwrap();
    operator.write("home/.ssh/config", &config.replace("Host web\n", "Host web other\n"));
    existing.spec("web, other");
    operator.monctl("plan").code(5).stderr_contains("`app` and `app-2` are the same machine");
    operator.write("home/.ssh/config", &config);
    existing.spec("");
    existing.is_as_before(&before);
}

/// Whatever monctl runs there, the host does this instead.
fn instead(existing: &Existing, command: &str) {
    let key = existing.operator.key();
    existing
        .on(APP, &format!("cat >~deploy/.ssh/authorized_keys <<'END'\ncommand=\"{command}\" {key}\nEND\n"));
}

/// The most memory that a call has had so far, in MB.
fn peak(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? / 1024)
}

fn a_hostile_or_silent_host_does_no_harm(existing: &Existing) {
    let before = existing.snapshots();
    let operator = &existing.operator;

    // It tries to control the terminal, on both streams.
    instead(existing, r"printf 'a\033[2Jb\342\200\256c\302\233d\n'; printf 'e\033]0;f\007g\n' >&2");
    for format in ["text", "json"] {
        let ran = operator.monctl(&format!("--output {format} plan"));
        let output = format!("{}{}", ran.stdout, ran.stderr);
        assert_ne!(ran.exit_code(), Some(0), "{ran}");
        assert!(output.contains("[2Jb"), "{ran}");
        let steers = |c: char| (c.is_control() && !"\n\t".contains(c)) || c == '\u{202e}';
        assert!(!output.contains(steers), "{output:?}");
    }

    // Its output never ends: in lines, without line breaks, or on standard error.
    for flood in ["yes", "cat /dev/zero", "yes >&2"] {
        instead(existing, flood);
        let mut running = operator.call("plan").spawn();
        let mut most = 0;
        while !running.has_ended() {
            most = most.max(peak(running.pid()).unwrap_or_default());
            sleep(Duration::from_millis(20));
        }
        running.wait().stderr_contains("the host sent more than");
        let _ = writeln!(std::io::stderr(), "{flood}: at most {most} MB");
        assert!(most < 100, "{flood}: {most} MB");
    }

    // It prints nothing: the wait is reported, and Ctrl-C ends it.
    instead(existing, "sleep infinity");
    let mut child =
        operator.call("plan").command().stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let waiting = lines.by_ref().map(Result::unwrap).find(|line| line.contains("still waiting, 10"));
    assert!(waiting.is_some_and(|line| line.ends_with("app to answer")));
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-s", "INT", &id]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));

    existing.on(APP, &format!("echo '{}' >~deploy/.ssh/authorized_keys", operator.key()));
    existing.on(APP, "pkill -u deploy -x 'yes|cat|sleep' || true");
    existing.is_as_before(&before);
}

fn hosts_are_set_up_updated_and_restored(existing: &Existing) {
    let before = existing.snapshots();
    let operator = &existing.operator;
    operator.monctl("plan").code(3).stdout_contains("user monctl-prometheus: absent");
    operator.monctl("up --yes").success();
    operator
        .monctl("up --yes")
        .success()
        .stdout_contains("no change")
        .stdout_contains("one ssh session each");
    assert!(get(&existing.app, "/").is_ok_and(|(status, _)| status == 200));
    operator.monctl("ssh app -- id -un").success().stdout_is("root\n");

    // Only those whom the spec names reach the application; the monitoring host is one of them.
    operator.edit("home/monctl.yaml", "  wsgi:", "  allow: [192.0.2.0/24]\n  wsgi:");
    operator.monctl("up --yes").success();
    assert!(get(&existing.app, "/").is_err());
    existing.on(MONITORING, &format!("curl -sf http://{}:8000/", existing.app));
    existing.spec("");
    operator.monctl("up --yes").success();
    assert!(get(&existing.app, "/").is_ok());

    let other = operator.path("home/other.yaml");
    let spec = fs::read_to_string(operator.path("home/monctl.yaml")).unwrap();
    operator.write("home/other.yaml", &spec.replace(existing.project.name.as_str(), "another"));
    operator
        .monctl(&format!("-f {} plan", other.display()))
        .code(5)
        .stderr_contains(&format!("the host belongs to project `{}`", existing.project.name));
    // Another project's `down` takes nothing of it.
    operator.monctl(&format!("-f {} down --yes", other.display())).success();
    operator.monctl("plan").success();

    operator
        .monctl("down --yes")
        .success()
        .stderr_contains("! data on app: files that the application wrote")
        .stdout_contains("removed from app: units `monctl-firewall.service`")
        .stdout_contains("nothing is left");
    existing.is_as_before(&before);
    operator.monctl("down --yes").success().stdout_contains("nothing is left");
    existing.is_as_before(&before);
}

/// What a build needs is installed for it and removed after it; what the spec names stays until `down`.
fn builds_get_a_compiler_and_the_packages_of_the_spec_and_leave_nothing(existing: &Existing) {
    // A Redis of the host's own runs on.
    existing
        .on(APP, "apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install redis-server >&2");
    let before = existing.snapshots();
    let operator = &existing.operator;
    let is_installed = |package: &str| {
        let found =
            existing.on(APP, &format!("dpkg-query -W -f '${{db:Status-Status}}' {package} 2>&1 || true"));
        found == "installed"
    };
    operator.edit("home/app/requirements.txt", "Django", "--no-binary psycopg2\npsycopg2==2.9.13\nDjango");
    operator
        .monctl("up --yes")
        .code(1)
        .stderr_contains(
            "`psycopg2==2.9.13` does not build: the program `pg_config` is missing; add to the spec: \
             `app.packages: [libpq-dev]`",
        )
        .stderr_contains("the log of the build is on the host: /var/lib/monctl/build.log");
    existing.on(APP, "grep -q 'pg_config executable not found' /var/lib/monctl/build.log");
    assert!(!is_installed("g++"));

    operator.edit(
        "home/monctl.yaml",
        "  wsgi:",
        "  packages: [libpq-dev]\n  services: [postgresql, redis]\n  wsgi:",
    );
    operator.monctl("up --yes").success();
    existing.on(APP, "systemctl is-active redis-server monctl-redis monctl-postgresql && redis-cli ping");
    existing.on(APP, "/opt/monctl/app/bin/python -c 'import psycopg2'");
    assert!(is_installed("libpq-dev") && !is_installed("g++") && !is_installed("python3-dev"));
    operator.monctl("up --yes").success().stdout_contains("no change");

    operator
        .monctl("down --yes")
        .success()
        .stderr_contains("uploads), everything in PostgreSQL, everything in Redis")
        .stdout_contains("/var/lib/monctl/postgresql")
        .stdout_contains("nothing is left");
    operator.edit("home/app/requirements.txt", "--no-binary psycopg2\npsycopg2==2.9.13\n", "");
    existing.spec("");
    existing.is_as_before(&before);
}

fn a_host_of_a_further_role_is_watched_and_restored(existing: &Existing) {
    let before = existing.snapshot(DATABASE);
    let operator = &existing.operator;
    operator.edit(
        "home/monctl.yaml",
        "    monitoring: watch\n",
        "    monitoring: watch\n    db: [database]\n",
    );
    operator.monctl("up --yes").success();
    operator.monctl("up --yes").success().stdout_contains("no change");
    operator.monctl("status").success().stdout_contains("\ndb ");
    operator.monctl("logs node-exporter").success();
    operator.monctl("ssh db -- hostname -I").success().stdout_contains(&existing.database);
    let watched = format!(
        "http://127.0.0.1:9090/api/v1/query?query=up%7Binstance%3D%22{}:9100%22%7D",
        existing.database
    );
    eventually("the host is scraped", || {
        existing.on(MONITORING, &format!("curl -sf '{watched}'")).contains(r#","1"]"#)
    });
    let reads = format!("curl -s --max-time 5 http://{}:9100/metrics", existing.database);
    existing.on(MONITORING, &format!("{reads} | grep -q node_load1"));
    existing.on(APP, &format!("! {reads}"));
    operator
        .monctl("down --yes")
        .success()
        .stdout_contains("removed from db: units `monctl-firewall.service`");
    assert_eq!(existing.snapshot(DATABASE), before);
    existing.spec("");
}

/// The alert is about this computer's CPU, which other processes use too: the test waits for them, and does not check
/// how soon the alert resolves.
fn an_alert_on_an_existing_host_is_delivered(existing: &Existing) {
    let operator = &existing.operator;
    operator.edit("home/monctl.yaml", CALM, EACH_SECOND);
    // What the load of the whole computer caused until the stand-in runs is soon over.
    operator.edit("home/monctl.yaml", "group_wait: 1s", "group_wait: 1s\n  group_interval: 4s");
    operator.monctl("up --yes").success();
    show_own_cpu_only(|host, command| existing.on(host, command));
    let deadline = Instant::now() + Duration::from_mins(10);
    let mut ran = operator.monctl("verify-alert");
    while ran.stderr.contains("is already active") && Instant::now() < deadline {
        sleep(Duration::from_secs(5));
        ran = operator.monctl("verify-alert");
    }
    ran.stderr_contains("received by monctl");
    show_all_cpus(|host, command| existing.on(host, command));
    operator.monctl("down --yes").success();
    existing.spec("");
}

fn earlier_files_and_packages_are_restored(existing: &Existing) {
    let clean = existing.snapshots();
    let unit = "[Service]\\nExecStart=/usr/bin/sleep infinity\\n[Install]\\nWantedBy=multi-user.target\\n";
    existing.on(
        APP,
        &format!(
            "{LIST} >/root/clean && apt-get -qq update && \
             apt-get -qq install --yes --no-install-recommends stress-ng >/dev/null && \
             nft 'add table inet mine; add chain inet mine c {{ type filter hook input priority 10; }}; \
             add rule inet mine c tcp dport 4242 drop' && \
             printf '{unit}' >/etc/systemd/system/monctl-node-exporter.service && \
             chmod 640 /etc/systemd/system/monctl-node-exporter.service && systemctl daemon-reload && \
             systemctl enable --now --quiet monctl-node-exporter && \
             mkdir -p /etc/monctl/app && echo mine >/etc/monctl/app/mine && chown -R deploy: /etc/monctl/app"
        ),
    );
    existing.on(
        MONITORING,
        &format!(
            "{LIST} >/root/clean && apt-get -qq update && \
             apt-get -qq install --yes --no-install-recommends prometheus >/dev/null && \
             echo '# mine' >>/etc/prometheus/prometheus.yml && systemctl restart prometheus"
        ),
    );
    let before = existing.snapshots();
    let operator = &existing.operator;
    // Here monctl finds and takes over a package of the distribution.
    operator.edit("home/monctl.yaml", &existing.programs.install(), PACKAGES);
    operator.monctl("up --yes").success();
    operator.monctl("up --yes").success().stdout_contains("no change");
    existing.on(APP, "nft list table inet mine | grep -q 4242 && test ! -e /etc/monctl/app/mine");
    operator
        .monctl("down --yes")
        .success()
        .stdout_contains("restored on app: ")
        .stdout_contains("unit prometheus.service (active)")
        .stdout_contains("`prometheus-alertmanager`");
    existing.spec("");
    existing.is_as_before(&before);
    existing
        .on(MONITORING, "systemctl is-active --quiet prometheus && curl -sf http://127.0.0.1:9090/-/ready");

    // The test removes its own changes.
    let purge = format!(
        "apt-get -qq purge --yes $({LIST} | comm -13 /root/clean -) >/dev/null && rm -rf /root/clean /var/cache/debconf/tmp.ci"
    );
    existing.on(
        APP,
        &format!(
            "systemctl disable --now --quiet monctl-node-exporter && rm -r /etc/monctl \
             /etc/systemd/system/monctl-node-exporter.service && systemctl daemon-reload && \
             nft delete table inet mine && {purge}"
        ),
    );
    existing.on(MONITORING, &format!("{purge} && userdel prometheus"));
    existing.is_as_before(&clean);
}

fn changes_by_people_are_kept(existing: &Existing) {
    let before = existing.snapshots();
    let operator = &existing.operator;
    operator.monctl("up --yes").success();
    existing.on(
        APP,
        "echo '# tuned' >>/etc/systemd/system/monctl-app.service && echo mine >/opt/monctl/notes && \
         echo '# tuned' >>/etc/monctl/app/gunicorn.conf.py && echo '# tuned' >>/srv/monctl/current/manage.py && \
         mkdir -p /root/mine/DEBIAN && printf 'Package: mine\\nVersion: 1\\nArchitecture: all\\nMaintainer: me\\n\
         Description: mine\\nDepends: python3-pip-whl\\n' >/root/mine/DEBIAN/control && \
         dpkg-deb --build /root/mine /root/mine.deb >/dev/null && dpkg --install /root/mine.deb >/dev/null",
    );
    let ran = operator.monctl("down --yes").success();
    let kept = [
        "/etc/systemd/system/monctl-app.service",
        "/etc/monctl/app/gunicorn.conf.py",
        "/srv/monctl/current/manage.py",
    ];
    let ran =
        kept.iter().fold(ran, |ran, path| ran.stdout_contains(&format!("{path} was changed and is kept in")));
    ran.stdout_contains("/opt/monctl/notes was not installed by monctl and is kept in")
        .stdout_contains("package python3-pip-whl: needed by mine");
    let tuned = existing
        .on(APP, "grep -rl tuned /var/backups/monctl-* | wc -l; cat /var/backups/monctl-*/opt/monctl/notes");
    assert_eq!(tuned, "3\nmine");
    existing.on(
        APP,
        "rm -r /var/backups/monctl-* /root/mine /root/mine.deb && dpkg --purge mine python3-pip-whl >/dev/null",
    );
    existing.is_as_before(&before);
}

fn an_interrupted_run_can_be_undone(existing: &Existing) {
    let before = existing.snapshots();
    let operator = &existing.operator;
    // The host itself crashes, with scripts, apt and dpkg.
    let power_off = |host| {
        existing.on(host, "pkill -KILL -f '^bash run.sh' ; pkill -KILL '^(apt-get|dpkg|uv|pip)' ; true");
    };
    for (moment, host) in
        [(r#""step":"packages""#, MONITORING), (r#""step":"venv""#, APP), (r#""step":"app""#, APP)]
    {
        operator.kill_at("up --yes", moment, || power_off(host));
        operator.kill_at("down --yes", r#""what":"restore"#, || power_off(APP));
        operator.monctl("down --yes").success().stdout_contains("nothing is left");
        existing.is_as_before(&before);
    }
    // The interrupted run continues, and is undone completely.
    operator.kill_at("up --yes", r#""step":"packages""#, || power_off(APP));
    operator.kill_at("up --yes", r#""step":"app""#, || power_off(APP));
    operator.monctl("up --yes").success();
    operator.monctl("plan").success();
    operator.kill_at("down --yes", r#""what":"restore"#, || power_off(MONITORING));
    operator.monctl("down --yes").success();
    existing.is_as_before(&before);
}

fn an_unreachable_host_does_not_block_the_others(existing: &Existing) {
    let before = existing.snapshots();
    let operator = &existing.operator;
    operator.monctl("up --yes").success();
    operator.edit("home/.ssh/config", "    ProxyJump watch\n", "    ProxyJump watch\n    Port 9\n");
    operator
        .monctl("down --yes")
        .code(1)
        .stderr_contains("not restored: app")
        .stderr_contains("removed from monitoring: units");
    operator.edit("home/.ssh/config", "    Port 9\n", "");
    // The spec is lost; the record of earlier runs is enough.
    fs::remove_file(operator.path("home/monctl.yaml")).unwrap();
    operator
        .monctl(&format!("down --yes --project {}", existing.project.name))
        .success()
        .stdout_contains("removed from app: units");
    existing.is_as_before(&before);
    // No record is left, neither here nor there.
    operator
        .monctl(&format!("down --yes --project {}", existing.project.name))
        .code(5)
        .stderr_contains("this computer has no record of project");
    existing.spec("");
}
