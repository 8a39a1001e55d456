//! One action in EC2: what, why, and details for its confirmation.

use std::fmt;

use serde::Serialize;

use super::cloud::Tags;
use super::rule::{Opening, SecurityGroupRule};
use crate::host::{HostName, Role};
use crate::spec::Credits;

/// One action in EC2. Existing resources are named by id, new ones by host or role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// Import the public half of the project's key.
    ImportKey,
    /// Create a security group with its rules.
    CreateGroup {
        /// Whose.
        role: Role,
        /// The VPC.
        vpc: Option<String>,
        /// Its openings.
        openings: Vec<Opening>,
    },
    /// A rule is added.
    Open {
        /// Whose group.
        role: Role,
        /// The group's id.
        group: String,
        /// The opening.
        opening: Opening,
    },
    /// Remove a rule.
    Close {
        /// Whose group.
        role: Role,
        /// The group's id.
        group: String,
        /// The rule.
        rule: SecurityGroupRule,
    },
    /// Tags are written.
    Tag {
        /// What it is: `the volume of app`.
        what: String,
        /// Its id.
        id: String,
        /// The tags that are missing or differ.
        tags: Tags,
    },
    /// An instance is launched.
    Create(Creation),
    /// An instance is started.
    Start {
        /// The host.
        host: HostName,
        /// The instance.
        id: String,
    },
    /// An instance is stopped, given another type, and started; its data stay.
    Retype {
        /// The host.
        host: HostName,
        /// The instance.
        id: String,
        /// The current type.
        from: String,
        /// The new type.
        to: String,
        /// Whether it runs now.
        running: bool,
    },
    /// Version 2 of the metadata service is required, with a hop limit of 1.
    GuardMetadata {
        /// The host.
        host: HostName,
        /// The instance.
        id: String,
    },
    /// The instance gets the project's group, and no other.
    SetGroup {
        /// The host.
        host: HostName,
        /// The instance.
        id: String,
        /// The current groups.
        found: Vec<String>,
    },
    /// Protection from termination is switched.
    Protect {
        /// The host.
        host: HostName,
        /// The instance.
        id: String,
        /// On or off.
        on: bool,
    },
    /// What happens to the instance without CPU credits is switched.
    SetCredits {
        /// The host.
        host: HostName,
        /// The instance.
        id: String,
        /// The new setting.
        to: Credits,
    },
    /// The instance gets another instance profile, or none.
    SetProfile {
        /// The host.
        host: HostName,
        /// The instance.
        id: String,
        /// The current one.
        from: Option<String>,
        /// The new one.
        to: Option<String>,
    },
    /// A volume is made larger, while in use.
    GrowVolume {
        /// The host.
        host: HostName,
        /// The volume.
        id: String,
        /// GiB now.
        from: u32,
        /// GiB then.
        to: u32,
    },
    /// The file system is grown to its volume's size, on the host, while in use.
    GrowFileSystem {
        /// The host.
        host: HostName,
        /// The volume.
        id: String,
        /// GiB then.
        to: u32,
    },
    /// The host gets an address that survives a stop.
    GiveAddress {
        /// The host.
        host: HostName,
        /// An existing unused allocation; else a new one is made.
        allocation: Option<String>,
    },
    /// Release an address.
    ReleaseAddress {
        /// The allocation.
        id: String,
        /// The address.
        address: String,
        /// Its association.
        association: Option<String>,
        /// Why.
        why: &'static str,
    },
    /// Terminate an instance; its disk is deleted.
    Remove {
        /// The host.
        host: HostName,
        /// The instance.
        id: String,
        /// Why.
        why: &'static str,
    },
    /// Delete an unattached volume.
    RemoveVolume {
        /// The volume.
        id: String,
    },
    /// Replace the host key contained in user data, at first contact with the machine.
    RenewHostKey {
        /// The host.
        host: HostName,
    },
}

/// The launch of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Creation {
    /// The host.
    pub host: HostName,
    /// Why.
    pub why: String,
    /// The instance that is terminated before, and the reason.
    pub replaces: Option<String>,
    /// The candidates, in the order in which they are tried.
    pub candidates: Vec<Candidate>,
    /// The size of the disk in GiB.
    pub disk: u32,
    /// The name of the instance profile.
    pub profile: Option<String>,
    /// Whether it is protected from termination.
    pub protection: bool,
    /// The key that encrypts its disk; the account's by default.
    pub kms_key: Option<String>,
    /// Excluded candidates, with the reason.
    pub left_out: Vec<String>,
}

/// A type, an image and a place for an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Candidate {
    /// The type.
    pub instance_type: String,
    /// The image, for the type's architecture.
    pub image: Image,
    /// The subnet.
    pub subnet: String,
    /// The subnet's zone.
    pub zone: String,
    /// Whether it gets a public address; without one it is reached at its private one.
    pub public: bool,
    /// What happens without CPU credits; none if the type has none.
    pub credits: Option<Credits>,
}

/// An image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Image {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The device that it boots from.
    pub root_device: String,
    /// The size of its disk in GiB, the minimum for an instance.
    pub size: u32,
}

