//! The key pair and the security groups with their rules.

use std::time::Duration;

use aws_sdk_ec2::primitives::Blob;
use aws_sdk_ec2::types::{IpPermission, IpRange, Ipv6Range, PrefixListId, ResourceType, UserIdGroupPair};
use futures_util::future::join_all;

use super::AwsProvider;
use super::error::{RemovalObstacle, code, explain, incomplete, is_not_found};
use super::tags::{filter, specification, versioned};
use crate::error::{Error, Result};
use crate::host::Role;
use crate::plan::aws::{Action, IngressSource, Opening, SecurityGroupRule, WantedCloud};
use crate::retry::Patience;

/// Timeout until a new resource is visible everywhere in EC2.
const KNOWN_WITHIN: Duration = Duration::from_secs(30);

impl AwsProvider {
    /// Creates what is missing: key and groups concurrently, then rules, which refer to groups.
    pub(super) async fn build_network(&self, actions: &[Action]) -> Result<()> {
        let done = self.begin("prepare key and security groups");
        self.folder.begin().await?;
        // Before anything is created in EC2: the key shows later runs that there may be resources no call shows yet.
        self.folder.ensure_public_key().await?;
        let key = async {
            let is_absent = actions.iter().any(|action| matches!(action, Action::ImportKey));
            if is_absent { self.import_key().await } else { Ok(()) }
        };
        let groups = actions.iter().filter_map(|action| match action {
            Action::CreateGroup { role, vpc, .. } => Some(self.create_group(*role, vpc.as_deref())),
            _ => None,
        });
        let (key, groups) = tokio::join!(key, join_all(groups));
        key?;
        let created: Vec<(Role, String)> = groups.into_iter().collect::<Result<_>>()?;
        let known = if created.iter().any(|(role, _)| *role == Role::MONITORING) {
            created.iter().find(|(role, _)| *role == Role::MONITORING).map(|(_, id)| id.clone())
        } else {
            self.groups().await?.get(&Role::MONITORING).map(|group| group.id.clone())
        };
        let rules = actions.iter().map(|action| self.change_rules(action, &created, known.as_deref()));
        join_all(rules).await.into_iter().collect::<Result<()>>()?;
        done.end();
        Ok(())
    }

    async fn change_rules(
        &self,
        action: &Action,
        created: &[(Role, String)],
        monitoring: Option<&str>,
    ) -> Result<()> {
        match action {
            Action::CreateGroup { role, openings, .. } => {
                let Some((_, id)) = created.iter().find(|(it, _)| it == role) else { return Ok(()) };
                self.open(id, openings, monitoring).await
            }
            Action::Open { group, opening, .. } => {
                self.open(group, std::slice::from_ref(opening), monitoring).await
            }
            Action::Close { group, rule, .. } => Ok(self.close(group, rule, monitoring).await?),
            _ => Ok(()),
        }
    }

    /// Imports the key pair. Succeeds if it exists already and is this computer's.
    async fn import_key(&self) -> Result<()> {
        let public = self.folder.ensure_public_key().await?;
        let tags = versioned(self.wanted()?.key_tags());
        let call = self.api.ec2.import_key_pair().key_name(self.key_name());
        let call = call.public_key_material(Blob::new(public.clone()));
        match call.tag_specifications(specification(ResourceType::KeyPair, &tags)).send().await {
            Ok(_) => Ok(()),
            Err(failed) if code(&failed) == Some("InvalidKeyPair.Duplicate") => {
                let mut patience = Patience::new(KNOWN_WITHIN);
                loop {
                    match self.key().await? {
                        Some(key) if key.public_key == public => return Ok(()),
                        Some(_) => return Err(self.foreign_key()),
                        None => patience.again(explain("ec2:ImportKeyPair", &failed)).await?,
                    }
                }
            }
            Err(failed) => Err(explain("ec2:ImportKeyPair", &failed)),
        }
    }

    /// The desired state of the spec, without the caller's address.
    pub(super) fn wanted(&self) -> Result<WantedCloud> {
        let spec = self.spec.as_ref().ok_or_else(|| Error::failed("the project's spec is not available"))?;
        Ok(WantedCloud::new(spec, &self.settings, None, None))
    }

