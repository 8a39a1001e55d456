//! SSH access to the machines: the project's client key, the pinned host keys of its machines, and one ssh
//! configuration file that names both. All exist before the first connection.

use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use super::files;
use super::keys;
use super::machine_record::MachineRecord;
use super::names::Names;
use crate::error::Result;
use crate::host::{HostName, Machine, SshTarget, Trust};

/// Settings for every machine.
const EVERY_HOST: &str = include_str!("../ssh_config");

/// The machines that exist, with their records.
pub(super) type Records = [(HostName, MachineRecord)];

/// Generates the client key if there is none, and writes the ssh configuration of these machines.
pub(super) async fn ensure(names: &Names, records: &Records) -> Result<()> {
    files::create_folder(&names.keys())?;
    if !(names.client_key().exists() && names.client_public_key().exists()) {
        keys::make(&names.client_key(), &format!("monctl project {}", names.project())).await?;
    }
    for (path, content) in expected(names, records) {
        // A file that cannot be read is rewritten.
        if fs::read_to_string(&path).ok().as_ref() != Some(&content) {
            files::write(&path, content.as_bytes(), 0o600)?;
        }
    }
    Ok(())
}

/// Whether the ssh files are complete and up to date.
pub(super) fn is_complete(names: &Names, records: &Records) -> bool {
    // As above: a file that cannot be read is not complete.
    let is_current = |(path, content)| fs::read_to_string(path).ok().as_ref() == Some(&content);
    let has_key = names.client_key().exists() && names.client_public_key().exists();
    has_key && expected(names, records).into_iter().all(is_current)
}

/// The machine as the rest of monctl knows it.
pub(super) fn machine(names: &Names, host: HostName, address: Ipv4Addr) -> Machine {
    let ssh =
        SshTarget { alias: host.to_string(), config: names.ssh_config(), root: true, trust: Trust::Made };
    Machine { name: host, address: address.into(), public: None, ssh }
}

fn expected(names: &Names, records: &Records) -> [(PathBuf, String); 2] {
    [(names.known_hosts(), known_hosts(records)), (names.ssh_config(), ssh_config(names, records))]
}

fn known_hosts(records: &Records) -> String {
    let line = |(host, record): &(HostName, MachineRecord)| {
        format!("{host},{} {}\n", record.address, record.host_key)
    };
    records.iter().map(line).collect::<Vec<_>>().concat()
}

fn ssh_config(names: &Names, records: &Records) -> String {
    let address = |(host, record): &(HostName, MachineRecord)| {
        format!("Host {host}\n    HostName {}\n", record.address)
    };
    let mut parts: Vec<String> = records.iter().map(address).collect();
    parts.push(
        EVERY_HOST
            .replace("@USER@", "root")
            .replace("@KEY@", &names.client_key().display().to_string())
            .replace("@KNOWN_HOSTS@", &names.known_hosts().display().to_string()),
    );
    parts.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ssh_config_has_every_address_and_trusts_pinned_keys_only() {
        let names = Names::new("shop".parse().unwrap());
        let record = |address: &str| MachineRecord::example(address.parse().unwrap());
        let records = [(HostName::app(1), record("10.64.7.11")), (HostName::MONITORING, record("10.64.7.2"))];
        let config = ssh_config(&names, &records);
        assert!(
            config.contains("Host app\n    HostName 10.64.7.11\nHost monitoring\n    HostName 10.64.7.2\n")
        );
        assert!(config.contains("\n    StrictHostKeyChecking yes\n"));
        assert_eq!(
            known_hosts(&records),
            "app,10.64.7.11 ssh-ed25519 AAAA\nmonitoring,10.64.7.2 ssh-ed25519 AAAA\n"
        );
    }
}
