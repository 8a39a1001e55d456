//! Removes everything of a project. EC2 does not delete a security group while an instance uses it: by that, a launch
//! that no call shows yet is detected, waited for, and removed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join_all;

use super::super::files;
use super::super::piece::Piece;
use super::AwsProvider;
use super::error::{RemovalObstacle, code, is_not_found};
use crate::error::{Error, Result};
use crate::host::Role;
use crate::plan::aws::{Cloud, IngressSource, InstanceState, ROLES};
use crate::retry::Patience;

/// Timeout of all rounds together: terminating machines takes a minute or two.
const GONE_WITHIN: Duration = Duration::from_mins(5);

/// Timeout until EC2 shows new resources.
const SHOWN_WITHIN: Duration = Duration::from_secs(8);

/// Result of one round.
struct Round {
    /// Machines that EC2 refuses to terminate: ids and names.
    protected: BTreeMap<String, String>,
    /// A failure that the next round may resolve.
    obstacle: Option<Error>,
}

impl Round {
    /// Keeps a failure that may pass for the next round; returns any other.
    fn meet(&mut self, obstacle: RemovalObstacle) -> Result<()> {
        if !obstacle.may_pass {
            return Err(obstacle.error);
        }
        self.obstacle = Some(obstacle.error);
        Ok(())
    }
}

impl AwsProvider {
    /// Everything of the project that exists now.
    pub(super) async fn pieces(&self) -> Result<Vec<Piece>> {
        let (cloud, interfaces) = tokio::try_join!(self.look(), self.loose_interfaces())?;
        Ok(self.list(&cloud, interfaces))
    }

    fn list(&self, cloud: &Cloud, interfaces: Vec<String>) -> Vec<Piece> {
        let instances = cloud.instances.iter().filter(|it| it.state != InstanceState::Terminated);
        let shown: BTreeSet<&String> = instances.clone().map(|it| &it.id).collect();
        let host =
            |it: &crate::plan::aws::Instance| it.host.map_or_else(String::new, |host| host.to_string());
        let mut pieces: Vec<Piece> =
            instances.map(|it| Piece::Instance { host: host(it), id: it.id.clone() }).collect();
        let loose =
            cloud.volumes.iter().filter(|it| it.instance.as_ref().is_none_or(|id| !shown.contains(id)));
        pieces.extend(loose.map(|it| Piece::Volume(it.id.clone())));
        pieces.extend(cloud.addresses.iter().map(|it| Piece::Address(it.address.clone())));
        pieces.extend(interfaces.into_iter().map(Piece::NetworkInterface));
        pieces.extend(cloud.groups.keys().map(|role| Piece::SecurityGroup(self.group_name(*role))));
        pieces.extend(cloud.key.iter().map(|_| Piece::KeyPair(self.key_name())));
        pieces.extend(self.local_folder().map(Piece::Folder));
        pieces
    }

    /// Removes everything, and checks again until nothing is found.
    pub(super) async fn remove_all(&self) -> Result<Vec<Piece>> {
        let mut removed = BTreeSet::new();
        let mut witnesses = BTreeSet::new();
        let mut patience =
            Patience::new(GONE_WITHIN).pausing(Duration::from_millis(300), Duration::from_secs(2));
        // A run that was just interrupted may have created resources that no call shows yet.
        let mut doubt = Patience::new(SHOWN_WITHIN).pausing(Duration::from_secs(1), Duration::from_secs(1));
        let may_hide = self.folder.may_hide();
        loop {
            let (cloud, interfaces) = tokio::try_join!(self.look(), self.loose_interfaces())?;
            let found = self.list(&cloud, interfaces.clone());
            witnesses.extend(cloud.groups.keys().copied());
            let sure = !may_hide || witnesses.len() == ROLES.len();
            if sure {
                self.folder.settle()?;
            }
            let in_cloud = found.iter().any(|piece| !matches!(piece, Piece::Folder(_)));
            removed.extend(found);
            if !in_cloud {
                if sure || doubt.again(Error::failed("EC2 shows nothing")).await.is_err() {
                    break;
                }
                continue;
            }
            let round = self.round(&cloud, &interfaces).await?;
            if !round.protected.is_empty() && round.obstacle.is_none() {
                return Err(self.protected(&round.protected));
            }
            if let Some(obstacle) = round.obstacle {
                patience.again(obstacle).await?;
            }
        }
        if let Some(folder) = self.local_folder() {
            // No call shows the key pair, but a new one may not be visible yet.
            self.delete_key().await?;
            files::remove(&folder).await?;
        }
        Ok(removed.into_iter().collect())
    }

    /// The error for machines with termination protection: ids and names.
    fn protected(&self, machines: &BTreeMap<String, String>) -> Error {
        let command = machines.keys().map(|id| {
            format!(
                "aws ec2 modify-instance-attribute --region {} --instance-id {id} --no-disable-api-termination",
                self.api.region
            )
        });
        let names: Vec<&str> = machines.values().map(String::as_str).collect();
        Error::failed(format!("protected from termination: {}", names.join(", "))).remedy(format!(
            "set `termination_protection: false` and run `monctl up`, or run `{}`; then run `monctl down` again",
            command.collect::<Vec<_>>().join(" && ")
        ))
    }

