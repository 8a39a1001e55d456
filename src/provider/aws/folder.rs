//! The project's folder on this computer: the client key, what ssh must know, the host keys of machines that were
//! not reached yet, and the launches that are under way. Nothing else is remembered; all the rest is found by tags.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::files::{self, cannot};
use super::super::keys;
use crate::error::{Error, Result};
use crate::host::{HostName, Machine, ProjectName, SshTarget, Trust};
use crate::plan::aws::Cloud;

/// What holds for every machine.
const EVERY_HOST: &str = include_str!("../ssh_config");

/// A file that is there once everything was seen that could have been made.
const SETTLED: &str = "settled";

/// The folder of one project in one account and region.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    path: PathBuf,
    project: ProjectName,
}

/// A call of `RunInstances`: with all of this the same, it gives the same instance, however often it is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Launch {
    /// Counted from 1 for each host.
    pub attempt: u32,
    /// Whether the call may have been made, and its instance not been seen yet.
    pub under_way: bool,
    pub instance_type: String,
    pub image: String,
    pub root_device: String,
    pub subnet: String,
    pub zone: String,
    pub group: String,
    pub disk: u32,
    pub profile: Option<String>,
    pub protection: bool,
    /// The version of monctl, which is one of the tags.
    pub version: String,
}

impl Folder {
    pub(super) fn new(account: &str, region: &str, project: ProjectName) -> Result<Self> {
        let path = data()?.join("monctl/aws").join(account).join(region).join(project.as_str());
        Ok(Self { path, project })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of all projects of the region, where locks lie.
    pub(super) fn region(&self) -> PathBuf {
        self.path.parent().map_or_else(|| self.path.clone(), Path::to_owned)
    }

    fn client_key(&self) -> PathBuf {
        self.path.join("client-key")
    }

    fn known_hosts(&self) -> PathBuf {
        self.path.join("known_hosts")
    }

    fn ssh_config(&self) -> PathBuf {
        self.path.join("ssh_config")
    }

    fn host_key(&self, host: HostName) -> PathBuf {
        self.path.join("host-keys").join(host.to_string())
    }

    fn launch_file(&self, host: HostName) -> PathBuf {
        self.path.join("launches").join(format!("{host}.json"))
    }

    /// The public half of the client key, where there is one: type and base64.
    pub(super) fn public_key(&self) -> Result<Option<String>> {
        let has_both = self.client_key().exists() && self.client_key().with_extension("pub").exists();
        has_both.then(|| keys::public(&self.client_key())).transpose()
    }

    /// The public half of the client key, which is made if there is none.
    pub(super) async fn ensure_public_key(&self) -> Result<String> {
        files::create_folder(&self.path)?;
        if let Some(key) = self.public_key()? {
            return Ok(key);
        }
        // Made elsewhere and renamed: a run that is killed leaves a whole key or none.
        let new = self.path.join("client-key-new");
        keys::make(&new, &format!("monctl project {}", self.project)).await?;
        let halves =
            [(new.with_extension("pub"), self.client_key().with_extension("pub")), (new, self.client_key())];
        for (from, to) in halves {
            fs::rename(&from, &to).map_err(|error| cannot("rename", &from, error))?;
        }
        keys::public(&self.client_key())
    }

    /// Makes the host key that a new machine starts with. Returns both halves.
    pub(super) async fn make_host_key(&self, host: HostName) -> Result<()> {
        files::create_folder(&self.path.join("host-keys"))?;
        let path = self.host_key(host);
        files::remove(&path.with_extension("pub")).await?;
        keys::make(&path, &format!("monctl {} {host}", self.project)).await
    }

    /// Both halves of the key that a machine starts with: private, and public without its type.
    pub(super) fn host_key_halves(&self, host: HostName) -> Result<(String, String)> {
        let path = self.host_key(host);
        let private = fs::read_to_string(&path).map_err(|error| cannot("read", &path, error))?;
        Ok((private, bare(&keys::public(&path)?).to_owned()))
    }

    /// The public half of the key that a machine started with, until it was replaced; without its type.
    pub(super) fn initial_host_key(&self, host: HostName) -> Option<String> {
        self.host_key(host).exists().then(|| self.host_key_halves(host).ok().map(|(_, public)| public))?
    }

    /// Forgets the key that a machine started with.
    pub(super) async fn forget_host_key(&self, host: HostName) -> Result<()> {
        files::remove(&self.host_key(host)).await?;
        files::remove(&self.host_key(host).with_extension("pub")).await
    }

    /// From here on something may be made that EC2 does not show at once.
    pub(super) async fn begin(&self) -> Result<()> {
        files::remove(&self.path.join(SETTLED)).await
    }

    /// All that could be made was seen; nothing will appear any more.
    pub(super) fn settle(&self) -> Result<()> {
        if self.path.exists() { files::write(&self.path.join(SETTLED), b"", 0o600) } else { Ok(()) }
    }

    /// Whether something may have been made that EC2 does not show yet.
    pub(super) fn may_hide(&self) -> bool {
        self.client_key().exists() && !self.path.join(SETTLED).exists()
    }

    /// The last launch of a host.
    pub(super) fn launch(&self, host: HostName) -> Result<Option<Launch>> {
        files::read_json(&self.launch_file(host))
    }

    /// Keeps a launch; on the disk before this returns.
    pub(super) fn keep_launch(&self, host: HostName, launch: &Launch) -> Result<()> {
        files::create_folder(&self.path.join("launches"))?;
        files::write_json(&self.launch_file(host), launch)
    }

    /// The launch was seen to its end.
    pub(super) fn end_launch(&self, host: HostName) -> Result<()> {
        match self.launch(host)? {
            Some(launch) if launch.under_way => {
                self.keep_launch(host, &Launch { under_way: false, ..launch })
            }
            _ => Ok(()),
        }
    }

    /// What this computer alone knows: keys that wait for their replacement, keys of machines without a tag.
    pub(super) fn add_local_knowledge(&self, cloud: &mut Cloud) {
        cloud.initial_keys = cloud
            .hosts()
            .into_iter()
            .filter(|host| {
                let key = self.initial_host_key(*host);
                let instance = cloud.instance(*host);
                key.is_some_and(|key| instance.is_some_and(|it| it.host_keys().any(|known| known == key)))
            })
            .collect::<BTreeSet<_>>();
        cloud.known_keys = self.read_known_hosts();
    }

    fn read_known_hosts(&self) -> BTreeMap<HostName, String> {
        let text = fs::read_to_string(self.known_hosts()).unwrap_or_default();
        let mut known: BTreeMap<HostName, String> = BTreeMap::new();
        for line in text.lines() {
            let mut words = line.split(' ');
            let (Some(host), Some(key)) = (words.next().and_then(|host| host.parse().ok()), words.nth(1))
            else {
                continue;
            };
            known
                .entry(host)
                .and_modify(|keys| *keys = format!("{keys} {key}"))
                .or_insert_with(|| key.into());
        }
        known
    }

    /// Writes what ssh must know of the machines that are there.
    pub(super) fn write_access(&self, cloud: &Cloud, user: &str) -> Result<()> {
        let (mut known_hosts, mut config) = (String::new(), String::new());
        for host in cloud.hosts() {
            let Some(instance) = cloud.instance(host) else { continue };
            let known = cloud.known_keys.get(&host).cloned().unwrap_or_default();
            let tagged: Vec<&str> = instance.host_keys().collect();
            let keys = if tagged.is_empty() { known.split(' ').collect() } else { tagged };
            for key in keys.into_iter().filter(|key| !key.is_empty()) {
                let _ = writeln!(known_hosts, "{host} ssh-ed25519 {key}");
            }
            if let Some(address) = instance.public.or(instance.private) {
                let _ = writeln!(config, "Host {host}\n    HostName {address}\n    HostKeyAlias {host}");
            }
        }
        config.push_str(
            &EVERY_HOST
                .replace("@USER@", user)
                .replace("@KEY@", &self.client_key().display().to_string())
                .replace("@KNOWN_HOSTS@", &self.known_hosts().display().to_string()),
        );
        for (path, content) in [(self.known_hosts(), known_hosts), (self.ssh_config(), config)] {
            if fs::read_to_string(&path).ok().as_ref() != Some(&content) {
                files::write(&path, content.as_bytes(), 0o600)?;
            }
        }
        Ok(())
    }

    /// How ssh reaches a host.
    pub(super) fn machine(&self, host: HostName, address: std::net::IpAddr, user: &str) -> Machine {
        let ssh = SshTarget {
            alias: host.to_string(),
            config: self.ssh_config(),
            root: user == "root",
            trust: Trust::Made,
        };
        Machine { name: host, address, ssh }
    }
}

/// A public key without its type.
fn bare(key: &str) -> &str {
    key.split_once(' ').map_or(key, |(_, bare)| bare)
}

/// Where programs keep what belongs to their user.
fn data() -> Result<PathBuf> {
    let named = env::var_os("XDG_DATA_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    named.or_else(|| env::home_dir().map(|home| home.join(".local/share"))).ok_or_else(|| {
        Error::could_not_run("there is no folder for what belongs to you").remedy("set HOME or XDG_DATA_HOME")
    })
}
