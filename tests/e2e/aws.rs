//! `provider: aws` from end to end: the stand-in for EC2 with real machines behind it, the real binary, and Debian's
//! login (`admin`, sudo).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::drills::{show_all_cpus, show_own_cpu_only};
use crate::ec2_machines::Ec2Machines;
use crate::programs::{PACKAGES, Programs};
use crate::site::{SECRETS, keeps_secrets};
use crate::support::binary::{Monctl, Ran};
use crate::support::ec2_double::{Ec2 as _, Ec2Double};
use crate::support::hand::Hand;
use crate::turns;

/// Maximum number of calls of a run without changes: the caller's identity, five queries, and one per machine.
const CALLS_WITHOUT_A_CHANGE: usize = 8;

/// A user's folder and home, and EC2 with machines. The fields are dropped in this order.
struct Site {
    folder: TempDir,
    double: Ec2Double,
    _programs: Programs,
    machines: Ec2Machines,
}

impl Site {
    /// `None` if machines cannot be created here.
    fn new() -> Option<Self> {
        let machines = Ec2Machines::new()?;
        let programs = Programs::of(&machines.project);
        let options = machines.options();
        let double = Ec2Double::start_with(&options.iter().map(String::as_str).collect::<Vec<_>>());
        let folder = tempfile::tempdir().unwrap();
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/notes");
        let copied = Command::new("cp").arg("-rT").arg(example).arg(folder.path().join("app")).status();
        assert!(copied.unwrap().success());
        let settings =
            format!("endpoint: {}, region: eu-central-1, allow_ssh_from: [10.0.0.0/8]", double.endpoint);
        let spec = include_str!("monctl.yaml").replace("PROJECT", "shop");
        let spec = spec
            .replace("group_wait: 1s", "group_wait: 1s\n  group_interval: 4s")
            .replace("for: 10s", "for: 4s");
        let spec = spec.replace("provider: local", &format!("provider:\n  aws: {{{settings}}}"));
        let spec = spec.replace(PACKAGES, &programs.install());
        fs::write(folder.path().join("monctl.yaml"), spec).unwrap();
        Some(Self { folder, double, _programs: programs, machines })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn monctl(&self, words: &str) -> Ran {
        let _turn = turns::of(words.split(' '));
        keeps_secrets(self.call().args(words.split(' ')).run())
    }

    fn call(&self) -> Monctl {
        let call = Monctl::new()
            .current_dir(self.folder.path())
            .clear_env("AWS_")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("HOME", self.path("home"))
            .env_remove("XDG_DATA_HOME")
            .env("NOTES_SECRET_KEY", SECRETS[0]);
        let environment = self.double.administrator.environment();
        environment.into_iter().fold(call, |call, (name, value)| call.env(name, value))
    }

    /// The output of a command that is run on a host as root, by sudo.
    #[track_caller]
    fn on(&self, host: &str, command: &str) -> String {
        let ran =
            keeps_secrets(self.call().args(["ssh", host, "--", "sudo", "-n", "sh", "-c", command]).run());
        ran.success().stdout.trim().to_owned()
    }

    /// A tag of an instance.
    fn tag(&self, host: &str, key: &str) -> String {
        let inventory = self.double.inventory();
        let instances = inventory["instances"].as_array().unwrap();
        let instance = instances.iter().find(|it| it["tags"]["monctl:host"] == host).unwrap();
        instance["tags"][key].as_str().unwrap().to_owned()
    }

    fn counts(&self) -> usize {
        self.double.inventory().as_object().unwrap().values().filter_map(Value::as_array).map(Vec::len).sum()
    }
}

#[test]
fn a_deployment_in_ec2_is_created_proven_kept_and_removed() {
    let Some(site) = Site::new() else { return };
    let hand = Hand::new(&site.double);

    let plan = site.monctl("plan").code(3);
    let plan =
        plan.stdout_contains("123456789012").stdout_contains("eu-central-1").stdout_contains("t3.small");
    plan.stdout_contains("debian-13-amd64-20251117-2299")
        .stdout_contains("10.0.0.0/8")
        .stdout_contains("20 GiB");
    assert_eq!(site.counts(), 0, "`plan` created something");

    site.monctl("up --yes").success();
    assert_eq!(site.double.counts()["instances"], 2);
    logs_in_as_debian_does(&site);
    host_keys_of_user_data_are_worthless(&site, &hand);

    site.double.forget_calls();
    site.monctl("up --yes").success().stdout_contains("no change");
    let calls = site.double.actions();
    assert!(calls.len() <= CALLS_WITHOUT_A_CHANGE, "{} calls: {calls:?}", calls.len());
    site.monctl("plan").success();

    is_proven(&site);

    hand.open("app", 3306, "0.0.0.0/0");
    site.monctl("plan").code(3).stdout_contains("3306 from 0.0.0.0/0");
    site.monctl("up --yes").success();
    assert!(!hand.openings("app").iter().any(|(port, _)| *port == 3306));
    site.monctl("plan").success();

    hand.stop("app");
    site.monctl("plan").code(3).stdout_contains("machine app: not running");
    site.monctl("up --yes").success();
    site.monctl("plan").success();

    site.monctl("down --yes").success().stdout_contains("nothing is left of the project");
    assert_eq!(site.counts(), 0, "{:#}", site.double.inventory());
    let machines =
        Path::new("/var/lib/monctl/local").join(site.machines.project.name.as_str()).join("machines");
    let left: Vec<_> = fs::read_dir(machines).unwrap().flatten().map(|entry| entry.path()).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// Proves the alert with the load of this machine alone.
#[track_caller]
fn is_proven(site: &Site) {
    show_own_cpu_only(|host, command| site.on(&host.to_string(), command));
    site.monctl("verify-alert").success().stdout_contains("is proven on app");
    show_all_cpus(|host, command| site.on(&host.to_string(), command));
}

/// Checks that the login is Debian's, which becomes root by sudo, and that root does not accept the project's key.
fn logs_in_as_debian_does(site: &Site) {
    let config =
        fs::read_dir(site.path("home/.local/share/monctl/aws/123456789012/eu-central-1/shop")).unwrap();
    let config = config.flatten().find(|entry| entry.file_name() == "ssh_config").unwrap().path();
    let whoami = |user: &str| {
        let mut ssh = Command::new("ssh");
        ssh.args(["-o", "BatchMode=yes", "-l", user, "-F"])
            .arg(&config)
            .args(["app", "whoami"])
            .output()
            .unwrap()
    };
    assert_eq!(String::from_utf8_lossy(&whoami("admin").stdout).trim(), "admin");
    assert!(!whoami("root").status.success(), "root may log in with the project's key");
    assert!(fs::read_to_string(&config).unwrap().contains("User admin"));
}

/// Checks that the key in the user data is no longer the machine's, and that the tag has the current one.
fn host_keys_of_user_data_are_worthless(site: &Site, hand: &Hand<'_>) {
    for host in ["app", "monitoring"] {
        let now = site.on(host, "cat /etc/ssh/ssh_host_ed25519_key.pub");
        let now = now.split(' ').nth(1).unwrap();
        assert_eq!(site.tag(host, "monctl:host-key"), now, "{host}");
        let user_data = hand.user_data(host);
        assert!(user_data.contains("ssh_keys") && !user_data.contains(now), "{host}: {user_data}");
    }
}
