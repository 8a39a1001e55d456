//! Changes to existing resources: tags, options, disks and types; starting, stopping, replacing.

use std::time::Duration;

use aws_sdk_ec2::types::{
    AttributeBooleanValue, HttpTokensState, IamInstanceProfileAssociationState,
    IamInstanceProfileSpecification, InstanceCreditSpecificationRequest,
};
use futures_util::future::join_all;

use super::AwsProvider;
use super::error::{RemovalObstacle, code, explain, is_not_found};
use super::retype::Retyping;
use super::tags::{filter, sent, size};
use crate::error::{Error, Result};
use crate::host::HostName;
use crate::plan::aws::{Action, Creation, InstanceState, Tags};
use crate::retry::Patience;
use crate::spec::Credits;

/// Timeout until a new resource is visible everywhere in EC2.
const KNOWN_WITHIN: Duration = Duration::from_secs(30);
/// Timeout until a volume shows its new size; growing itself continues in the background.
const GROWS_WITHIN: Duration = Duration::from_mins(2);

impl AwsProvider {
    /// Carries out a change that does not stop the machine.
    pub(super) async fn change_in_place(&self, action: &Action) -> Result<()> {
        match action {
            Action::Tag { what, id, tags } => {
                let done = self.begin(format!("tag {what}"));
                self.tag(id, tags).await?;
                done.end();
            }
            Action::GuardMetadata { id, .. } => self.guard_metadata(id).await?,
            Action::SetGroup { host, id, .. } => self.set_group(*host, id).await?,
            Action::Protect { id, on, .. } => self.protect(id, *on).await?,
            Action::SetCredits { id, to, .. } => self.set_credits(id, *to).await?,
            Action::SetProfile { id, to, .. } => self.set_profile(id, to.as_deref()).await?,
            Action::GrowVolume { host, id, to, .. } => {
                let done = self.begin(format!("grow the disk of {host} to {to} GiB"));
                self.grow_volume(id, *to).await?;
                done.end();
            }
            Action::RemoveVolume { id } => self.delete_volume(id).await?,
            _ => {}
        }
        Ok(())
    }

    pub(super) async fn tag(&self, id: &str, tags: &Tags) -> Result<()> {
        let call = self.api.ec2.create_tags().resources(id).set_tags(Some(sent(tags)));
        call.send().await.map(drop).map_err(|failed| explain("ec2:CreateTags", &failed))
    }

    async fn guard_metadata(&self, id: &str) -> Result<()> {
        let call = self.api.ec2.modify_instance_metadata_options().instance_id(id);
        let call = call.http_tokens(HttpTokensState::Required).http_put_response_hop_limit(1);
        call.send().await.map(drop).map_err(|failed| explain("ec2:ModifyInstanceMetadataOptions", &failed))
    }

    async fn set_group(&self, host: HostName, id: &str) -> Result<()> {
        let group = self.fresh_group_id(host).await?;
        let mut patience = Patience::new(KNOWN_WITHIN);
        loop {
            let call = self.api.ec2.modify_instance_attribute().instance_id(id).groups(&group);
            let Err(failed) = call.send().await else { return Ok(()) };
            let error = explain("ec2:ModifyInstanceAttribute", &failed).at(host.to_string());
            // A new group may not be visible everywhere yet.
            let unknown = |code: &str| is_not_found(code, &["InvalidGroup", "InvalidSecurityGroup"]);
            if !code(&failed).is_some_and(unknown) {
                return Err(error);
            }
            patience.again(error).await?;
        }
    }

    async fn set_credits(&self, id: &str, to: Credits) -> Result<()> {
        const MODIFY: &str = "ec2:ModifyInstanceCreditSpecification";
        let wanted =
            InstanceCreditSpecificationRequest::builder().instance_id(id).cpu_credits(to.as_str()).build();
        let call = self.api.ec2.modify_instance_credit_specification();
        let done = call.instance_credit_specifications(wanted).send().await;
        let done = done.map_err(|failed| explain(MODIFY, &failed))?;
        // The call succeeds even if it changed nothing: failures are listed per instance.
        let Some(item) = done.unsuccessful_instance_credit_specifications().first() else { return Ok(()) };
        let why = item.error().and_then(|it| it.message()).unwrap_or("EC2 gives no reason");
        Err(Error::failed(format!("the CPU credits of `{id}` cannot be switched to {to}: {why}"))
            .remedy("run `monctl up` again, or leave `provider.aws.credit_specification` out"))
    }

