//! The addresses at which a project's hosts reach one another, as far as they are known.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::host::{HostName, Machine};

/// Known addresses by host. A host without one gets a placeholder such as `<APP_1_ADDRESS>`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addresses(BTreeMap<HostName, IpAddr>);

impl Addresses {
    /// The host's address, or its placeholder.
    pub fn address(&self, host: HostName) -> String {
        self.0.get(&host).map_or_else(|| placeholder(host), ToString::to_string)
    }

    /// The same as written before `:PORT`: IPv6 addresses in brackets.
    pub fn authority(&self, host: HostName) -> String {
        match self.0.get(&host) {
            Some(IpAddr::V6(address)) => format!("[{address}]"),
            _ => self.address(host),
        }
    }
}

impl FromIterator<(HostName, IpAddr)> for Addresses {
    fn from_iter<I: IntoIterator<Item = (HostName, IpAddr)>>(addresses: I) -> Self {
        Self(addresses.into_iter().collect())
    }
}

impl<'a> FromIterator<&'a Machine> for Addresses {
    fn from_iter<I: IntoIterator<Item = &'a Machine>>(machines: I) -> Self {
        machines.into_iter().map(|machine| (machine.name, machine.address)).collect()
    }
}

fn placeholder(host: HostName) -> String {
    match host {
        HostName::MONITORING => "<MONITORING_ADDRESS>".to_owned(),
        _ => format!("<{}_{}_ADDRESS>", host.role().as_str().to_uppercase(), host.number()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_without_an_address_has_a_placeholder() {
        let addresses: Addresses = [
            (HostName::app(2), "203.0.113.7".parse().unwrap()),
            (HostName::app(3), "fd00::1".parse().unwrap()),
        ]
        .into_iter()
        .collect();
        let shown = |number| addresses.authority(HostName::app(number));
        assert_eq!([shown(1), shown(2), shown(3)], ["<APP_1_ADDRESS>", "203.0.113.7", "[fd00::1]"]);
        assert_eq!(addresses.address(HostName::app(3)), "fd00::1");
        assert_eq!(addresses.address(HostName::MONITORING), "<MONITORING_ADDRESS>");
    }
}
