//! The project's folder on this computer: the client key, the ssh configuration, the host keys of machines before their
//! first connection, and the launches in progress. Everything else is found by tags.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::files::{self, cannot};
use super::super::keys;
use crate::error::{Error, Result};
use crate::host::{HostName, Machine, ProjectName, SshTarget, Trust};
use crate::own_files;
use crate::plan::aws::{Cloud, Instance};
use crate::spec::Credits;

/// Settings for every machine.
const EVERY_HOST: &str = include_str!("../ssh_config");

/// A file that exists once EC2 has shown everything that may have been created.
const SETTLED: &str = "settled";

/// The folder of one project in one account and region.
#[derive(Debug, Clone)]
pub(super) struct ProjectFolder {
    path: PathBuf,
    project: ProjectName,
}

/// A call of `RunInstances`. Repeating it with the same parameters returns the same instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Launch {
    /// Counted from 1 for each host.
    pub attempt: u32,
    /// Whether the call may have been made while its instance is not visible yet.
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
    /// Whether the interface gets a public address regardless of the subnet's setting.
    #[serde(default)]
    pub public: bool,
    #[serde(default)]
    pub credits: Option<Credits>,
    #[serde(default)]
    pub kms_key: Option<String>,
    /// The version of monctl; one of the tags.
    pub version: String,
}