    async fn group_id(&self, host: HostName) -> Result<String> {
        let groups = self.groups().await?;
        groups.get(&host.role()).map(|group| group.id.clone()).ok_or_else(|| {
            Error::failed("its security group does not exist")
                .at(host.to_string())
                .remedy("run `monctl up` again")
        })
    }

    async fn protect(&self, id: &str, on: bool) -> Result<()> {
        let value = AttributeBooleanValue::builder().value(on).build();
        let call = self.api.ec2.modify_instance_attribute().instance_id(id).disable_api_termination(value);
        call.send().await.map(drop).map_err(|failed| explain("ec2:ModifyInstanceAttribute", &failed))
    }

    async fn set_profile(&self, id: &str, name: Option<&str>) -> Result<()> {
        let call = self.api.ec2.describe_iam_instance_profile_associations();
        let found = call.filters(filter("instance-id", [id])).send().await;
        let found = found.map_err(|failed| explain("ec2:DescribeIamInstanceProfileAssociations", &failed))?;
        // An association that is being removed does not count.
        let mut those = found.iam_instance_profile_associations().iter().filter(|it| {
            it.instance_id() == Some(id)
                && !matches!(
                    it.state(),
                    Some(
                        IamInstanceProfileAssociationState::Disassociating
                            | IamInstanceProfileAssociationState::Disassociated
                    )
                )
        });
        let there = those.next().and_then(|it| it.association_id());
        let profile = name.map(|name| IamInstanceProfileSpecification::builder().name(name).build());
        let ec2 = &self.api.ec2;
        match (there, profile) {
            (Some(there), Some(profile)) => {
                let call = ec2.replace_iam_instance_profile_association().association_id(there);
                let done = call.iam_instance_profile(profile).send().await;
                done.map(drop).map_err(|failed| explain("ec2:ReplaceIamInstanceProfileAssociation", &failed))
            }
            (None, Some(profile)) => {
                let call = ec2.associate_iam_instance_profile().instance_id(id);
                let done = call.iam_instance_profile(profile).send().await;
                done.map(drop).map_err(|failed| explain("ec2:AssociateIamInstanceProfile", &failed))
            }
            (Some(there), None) => {
                let done = ec2.disassociate_iam_instance_profile().association_id(there).send().await;
                done.map(drop).map_err(|failed| explain("ec2:DisassociateIamInstanceProfile", &failed))
            }
            (None, None) => Ok(()),
        }
    }

    async fn grow_volume(&self, id: &str, to: u32) -> Result<()> {
        let answer = self.api.ec2.modify_volume().volume_id(id).size(size(to)?).send().await;
        let refusal = answer.err().map(|failed| explain("ec2:ModifyVolume", &failed));
        let mut patience =
            Patience::new(if refusal.is_some() { Duration::from_secs(5) } else { GROWS_WITHIN });
        loop {
            let volumes = self.volumes().await?;
            if volumes.iter().any(|volume| volume.id == id && volume.size >= to) {
                // If the answer to the first attempt was lost, the second is refused.
                return Ok(());
            }
            let late = Error::failed(format!("volume `{id}` has not grown to {to} GiB"));
            match patience.again(late).await {
                Ok(()) => {}
                Err(late) => return Err(refusal.unwrap_or(late)),
            }
        }
    }

    /// Deletes a volume. Succeeds if it is gone already.
    pub(super) async fn delete_volume(&self, id: &str) -> Result<(), RemovalObstacle> {
        let failed = match self.api.ec2.delete_volume().volume_id(id).send().await {
            Ok(_) => return Ok(()),
            Err(failed) if code(&failed) == Some("InvalidVolume.NotFound") => return Ok(()),
            Err(failed) => RemovalObstacle::of("ec2:DeleteVolume", &failed),
        };
        failed.unless_gone(async { Ok(self.volumes().await?.iter().any(|it| it.id == id)) }).await
    }

