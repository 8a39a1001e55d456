//! Changes in the account by hand, without monctl.

use aws_sdk_ec2::Client;
use aws_sdk_ec2::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_ec2::operation::describe_instance_attribute::DescribeInstanceAttributeOutput;
use aws_sdk_ec2::types::{
    AttributeValue, HttpTokensState, InstanceAttributeName, IpPermission, IpRange, ResourceType, Tag,
    TagSpecification,
};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use crate::support::ec2_double::{Ec2, Ec2Double};

pub struct Hand<'a, C: Ec2 = Ec2Double> {
    pub double: &'a C,
    client: Client,
    runtime: Runtime,
}

impl<'a, C: Ec2> Hand<'a, C> {
    pub fn new(double: &'a C) -> Self {
        let administrator = double.administrator();
        let credentials = Credentials::new(
            &administrator.access_key,
            &administrator.secret_key,
            administrator.session_token.clone(),
            None,
            "test",
        );
        let config = aws_sdk_ec2::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .endpoint_url(double.direct())
            .credentials_provider(credentials)
            .build();
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        Self { double, client: Client::from_conf(config), runtime }
    }

    /// The id of the only piece of a kind that belongs to a host.
    #[track_caller]
    pub fn id(&self, kind: &str, host: &str) -> String {
        self.id_of("shop", kind, host)
    }

