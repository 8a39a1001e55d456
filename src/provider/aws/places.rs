//! The usable subnets: those of the spec's VPC or of the default one, and whether their routes lead to the internet.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types;

use super::AwsProvider;
use super::error::{explain, incomplete};
use super::tags::filter;
use crate::error::{Error, Result};
use crate::plan::aws::{Cloud, Reach, Subnet, in_order, obstacle};
use crate::remote;

const DESCRIBE: &str = "ec2:DescribeSubnets";

/// The usable subnets, in the order in which they are tried, and the reasons why others are not usable.
#[derive(Debug, Default)]
pub(super) struct UsableSubnets {
    pub subnets: Vec<Subnet>,
    pub left_out: Vec<String>,
}

impl AwsProvider {
    pub(super) async fn places(&self, cloud: &Cloud) -> Result<UsableSubnets> {
        let found = self.subnets().await?;
        if found.is_empty() {
            return Err(self.no_subnet().await);
        }
        let reach = self.reach();
        let mut places = UsableSubnets::default();
        for subnet in in_order(found, reach) {
            let by_jump_host = !subnet.is_public && self.has_jump_host(&subnet).await?;
            match obstacle(&subnet, &self.api.region, reach, by_jump_host) {
                Some(problem) => places.left_out.push(problem),
                None => places.subnets.push(subnet),
            }
        }
        let Some(first) = places.subnets.first() else { return Err(no_way(&places.left_out)) };
        match cloud.groups.values().find(|group| group.vpc != first.vpc) {
            Some(group) => Err(Error::could_not_run(format!(
                "the project's security groups are in `{}`, but the machines would be in `{}`",
                group.vpc, first.vpc
            ))
            .remedy("set the old VPC in the spec, or move the project with `monctl down` and `monctl up`")),
            None => Ok(places),
        }
    }

    pub(super) fn reach(&self) -> Reach {
        let networks = &self.settings.allow_ssh_from;
        let private = !networks.is_empty() && networks.iter().all(|cidr| is_private(cidr.get()));
        Reach { named: self.settings.subnet.is_some(), private }
    }

    async fn subnets(&self) -> Result<Vec<Subnet>> {
        let (name, value) = match (&self.settings.subnet, &self.settings.vpc) {
            (Some(subnet), _) => ("subnet-id", subnet.as_str()),
            (None, Some(vpc)) => ("vpc-id", vpc.as_str()),
            (None, None) => ("default-for-az", "true"),
        };
        let call = self.api.ec2.describe_subnets().filters(filter(name, [value]));
        let pages = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let mut found = pages.map_err(|failed| explain(DESCRIBE, &failed))?;
        found.retain(|it| {
            let is_requested = match name {
                "subnet-id" => it.subnet_id() == Some(value),
                "vpc-id" => it.vpc_id() == Some(value),
                _ => it.default_for_az() == Some(true),
            };
            is_requested && it.state() != Some(&types::SubnetState::Pending)
        });
        let vpcs: BTreeSet<&str> = found.iter().filter_map(|it| it.vpc_id()).collect();
        let public = self.public_routes(vpcs.into_iter().map(str::to_owned).collect()).await?;
        found.iter().map(|it| subnet(it, &public)).collect()
    }

    /// Whether the route tables of these VPCs lead to an internet gateway, by subnet; the main table, which applies to
    /// subnets without a table of their own, by VPC.
    async fn public_routes(&self, vpcs: Vec<String>) -> Result<BTreeMap<String, bool>> {
        if vpcs.is_empty() {
            return Ok(BTreeMap::new());
        }
        let call = self.api.ec2.describe_route_tables().filters(filter("vpc-id", &vpcs));
        let pages = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let tables = pages.map_err(|failed| explain("ec2:DescribeRouteTables", &failed))?;
        let mut public = BTreeMap::new();
        for table in tables.iter().filter(|it| it.vpc_id().is_some_and(|id| vpcs.iter().any(|vpc| vpc == id)))
        {
            let is_public = table.routes().iter().any(leads_out);
            for association in table.associations() {
                let owner =
                    if association.main() == Some(true) { table.vpc_id() } else { association.subnet_id() };
                public.extend(owner.map(|owner| (owner.to_owned(), is_public)));
            }
        }
        Ok(public)
    }