impl ProjectFolder {
    pub(super) fn new(account: &str, region: &str, project: ProjectName) -> Result<Self> {
        let path = own_files::data_folder()?.join("aws").join(account).join(region).join(project.as_str());
        Ok(Self { path, project })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of all projects of the region, which has the locks.
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

    /// The public client key (type and base64), if it exists.
    pub(super) fn public_key(&self) -> Result<Option<String>> {
        let has_both = self.client_key().exists() && self.client_key().with_extension("pub").exists();
        has_both.then(|| keys::public(&self.client_key())).transpose()
    }

    /// The public client key, which is generated if there is none.
    pub(super) async fn ensure_public_key(&self) -> Result<String> {
        files::create_folder(&self.path)?;
        if let Some(key) = self.public_key()? {
            return Ok(key);
        }
        // Generated under another name and renamed: a killed run leaves a complete key or none.
        let new = self.path.join("client-key-new");
        keys::make(&new, &format!("monctl project {}", self.project)).await?;
        let halves =
            [(new.with_extension("pub"), self.client_key().with_extension("pub")), (new, self.client_key())];
        for (from, to) in halves {
            fs::rename(&from, &to).map_err(|error| cannot("rename", &from, error))?;
        }
        keys::public(&self.client_key())
    }

    /// Generates the host key that a new machine starts with. Forgets the keys of the host's earlier machine.
    pub(super) async fn make_host_key(&self, host: HostName) -> Result<()> {
        self.forget_pin(host)?;
        files::create_folder(&self.path.join("host-keys"))?;
        let path = self.host_key(host);
        files::remove(&path.with_extension("pub")).await?;
        keys::make(&path, &format!("monctl {} {host}", self.project)).await
    }

    /// The private and the public key (without its type) that a machine starts with.
    pub(super) fn host_key_halves(&self, host: HostName) -> Result<(String, String)> {
        let path = self.host_key(host);
        let private = fs::read_to_string(&path).map_err(|error| cannot("read", &path, error))?;
        Ok((private, bare(&keys::public(&path)?).to_owned()))
    }

    /// The public key (without its type) that a machine started with, until it is replaced.
    pub(super) fn initial_host_key(&self, host: HostName) -> Result<Option<String>> {
        let path = self.host_key(host);
        // A run that was killed before both files existed created no machine with this key.
        let is_whole = path.exists() && path.with_extension("pub").exists();
        is_whole.then(|| self.host_key_halves(host).map(|(_, public)| public)).transpose()
    }

    /// Forgets the key that a machine started with.
    pub(super) async fn forget_host_key(&self, host: HostName) -> Result<()> {
        files::remove(&self.host_key(host)).await?;
        files::remove(&self.host_key(host).with_extension("pub")).await
    }

    /// Marks that from here on resources may be created that EC2 does not show at once.
    pub(super) async fn begin(&self) -> Result<()> {
        files::remove(&self.path.join(SETTLED)).await
    }

    /// Marks that EC2 has shown everything that may have been created.
    pub(super) fn settle(&self) -> Result<()> {
        if self.path.exists() { files::write(&self.path.join(SETTLED), b"", 0o600) } else { Ok(()) }
    }

    /// Whether resources may exist that EC2 does not show yet.
    pub(super) fn may_hide(&self) -> bool {
        self.client_key().exists() && !self.path.join(SETTLED).exists()
    }

    /// The last launch of a host.
    pub(super) fn launch(&self, host: HostName) -> Result<Option<Launch>> {
        files::read_json(&self.launch_file(host))
    }

    /// Stores a launch; it is on disk before this returns.
    pub(super) fn keep_launch(&self, host: HostName, launch: &Launch) -> Result<()> {
        files::create_folder(&self.path.join("launches"))?;
        files::write_json(&self.launch_file(host), launch)
    }

    /// Marks the launch as completed.
    pub(super) fn end_launch(&self, host: HostName) -> Result<()> {
        match self.launch(host)? {
            Some(launch) if launch.under_way => {
                self.keep_launch(host, &Launch { under_way: false, ..launch })
            }
            _ => Ok(()),
        }
    }

    /// Adds what only this computer knows: host keys that are still to be replaced, and pinned host keys.
    pub(super) fn add_local_knowledge(&self, cloud: &mut Cloud) -> Result<()> {
        let pins = self.pins()?;
        for host in cloud.hosts() {
            let Some(initial) = self.initial_host_key(host)? else { continue };
            let Some(instance) = cloud.instance(host) else { continue };
            if accepted(host, instance, &pins, Some(&initial)).contains(&initial) {
                cloud.initial_keys.insert(host);
            }
        }
        cloud.known_keys = pins.into_iter().map(|(host, keys)| (host, keys.join(" "))).collect();
        Ok(())
    }

    /// The host keys that this computer accepts, for hosts that it has created or connected to.
    pub(super) fn pins(&self) -> Result<BTreeMap<HostName, Vec<String>>> {
        let path = self.known_hosts();
        let Some(text) = files::read_text(&path)? else { return Ok(BTreeMap::new()) };
        let mut known: BTreeMap<HostName, Vec<String>> = BTreeMap::new();
        for line in text.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            // A line without a host's name is an error.
            let pin = match words[..] {
                [host, "ssh-ed25519", key] => host.parse().ok().map(|host| (host, key)),
                _ => None,
            };
            let (host, key) = pin.ok_or_else(|| {
                Error::could_not_run(format!(
                    "`{}` has a line that monctl did not write: `{line}`",
                    path.display()
                ))
                .remedy("remove that line; the file holds the host keys that this computer trusts")
            })?;
            known.entry(host).or_default().push(key.to_owned());
        }
        Ok(known)
    }

    /// Removes all pinned keys of this host: a new machine is about to be created.
    fn forget_pin(&self, host: HostName) -> Result<()> {
        let mut pins = self.pins()?;
        if pins.remove(&host).is_some() { self.write_known_hosts(&pins) } else { Ok(()) }
    }

    fn write_known_hosts(&self, pins: &BTreeMap<HostName, Vec<String>>) -> Result<()> {
        let lines = pins
            .iter()
            .flat_map(|(host, keys)| keys.iter().map(move |key| format!("{host} ssh-ed25519 {key}\n")));
        write_if_changed(&self.known_hosts(), &lines.collect::<String>())
    }

    /// Pins exactly these keys for each host.
    pub(super) fn pin(&self, keys: &BTreeMap<HostName, Vec<String>>) -> Result<()> {
        let mut pins = self.pins()?;
        pins.extend(keys.clone());
        self.write_known_hosts(&pins)
    }

    /// Pins these keys of each host in addition to those already pinned.
    pub(super) fn pin_also(&self, keys: &BTreeMap<HostName, Vec<String>>) -> Result<()> {
        let mut pins = self.pins()?;
        for (host, keys) in keys {
            let known = pins.entry(*host).or_default();
            let new: Vec<String> = keys.iter().filter(|key| !known.contains(key)).cloned().collect();
            known.extend(new);
        }
        self.write_known_hosts(&pins)
    }

