//! Differences of the emulators from EC2. Each test checks that a difference still exists: remove it from the list once
//! it is fixed there. `docs/aws-calls.md` has the same list, with what each difference hides.

use std::collections::BTreeSet;

use aws_sdk_ec2::operation::run_instances::builders::RunInstancesFluentBuilder;
use aws_sdk_ec2::types::{
    AttributeValue, DomainType, HttpTokensState, Instance, InstanceCreditSpecificationRequest,
    InstanceNetworkInterfaceSpecification, InstanceStateName, InstanceType, ResourceType, Tag,
    TagSpecification,
};

use crate::emulator::{Emulator, Kind};
use crate::pool::with_emulator;

const PAGE: &str = include_str!("../../docs/aws-calls.md");

/// A gap as the page names it, and whether it is there.
type Gap = (&'static str, fn(&Emulator) -> bool);

const OF_BOTH: [Gap; 5] = [
    ("client tokens are ignored", tokens_are_ignored),
    ("no request is denied, whatever its signature", nothing_is_denied),
    ("`running` from the answer of `RunInstances` on", is_running_at_once),
    ("a group is deleted though an instance has it", used_groups_go),
    ("no images of Debian 13", there_is_no_debian),
];

const OF_MOTO: [Gap; 5] = [
    ("an instance that was launched with an interface shows no groups", groups_are_not_shown),
    ("tags for network interfaces are dropped", interfaces_have_no_tags),
    ("a default VPC leads nowhere", default_vpc_leads_nowhere),
    ("the type of a running instance is changed", running_types_change),
    ("`Latest` of `GetConsoleOutput` on Xen", latest_is_for_all),
];

const OF_MINISTACK: [Gap; 10] = [
    ("`DescribeInstanceTypeOfferings` is not implemented", offerings_are_unknown),
    ("`ModifyInstanceAttribute` is not implemented", attributes_are_unknown),
    ("`ModifyInstanceMetadataOptions` is not implemented", metadata_options_are_unknown),
    ("`GetConsoleOutput` is not implemented", console_is_unknown),
    ("`DryRun` is ignored", dry_run_acts),
    ("key pairs have no tags and no public half", keys_are_bare),
    ("the interface of `RunInstances` is ignored", interface_is_ignored),
    ("a root disk has no tags and stays", disks_stay),
    ("elastic addresses are not seen on their instance", addresses_are_not_seen),
    ("CPU credits are not switched", credits_are_unknown),
];

fn launch(it: &Emulator, kind: &str) -> RunInstancesFluentBuilder {
    let call = it.client.run_instances().min_count(1).max_count(1).instance_type(InstanceType::from(kind));
    call.image_id(it.image().image_id().unwrap())
}

fn launched(it: &Emulator, call: RunInstancesFluentBuilder) -> Instance {
    it.runtime.block_on(call.send()).unwrap().instances()[0].clone()
}

fn id(instance: &Instance) -> String {
    instance.instance_id().unwrap().to_owned()
}

fn shown(it: &Emulator, id: &str) -> Instance {
    let found = it.runtime.block_on(it.client.describe_instances().instance_ids(id).send()).unwrap();
    found.reservations()[0].instances()[0].clone()
}

fn group(it: &Emulator) -> String {
    let call = it.client.create_security_group().group_name("gap").description("gap");
    it.runtime.block_on(call.send()).unwrap().group_id().unwrap().to_owned()
}

fn tags(kind: ResourceType) -> TagSpecification {
    let tag = Tag::builder().key("gap").value("gap").build();
    TagSpecification::builder().resource_type(kind).tags(tag).build()
}

/// Whether the answer means that the action is not implemented.
fn is_unknown<T, E, R>(answer: Result<T, aws_sdk_ec2::error::SdkError<E, R>>) -> bool
where
    E: aws_sdk_ec2::error::ProvideErrorMetadata,
{
    answer.err().and_then(|failed| failed.as_service_error()?.code().map(|code| code == "InvalidAction"))
        == Some(true)
}

fn tokens_are_ignored(it: &Emulator) -> bool {
    let one = || id(&launched(it, launch(it, "t3.small").client_token("the-same")));
    one() != one()
}

fn nothing_is_denied(it: &Emulator) -> bool {
    // The client signs with a secret that does not exist.
    it.runtime.block_on(it.client.describe_vpcs().send()).is_ok()
}

fn is_running_at_once(it: &Emulator) -> bool {
    let id = id(&launched(it, launch(it, "t3.small")));
    shown(it, &id).state().unwrap().name() == Some(&InstanceStateName::Running)
}

fn used_groups_go(it: &Emulator) -> bool {
    let group = group(it);
    launched(it, launch(it, "t3.small").security_group_ids(&group));
    it.runtime.block_on(it.client.delete_security_group().group_id(group).send()).is_ok()
}

fn there_is_no_debian(it: &Emulator) -> bool {
    let call = it.client.describe_images().owners("136693071363");
    it.runtime.block_on(call.send()).unwrap().images().is_empty()
}

fn with_interface(it: &Emulator, group: &str) -> String {
    let interface = InstanceNetworkInterfaceSpecification::builder().device_index(0).groups(group).build();
    let call = launch(it, "t3.small").network_interfaces(interface);
    id(&launched(it, call.tag_specifications(tags(ResourceType::NetworkInterface))))
}

fn groups_are_not_shown(it: &Emulator) -> bool {
    let group = group(it);
    let instance = shown(it, &with_interface(it, &group));
    let of_interface = &instance.network_interfaces()[0].groups()[0];
    instance.security_groups().is_empty() && of_interface.group_id() == Some(group.as_str())
}

fn interfaces_have_no_tags(it: &Emulator) -> bool {
    with_interface(it, &group(it));
    let found = it.runtime.block_on(it.client.describe_network_interfaces().send()).unwrap();
    found.network_interfaces().iter().all(|it| it.tag_set().is_empty())
}

fn default_vpc_leads_nowhere(it: &Emulator) -> bool {
    it.forget_all();
    let found = it.runtime.block_on(it.client.describe_route_tables().send()).unwrap();
    let routes = found.route_tables().iter().flat_map(aws_sdk_ec2::types::RouteTable::routes);
    !routes.filter_map(|it| it.gateway_id()).any(|id| id.starts_with("igw-"))
}

fn running_types_change(it: &Emulator) -> bool {
    let id = id(&launched(it, launch(it, "t3.small")));
    let value = AttributeValue::builder().value("t3.large").build();
    let call = it.client.modify_instance_attribute().instance_id(id).instance_type(value);
    it.runtime.block_on(call.send()).is_ok()
}

fn latest_is_for_all(it: &Emulator) -> bool {
    let id = id(&launched(it, launch(it, "t2.small")));
    it.runtime.block_on(it.client.get_console_output().instance_id(id).latest(true).send()).is_ok()
}

fn offerings_are_unknown(it: &Emulator) -> bool {
    is_unknown(it.runtime.block_on(it.client.describe_instance_type_offerings().send()))
}

fn attributes_are_unknown(it: &Emulator) -> bool {
    let call = it.client.modify_instance_attribute().instance_id(id(&launched(it, launch(it, "t3.small"))));
    is_unknown(it.runtime.block_on(call.groups(group(it)).send()))
}

fn metadata_options_are_unknown(it: &Emulator) -> bool {
    let id = id(&launched(it, launch(it, "t3.small")));
    let call = it.client.modify_instance_metadata_options().instance_id(id);
    is_unknown(it.runtime.block_on(call.http_tokens(HttpTokensState::Required).send()))
}

fn console_is_unknown(it: &Emulator) -> bool {
    let call = it.client.get_console_output().instance_id(id(&launched(it, launch(it, "t3.small"))));
    is_unknown(it.runtime.block_on(call.send()))
}

fn dry_run_acts(it: &Emulator) -> bool {
    let id = id(&launched(it, launch(it, "t3.small")));
    let accepted =
        it.runtime.block_on(it.client.stop_instances().instance_ids(&id).dry_run(true).send()).is_ok();
    accepted && shown(it, &id).state().unwrap().name() == Some(&InstanceStateName::Stopped)
}

fn keys_are_bare(it: &Emulator) -> bool {
    let key = aws_sdk_ec2::primitives::Blob::new("ssh-ed25519 AAAA");
    let call = it.client.import_key_pair().key_name("gap").public_key_material(key);
    it.runtime.block_on(call.tag_specifications(tags(ResourceType::KeyPair)).send()).unwrap();
    let call = it.client.describe_key_pairs().include_public_key(true);
    let found = it.runtime.block_on(call.send()).unwrap();
    let key = &found.key_pairs()[0];
    key.tags().is_empty() && key.public_key().is_none()
}

fn interface_is_ignored(it: &Emulator) -> bool {
    let group = group(it);
    let instance = shown(it, &with_interface(it, &group));
    instance.security_groups().iter().all(|it| it.group_id() != Some(group.as_str()))
        && instance.network_interfaces().is_empty()
}

fn disks_stay(it: &Emulator) -> bool {
    let call = launch(it, "t3.small").tag_specifications(tags(ResourceType::Volume));
    let id = id(&launched(it, call));
    it.runtime.block_on(it.client.terminate_instances().instance_ids(id).send()).unwrap();
    let found = it.runtime.block_on(it.client.describe_volumes().send()).unwrap();
    found.volumes().len() == 1 && found.volumes()[0].tags().is_empty()
}

fn addresses_are_not_seen(it: &Emulator) -> bool {
    let id = id(&launched(it, launch(it, "t3.small")));
    let made = it.runtime.block_on(it.client.allocate_address().domain(DomainType::Vpc).send()).unwrap();
    let call = it.client.associate_address().instance_id(&id).allocation_id(made.allocation_id().unwrap());
    it.runtime.block_on(call.send()).unwrap();
    shown(it, &id).public_ip_address() != made.public_ip()
}

fn credits_are_unknown(it: &Emulator) -> bool {
    let id = id(&launched(it, launch(it, "t3.small")));
    let wanted =
        InstanceCreditSpecificationRequest::builder().instance_id(id).cpu_credits("standard").build();
    let call = it.client.modify_instance_credit_specification().instance_credit_specifications(wanted);
    is_unknown(it.runtime.block_on(call.send()))
}

/// The gaps of an emulator.
fn of(kind: Kind) -> Vec<Gap> {
    let own: &[Gap] = match kind {
        Kind::Moto => &OF_MOTO,
        Kind::Ministack => &OF_MINISTACK,
    };
    OF_BOTH.iter().chain(own).copied().collect()
}

fn is_as_listed(kind: Kind) {
    with_emulator(kind, |emulator| {
        let mut fixed = Vec::new();
        for (name, is_still) in of(kind) {
            emulator.reset();
            if !is_still(emulator) {
                fixed.push(name);
            }
        }
        assert_eq!(fixed, Vec::<&str>::new(), "{} now behaves like EC2 here", kind.name());
    });
}

#[test]
fn moto_has_the_gaps_that_are_listed() {
    is_as_listed(Kind::Moto);
}

#[test]
fn ministack_has_the_gaps_that_are_listed() {
    is_as_listed(Kind::Ministack);
}

#[test]
fn the_page_lists_the_gaps_with_what_each_hides() {
    let (_, section) = PAGE.split_once("\n## Emulators\n").unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| m"));
    let rows: Vec<Vec<&str>> = rows.map(|line| line.split('|').map(str::trim).collect()).collect();
    let listed: BTreeSet<(&str, &str)> = rows.iter().map(|cells| (cells[1], cells[2])).collect();
    assert!(rows.iter().all(|cells| cells.len() == 5 && !cells[3].is_empty()), "{rows:?}");
    let both = OF_BOTH.iter().map(|(gap, _)| ("moto, ministack", *gap));
    let moto = OF_MOTO.iter().map(|(gap, _)| ("moto", *gap));
    let ministack = OF_MINISTACK.iter().map(|(gap, _)| ("ministack", *gap));
    assert_eq!(listed, both.chain(moto).chain(ministack).collect());
}