impl Action {
    /// `+` for a creation, `~` for a change, `-` for a removal.
    pub const fn sign(&self) -> char {
        match self {
            Self::ImportKey | Self::CreateGroup { .. } | Self::Create(_) | Self::GiveAddress { .. } => '+',
            Self::ReleaseAddress { .. } | Self::Remove { .. } | Self::RemoveVolume { .. } => '-',
            _ => '~',
        }
    }

    /// The disruption, if it stops or replaces a machine of the spec.
    pub fn disruption(&self) -> Option<String> {
        match self {
            Self::Retype { host, running: true, .. } => Some(format!("{host} is restarted")),
            Self::Create(Creation { host, replaces: Some(_), .. }) => {
                Some(format!("{host} is replaced by a new machine; its disk is deleted"))
            }
            _ => None,
        }
    }

    /// Further details, one per line.
    pub fn details(&self) -> Vec<String> {
        match self {
            Self::CreateGroup { openings, vpc, .. } => {
                let vpc = vpc.iter().map(|vpc| format!("in {vpc}"));
                vpc.chain(openings.iter().map(|opening| format!("lets in {opening}"))).collect()
            }
            Self::Create(creation) => creation.details(),
            Self::Tag { tags, .. } => tags.iter().map(|(key, value)| format!("{key} = {value}")).collect(),
            Self::SetGroup { found, .. } => vec![format!("has {}", found.join(", "))],
            _ => Vec::new(),
        }
    }
}

impl Creation {
    fn details(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(first) = self.candidates.first() {
            let Candidate { instance_type, image, zone, subnet, public, credits } = first;
            let reached = if *public { "public address" } else { "private address only" };
            lines.push(format!("{instance_type} in {zone} ({subnet}), {reached}"));
            lines.extend(credits.map(|credits| format!("CPU credits: {}", meaning(credits))));
            lines.push(format!("image {} ({})", image.id, image.name));
        }
        let others: Vec<String> = self
            .candidates
            .iter()
            .skip(1)
            .map(|other| format!("{} in {}", other.instance_type, other.zone))
            .collect();
        if !others.is_empty() {
            lines.push(format!("if there is no capacity: {}", others.join(", ")));
        }
        lines.extend(self.left_out.iter().map(|what| format!("left out: {what}")));
        let key = self.kms_key.as_ref().map_or_else(String::new, |key| format!(" with {key}"));
        lines.push(format!("disk of {} GiB, gp3, encrypted{key}", self.disk));
        lines.push("metadata by IMDSv2 only, hop limit 1".into());
        lines.extend(self.profile.iter().map(|profile| format!("instance profile {profile}")));
        if self.protection {
            lines.push("protected from termination".into());
        }
        lines
    }
}

/// The consequence of a CPU credits setting.
const fn meaning(credits: Credits) -> &'static str {
    match credits {
        Credits::Standard => "standard (slows down to the type's baseline once they are used up)",
        Credits::Unlimited => "unlimited (CPU above the type's baseline over a day is charged extra)",
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ImportKey => f.write_str("key pair: absent"),
            Self::CreateGroup { role, .. } => write!(f, "security group {role}: absent"),
            Self::Open { role, opening, .. } => {
                write!(f, "security group {role}: {opening} is missing")
            }
            Self::Close { role, rule, .. } => {
                write!(f, "security group {role}: {rule} is not in the spec")
            }
            Self::Tag { what, .. } => write!(f, "{what}: tags are missing"),
            Self::Create(Creation { host, why, .. }) => write!(f, "machine {host}: {why}"),
            Self::Start { host, .. } => write!(f, "machine {host}: not running"),
            Self::Retype { host, from, to, running, .. } => {
                let stops = if *running { "stops the machine" } else { "it is stopped" };
                write!(f, "machine {host}: is {from}, must be {to}; {stops}, keeps its disk")
            }
            Self::GuardMetadata { host, .. } => {
                write!(f, "machine {host}: metadata is available without IMDSv2 or beyond one hop")
            }
            Self::SetGroup { host, .. } => write!(f, "machine {host}: has other security groups"),
            Self::Protect { host, on: true, .. } => {
                write!(f, "machine {host}: not protected from termination")
            }
            Self::Protect { host, on: false, .. } => {
                write!(f, "machine {host}: still protected from termination")
            }
            Self::SetCredits { host, to, .. } => {
                write!(f, "machine {host}: CPU credits must be {to}")
            }
            Self::SetProfile { host, from, to, .. } => {
                let word = |name: &Option<String>| name.clone().unwrap_or_else(|| "none".into());
                write!(f, "machine {host}: instance profile is {}, must be {}", word(from), word(to))
            }
            Self::GrowVolume { host, from, to, .. } => {
                write!(f, "disk of {host}: has {from} GiB, must have {to}; grows in use")
            }
            Self::GrowFileSystem { host, to, .. } => {
                write!(f, "file system of {host}: smaller than its disk of {to} GiB; grows in use")
            }
            Self::GiveAddress { host, .. } => write!(f, "address of {host}: does not survive a stop"),
            Self::ReleaseAddress { address, why, .. } => write!(f, "address {address}: {why}"),
            Self::Remove { host, id, why } => write!(f, "machine {host} ({id}): {why}; its disk is deleted"),
            Self::RemoveVolume { id } => write!(f, "volume {id}: not attached to any machine"),
            Self::RenewHostKey { host } => {
                write!(f, "host key of {host}: contained in user data; replaced at first contact")
            }
        }
    }
}
