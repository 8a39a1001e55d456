//! The record of a machine, written once it is complete. Without a record, its creation was interrupted.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::disk::Layout;
use super::files;
use super::names::Names;
use crate::error::Result;
use crate::host::HostName;

/// A complete machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct MachineRecord {
    pub address: Ipv4Addr,
    /// The base image under its disk.
    pub image: String,
    pub layout: Layout,
    /// Its public host key.
    pub host_key: String,
}

impl MachineRecord {
    pub fn read(names: &Names, host: HostName) -> Result<Option<Self>> {
        files::read_json(&names.machine(host).record())
    }

    pub fn write(&self, names: &Names, host: HostName) -> Result<()> {
        files::write_json(&names.machine(host).record(), self)
    }

    #[cfg(test)]
    pub fn example(address: Ipv4Addr) -> Self {
        let host_key = "ssh-ed25519 AAAA".to_owned();
        Self { address, image: "debian-trixie-0".to_owned(), layout: Layout::Overlay, host_key }
    }
}

/// The hosts that have a folder, complete or not, in order.
pub(super) fn hosts(names: &Names) -> Result<Vec<HostName>> {
    files::named(&names.machines())
}

/// The complete machines.
pub(super) fn all(names: &Names) -> Result<Vec<(HostName, MachineRecord)>> {
    let mut records = Vec::new();
    for host in hosts(names)? {
        records.extend(MachineRecord::read(names, host)?.map(|record| (host, record)));
    }
    Ok(records)
}