    /// Whether the user's own ssh configuration reaches addresses of a subnet through another host.
    async fn has_jump_host(&self, subnet: &Subnet) -> Result<bool> {
        // The first address that EC2 assigns to machines: it reserves the first four.
        let Some(address) = subnet.network.and_then(|network| network.hosts().nth(3)) else {
            return Ok(false);
        };
        let Some(config) = self.folder.users_ssh_config() else { return Ok(false) };
        Ok(remote::route(&config, &address.to_string()).await?.indirect)
    }

    async fn no_subnet(&self) -> Error {
        let region = &self.api.region;
        match (&self.settings.subnet, &self.settings.vpc) {
            (Some(subnet), _) => Error::invalid(format!("there is no subnet `{subnet}` in {region}"))
                .at("provider.aws.subnet")
                .remedy("list the existing ones with `aws ec2 describe-subnets`"),
            (None, Some(vpc)) => Error::invalid(format!("there is no subnet in `{vpc}` in {region}"))
                .at("provider.aws.vpc")
                .remedy("set another VPC in `provider.aws.vpc`, or create a subnet in this one"),
            (None, None) => self.no_default_subnet().await.unwrap_or_else(|failed| failed),
        }
    }

    /// The error if there is no default subnet: either no default VPC, or one without subnets.
    async fn no_default_subnet(&self) -> Result<Error> {
        let region = &self.api.region;
        let found = self.api.ec2.describe_vpcs().filters(filter("is-default", ["true"])).send().await;
        let found = found.map_err(|failed| explain("ec2:DescribeVpcs", &failed))?;
        let vpc = found.vpcs().iter().find(|it| it.is_default() == Some(true)).and_then(|it| it.vpc_id());
        Ok(match vpc {
            Some(vpc) => Error::could_not_run(format!("the default VPC `{vpc}` of {region} has no subnet"))
                .remedy(format!(
                    "create one with `aws ec2 create-default-subnet --availability-zone {region}a`, or set \
                     `provider.aws.vpc` or `provider.aws.subnet`"
                )),
            None => Error::could_not_run(format!("the account has no default VPC in {region}")).remedy(
                "set `provider.aws.vpc` or `provider.aws.subnet`, or create a default VPC with \
                 `aws ec2 create-default-vpc`",
            ),
        })
    }
}

fn no_way(left_out: &[String]) -> Error {
    Error::could_not_run(format!("machines in these subnets would be unreachable: {}", left_out.join("; ")))
        .remedy(
            "set `provider.aws.subnet` to a subnet with a route to an internet gateway; or let ssh reach the private \
             one: with a `ProxyJump` for its addresses in `~/.ssh/config`, or with only private networks (a VPN) in \
             `provider.aws.allow_ssh_from`",
        )
}

fn subnet(found: &types::Subnet, public: &BTreeMap<String, bool>) -> Result<Subnet> {
    let lacks = |what: &str| incomplete(DESCRIBE, format!("a subnet without {what}"));
    let id = found.subnet_id().ok_or_else(|| lacks("an id"))?;
    let vpc = found.vpc_id().ok_or_else(|| lacks("a VPC"))?;
    let free = found.available_ip_address_count().ok_or_else(|| lacks("its count of free addresses"))?;
    Ok(Subnet {
        id: id.to_owned(),
        vpc: vpc.to_owned(),
        zone: found.availability_zone().ok_or_else(|| lacks("a zone"))?.to_owned(),
        // Only used to look up a jump host in the ssh configuration: without a network, none is assumed.
        network: found.cidr_block().and_then(|text| text.parse().ok()),
        // A negative count means none.
        free: u32::try_from(free).unwrap_or(0),
        ipv6_only: found.ipv6_native() == Some(true),
        is_public: public.get(id).or_else(|| public.get(vpc)).copied().unwrap_or(false),
    })
}

/// Whether a route is a default route to an existing internet gateway.
fn leads_out(route: &types::Route) -> bool {
    route.destination_cidr_block() == Some("0.0.0.0/0")
        && route.gateway_id().is_some_and(|id| id.starts_with("igw-"))
        && route.state() != Some(&types::RouteState::Blackhole)
}

/// Whether a network is private: RFC 1918, carriers' shared addresses (RFC 6598), and IPv6 unique local addresses.
fn is_private(network: ipnet::IpNet) -> bool {
    let inside = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"];
    inside.iter().any(|text| text.parse::<ipnet::IpNet>().is_ok_and(|it| it.contains(&network)))
}
