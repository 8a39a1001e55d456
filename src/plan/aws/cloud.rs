//! The current state of a project in EC2, as far as planning needs it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::Serialize;

use super::rule::SecurityGroupRule;
use crate::host::{HostName, ProjectName, Role};
use crate::spec::Credits;

/// The keys of tags.
pub mod tag {
    /// The name shown in consoles.
    pub const NAME: &str = "Name";
    /// The project; everything is found by it.
    pub const PROJECT: &str = "monctl:project";
    /// The host, on what belongs to one.
    pub const HOST: &str = "monctl:host";
    /// The project whose Prometheus scrapes it, on application hosts; an autoscaling group sets it, too.
    pub const SCRAPE: &str = "monctl:scrape";
    /// The version of monctl that made it. Nothing depends on it.
    pub const VERSION: &str = "monctl:version";
    /// The public host keys that are accepted, on instances: one, or two while the key is being replaced.
    pub const HOST_KEY: &str = "monctl:host-key";
    /// The size in GiB to which the file system was grown, on volumes.
    pub const GROWN: &str = "monctl:grown";
}

/// The roles of instances, each with a security group of its own.
pub const ROLES: [Role; 2] = [Role::APP, Role::MONITORING];

/// Tags by key.
pub type Tags = BTreeMap<String, String>;

/// Everything of a project in one account and region.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Cloud {
    /// The key pair with the project's name.
    pub key: Option<KeyPair>,
    /// The security groups.
    pub groups: BTreeMap<Role, SecurityGroup>,
    /// Instances in all states.
    pub instances: Vec<Instance>,
    /// Volumes.
    pub volumes: Vec<Volume>,
    /// Addresses that survive a stop.
    pub addresses: Vec<Address>,
    /// Hosts that still use the first host key, which their user data contains.
    pub initial_keys: BTreeSet<HostName>,
    /// The host keys that this computer has pinned, for instances whose tag was lost.
    pub known_keys: BTreeMap<HostName, String>,
}

/// A key pair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyPair {
    /// Its id.
    pub id: String,
    /// The public half: type and base64.
    pub public_key: String,
    /// Its tags.
    pub tags: Tags,
}

/// A security group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SecurityGroup {
    /// Its id.
    pub id: String,
    /// Its VPC.
    pub vpc: String,
    /// Its rules.
    pub rules: BTreeSet<SecurityGroupRule>,
    /// Its tags.
    pub tags: Tags,
}

/// An instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Instance {
    /// Its id.
    pub id: String,
    /// Its host, if known.
    pub host: Option<HostName>,
    /// Its state.
    pub state: InstanceState,
    /// Why it is in this state, in EC2's words.
    pub reason: Option<String>,
    /// EC2's code for that, such as `Client.InternalError`.
    pub reason_code: Option<String>,
    /// Its type.
    pub instance_type: String,
    /// The architecture of its image, as EC2 writes it; empty if unknown.
    pub architecture: String,
    /// Whether its image has the driver of Nitro's network; none if unknown.
    pub ena: Option<bool>,
    /// Its image.
    pub image: String,
    /// Its zone.
    pub zone: String,
    /// Its address in the VPC.
    pub private: Option<IpAddr>,
    /// Its public address, while it runs and has one.
    pub public: Option<IpAddr>,
    /// When it was launched or last started; seconds since 1970.
    pub launched: i64,
    /// Whether its metadata service requires `IMDSv2`, with a hop limit of 1.
    pub guarded_metadata: bool,
    /// The name of its instance profile.
    pub profile: Option<String>,
    /// The volume that it boots from.
    pub root_volume: Option<String>,
    /// The ids of its security groups.
    pub groups: Vec<String>,
    /// The client token of its launch.
    pub token: Option<String>,
    /// Whether EC2 protects it from termination; none if not queried.
    pub protected: Option<bool>,
    /// What happens to it when its CPU credits are used up; none if not queried.
    pub credits: Option<Credits>,
    /// Its tags.
    pub tags: Tags,
}

/// The state of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum InstanceState {
    /// Starting.
    Pending,
    /// Running.
    Running,
    /// Stopping.
    Stopping,
    /// Stopped.
    Stopped,
    /// Shutting down.
    ShuttingDown,
    /// Terminated; EC2 shows it for a while.
    Terminated,
}

/// A volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Volume {
    /// Its id.
    pub id: String,
    /// Its size in GiB.
    pub size: u32,
    /// The instance that uses it.
    pub instance: Option<String>,
    /// Its tags.
    pub tags: Tags,
}

/// An address that survives a stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Address {
    /// The id of its allocation.
    pub id: String,
    /// The address.
    pub address: String,
    /// The id of its association.
    pub association: Option<String>,
    /// The instance that uses it.
    pub instance: Option<String>,
    /// Its tags.
    pub tags: Tags,
}

impl InstanceState {
    /// Whether the instance exists: neither terminated nor shutting down.
    pub const fn is_alive(self) -> bool {
        !matches!(self, Self::ShuttingDown | Self::Terminated)
    }

    /// Whether it is running or starting.
    pub const fn runs(self) -> bool {
        matches!(self, Self::Pending | Self::Running)
    }
}

impl Instance {
    /// The host and the id: `app (i-0123)`; only the id if the host is unknown.
    pub fn label(&self) -> String {
        let tagged = self.tags.get(tag::HOST).cloned();
        let host = self.host.map(|host| host.to_string()).or(tagged);
        host.map_or_else(|| self.id.clone(), |host| format!("{host} ({})", self.id))
    }

    /// The public host keys that its tag names.
    pub fn host_keys(&self) -> impl Iterator<Item = &str> {
        self.tags.get(tag::HOST_KEY).into_iter().flat_map(|keys| keys.split_whitespace())
    }
}

impl Cloud {
    /// The instance of a host: of several, the one that was launched first.
    pub fn instance(&self, host: HostName) -> Option<&Instance> {
        self.alive(host).next()
    }

    /// All existing instances of a host, the oldest first.
    pub fn alive(&self, host: HostName) -> impl Iterator<Item = &Instance> {
        let is_its = |it: &&Instance| it.host == Some(host) && it.state.is_alive();
        let mut found: Vec<&Instance> = self.instances.iter().filter(is_its).collect();
        found.sort_by_key(|it| (it.launched, &it.id));
        found.into_iter()
    }

    /// The hosts that have an instance.
    pub fn hosts(&self) -> BTreeSet<HostName> {
        self.instances.iter().filter(|it| it.state.is_alive()).filter_map(|it| it.host).collect()
    }
}

/// The tags of a resource of a project and, if given, of a host, besides the user's own.
pub(super) fn tags(own: &Tags, project: &ProjectName, what: &str, host: Option<HostName>) -> Tags {
    let mut tags = own.clone();
    tags.insert(tag::NAME.to_owned(), format!("{project}-{what}"));
    tags.insert(tag::PROJECT.to_owned(), project.to_string());
    tags.extend(host.map(|host| (tag::HOST.to_owned(), host.to_string())));
    tags
}
