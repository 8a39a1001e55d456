//! What there is of a project: found by tags and names, five calls at once, and never more where nothing is odd.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use aws_sdk_ec2::types::{self, Filter};

use super::Aws;
use super::error::explain;
use super::tags::{self, filter, of_project};
use crate::error::Result;
use crate::host::{HostName, Role};
use crate::plan::aws::{Address, Cloud, Group, Instance, InstanceState, KeyPair, Rule, Source, Volume, tag};

impl Aws {
    /// Looks at everything. Changes nothing.
    pub(super) async fn look(&self) -> Result<Cloud> {
        let (mut instances, groups, key, volumes, addresses) = tokio::try_join!(
            self.instances(of_project(&self.project)),
            self.groups(),
            self.key(),
            self.volumes(),
            self.addresses(),
        )?;
        let known: BTreeSet<&String> = instances.iter().map(|it| &it.id).collect();
        let holders: BTreeSet<&String> = volumes.iter().filter_map(|it| it.instance.as_ref()).collect();
        let untagged: Vec<String> = holders.difference(&known).map(|id| (*id).clone()).collect();
        if !untagged.is_empty() {
            // A machine that lost its tags is still known by its disk.
            instances.extend(self.instances(filter("instance-id", untagged)).await?);
        }
        for instance in &mut instances {
            instance.host = self.host_of(instance, &volumes);
        }
        Ok(Cloud { key, groups, instances, volumes, addresses, ..Cloud::default() })
    }

    /// The host that an instance is: by its tag, else by its name, else by its disk.
    fn host_of(&self, instance: &Instance, volumes: &[Volume]) -> Option<HostName> {
        let tag = |tags: &BTreeMap<String, String>| tags.get(tag::HOST).and_then(|host| host.parse().ok());
        let prefix = format!("{}-", self.project);
        let name = || instance.tags.get(tag::NAME)?.strip_prefix(&prefix)?.parse().ok();
        let disk = || {
            let is_its = |volume: &&Volume| volume.instance.as_ref() == Some(&instance.id);
            tag(&volumes.iter().find(is_its)?.tags)
        };
        tag(&instance.tags).or_else(name).or_else(disk)
    }

    pub(super) async fn instances(&self, filter: Filter) -> Result<Vec<Instance>> {
        let call = self.api.ec2.describe_instances().filters(filter);
        let pages = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let reservations = pages.map_err(|failed| explain("ec2:DescribeInstances", &failed))?;
        let instances = reservations.iter().flat_map(types::Reservation::instances);
        Ok(instances.filter_map(instance).collect())
    }

    /// The project's groups. They are known by their names, which are unique in a VPC and never change.
    pub(super) async fn groups(&self) -> Result<BTreeMap<Role, Group>> {
        let names = Role::ALL.map(|role| self.group_name(role));
        let found = self.groups_by(filter("group-name", names)).await?;
        let by_role = |role: Role| {
            let name = self.group_name(role);
            found.iter().find(|group| group.group_name() == Some(&name) && self.owns(group))
        };
        let monitoring = by_role(Role::Monitoring).and_then(|group| group.group_id());
        let groups =
            Role::ALL.into_iter().filter_map(|role| Some((role, group(by_role(role)?, monitoring)?)));
        Ok(groups.collect())
    }

    pub(super) async fn groups_by(&self, filter: Filter) -> Result<Vec<types::SecurityGroup>> {
        let call = self.api.ec2.describe_security_groups().filters(filter);
        let pages = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        pages.map_err(|failed| explain("ec2:DescribeSecurityGroups", &failed))
    }

    /// Whether a group of our name is ours: by its tag or, where that was lost, by the description it was made with.
    pub(super) fn owns(&self, group: &types::SecurityGroup) -> bool {
        let tags = tags::found(group.tags());
        let tagged = tags.get(tag::PROJECT).is_some_and(|project| project == self.project.as_str());
        tagged || group.description() == Some(&self.group_description())
    }

    pub(super) async fn key(&self) -> Result<Option<KeyPair>> {
        let call = self.api.ec2.describe_key_pairs().filters(filter("key-name", [self.key_name()]));
        let found = call.include_public_key(true).send().await;
        let found = found.map_err(|failed| explain("ec2:DescribeKeyPairs", &failed))?;
        Ok(found.key_pairs().first().and_then(|key| {
            let public: Vec<&str> = key.public_key()?.split_whitespace().take(2).collect();
            Some(KeyPair {
                id: key.key_pair_id()?.to_owned(),
                public_key: public.join(" "),
                tags: tags::found(key.tags()),
            })
        }))
    }

    pub(super) async fn volumes(&self) -> Result<Vec<Volume>> {
        let call = self.api.ec2.describe_volumes().filters(of_project(&self.project));
        let pages = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let found = pages.map_err(|failed| explain("ec2:DescribeVolumes", &failed))?;
        Ok(found.iter().filter_map(volume).collect())
    }

    pub(super) async fn addresses(&self) -> Result<Vec<Address>> {
        let found = self.api.ec2.describe_addresses().filters(of_project(&self.project)).send().await;
        let found = found.map_err(|failed| explain("ec2:DescribeAddresses", &failed))?;
        Ok(found.addresses().iter().filter_map(address).collect())
    }