    /// Creates a security group. Succeeds if it exists already and is the project's.
    async fn create_group(&self, role: Role, vpc: Option<&str>) -> Result<(Role, String)> {
        let name = self.group_name(role);
        let tags = versioned(self.wanted()?.group_tags(role));
        let call = self.api.ec2.create_security_group().group_name(&name);
        let call = call.description(self.group_description()).set_vpc_id(vpc.map(str::to_owned));
        match call.tag_specifications(specification(ResourceType::SecurityGroup, &tags)).send().await {
            Ok(made) => {
                let id = made.group_id().map(str::to_owned);
                Ok((role, id.ok_or_else(|| incomplete("ec2:CreateSecurityGroup", "no id"))?))
            }
            Err(failed) if code(&failed) == Some("InvalidGroup.Duplicate") => {
                let mut patience = Patience::new(KNOWN_WITHIN);
                loop {
                    let found = self.groups_by(filter("group-name", [name.as_str()])).await?;
                    let here = found.iter().find(|it| {
                        it.group_name() == Some(&name) && vpc.is_none_or(|vpc| it.vpc_id() == Some(vpc))
                    });
                    match here {
                        Some(group) if self.owns(group) => {
                            let id = group.group_id().map(str::to_owned);
                            let none = || incomplete("ec2:DescribeSecurityGroups", "a group without an id");
                            return Ok((role, id.ok_or_else(none)?));
                        }
                        Some(_) => {
                            return Err(Error::could_not_run(format!(
                                "the security group `{name}` does not belong to this project"
                            ))
                            .remedy("rename or remove that group, or choose another name for the project"));
                        }
                        None => patience.again(explain("ec2:CreateSecurityGroup", &failed)).await?,
                    }
                }
            }
            Err(failed) => Err(explain("ec2:CreateSecurityGroup", &failed)),
        }
    }

    /// Adds ingress rules. Succeeds if they exist already; of several in one call, EC2 accepts all or none.
    async fn open(&self, group: &str, openings: &[Opening], monitoring: Option<&str>) -> Result<()> {
        if openings.is_empty() {
            return Ok(());
        }
        let mut patience = Patience::new(KNOWN_WITHIN);
        loop {
            let permissions = openings.iter().map(|it| permission(&it.rule(), Some(&it.purpose), monitoring));
            let permissions = permissions.collect::<Result<Vec<_>>>()?;
            let call = self.api.ec2.authorize_security_group_ingress().group_id(group);
            let Err(failed) = call.set_ip_permissions(Some(permissions)).send().await else {
                return Ok(());
            };
            let error = explain("ec2:AuthorizeSecurityGroupIngress", &failed);
            match code(&failed) {
                Some("InvalidPermission.Duplicate") if openings.len() == 1 => return Ok(()),
                Some("InvalidPermission.Duplicate") => {
                    let each =
                        openings.iter().map(|it| self.open(group, std::slice::from_ref(it), monitoring));
                    return Box::pin(join_all(each)).await.into_iter().collect();
                }
                Some(code) if is_not_found(code, &["InvalidGroup", "InvalidSecurityGroup"]) => {
                    patience.again(error).await?;
                }
                _ => return Err(error),
            }
        }
    }

    /// Removes a rule. Succeeds if it is gone already.
    pub(super) async fn close(
        &self,
        group: &str,
        rule: &SecurityGroupRule,
        monitoring: Option<&str>,
    ) -> Result<(), RemovalObstacle> {
        let call = self.api.ec2.revoke_security_group_ingress().group_id(group);
        let permission = permission(rule, None, monitoring).map_err(RemovalObstacle::lasting)?;
        match call.ip_permissions(permission).send().await {
            Ok(_) => Ok(()),
            Err(failed) if code(&failed) == Some("InvalidPermission.NotFound") => Ok(()),
            Err(failed) => Err(RemovalObstacle::of("ec2:RevokeSecurityGroupIngress", &failed)),
        }
    }
}

/// A rule in EC2's format. `monitoring` is the group of the monitoring host.
fn permission(
    rule: &SecurityGroupRule,
    purpose: Option<&str>,
    monitoring: Option<&str>,
) -> Result<IpPermission> {
    let mut built = IpPermission::builder().ip_protocol(&rule.protocol);
    if let Some((first, last)) = rule.ports {
        built = built.from_port(first).to_port(last);
    }
    let purpose = purpose.map(str::to_owned);
    let pair = |id: &str| UserIdGroupPair::builder().group_id(id).set_description(purpose.clone()).build();
    let built = match &rule.source {
        IngressSource::Network(ipnet::IpNet::V4(net)) => built
            .ip_ranges(IpRange::builder().cidr_ip(net.to_string()).set_description(purpose.clone()).build()),
        IngressSource::Network(ipnet::IpNet::V6(net)) => built.ipv6_ranges(
            Ipv6Range::builder().cidr_ipv6(net.to_string()).set_description(purpose.clone()).build(),
        ),
        IngressSource::Monitoring => {
            let missing = || Error::failed("the monitoring host's security group does not exist");
            let id = monitoring.ok_or_else(|| missing().remedy("run `monctl up` again"))?;
            built.user_id_group_pairs(pair(id))
        }
        IngressSource::Other(id) if id.starts_with("pl-") => {
            built.prefix_list_ids(PrefixListId::builder().prefix_list_id(id).build())
        }
        IngressSource::Other(id) => built.user_id_group_pairs(pair(id)),
    };
    Ok(built.build())
}