    /// The same of another project.
    #[track_caller]
    pub fn id_of(&self, project: &str, kind: &str, host: &str) -> String {
        let inventory = self.double.inventory();
        let is_its = |piece: &&Value| {
            let tags = &piece["tags"];
            let is_host = tags["monctl:project"] == project && tags["monctl:host"] == host;
            is_host || tags["Name"] == format!("{project}-{host}")
        };
        let piece = inventory[kind].as_array().unwrap().iter().find(is_its);
        let piece = piece.unwrap_or_else(|| panic!("no {kind} of {host} in {inventory:#}"));
        piece["id"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    pub fn stop(&self, host: &str) {
        let call = self.client.stop_instances().instance_ids(self.id("instances", host));
        self.runtime.block_on(call.send()).unwrap();
    }

    #[track_caller]
    pub fn terminate(&self, host: &str) {
        let call = self.client.terminate_instances().instance_ids(self.id("instances", host));
        self.runtime.block_on(call.send()).unwrap();
    }

    /// Takes a tag off whatever it is.
    #[track_caller]
    pub fn untag(&self, id: &str, key: &str) {
        let call = self.client.delete_tags().resources(id).tags(Tag::builder().key(key).build());
        self.runtime.block_on(call.send()).unwrap();
    }

    /// Gives an instance another type, as one does: it must be stopped for that.
    #[track_caller]
    pub fn retype(&self, host: &str, wanted: &str) {
        let id = self.id("instances", host);
        self.stop(host);
        let value = AttributeValue::builder().value(wanted).build();
        let call = self.client.modify_instance_attribute().instance_id(&id).instance_type(value);
        self.runtime.block_on(call.send()).unwrap();
        self.runtime.block_on(self.client.start_instances().instance_ids(&id).send()).unwrap();
    }

    #[track_caller]
    pub fn open(&self, role: &str, port: i32, from: &str) {
        let call = self.client.authorize_security_group_ingress().group_id(self.id("groups", role));
        self.runtime.block_on(call.ip_permissions(permission(port, from)).send()).unwrap();
    }

    #[track_caller]
    pub fn close(&self, role: &str, port: i32, from: &str) {
        let call = self.client.revoke_security_group_ingress().group_id(self.id("groups", role));
        self.runtime.block_on(call.ip_permissions(permission(port, from)).send()).unwrap();
    }

    /// The ports that a group opens to networks, with the network.
    #[track_caller]
    pub fn openings(&self, role: &str) -> Vec<(i32, String)> {
        let call = self.client.describe_security_groups().group_ids(self.id("groups", role));
        let found = self.runtime.block_on(call.send()).unwrap();
        let permissions = found.security_groups()[0].ip_permissions().to_vec();
        let each = |one: &IpPermission| {
            let port = one.from_port().unwrap_or(-1);
            one.ip_ranges()
                .iter()
                .map(move |range| (port, range.cidr_ip().unwrap().to_owned()))
                .collect::<Vec<_>>()
        };
        let mut openings: Vec<_> = permissions.iter().flat_map(each).collect();
        openings.sort();
        openings
    }

    #[track_caller]
    pub fn delete_key(&self) {
        let key = self.double.inventory()["keys"][0]["id"].as_str().unwrap().to_owned();
        self.runtime.block_on(self.client.delete_key_pair().key_pair_id(key).send()).unwrap();
    }

    /// Makes a machine's metadata available without a token.
    pub fn unguard_metadata(&self) {
        let call = self.client.modify_instance_metadata_options().instance_id(self.id("instances", "app"));
        self.runtime.block_on(call.http_tokens(HttpTokensState::Optional).send()).unwrap();
    }

    /// A volume of the project that no machine has.
    pub fn leave_a_volume(&self) {
        let call = self.client.create_volume().availability_zone("eu-central-1a").size(8);
        self.runtime.block_on(call.tag_specifications(tagged(ResourceType::Volume)).send()).unwrap();
    }

    /// A network interface of the project that no machine has.
    pub fn leave_an_interface(&self) {
        let subnet = self.instance("app").subnet_id().unwrap().to_owned();
        let call = self.client.create_network_interface().subnet_id(subnet);
        self.runtime
            .block_on(call.tag_specifications(tagged(ResourceType::NetworkInterface)).send())
            .unwrap();
    }

    /// The instance of a host as EC2 shows it.
    #[track_caller]
    pub fn instance(&self, host: &str) -> aws_sdk_ec2::types::Instance {
        let call = self.client.describe_instances().instance_ids(self.id("instances", host));
        let found = self.runtime.block_on(call.send()).unwrap();
        found.reservations()[0].instances()[0].clone()
    }

    /// The image of an instance as EC2 shows it.
    #[track_caller]
    pub fn image_of(&self, host: &str) -> aws_sdk_ec2::types::Image {
        let id = self.instance(host).image_id().unwrap().to_owned();
        let found = self.runtime.block_on(self.client.describe_images().image_ids(id).send()).unwrap();
        found.images()[0].clone()
    }

    /// The first image of a name's beginning whose owner is this.
    #[track_caller]
    pub fn image(&self, owner: &str, beginning: &str) -> String {
        let found = self.runtime.block_on(self.client.describe_images().owners(owner).send()).unwrap();
        let fits = |image: &&aws_sdk_ec2::types::Image| image.name().unwrap().starts_with(beginning);
        found.images().iter().find(fits).unwrap().image_id().unwrap().to_owned()
    }

    #[track_caller]
    pub fn has_tag(&self, kind: &str, host: &str, key: &str) -> bool {
        let inventory = self.double.inventory();
        let all = inventory[kind].as_array().unwrap();
        all.iter().any(|it| it["tags"]["monctl:host"] == host && it["tags"].get(key).is_some())
    }

    pub fn has_key(&self) -> bool {
        self.double.counts().contains_key("keys")
    }

    /// The disk of a host as EC2 shows it.
    #[track_caller]
    pub fn volume(&self, host: &str) -> aws_sdk_ec2::types::Volume {
        let call = self.client.describe_volumes().volume_ids(self.id("volumes", host));
        self.runtime.block_on(call.send()).unwrap().volumes()[0].clone()
    }

    /// The ports that a group opens to groups, with the name of each.
    #[track_caller]
    pub fn openings_to_groups(&self, role: &str) -> Vec<(i32, String)> {
        let call = self.client.describe_security_groups().group_ids(self.id("groups", role));
        let found = self.runtime.block_on(call.send()).unwrap();
        let inventory = self.double.inventory();
        let groups = inventory["groups"].as_array().unwrap();
        let name = |id: &str| {
            let group = groups.iter().find(|group| group["id"] == id).unwrap();
            group["tags"]["Name"].as_str().unwrap().to_owned()
        };
        let mut openings: Vec<(i32, String)> = Vec::new();
        for permission in found.security_groups()[0].ip_permissions() {
            let port = permission.from_port().unwrap_or(-1);
            let pairs = permission.user_id_group_pairs().iter();
            openings.extend(pairs.map(|pair| (port, name(pair.group_id().unwrap()))));
        }
        openings.sort();
        openings
    }

    /// Writes a tag.
    #[track_caller]
    pub fn tag(&self, id: &str, key: &str, value: &str) {
        let call = self.client.create_tags().resources(id).tags(Tag::builder().key(key).value(value).build());
        self.runtime.block_on(call.send()).unwrap();
    }

    /// A VPC of one's own without subnets, whose main route table leads to no gateway.
    #[track_caller]
    pub fn make_vpc(&self) -> String {
        let made = self.runtime.block_on(self.client.create_vpc().cidr_block("10.9.0.0/16").send()).unwrap();
        made.vpc().unwrap().vpc_id().unwrap().to_owned()
    }

    /// A subnet of such a VPC; with `network` absent one of IPv6 only.
    #[track_caller]
    pub fn make_subnet_in(&self, vpc: &str, zone: &str, network: Option<&str>) -> String {
        let call = self.client.create_subnet().vpc_id(vpc).availability_zone(zone);
        let call = match network {
            Some(network) => call.cidr_block(network),
            None => call.ipv6_native(true).ipv6_cidr_block("2001:db8::/64"),
        };
        let made = self.runtime.block_on(call.send()).unwrap();
        made.subnet().unwrap().subnet_id().unwrap().to_owned()
    }

    /// Gives a subnet a route table of its own that leads to an internet gateway.
    #[track_caller]
    pub fn lead_out(&self, vpc: &str, subnet: &str) {
        self.runtime.block_on(async {
            let made = self.client.create_internet_gateway().send().await.unwrap();
            let gateway = made.internet_gateway().unwrap().internet_gateway_id().unwrap().to_owned();
            self.client
                .attach_internet_gateway()
                .internet_gateway_id(&gateway)
                .vpc_id(vpc)
                .send()
                .await
                .unwrap();
            let made = self.client.create_route_table().vpc_id(vpc).send().await.unwrap();
            let table = made.route_table().unwrap().route_table_id().unwrap().to_owned();
            let call = self.client.create_route().route_table_id(&table).destination_cidr_block("0.0.0.0/0");
            call.gateway_id(gateway).send().await.unwrap();
            let call = self.client.associate_route_table().route_table_id(table).subnet_id(subnet);
            call.send().await.unwrap();
        });
    }

    /// Protects an instance from termination, or does so no more.
    #[track_caller]
    pub fn protect(&self, host: &str, on: bool) {
        let value = aws_sdk_ec2::types::AttributeBooleanValue::builder().value(on).build();
        let call = self.client.modify_instance_attribute().instance_id(self.id("instances", host));
        self.runtime.block_on(call.disable_api_termination(value).send()).unwrap();
    }

    /// What happens to an instance without CPU credits.
    #[track_caller]
    pub fn credits(&self, host: &str) -> String {
        let call = self.client.describe_instance_credit_specifications();
        let found = self.runtime.block_on(call.instance_ids(self.id("instances", host)).send()).unwrap();
        found.instance_credit_specifications()[0].cpu_credits().unwrap().to_owned()
    }

    /// A VPC of one's own with a subnet in it that can be reached.
    #[track_caller]
    pub fn make_subnet(&self) -> (String, String) {
        let vpc = self.make_vpc();
        let subnet = self.make_subnet_in(&vpc, "eu-central-1a", Some("10.9.1.0/24"));
        self.lead_out(&vpc, &subnet);
        (vpc, subnet)
    }

    #[track_caller]
    fn attribute(&self, host: &str, name: InstanceAttributeName) -> DescribeInstanceAttributeOutput {
        let call = self.client.describe_instance_attribute().instance_id(self.id("instances", host));
        self.runtime.block_on(call.attribute(name).send()).unwrap()
    }

    /// The user data of a machine, which everybody may read who may read instances' attributes.
    #[track_caller]
    pub fn user_data(&self, host: &str) -> String {
        use base64::Engine as _;
        let found = self.attribute(host, InstanceAttributeName::UserData);
        let text = found.user_data().and_then(|value| value.value()).unwrap().to_owned();
        String::from_utf8(base64::engine::general_purpose::STANDARD.decode(text).unwrap()).unwrap()
    }

    /// Whether an instance is protected from termination.
    #[track_caller]
    pub fn is_protected(&self, host: &str) -> bool {
        let found = self.attribute(host, InstanceAttributeName::DisableApiTermination);
        found
            .disable_api_termination()
            .and_then(aws_sdk_ec2::types::AttributeBooleanValue::value)
            .unwrap_or(false)
    }
}

/// The project's tag, as on everything that is its own.
fn tagged(kind: ResourceType) -> TagSpecification {
    let tag = Tag::builder().key("monctl:project").value("shop").build();
    TagSpecification::builder().resource_type(kind).tags(tag).build()
}

fn permission(port: i32, from: &str) -> IpPermission {
    let range = IpRange::builder().cidr_ip(from).build();
    IpPermission::builder().ip_protocol("tcp").from_port(port).to_port(port).ip_ranges(range).build()
}
