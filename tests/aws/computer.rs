//! A user's computer: a home folder, a folder with a spec, credentials, and no connection to any machine.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::binary::{Monctl, Project, Ran};
use crate::support::ec2_double::{Caller, Ec2, Ec2Double};

/// The settings below `provider.aws`.
const SETTINGS: &str = "endpoint: ENDPOINT\n    region: eu-central-1\n    allow_ssh_from: [127.0.0.0/8]";

const SPEC: &str = "\
version: 1
project: shop
provider:
  aws:
    SETTINGS
app:
  path: site
  wsgi: notes.wsgi
  count: COUNT
alerts:
  HighCPUUsage: {above: 80, for: 1m}
notify:
  capture: {}
grafana:
  required: false
";

/// Replaces ssh, since no machine has the double's addresses: fails as if another machine answered, which is final.
const NO_SSH: &str = r#"#!/bin/sh
for word in "$@"; do
    # The real ssh answers which route it would take.
    if [ "$word" = -G ]; then PATH=${PATH#*:} exec ssh "$@"; fi
done
while [ $# -gt 1 ]; do
    [ "$1" != -E ] || echo 'Host key verification failed.' >>"$2"
    shift
done
exit 255
"#;

const SLOW_KEYGEN: &str = r#"#!/bin/sh
sleep 0.5
PATH=${PATH#*:} exec ssh-keygen "$@"
"#;

pub struct Computer<'a, C: Ec2 = Ec2Double> {
    pub double: &'a C,
    pub caller: Option<Caller>,
    home: TempDir,
    project: Project,
}

impl<'a, C: Ec2> Computer<'a, C> {
    /// A computer with an administrator's credentials and one application host in the spec.
    pub fn new(double: &'a C) -> Self {
        let home = tempfile::tempdir().unwrap();
        let bin = home.path().join("bin");
        fs::create_dir(&bin).unwrap();
        fs::write(bin.join("ssh"), NO_SSH).unwrap();
        fs::set_permissions(bin.join("ssh"), fs::Permissions::from_mode(0o755)).unwrap();
        let computer =
            Self { double, caller: Some(double.administrator().clone()), home, project: Project::new() };
        computer.spec(&[], 1);
        computer
    }

    /// A computer with other credentials.
    pub fn of(double: &'a C, caller: Caller) -> Self {
        Self { caller: Some(caller), ..Self::new(double) }
    }

    /// Writes the spec with further lines below `provider.aws`; each replaces the default line with the same key.
    pub fn spec(&self, settings: &[&str], count: u16) {
        let key = |line: &str| line.trim().split(':').next().unwrap_or_default().to_owned();
        let needed = self.double.settings();
        let mut lines: Vec<&str> =
            SETTINGS.split("\n    ").chain(needed.iter().map(String::as_str)).collect();
        lines.retain(|line| !settings.iter().any(|other| key(other) == key(line)));
        lines.extend(settings);
        let text = SPEC
            .replace("SETTINGS", &lines.join("\n    "))
            .replace("ENDPOINT", self.double.endpoint())
            .replace("COUNT", &count.to_string());
        fs::write(self.project.path("monctl.yaml"), text).unwrap();
    }

    /// Renames the project in the spec.
    pub fn rename(&self, name: &str) {
        let path = self.project.path("monctl.yaml");
        let text = fs::read_to_string(&path).unwrap().replace("project: shop", &format!("project: {name}"));
        fs::write(path, text).unwrap();
    }

    /// Lets Prometheus find the application hosts in EC2.
    pub fn discover(&self) {
        let path = self.project.path("monctl.yaml");
        let text = fs::read_to_string(&path).unwrap() + "monitoring: {discovery: ec2}\n";
        fs::write(path, text).unwrap();
    }

    /// A file in the project's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.project.path(name)
    }

    pub fn forget_spec(&self) {
        fs::remove_file(self.project.path("monctl.yaml")).unwrap();
    }

    /// Makes `ssh-keygen` slow, as on a busy computer.
    pub fn slow_keys(&self) {
        let path = self.home.path().join("bin/ssh-keygen");
        fs::write(&path, SLOW_KEYGEN).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Writes the user's `~/.aws/config`.
    pub fn write_aws_config(&self, text: &str) {
        let folder = self.home.path().join(".aws");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("config"), text).unwrap();
    }

    /// Writes the user's `~/.ssh/config`.
    pub fn write_ssh_config(&self, text: &str) {
        let folder = self.home.path().join(".ssh");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("config"), text).unwrap();
    }

    /// A file in the user's home.
    pub fn home(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// A file in monctl's data folder of the project: `known_hosts`, `ssh_config` and others.
    #[track_caller]
    pub fn kept(&self, name: &str) -> String {
        let path = self.data().join("123456789012/eu-central-1/shop").join(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// A call of the binary.
    pub fn call(&self, words: &str) -> Monctl {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut call = self
            .project
            .monctl()
            .clear_env("AWS_")
            .env("HOME", self.home.path())
            .env_remove("XDG_DATA_HOME")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("PATH", format!("{}:{path}", self.home.path().join("bin").display()))
            .args(words.split(' '));
        for (name, value) in self.caller.iter().flat_map(Caller::environment) {
            call = call.env(name, value);
        }
        call
    }

    pub fn run(&self, words: &str) -> Ran {
        self.call(words).run()
    }

    /// Runs `up`, whose EC2 part must succeed. No machine answers afterwards.
    #[track_caller]
    pub fn up(&self) -> Ran {
        self.call("--output json up --yes").run().stderr_contains(MACHINES_ARE_THERE)
    }

    /// The output of `plan` as JSON. No machine answers, so that its exit code is not checked.
    #[track_caller]
    pub fn plan(&self) -> Value {
        self.run("--output json plan").json()
    }

    /// The due actions in EC2, without the renewal of host keys, which stays due since no machine is reachable.
    #[track_caller]
    pub fn due(&self) -> Vec<Value> {
        let mut infra = self.plan()["plan"]["infra"].as_array().unwrap().clone();
        infra.retain(|action| action["action"] != "renew_host_key");
        infra
    }

    /// The output of `plan` as text.
    #[track_caller]
    pub fn plan_text(&self) -> String {
        self.run("plan").stdout
    }

    #[track_caller]
    pub fn down(&self) -> Ran {
        self.run("down --yes").success().stdout_contains("nothing is left of the project")
    }

    /// The folder with monctl's data of all projects.
    pub fn data(&self) -> PathBuf {
        self.home.path().join(".local/share/monctl/aws")
    }

    /// The files in that folder, except locks.
    pub fn remembered(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.data()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.path().is_dir() {
                    folders.push(entry.path());
                } else {
                    found.push(entry.path());
                }
            }
        }
        found.retain(|path| path.extension().is_none_or(|extension| extension != "lock"));
        found
    }
}

/// Beginning of the event that reports the end of the EC2 part.
pub const MACHINES_ARE_THERE: &str = r#"{"event":"phase_finished","phase":"machines""#;

/// Asserts that there are exactly the resources of one application host: two machines with a disk, an interface and a
/// group each, and one key.
#[track_caller]
pub fn is_one_set(double: &impl Ec2) {
    let wanted = [("groups", 2), ("instances", 2), ("interfaces", 2), ("keys", 1), ("volumes", 2)];
    let wanted = wanted.into_iter().filter(|(kind, _)| !double.unseen().contains(kind));
    let wanted = wanted.map(|(kind, count)| (kind.to_owned(), count)).collect();
    let counts = double.counts();
    assert_eq!(counts, wanted, "{:#}", double.inventory());
    let inventory = double.inventory();
    let mut hosts: Vec<&str> = inventory["instances"]
        .as_array()
        .unwrap()
        .iter()
        .map(|instance| instance["tags"]["monctl:host"].as_str().unwrap_or("?"))
        .collect();
    hosts.sort_unstable();
    assert_eq!(hosts, ["app", "monitoring"], "{inventory:#}");
    for (kind, all) in inventory.as_object().unwrap() {
        for piece in all.as_array().unwrap().iter().filter(|_| !double.untagged().contains(&kind.as_str())) {
            assert_eq!(piece["tags"]["monctl:project"], "shop", "of {kind}: {piece:#}");
        }
    }
}

/// Asserts that the account has no resources that monctl creates.
#[track_caller]
pub fn is_empty(double: &impl Ec2) {
    assert!(double.counts().is_empty(), "{:#}", double.inventory());
}
