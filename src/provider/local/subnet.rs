//! Chooses the subnet of a project: one that this computer's routes, its DNS servers and other projects do not use.
//! Pure; `network.rs` reads what is in use.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Subnets are taken from `10.64.0.0/10`, which is private and rarely used by offices and VPNs.
const FIRST: u32 = 0x0a40_0000;
const COUNT: u32 = 1 << 14;

/// A network of 256 addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LocalSubnet([u8; 3]);

impl LocalSubnet {
    /// The address with this last byte.
    pub fn host(self, last: u8) -> Ipv4Addr {
        let [first, second, third] = self.0;
        Ipv4Addr::new(first, second, third, last)
    }

    /// This computer's own address in it, which is the machines' gateway.
    pub fn gateway(self) -> Ipv4Addr {
        self.host(1)
    }

    fn range(self) -> Range {
        Range::new(self.host(0), 24)
    }
}

/// A range of addresses that is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    network: u32,
    mask: u32,
}

impl Range {
    pub fn new(address: Ipv4Addr, prefix: u32) -> Self {
        let mask = u32::MAX.checked_shl(32 - prefix.min(32)).unwrap_or(0);
        Self::with_mask(u32::from(address), mask)
    }

    fn with_mask(address: u32, mask: u32) -> Self {
        Self { network: address & mask, mask }
    }

    fn overlaps(self, other: Self) -> bool {
        let mask = self.mask & other.mask;
        self.network & mask == other.network & mask
    }
}

impl From<LocalSubnet> for Range {
    fn from(subnet: LocalSubnet) -> Self {
        subnet.range()
    }
}

/// The first free subnet; the search starts at a place that differs from project to project.
pub(super) fn choose(seed: u32, taken: &[Range]) -> Option<LocalSubnet> {
    (0..COUNT).map(|step| nth(seed.wrapping_add(step) % COUNT)).find(|subnet| is_free(*subnet, taken))
}

/// Whether nothing else uses the subnet.
pub(super) fn is_free(subnet: LocalSubnet, taken: &[Range]) -> bool {
    !taken.iter().any(|range| range.overlaps(subnet.range()))
}

fn nth(index: u32) -> LocalSubnet {
    let [first, second, third, _] = (FIRST + (index << 8)).to_be_bytes();
    LocalSubnet([first, second, third])
}

/// The interfaces and ranges in `/proc/net/route`, without the default route, which covers everything.
pub(super) fn routes(proc_net_route: &str) -> Vec<(String, Range)> {
    let parse = |line: &str| {
        let mut words = line.split_whitespace();
        let interface = words.next()?.to_owned();
        let network = u32::from_str_radix(words.next()?, 16).ok()?.swap_bytes();
        let mask = u32::from_str_radix(words.nth(5)?, 16).ok()?.swap_bytes();
        (mask != 0).then(|| (interface, Range::with_mask(network, mask)))
    };
    proc_net_route.lines().skip(1).filter_map(parse).collect()
}

impl fmt::Display for LocalSubnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/24", self.host(0))
    }
}

impl FromStr for LocalSubnet {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A text that is not an address is rejected below.
        let address =
            text.strip_suffix(".0/24").and_then(|prefix| format!("{prefix}.0").parse::<Ipv4Addr>().ok());
        let [first, second, third, _] = address.ok_or_else(|| format!("`{text}` is not a subnet"))?.octets();
        Ok(Self([first, second, third]))
    }
}

impl Serialize for LocalSubnet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LocalSubnet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str, prefix: u32) -> Range {
        Range::new(text.parse().unwrap(), prefix)
    }

    #[test]
    fn two_projects_with_the_same_seed_get_different_subnets() {
        let first = choose(7, &[]).unwrap();
        let second = choose(7, &[first.into()]).unwrap();
        assert_ne!(first, second);
        assert_eq!((first.to_string(), second.to_string()), ("10.64.7.0/24".into(), "10.64.8.0/24".into()));
    }

    #[test]
    fn wide_and_narrow_routes_are_avoided() {
        assert_eq!(choose(0, &[range("10.64.0.0", 12)]).unwrap().to_string(), "10.80.0.0/24");
        assert_eq!(choose(0, &[range("10.64.0.53", 32)]).unwrap().to_string(), "10.64.1.0/24");
        assert_eq!(choose(COUNT - 1, &[range("10.127.255.0", 24)]).unwrap().to_string(), "10.64.0.0/24");
        assert_eq!(choose(0, &[range("10.0.0.0", 8)]), None);
    }

    #[test]
    fn routes_are_read_from_the_kernels_table() {
        let table = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n\
            eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
            eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n\
            mon-1\t0007400A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
        let expected =
            [("eth0".to_owned(), range("192.0.2.0", 24)), ("mon-1".to_owned(), range("10.64.7.0", 24))];
        assert_eq!(routes(table), expected);
    }

    #[test]
    fn a_subnet_is_read_as_it_is_written() {
        for text in ["10.64.7.0/24", "10.127.255.0/24"] {
            assert_eq!(text.parse::<LocalSubnet>().unwrap().to_string(), text);
        }
        for text in ["", "10.64.7.1/24", "10.64.7.0/16", "x.0/24", "10.64.0/24"] {
            assert!(text.parse::<LocalSubnet>().is_err(), "{text}");
        }
    }
}
