//! What exists of a project: found by tags and names with five concurrent calls, and more only in unusual cases.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use aws_sdk_ec2::types::{self, Filter};
use futures_util::future::try_join_all;

use super::AwsProvider;
use super::error::{code, explain, incomplete};
use super::tags::{self, filter, of_project};
use crate::error::Result;
use crate::host::{HostName, Role};
use crate::plan::aws::{
    Address, Cloud, IngressSource, Instance, InstanceState, KeyPair, ROLES, SecurityGroup, SecurityGroupRule,
    Tags, Volume, is_burstable, tag,
};
use crate::spec::Credits;

const INSTANCES: &str = "ec2:DescribeInstances";
const ATTRIBUTE: &str = "ec2:DescribeInstanceAttribute";
const GROUPS: &str = "ec2:DescribeSecurityGroups";
const KEYS: &str = "ec2:DescribeKeyPairs";
const VOLUMES: &str = "ec2:DescribeVolumes";
const ADDRESSES: &str = "ec2:DescribeAddresses";
const INTERFACES: &str = "ec2:DescribeNetworkInterfaces";

impl AwsProvider {
    /// Reads everything that exists. Changes nothing.
    pub(super) async fn look(&self) -> Result<Cloud> {
        let (mut instances, groups, key, volumes, addresses) = tokio::try_join!(
            self.own_instances(),
            self.groups(),
            self.key(),
            self.volumes(),
            self.addresses(),
        )?;
        let known: BTreeSet<&String> = instances.iter().map(|it| &it.id).collect();
        let holders: BTreeSet<&String> = volumes.iter().filter_map(|it| it.instance.as_ref()).collect();
        let untagged: Vec<String> = holders.difference(&known).map(|id| (*id).clone()).collect();
        if !untagged.is_empty() {
            // A machine that lost its tags is still recognized by its disk.
            instances.extend(self.instances_of(&untagged).await?);
        }
        for instance in &mut instances {
            instance.host = self.host_of(instance, &volumes);
        }
        Ok(Cloud { key, groups, instances, volumes, addresses, ..Cloud::default() })
    }

    /// The host of an instance: by its tag, else by its name, else by its disk.
    fn host_of(&self, instance: &Instance, volumes: &[Volume]) -> Option<HostName> {
        let prefix = format!("{}-", self.project);
        // A value that is not a host's name is ignored, and the next source is used.
        let tag = |tags: &BTreeMap<String, String>| tags.get(tag::HOST).and_then(|host| host.parse().ok());
        let name = || instance.tags.get(tag::NAME)?.strip_prefix(&prefix)?.parse().ok();
        let disk = || {
            let is_its = |volume: &&Volume| volume.instance.as_ref() == Some(&instance.id);
            tag(&volumes.iter().find(is_its)?.tags)
        };
        tag(&instance.tags).or_else(name).or_else(disk)
    }

    /// Reads the attributes that need a call per instance, for running and stopped instances.
    pub(super) async fn look_closer(&self, cloud: &mut Cloud) -> Result<()> {
        let ours = |it: &&mut Instance| it.state.is_alive() && self.is_own(&it.tags);
        let mut alive: Vec<&mut Instance> = cloud.instances.iter_mut().filter(ours).collect();
        let ids: Vec<String> = alive.iter().map(|it| it.id.clone()).collect();
        let protected = try_join_all(ids.iter().map(|id| self.protection(id)));
        let burstable = alive.iter().filter(|it| is_burstable(&it.instance_type));
        // Not compared if the spec leaves it to EC2.
        let burstable = burstable.filter(|_| self.settings.credit_specification.is_some());
        let burstable: Vec<String> = burstable.map(|it| it.id.clone()).collect();
        let (protected, credits) = tokio::try_join!(protected, self.credits_of(&burstable))?;
        for (instance, protected) in alive.iter_mut().zip(protected) {
            instance.protected = protected;
            instance.credits = credits.get(&instance.id).copied();
        }
        Ok(())
    }

    /// Whether EC2 protects an instance from termination; `None` if it is gone by now.
    async fn protection(&self, id: &str) -> Result<Option<bool>> {
        let call = self.api.ec2.describe_instance_attribute().instance_id(id);
        let found = match call.attribute(types::InstanceAttributeName::DisableApiTermination).send().await {
            Err(failed) if code(&failed) == Some("InvalidInstanceID.NotFound") => return Ok(None),
            other => other.map_err(|failed| explain(ATTRIBUTE, &failed))?,
        };
        let value = found.disable_api_termination().and_then(types::AttributeBooleanValue::value);
        value.map(Some).ok_or_else(|| incomplete(ATTRIBUTE, "no value of `disableApiTermination`"))
    }