    /// Writes the ssh configuration of the existing machines. Pinned keys stay pinned, whatever the tags contain.
    /// Returns an alarm for each tag that names another key.
    pub(super) fn write_access(
        &self,
        cloud: &Cloud,
        ways: &BTreeMap<HostName, SshAccess>,
        user: &str,
    ) -> Result<Vec<Alarm>> {
        let pins = self.pins()?;
        // A machine that EC2 does not show now keeps its pin: else an attacker could hide its tags, then change them.
        let (mut kept, mut alarms, mut config) = (pins.clone(), Vec::new(), String::new());
        for host in cloud.hosts() {
            let Some(instance) = cloud.instance(host) else { continue };
            let keys = accepted(host, instance, &pins, self.initial_host_key(host)?.as_ref());
            let strange = instance.host_keys().filter(|key| !keys.iter().any(|known| known == key));
            alarms.extend(strange.map(|tagged| Alarm {
                machine: instance.label(),
                pinned: keys.clone(),
                tagged: tagged.to_owned(),
            }));
            kept.insert(host, keys);
            if let Some(way) = ways.get(&host) {
                config.push_str(&way.lines(host));
            }
        }
        config.push_str(
            &EVERY_HOST
                .replace("@USER@", user)
                .replace("@KEY@", &self.client_key().display().to_string())
                .replace("@KNOWN_HOSTS@", &self.known_hosts().display().to_string()),
        );
        self.write_known_hosts(&kept)?;
        write_if_changed(&self.ssh_config(), &config)?;
        Ok(alarms)
    }

    /// Path of the pins, for messages.
    pub(super) fn pins_path(&self) -> PathBuf {
        self.known_hosts()
    }

    /// The ssh configuration of the user, if it exists.
    #[expect(clippy::unused_self, reason = "all paths of the user come from this type")]
    pub(super) fn users_ssh_config(&self) -> Option<PathBuf> {
        env::home_dir().map(|home| home.join(".ssh/config")).filter(|path| path.is_file())
    }

    /// How ssh reaches a host.
    pub(super) fn machine(&self, host: HostName, address: std::net::IpAddr, user: &str) -> Machine {
        let ssh = SshTarget {
            alias: host.to_string(),
            config: self.ssh_config(),
            root: user == "root",
            trust: Trust::Made,
        };
        Machine { name: host, address, public: None, ssh }
    }
}

/// How ssh connects to a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SshAccess {
    /// The address to connect to.
    pub address: IpAddr,
    /// The `ProxyCommand`, if another host is in between.
    pub command: Option<String>,
}

impl SshAccess {
    fn lines(&self, host: HostName) -> String {
        let command = self.command.as_ref().map_or_else(String::new, |it| format!("    ProxyCommand {it}\n"));
        format!("Host {host}\n    HostName {}\n    HostKeyAlias {host}\n{command}", self.address)
    }
}

/// A tag that names a host key other than the pinned one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Alarm {
    pub machine: String,
    pub pinned: Vec<String>,
    pub tagged: String,
}

/// The accepted keys of a host: the pinned ones; else the one with which this computer created the machine; else, if
/// another computer created it, those of its tag.
fn accepted(
    host: HostName,
    instance: &Instance,
    pins: &BTreeMap<HostName, Vec<String>>,
    initial: Option<&String>,
) -> Vec<String> {
    if let Some(pinned) = pins.get(&host).filter(|keys| !keys.is_empty()) {
        return pinned.clone();
    }
    initial.map_or_else(|| instance.host_keys().map(str::to_owned).collect(), |key| vec![key.clone()])
}

/// Writes a file unless it is up to date: others may have it open.
fn write_if_changed(path: &Path, content: &str) -> Result<()> {
    match fs::read_to_string(path) {
        Ok(there) if there == content => Ok(()),
        // A file that cannot be read is replaced.
        _ => files::write(path, content.as_bytes(), 0o600),
    }
}

/// A public key without its type.
fn bare(key: &str) -> &str {
    key.split_once(' ').map_or(key, |(_, bare)| bare)
}