    /// Removes everything that can be removed now.
    async fn round(&self, cloud: &Cloud, interfaces: &[String]) -> Result<Round> {
        let mut round = Round { protected: BTreeMap::new(), obstacle: None };
        self.remove_instances(cloud, &mut round).await?;
        let is_kept = |id: &String| round.protected.contains_key(id);
        let addresses =
            cloud.addresses.iter().filter(|it| !it.instance.as_ref().is_some_and(is_kept)).map(|it| {
                let association = it.instance.is_none().then_some(it.association.as_deref()).flatten();
                self.release(&it.id, association)
            });
        let volumes =
            cloud.volumes.iter().filter(|it| it.instance.is_none()).map(|it| self.delete_volume(&it.id));
        let interfaces = interfaces.iter().map(|id| self.delete_interface(id));
        let (addresses, volumes, interfaces) =
            tokio::join!(join_all(addresses), join_all(volumes), join_all(interfaces));
        let kept: BTreeSet<Role> = cloud
            .instances
            .iter()
            .filter(|it| is_kept(&it.id))
            .filter_map(|it| it.host.map(crate::host::HostName::role))
            .collect();
        for obstacle in addresses.into_iter().chain(volumes).chain(interfaces).filter_map(Result::err) {
            round.meet(obstacle)?;
        }
        if let Err(obstacle) = self.remove_groups(cloud, &kept).await {
            round.meet(obstacle)?;
        } else if kept.is_empty()
            && cloud.key.is_some()
            && let Err(obstacle) = self.delete_key().await
        {
            round.meet(obstacle)?;
        }
        Ok(round)
    }

    async fn remove_instances(&self, cloud: &Cloud, round: &mut Round) -> Result<()> {
        let there = cloud.instances.iter().filter(|it| it.state != InstanceState::Terminated);
        let names: Vec<(&str, String)> = there.map(|it| (it.id.as_str(), it.label())).collect();
        if names.is_empty() {
            return Ok(());
        }
        let list: Vec<&str> = names.iter().map(|(_, name)| name.as_str()).collect();
        let done = self.begin(format!("terminate {}", list.join(", ")));
        // One call each: in a call for several, EC2 terminates none if one is protected.
        let answers = join_all(names.iter().map(|(id, _)| self.terminate_unless_protected(id))).await;
        let mut going = Vec::new();
        for ((id, name), is_going) in names.into_iter().zip(answers) {
            if is_going? {
                going.push(id.to_owned());
            } else {
                round.protected.insert(id.to_owned(), name);
            }
        }
        self.wait_for(&going, InstanceState::Terminated).await?;
        done.end();
        Ok(())
    }

    /// Terminates an instance; returns `false` if it is protected.
    async fn terminate_unless_protected(&self, id: &str) -> Result<bool> {
        match self.api.ec2.terminate_instances().instance_ids(id).send().await {
            Ok(_) => Ok(true),
            Err(failed) if code(&failed) == Some("InvalidInstanceID.NotFound") => Ok(true),
            Err(failed) if code(&failed) == Some("OperationNotPermitted") => Ok(false),
            Err(failed) => {
                let denied = RemovalObstacle::of("ec2:TerminateInstances", &failed);
                let ids = [id.to_owned()];
                let is_there =
                    async { Ok(self.instances_of(&ids).await?.iter().any(|it| it.state.is_alive())) };
                denied.unless_gone(is_there).await.map(|()| true).map_err(Error::from)
            }
        }
    }

    async fn delete_interface(&self, id: &str) -> Result<(), RemovalObstacle> {
        let failed = match self.api.ec2.delete_network_interface().network_interface_id(id).send().await {
            Ok(_) => return Ok(()),
            Err(failed) if code(&failed) == Some("InvalidNetworkInterfaceID.NotFound") => return Ok(()),
            Err(failed) => RemovalObstacle::of("ec2:DeleteNetworkInterface", &failed),
        };
        failed.unless_gone(async { Ok(self.loose_interfaces().await?.iter().any(|it| it == id)) }).await
    }

    /// Removes the groups that no remaining machine uses. The application group is removed first, since its rules refer
    /// to the monitoring group.
    async fn remove_groups(&self, cloud: &Cloud, kept: &BTreeSet<Role>) -> Result<(), RemovalObstacle> {
        for role in ROLES.into_iter().filter(|role| !kept.contains(role)) {
            // The rules of the application group refer to the monitoring group.
            if role == Role::MONITORING && kept.contains(&Role::APP) {
                continue;
            }
            let Some(group) = cloud.groups.get(&role) else { continue };
            self.untie(cloud, &group.id).await?;
            let done = self.begin(format!("delete security group {}", self.group_name(role)));
            match self.api.ec2.delete_security_group().group_id(&group.id).send().await {
                Ok(_) => {}
                Err(failed) if code(&failed).is_some_and(|code| is_not_found(code, &["InvalidGroup"])) => {}
                Err(failed) => {
                    let obstacle = RemovalObstacle::of("ec2:DeleteSecurityGroup", &failed);
                    let is_there = async { Ok(self.groups().await?.contains_key(&role)) };
                    obstacle.unless_gone(is_there).await?;
                }
            }
            done.end();
        }
        Ok(())
    }

    /// Removes the rules of the project's other groups that refer to this one: EC2 does not delete a referenced group.
    async fn untie(&self, cloud: &Cloud, id: &str) -> Result<(), RemovalObstacle> {
        for other in cloud.groups.values().filter(|other| other.id != id) {
            for rule in
                other.rules.iter().filter(|rule| matches!(&rule.source, IngressSource::Other(it) if it == id))
            {
                self.close(&other.id, rule, Some(id)).await?;
            }
        }
        Ok(())
    }

    /// Deletes the key pair. Succeeds if it is gone already.
    async fn delete_key(&self) -> Result<(), RemovalObstacle> {
        let failed = match self.api.ec2.delete_key_pair().key_name(self.key_name()).send().await {
            Ok(_) => return Ok(()),
            Err(failed) if code(&failed) == Some("InvalidKeyPair.NotFound") => return Ok(()),
            Err(failed) => RemovalObstacle::of("ec2:DeleteKeyPair", &failed),
        };
        failed.unless_gone(async { Ok(self.key().await?.is_some()) }).await
    }
}