    async fn credits_of(&self, ids: &[String]) -> Result<BTreeMap<String, Credits>> {
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        let call = self.api.ec2.describe_instance_credit_specifications();
        let pages = call.set_instance_ids(Some(ids.to_vec())).into_paginator().items().send();
        let found = pages.collect::<Result<Vec<_>, _>>().await;
        let found = found.map_err(|failed| explain("ec2:DescribeInstanceCreditSpecifications", &failed))?;
        let credits = found.iter().filter_map(|it| {
            let known = [Credits::Standard, Credits::Unlimited];
            let credits = known.into_iter().find(|known| it.cpu_credits() == Some(known.as_str()))?;
            Some((it.instance_id()?.to_owned(), credits))
        });
        Ok(credits.collect())
    }

    /// Whether the tags are this project's. Answers are checked against the filter of their request, so that another
    /// project's resources are never changed.
    fn is_own(&self, tags: &Tags) -> bool {
        tags.get(tag::PROJECT).is_some_and(|project| project == self.project.as_str())
    }

    async fn own_instances(&self) -> Result<Vec<Instance>> {
        let mut found = self.instances(of_project(&self.project)).await?;
        found.retain(|it| self.is_own(&it.tags));
        Ok(found)
    }

    /// The instances with these ids that EC2 knows.
    pub(super) async fn instances_of(&self, ids: &[String]) -> Result<Vec<Instance>> {
        let mut found = self.instances(filter("instance-id", ids)).await?;
        found.retain(|it| ids.contains(&it.id));
        Ok(found)
    }

    pub(super) async fn instances(&self, filter: Filter) -> Result<Vec<Instance>> {
        let call = self.api.ec2.describe_instances().filters(filter);
        let pages = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let reservations = pages.map_err(|failed| explain(INSTANCES, &failed))?;
        reservations.iter().flat_map(types::Reservation::instances).map(instance).collect()
    }

    /// The project's groups, identified by their names, which are unique in a VPC and never change.
    pub(super) async fn groups(&self) -> Result<BTreeMap<Role, SecurityGroup>> {
        let names = ROLES.map(|role| self.group_name(role));
        let found = self.groups_by(filter("group-name", names)).await?;
        let by_role = |role: Role| {
            let name = self.group_name(role);
            found.iter().find(|group| group.group_name() == Some(&name) && self.owns(group))
        };
        let monitoring = by_role(Role::MONITORING).and_then(|group| group.group_id());
        let there = ROLES.into_iter().filter_map(|role| Some((role, by_role(role)?)));
        there.map(|(role, found)| Ok((role, group(found, monitoring)?))).collect()
    }

    pub(super) async fn groups_by(&self, filter: Filter) -> Result<Vec<types::SecurityGroup>> {
        let call = self.api.ec2.describe_security_groups().filters(filter);
        let pages = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        pages.map_err(|failed| explain(GROUPS, &failed))
    }

    /// Whether a group with our name is ours: by its tag or, if that is lost, by its description.
    pub(super) fn owns(&self, group: &types::SecurityGroup) -> bool {
        let tags = tags::found(group.tags());
        let tagged = tags.get(tag::PROJECT).is_some_and(|project| project == self.project.as_str());
        tagged || group.description() == Some(&self.group_description())
    }

    pub(super) async fn key(&self) -> Result<Option<KeyPair>> {
        let call = self.api.ec2.describe_key_pairs().filters(filter("key-name", [self.key_name()]));
        let found = call.include_public_key(true).send().await;
        let found = found.map_err(|failed| explain(KEYS, &failed))?;
        let name = self.key_name();
        let Some(key) = found.key_pairs().iter().find(|it| it.key_name() == Some(&name)) else {
            return Ok(None);
        };
        let public =
            key.public_key().ok_or_else(|| incomplete(KEYS, "a key pair without its public half"))?;
        let public: Vec<&str> = public.split_whitespace().take(2).collect();
        Ok(Some(KeyPair {
            id: text(KEYS, "a key pair without an id", key.key_pair_id())?,
            public_key: public.join(" "),
            tags: tags::found(key.tags()),
        }))
    }

    pub(super) async fn volumes(&self) -> Result<Vec<Volume>> {
        let call = self.api.ec2.describe_volumes().filters(of_project(&self.project));
        let pages = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let found = pages.map_err(|failed| explain(VOLUMES, &failed))?;
        // A volume that is being deleted counts as gone.
        let gone = |it: &&types::Volume| {
            matches!(it.state(), Some(types::VolumeState::Deleting | types::VolumeState::Deleted))
        };
        let found = found.iter().filter(|it| !gone(it)).map(volume).collect::<Result<Vec<_>>>()?;
        Ok(found.into_iter().filter(|it| self.is_own(&it.tags)).collect())
    }

    pub(super) async fn addresses(&self) -> Result<Vec<Address>> {
        let found = self.api.ec2.describe_addresses().filters(of_project(&self.project)).send().await;
        let found = found.map_err(|failed| explain(ADDRESSES, &failed))?;
        let found = found.addresses().iter().map(address).collect::<Result<Vec<_>>>()?;
        Ok(found.into_iter().filter(|it| self.is_own(&it.tags)).collect())
    }

