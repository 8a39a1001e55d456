//! What monctl promises of hosts that exist: it comes in by ssh as its user does, sets them up as it sets up machines of
//! its own, and leaves them as they were. The hosts are machines of the local provider that know nothing of monctl.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Instant;

use monctl::host::HostName;

use crate::operator::Operator;
use crate::site::{APP, MONITORING, get};
use crate::support::{TestProject, runtime};

const SNAPSHOT: &str = include_str!("snapshot.sh");

/// Two hosts, one of which is reached through the other, and somebody who may use them.
struct Existing {
    project: TestProject,
    operator: Operator,
    app: String,
    monitoring: String,
}

impl Existing {
    fn new() -> Option<Self> {
        let project = TestProject::new()?;
        let provider = &project.provider;
        let (app, monitoring) = runtime().block_on(async {
            provider.create_network().await.unwrap();
            let (app, monitoring) =
                tokio::join!(provider.create_machine(APP), provider.create_machine(MONITORING));
            (app.unwrap().address.to_string(), monitoring.unwrap().address.to_string())
        });
        let operator = Operator::new();
        let existing = Self { project, operator, app, monitoring };
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
        existing.on(MONITORING, &format!("echo '{key}' >>/root/.ssh/authorized_keys"));
        existing.operator.write(
            "home/.ssh/config",
            &format!(
                "Host web\n    HostName {}\n    User deploy\n    ProxyJump watch\n\
                 Host watch\n    HostName {}\n    User root\n",
                existing.app, existing.monitoring
            ),
        );
        existing.trust();
        let hosts = "provider:\n  hosts:\n    app: [web]\n    monitoring: watch\n";
        let spec = include_str!("monctl.yaml")
            .replace("PROJECT", existing.project.name.as_str())
            .replace("provider: local\n", hosts);
        existing.operator.write("home/monctl.yaml", &spec);
        Some(existing)
    }

    /// The operator's `known_hosts` as it is after connecting once to each.
    fn trust(&self) {
        let line = |host, address: &str| format!("{address} {}\n", self.host_key(host));
        let known = line(APP, &self.app) + &line(MONITORING, &self.monitoring);
        self.operator.write("home/.ssh/known_hosts", &known);
    }

    /// The public host key, without its comment.
    fn host_key(&self, host: HostName) -> String {
        self.on(host, "cut -d ' ' -f 1,2 /etc/ssh/ssh_host_ed25519_key.pub")
    }

    #[track_caller]
    fn on(&self, host: HostName, command: &str) -> String {
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

    fn snapshots(&self) -> [BTreeSet<String>; 2] {
        [APP, MONITORING].map(|host| self.snapshot(host))
    }

    /// Nothing on the hosts differs from what was.
    #[track_caller]
    fn is_as_before(&self, before: &[BTreeSet<String>; 2]) {
        let now = self.snapshots();
        for ((host, now), before) in [APP, MONITORING].iter().zip(&now).zip(before) {
            let more: Vec<_> = now.difference(before).map(|line| format!("+ {line}")).collect();
            let less: Vec<_> = before.difference(now).map(|line| format!("- {line}")).collect();
            assert!(more.is_empty() && less.is_empty(), "on {host}:\n{}\n{}", more.join("\n"), less.join("\n"));
        }
    }
}

#[test]
fn hosts_that_exist_are_set_up_and_left_as_they_were() {
    let Some(existing) = Existing::new() else { return };
    let before = existing.snapshots();
    existing.operator.monctl("plan").code(3);
    let begun = Instant::now();
    existing.operator.monctl("up --yes").success();
    let _ = writeln!(std::io::stderr(), "up took {:?}", begun.elapsed());
    existing.operator.monctl("up --yes").success().stdout_contains("no change");
    assert!(get(&existing.app, "/").is_ok_and(|(status, _)| status == 200));
//V    existing.operator.monctl("verify-alert").success().stdout_contains("is proven");
    let begun = Instant::now();
    let ran = existing.operator.monctl("down --yes").success();
    let _ = writeln!(std::io::stderr(), "down took {:?}\n{ran}", begun.elapsed());
    existing.is_as_before(&before);
    existing.operator.monctl("down --yes").success().stdout_contains("nothing is left");
    let _ = (fs::metadata("/"), ());
}
