//! The pieces of which a project is made, as they are found and removed.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use super::hosts::recorded_items::RecordedItems;

/// A piece of a project that was found, and that [`super::interface::Provider::destroy`] removes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "kind", content = "name", rename_all = "snake_case")]
pub enum Piece {
    /// A machine with its disk.
    Machine(String),
    /// An instance of EC2 with its disk.
    Instance {
        /// Name of its host; empty if unknown.
        host: String,
        /// Its id.
        id: String,
    },
    /// An EC2 volume that is not attached to an instance.
    Volume(String),
    /// An elastic IP address of EC2.
    Address(String),
    /// An EC2 network interface that is not attached to an instance.
    NetworkInterface(String),
    /// A security group of EC2.
    SecurityGroup(String),
    /// A key pair of EC2.
    KeyPair(String),
    /// Number of processes of machines.
    Processes(usize),
    /// A transient unit of this computer's systemd.
    Unit(String),
    /// A control group.
    ControlGroup(PathBuf),
    /// A mount point.
    Mount(PathBuf),
    /// A network interface.
    Interface(String),
    /// An nftables table.
    Table(String),
    /// A file outside the project's folder.
    File(PathBuf),
    /// The folder of the project (disks, keys, the configuration of ssh), or one that a machine needed elsewhere.
    Folder(PathBuf),
    /// Items on an existing host.
    OnHost(RecordedItems),
}

impl Piece {
    /// Outcome for this piece after [`super::interface::Provider::destroy`].
    pub fn outcome(&self) -> String {
        match self {
            Self::OnHost(thing) => thing.outcome(),
            piece => format!("removed {piece}"),
        }
    }
}

impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Machine(name) => write!(f, "machine `{name}`"),
            Self::Instance { host, id } if host.is_empty() => write!(f, "instance `{id}` with its disk"),
            Self::Instance { host, id } => write!(f, "machine `{host}` (instance `{id}`) with its disk"),
            Self::Volume(id) => write!(f, "volume `{id}`"),
            Self::Address(address) => write!(f, "address `{address}`"),
            Self::NetworkInterface(id) => write!(f, "network interface `{id}`"),
            Self::SecurityGroup(name) => write!(f, "security group `{name}`"),
            Self::KeyPair(name) => write!(f, "key pair `{name}`"),
            Self::Processes(1) => f.write_str("1 process"),
            Self::Processes(count) => write!(f, "{count} processes"),
            Self::Unit(name) => write!(f, "unit `{name}`"),
            Self::ControlGroup(path) => write!(f, "control group `{}`", path.display()),
            Self::Mount(path) => write!(f, "mount `{}`", path.display()),
            Self::Interface(name) => write!(f, "interface `{name}`"),
            Self::Table(name) => write!(f, "nftables table `{name}`"),
            Self::File(path) => write!(f, "file `{}`", path.display()),
            Self::Folder(path) => write!(f, "folder `{}`", path.display()),
            Self::OnHost(thing) => thing.fmt(f),
        }
    }
}
