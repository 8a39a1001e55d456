//! Subnets: which are suitable for machines that this computer can reach, and in which order they are tried.

use serde::Serialize;

/// A subnet of EC2, with the default route of its route table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Subnet {
    /// Its id.
    pub id: String,
    /// Its VPC.
    pub vpc: String,
    /// Its zone.
    pub zone: String,
    /// Its network.
    pub network: Option<ipnet::Ipv4Net>,
    /// How many addresses are free.
    pub free: u32,
    /// Whether it has IPv6 addresses only.
    pub ipv6_only: bool,
    /// Whether its route table leads to an internet gateway, so that public addresses work in it.
    pub is_public: bool,
}

/// How machines are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// The spec names the subnet, so that any zone is accepted.
    pub named: bool,
    /// Machines are reached at private addresses: only private networks are allowed.
    pub private: bool,
}

/// Why a subnet is not suitable; none if it is. `has_jump_host` is whether ssh reaches its private addresses through
/// another host.
pub fn obstacle(subnet: &Subnet, region: &str, reach: Reach, has_jump_host: bool) -> Option<String> {
    let place = format!("{} ({})", subnet.id, subnet.zone);
    if subnet.ipv6_only {
        return Some(format!("{place} has IPv6 addresses only"));
    }
    if !reach.named && !is_zone_of(&subnet.zone, region) {
        return Some(format!("{place} is in a local or Wavelength zone"));
    }
    if subnet.free == 0 {
        return Some(format!("{place} has no free address"));
    }
    if !subnet.is_public && !reach.private && !has_jump_host {
        return Some(format!("{place} has no route to an internet gateway"));
    }
    None
}

/// Sorts subnets in which public addresses work first, unless machines are reached privately; then by zone.
pub fn in_order(mut subnets: Vec<Subnet>, reach: Reach) -> Vec<Subnet> {
    subnets.sort_by(|one, other| {
        let rank = |it: &Subnet| (!reach.private && !it.is_public, it.zone.clone(), it.id.clone());
        rank(one).cmp(&rank(other))
    });
    subnets
}

/// Whether a zone is one of the region's own: its name is the region's with one letter. Those of local and Wavelength
/// zones name their city, too.
fn is_zone_of(zone: &str, region: &str) -> bool {
    zone.strip_prefix(region)
        .is_some_and(|rest| rest.len() == 1 && rest.starts_with(|c: char| c.is_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REGION: &str = "eu-central-1";
    const FROM_THE_INTERNET: Reach = Reach { named: false, private: false };

    fn subnet(id: &str, zone: &str) -> Subnet {
        Subnet {
            id: id.into(),
            vpc: "vpc-1".into(),
            zone: zone.into(),
            network: None,
            free: 250,
            ipv6_only: false,
            is_public: true,
        }
    }

    #[test]
    fn an_unreachable_subnet_is_refused_with_the_reason() {
        let fine = subnet("subnet-1", "eu-central-1a");
        assert_eq!(obstacle(&fine, REGION, FROM_THE_INTERNET, false), None);
        let cases = [
            (Subnet { ipv6_only: true, ..fine.clone() }, "IPv6"),
            (subnet("subnet-1", "eu-central-1-ham-1a"), "local"),
            (Subnet { free: 0, ..fine.clone() }, "no free address"),
            (Subnet { is_public: false, ..fine.clone() }, "internet gateway"),
        ];
        for (subnet, words) in cases {
            let reason = obstacle(&subnet, REGION, FROM_THE_INTERNET, false).unwrap();
            assert!(reason.contains(words) && reason.contains("subnet-1"), "{reason}");
        }
    }

    #[test]
    fn a_private_subnet_is_accepted_with_a_jump_host_or_if_only_private_networks_are_allowed() {
        let private = Subnet { is_public: false, ..subnet("subnet-1", "eu-central-1a") };
        assert_eq!(obstacle(&private, REGION, FROM_THE_INTERNET, true), None);
        assert_eq!(obstacle(&private, REGION, Reach { named: false, private: true }, false), None);
    }

    #[test]
    fn a_subnet_that_the_spec_names_may_be_in_a_local_zone() {
        let local = subnet("subnet-1", "eu-central-1-ham-1a");
        assert_eq!(obstacle(&local, REGION, Reach { named: true, private: false }, false), None);
    }

    #[test]
    fn public_subnets_come_first_and_then_zones_in_turn() {
        let private = Subnet { is_public: false, ..subnet("subnet-0", "eu-central-1a") };
        let all = vec![private, subnet("subnet-2", "eu-central-1b"), subnet("subnet-1", "eu-central-1a")];
        let ids = |reach| in_order(all.clone(), reach).into_iter().map(|it| it.id).collect::<Vec<_>>();
        assert_eq!(ids(FROM_THE_INTERNET), ["subnet-1", "subnet-2", "subnet-0"]);
        assert_eq!(ids(Reach { named: false, private: true }), ["subnet-0", "subnet-1", "subnet-2"]);
    }
}