    /// Network interfaces that no instance has; those of instances go with them.
    pub(super) async fn loose_interfaces(&self) -> Result<Vec<String>> {
        let call = self.api.ec2.describe_network_interfaces().filters(of_project(&self.project));
        let pages = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let found = pages.map_err(|failed| explain("ec2:DescribeNetworkInterfaces", &failed))?;
        let loose = found.iter().filter(|it| it.attachment().is_none());
        Ok(loose.filter_map(|it| it.network_interface_id().map(str::to_owned)).collect())
    }
}

fn instance(found: &types::Instance) -> Option<Instance> {
    let metadata = found.metadata_options();
    let root = found
        .block_device_mappings()
        .iter()
        .find(|device| device.device_name() == found.root_device_name())
        .and_then(|device| device.ebs()?.volume_id());
    let name = |arn: &str| arn.rsplit('/').next().unwrap_or(arn).to_owned();
    let ip = |text: Option<&str>| text.and_then(|text| text.parse::<IpAddr>().ok());
    Some(Instance {
        id: found.instance_id()?.to_owned(),
        host: None,
        state: state(found.state()?.name()?),
        reason: found.state_reason().and_then(|reason| reason.message()).map(str::to_owned),
        instance_type: found.instance_type()?.as_str().to_owned(),
        image: found.image_id().unwrap_or_default().to_owned(),
        zone: found.placement().and_then(|it| it.availability_zone()).unwrap_or_default().to_owned(),
        private: ip(found.private_ip_address()),
        public: ip(found.public_ip_address()),
        launched: found.launch_time().map_or(0, aws_sdk_ec2::primitives::DateTime::secs),
        guarded_metadata: metadata.is_some_and(|it| {
            it.http_tokens() == Some(&types::HttpTokensState::Required)
                && it.http_put_response_hop_limit() == Some(1)
        }),
        profile: found.iam_instance_profile().and_then(|it| it.arn()).map(name),
        root_volume: root.map(str::to_owned),
        groups: found.security_groups().iter().filter_map(|it| it.group_id().map(str::to_owned)).collect(),
        token: found.client_token().filter(|token| !token.is_empty()).map(str::to_owned),
        tags: tags::found(found.tags()),
    })
}

/// A state that EC2 invents some day counts as one that passes.
fn state(name: &types::InstanceStateName) -> InstanceState {
    match name {
        types::InstanceStateName::Running => InstanceState::Running,
        types::InstanceStateName::Stopping => InstanceState::Stopping,
        types::InstanceStateName::Stopped => InstanceState::Stopped,
        types::InstanceStateName::ShuttingDown => InstanceState::ShuttingDown,
        types::InstanceStateName::Terminated => InstanceState::Terminated,
        _ => InstanceState::Pending,
    }
}

fn group(found: &types::SecurityGroup, monitoring: Option<&str>) -> Option<Group> {
    Some(Group {
        id: found.group_id()?.to_owned(),
        vpc: found.vpc_id().unwrap_or_default().to_owned(),
        rules: found.ip_permissions().iter().flat_map(|it| rules(it, monitoring)).collect(),
        tags: tags::found(found.tags()),
    })
}

/// The rules of a permission, one for each source.
fn rules(permission: &types::IpPermission, monitoring: Option<&str>) -> Vec<Rule> {
    let net = |text: Option<&str>| text.and_then(|text| text.parse().ok()).map(Source::Network);
    let v4 = permission.ip_ranges().iter().filter_map(|it| net(it.cidr_ip()));
    let v6 = permission.ipv6_ranges().iter().filter_map(|it| net(it.cidr_ipv6()));
    let groups = permission
        .user_id_group_pairs()
        .iter()
        .filter_map(|it| it.group_id())
        .map(|id| if Some(id) == monitoring { Source::Monitoring } else { Source::Other(id.to_owned()) });
    let lists = permission.prefix_list_ids().iter().filter_map(|it| it.prefix_list_id());
    let sources = v4.chain(v6).chain(groups).chain(lists.map(|id| Source::Other(id.to_owned())));
    let protocol = permission.ip_protocol().unwrap_or("-1");
    let ports = permission.from_port().zip(permission.to_port()).filter(|_| protocol != "-1");
    sources.map(|source| Rule { protocol: protocol.to_owned(), ports, source }).collect()
}

fn volume(found: &types::Volume) -> Option<Volume> {
    // One that is being deleted is as good as gone.
    let gone = matches!(found.state(), Some(types::VolumeState::Deleting | types::VolumeState::Deleted));
    (!gone).then_some(())?;
    Some(Volume {
        id: found.volume_id()?.to_owned(),
        size: found.size().and_then(|size| u32::try_from(size).ok()).unwrap_or(0),
        instance: found.attachments().iter().find_map(|it| it.instance_id().map(str::to_owned)),
        tags: tags::found(found.tags()),
    })
}

fn address(found: &types::Address) -> Option<Address> {
    let some = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
    Some(Address {
        id: found.allocation_id()?.to_owned(),
        address: found.public_ip().unwrap_or_default().to_owned(),
        association: some(found.association_id()),
        instance: some(found.instance_id()),
        tags: tags::found(found.tags()),
    })
}