    /// Removes the machines that the spec no longer wants.
    pub(super) async fn remove_surplus(&self, actions: &[Action]) -> Result<()> {
        let removals = actions.iter().filter_map(|action| match action {
            Action::Remove { host, id, .. } => Some((*host, id)),
            _ => None,
        });
        let removals = removals.map(|(host, id)| async move {
            let done = self.begin(format!("remove machine `{host}` ({id})"));
            self.terminate(id).await.map_err(|error| error.at(format!("{host} ({id})")))?;
            self.wait_for(std::slice::from_ref(id), InstanceState::Terminated).await?;
            done.end();
            Ok(())
        });
        join_all(removals).await.into_iter().collect()
    }

    /// Terminates an instance. Succeeds if it is gone already.
    pub(super) async fn terminate(&self, id: &str) -> Result<()> {
        match self.api.ec2.terminate_instances().instance_ids(id).send().await {
            Ok(_) => Ok(()),
            Err(failed) if code(&failed) == Some("InvalidInstanceID.NotFound") => Ok(()),
            Err(failed) => Err(explain("ec2:TerminateInstances", &failed)),
        }
    }

    /// Launches, starts, retypes and replaces machines independently, then waits for all of them together.
    pub(super) async fn move_machines(&self, actions: &[Action]) -> Result<()> {
        let begun = join_all(actions.iter().map(|action| self.start_moving(action))).await;
        let mut moved: Vec<(HostName, String)> = Vec::new();
        let mut errors = Vec::new();
        for result in begun {
            match result {
                Ok(started) => moved.extend(started),
                Err(error) => errors.push(error),
            }
        }
        if !moved.is_empty() {
            let hosts: Vec<String> = moved.iter().map(|(host, _)| host.to_string()).collect();
            let done = self.begin(format!("start {}", hosts.join(", ")));
            let ids: Vec<String> = moved.iter().map(|(_, id)| id.clone()).collect();
            match self.wait_for(&ids, InstanceState::Running).await {
                Ok(_) => done.end(),
                Err(error) => errors.push(error),
            }
            for (host, _) in &moved {
                self.folder.end_launch(*host)?;
            }
        }
        Error::all(errors).map_or(Ok(()), Err)
    }

    /// Starts the action of one machine; returns the machine if the caller must wait until it runs.
    async fn start_moving(&self, action: &Action) -> Result<Option<(HostName, String)>> {
        match action {
            Action::Create(creation) => self.create(creation).await.map(Some),
            Action::Start { host, id } => {
                self.wait_for(std::slice::from_ref(id), InstanceState::Stopped).await?;
                self.start(id).await?;
                Ok(Some((*host, id.clone())))
            }
            Action::Retype { host, id, from, to, running } => {
                let change = Retyping { host: *host, id, from, to, running: *running };
                self.retype(change).await.map(|()| None)
            }
            _ => Ok(None),
        }
    }

    async fn create(&self, creation: &Creation) -> Result<(HostName, String)> {
        let host = creation.host;
        self.folder.begin().await?;
        let done = self.begin(format!("launch machine `{host}`"));
        if let Some(old) = &creation.replaces {
            self.try_launch(creation, &self.fresh_group_id(host).await?).await?;
            self.terminate(old).await.map_err(|error| error.at(host.to_string()))?;
            self.wait_for(std::slice::from_ref(old), InstanceState::Terminated).await?;
        }
        let group = self.fresh_group_id(host).await?;
        let id = self.launch(creation, &group).await?;
        done.end();
        Ok((host, id))
    }

    /// The id of a host's group, which may be new.
    async fn fresh_group_id(&self, host: HostName) -> Result<String> {
        let mut patience = Patience::new(KNOWN_WITHIN);
        loop {
            match self.group_id(host).await {
                Ok(id) => return Ok(id),
                Err(error) => patience.again(error).await?,
            }
        }
    }

    pub(super) async fn start(&self, id: &str) -> Result<()> {
        let started = self.api.ec2.start_instances().instance_ids(id).send().await;
        started.map(drop).map_err(|failed| explain("ec2:StartInstances", &failed))
    }

    pub(super) async fn stop(&self, id: &str) -> Result<()> {
        let stopped = self.api.ec2.stop_instances().instance_ids(id).send().await;
        stopped.map(drop).map_err(|failed| explain("ec2:StopInstances", &failed))
    }
}
