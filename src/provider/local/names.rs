//! Every name, path and address of a project on this computer, derived from its name alone, so that its remains can
//! be found by the name alone. Pure.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use super::subnet::LocalSubnet;
use crate::digest::Sha256;
use crate::error::{Error, Result};
use crate::host::{HostName, ProjectName, Role};

/// Parent of the projects' folders.
pub(super) const STATE: &str = "/var/lib/monctl/local";

/// Last byte of the address of the monitoring host; application hosts follow from [`FIRST_APP`] on.
const MONITORING: u8 = 2;
const FIRST_APP: u8 = 11;

/// The names of one project.
#[derive(Debug, Clone)]
pub(super) struct Names {
    project: ProjectName,
    /// Eight hexadecimal digits that stand for the project where a name must be short.
    token: String,
}

impl Names {
    pub fn new(project: ProjectName) -> Self {
        let mut token = Sha256::of(project.as_str()).short();
        token.truncate(8);
        Self { project, token }
    }

    pub fn project(&self) -> &ProjectName {
        &self.project
    }

    /// A number that is different for most projects.
    pub fn seed(&self) -> u32 {
        // Eight hexadecimal digits are a number of 32 bits.
        u32::from_str_radix(&self.token, 16).unwrap_or_default()
    }

    pub fn folder(&self) -> PathBuf {
        Path::new(STATE).join(self.project.as_str())
    }

    /// File that stores the subnet.
    pub fn network_file(&self) -> PathBuf {
        self.folder().join("network.json")
    }

    pub fn keys(&self) -> PathBuf {
        self.folder().join("ssh")
    }

    pub fn client_key(&self) -> PathBuf {
        self.keys().join("id_ed25519")
    }

    pub fn client_public_key(&self) -> PathBuf {
        self.keys().join("id_ed25519.pub")
    }

    /// Path of a host key that is prepared for a machine before its creation.
    pub fn ready_host_key(&self, host: HostName) -> PathBuf {
        self.keys().join(format!("{host}-host-key"))
    }

    pub fn known_hosts(&self) -> PathBuf {
        self.keys().join("known_hosts")
    }

    pub fn ssh_config(&self) -> PathBuf {
        self.keys().join("config")
    }

    pub fn machines(&self) -> PathBuf {
        self.folder().join("machines")
    }

    pub fn machine(&self, host: HostName) -> MachineFolder {
        MachineFolder(self.machines().join(host.to_string()))
    }

    /// The bridge; an interface has at most 15 characters.
    pub fn bridge(&self) -> String {
        format!("mon-{}", self.token)
    }

    /// Alias of the bridge, so that a bridge of another project is never taken for ours.
    pub fn bridge_alias(&self) -> String {
        format!("monctl project {}", self.project)
    }

    pub fn table(&self) -> String {
        format!("monctl-{}", self.project)
    }

    /// The name of a machine on this computer. systemd-nspawn names its end of the cable `vb-` and this:
    /// 15 characters in all.
    pub fn machine_id(&self, host: HostName) -> Result<String> {
        Ok(format!("{}{:02x}", self.machine_prefix(), last_byte(host)?))
    }

    /// Prefix of [`Self::machine_id`] for all machines of the project.
    pub fn machine_prefix(&self) -> String {
        format!("m{}-", self.token)
    }

    /// Prefix of the interfaces of the project's machines.
    pub fn cable_prefix(&self) -> String {
        format!("vb-{}", self.machine_prefix())
    }

    /// The control group (without systemd) or unit (with it) of a machine.
    pub fn group(&self, host: HostName) -> Result<String> {
        Ok(format!("monctl-{}", self.machine_id(host)?))
    }

    /// Prefix of the control groups and units of the project's machines.
    pub fn group_prefix(&self) -> String {
        format!("monctl-{}", self.machine_prefix())
    }
}

/// The folder of a machine and its content.
#[derive(Debug, Clone)]
pub(super) struct MachineFolder(pub PathBuf);

impl MachineFolder {
    /// Record of a complete machine; written last.
    pub fn record(&self) -> PathBuf {
        self.0.join("machine.json")
    }

    /// The root of the machine's file system.
    pub fn root(&self) -> PathBuf {
        self.0.join("root")
    }

    /// The differences from the base image.
    pub fn upper(&self) -> PathBuf {
        self.0.join("upper")
    }

    /// A folder that overlayfs needs for itself.
    pub fn work(&self) -> PathBuf {
        self.0.join("work")
    }

    /// The machine's console output since its last start.
    pub fn log(&self) -> PathBuf {
        self.0.join("console.log")
    }
}

/// The address of a host in the project's subnet; it never changes.
pub(super) fn address(subnet: LocalSubnet, host: HostName) -> Result<Ipv4Addr> {
    Ok(subnet.host(last_byte(host)?))
}

fn last_byte(host: HostName) -> Result<u8> {
    if host == HostName::MONITORING {
        return Ok(MONITORING);
    }
    // A number that does not fit into a byte has no address.
    let offset = u8::try_from(host.number() - 1).ok().filter(|_| host.role() == Role::APP);
    offset.and_then(|offset| FIRST_APP.checked_add(offset)).filter(|byte| *byte < u8::MAX).ok_or_else(|| {
        let most = u8::MAX - FIRST_APP;
        Error::invalid(format!("no address is left for host `{host}`"))
            .remedy(format!("a local project has one monitoring host and at most {most} application hosts"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(project: &str) -> Names {
        Names::new(project.parse().unwrap())
    }

    #[test]
    fn interface_names_are_short_enough_for_the_kernel() {
        let names = names(&"x".repeat(63));
        let cable = format!("vb-{}", names.machine_id(HostName::app(244)).unwrap());
        for name in [names.bridge(), cable] {
            assert!(name.len() <= 15, "{name}");
        }
    }

    #[test]
    fn names_of_a_machine_begin_with_the_prefixes_of_its_project() {
        let names = names("shop");
        let id = names.machine_id(HostName::MONITORING).unwrap();
        assert!(format!("vb-{id}").starts_with(&names.cable_prefix()));
        assert!(names.group(HostName::app(2)).unwrap().starts_with(&names.group_prefix()));
    }

    #[test]
    fn a_project_whose_name_begins_like_another_shares_no_name_with_it() {
        let (short, long) = (names("shop"), names("shop-2"));
        assert!(!long.group_prefix().starts_with(&short.group_prefix()));
        assert!(!long.folder().starts_with(short.folder()));
        assert_ne!(short.bridge(), long.bridge());
        assert_ne!(short.table(), long.table());
    }

    #[test]
    fn hosts_have_addresses_of_their_own_until_none_is_left() {
        let subnet: LocalSubnet = "10.70.1.0/24".parse().unwrap();
        let text = |host| address(subnet, host).map(|address| address.to_string());
        assert_eq!(text(HostName::MONITORING).unwrap(), "10.70.1.2");
        assert_eq!(text(HostName::app(1)).unwrap(), "10.70.1.11");
        assert_eq!(text(HostName::app(244)).unwrap(), "10.70.1.254");
        assert!(text(HostName::app(245)).is_err());
        assert!(text(HostName::app(300)).is_err());
    }
}