    /// Network interfaces that are not attached to an instance; the others are deleted with their instances.
    pub(super) async fn loose_interfaces(&self) -> Result<Vec<String>> {
        let call = self.api.ec2.describe_network_interfaces().filters(of_project(&self.project));
        let pages = call.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let found = pages.map_err(|failed| explain(INTERFACES, &failed))?;
        let loose =
            found.iter().filter(|it| it.attachment().is_none() && self.is_own(&tags::found(it.tag_set())));
        loose.map(|it| text(INTERFACES, "an interface without an id", it.network_interface_id())).collect()
    }
}

/// A value that EC2 always returns.
fn text(action: &str, what: &str, found: Option<&str>) -> Result<String> {
    found.map(str::to_owned).ok_or_else(|| incomplete(action, what))
}

fn instance(found: &types::Instance) -> Result<Instance> {
    let metadata = found.metadata_options();
    let root = found
        .block_device_mappings()
        .iter()
        .find(|device| device.device_name() == found.root_device_name())
        .and_then(|device| device.ebs()?.volume_id());
    let name = |arn: &str| arn.rsplit('/').next().unwrap_or(arn).to_owned();
    // Not an error if there is no address yet, or only an IPv6 one: monctl does not connect to a host without one.
    let ip = |text: Option<&str>| text.and_then(|text| text.parse::<IpAddr>().ok());
    let named = found.state().and_then(|it| it.name());
    let named = named.ok_or_else(|| incomplete(INSTANCES, "an instance without a state"))?;
    let kind = found.instance_type().map(types::InstanceType::as_str);
    Ok(Instance {
        id: text(INSTANCES, "an instance without an id", found.instance_id())?,
        host: None,
        state: state(named),
        reason: found.state_reason().and_then(|it| it.message()).map(str::to_owned),
        reason_code: found.state_reason().and_then(|it| it.code()).map(str::to_owned),
        instance_type: text(INSTANCES, "an instance without a type", kind)?,
        // If EC2 does not return it, nothing is concluded from it.
        architecture: found.architecture().map_or("", |it| it.as_str()).to_owned(),
        ena: found.ena_support(),
        image: text(INSTANCES, "an instance without an image", found.image_id())?,
        zone: text(
            INSTANCES,
            "an instance without a zone",
            found.placement().and_then(|it| it.availability_zone()),
        )?,
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
        protected: None,
        credits: None,
        tags: tags::found(found.tags()),
    })
}

/// Unknown states, which EC2 may add, count as pending.
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

fn group(found: &types::SecurityGroup, monitoring: Option<&str>) -> Result<SecurityGroup> {
    Ok(SecurityGroup {
        id: text(GROUPS, "a security group without an id", found.group_id())?,
        vpc: text(GROUPS, "a security group without a VPC", found.vpc_id())?,
        rules: found.ip_permissions().iter().flat_map(|it| rules(it, monitoring)).collect(),
        tags: tags::found(found.tags()),
    })
}

/// The rules of a permission, one per source. A network that cannot be parsed is kept as text: it still grants access.
fn rules(permission: &types::IpPermission, monitoring: Option<&str>) -> Vec<SecurityGroupRule> {
    let net = |text: Option<&str>| {
        text.map(|text| {
            text.parse().map_or_else(|_| IngressSource::Other(text.to_owned()), IngressSource::Network)
        })
    };
    let v4 = permission.ip_ranges().iter().filter_map(|it| net(it.cidr_ip()));
    let v6 = permission.ipv6_ranges().iter().filter_map(|it| net(it.cidr_ipv6()));
    let groups = permission.user_id_group_pairs().iter().filter_map(|it| it.group_id()).map(|id| {
        if Some(id) == monitoring { IngressSource::Monitoring } else { IngressSource::Other(id.to_owned()) }
    });
    let lists = permission.prefix_list_ids().iter().filter_map(|it| it.prefix_list_id());
    let sources = v4.chain(v6).chain(groups).chain(lists.map(|id| IngressSource::Other(id.to_owned())));
    let protocol = permission.ip_protocol().unwrap_or("-1");
    let ports = permission.from_port().zip(permission.to_port()).filter(|_| protocol != "-1");
    sources.map(|source| SecurityGroupRule { protocol: protocol.to_owned(), ports, source }).collect()
}

fn volume(found: &types::Volume) -> Result<Volume> {
    // A negative size counts as missing, which is an error.
    let size = found.size().and_then(|size| u32::try_from(size).ok());
    Ok(Volume {
        id: text(VOLUMES, "a volume without an id", found.volume_id())?,
        size: size.ok_or_else(|| incomplete(VOLUMES, "a volume without a size"))?,
        instance: found.attachments().iter().find_map(|it| it.instance_id().map(str::to_owned)),
        tags: tags::found(found.tags()),
    })
}

fn address(found: &types::Address) -> Result<Address> {
    let some = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
    Ok(Address {
        id: text(ADDRESSES, "an address without an id", found.allocation_id())?,
        address: text(ADDRESSES, "an allocation without its address", found.public_ip())?,
        association: some(found.association_id()),
        instance: some(found.instance_id()),
        tags: tags::found(found.tags()),
    })
}
