//! Elastic IP addresses. `AllocateAddress` has no client token: an address that an earlier call may have allocated is
//! looked for first.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_sdk_ec2::config::Builder;
use aws_sdk_ec2::types::{DomainType, ResourceType};
use futures_util::future::join_all;

use super::AwsProvider;
use super::error::{RemovalObstacle, code, explain, incomplete};
use super::tags::{specification, versioned};
use crate::error::{Error, Result};
use crate::host::HostName;
use crate::plan::aws::{Action, Address, Instance, tag};
use crate::retry::Patience;

/// Timeout for all attempts to allocate or associate one address.
const GIVEN_WITHIN: Duration = Duration::from_mins(1);

impl AwsProvider {
    /// Releases addresses that are not wanted, and gives each host its own.
    pub(super) async fn settle_addresses(&self, actions: &[Action]) -> Result<()> {
        let work = actions.iter().map(|action| async move {
            match action {
                Action::GiveAddress { host, allocation } => {
                    self.give_address(*host, allocation.clone()).await
                }
                Action::ReleaseAddress { id, address, association, .. } => {
                    let done = self.begin(format!("release address {address}"));
                    self.release(id, association.as_deref()).await?;
                    done.end();
                    Ok(())
                }
                _ => Ok(()),
            }
        });
        join_all(work).await.into_iter().collect()
    }

    async fn give_address(&self, host: HostName, allocation: Option<String>) -> Result<()> {
        let done = self.begin(format!("give machine `{host}` an address"));
        let allocation = match allocation {
            Some(allocation) => allocation,
            None => self.allocate(host).await?,
        };
        let mut patience = Patience::new(GIVEN_WITHIN);
        loop {
            let cloud = self.look().await?;
            let Some(instance) = cloud.instance(host) else {
                patience.again(Error::failed("its instance is not there").at(host.to_string())).await?;
                continue;
            };
            let call = self.api.ec2.associate_address().allocation_id(&allocation).instance_id(&instance.id);
            let Err(failed) = call.allow_reassociation(true).send().await else {
                self.wait_for_address(&instance.id, &allocation).await?;
                break;
            };
            let error = explain("ec2:AssociateAddress", &failed).at(host.to_string());
            match code(&failed) {
                // The instance or the address is not visible everywhere yet, or not in the right state.
                Some(
                    "InvalidInstanceID"
                    | "InvalidInstanceID.NotFound"
                    | "IncorrectInstanceState"
                    | "InvalidAllocationID.NotFound",
                ) => patience.again(error).await?,
                _ => return Err(error),
            }
        }
        done.end();
        Ok(())
    }

    /// Waits until EC2 shows an instance with its new address, which the ssh configuration then uses.
    async fn wait_for_address(&self, instance: &str, allocation: &str) -> Result<()> {
        let mut patience = Patience::new(GIVEN_WITHIN);
        let ids = [instance.to_owned()];
        loop {
            let (found, addresses) = tokio::try_join!(self.instances_of(&ids), self.addresses())?;
            let wanted = addresses.iter().find(|it| it.id == allocation).map(|it| it.address.as_str());
            let has = |it: &Instance| it.public.is_some_and(|it| wanted == Some(&it.to_string()));
            if found.first().is_some_and(has) {
                return Ok(());
            }
            let late = Error::failed(format!("EC2 does not show instance `{instance}` with its new address"));
            patience.again(late).await?;
        }
    }

    /// Prefers an unused address that was allocated for this host: the answer to an earlier call may have been lost.
    async fn allocate(&self, host: HostName) -> Result<String> {
        let tags = versioned(self.wanted()?.host_tags(host));
        let mut patience =
            Patience::new(GIVEN_WITHIN).pausing(Duration::from_millis(250), Duration::from_secs(3));
        loop {
            let own =
                |tags: &crate::plan::aws::Tags| tags.get(tag::HOST).is_some_and(|it| *it == host.to_string());
            let found = self.addresses().await?;
            if let Some(free) = found.iter().find(|it| it.instance.is_none() && own(&it.tags)) {
                return Ok(free.id.clone());
            }
            // The SDK would repeat a call whose answer was lost, and allocate a second address.
            let once = Builder::new().retry_config(RetryConfig::disabled());
            let call = self.api.ec2.allocate_address().domain(DomainType::Vpc);
            let call = call.tag_specifications(specification(ResourceType::ElasticIp, &tags));
            let failed = match call.customize().config_override(once).send().await {
                Ok(made) => {
                    let id = made.allocation_id().map(str::to_owned);
                    return id.ok_or_else(|| incomplete("ec2:AllocateAddress", "no id"));
                }
                Err(failed) => failed,
            };
            let error = explain("ec2:AllocateAddress", &failed).at(host.to_string());
            let status = failed.raw_response().map(|response| response.status().as_u16());
            let throttled = code(&failed)
                .is_some_and(|code| code.contains("LimitExceeded") && code.starts_with("Request"));
            if status.is_some_and(|status| (400..500).contains(&status)) && !throttled {
                return Err(error);
            }
            patience.again(error).await?;
        }
    }

    /// Releases an address. Succeeds if it is gone already.
    pub(super) async fn release(&self, id: &str, association: Option<&str>) -> Result<(), RemovalObstacle> {
        if let Some(association) = association {
            let call = self.api.ec2.disassociate_address().association_id(association);
            if let Err(failed) = call.send().await
                && code(&failed) != Some("InvalidAssociationID.NotFound")
            {
                // The association ends with its machine.
                let failed = RemovalObstacle::of("ec2:DisassociateAddress", &failed);
                let is_this = |it: &Address| it.association.as_deref() == Some(association);
                failed.unless_gone(async { Ok(self.addresses().await?.iter().any(is_this)) }).await?;
            }
        }
        let failed = match self.api.ec2.release_address().allocation_id(id).send().await {
            Ok(_) => return Ok(()),
            Err(failed) if code(&failed) == Some("InvalidAllocationID.NotFound") => return Ok(()),
            Err(failed) => RemovalObstacle::of("ec2:ReleaseAddress", &failed),
        };
        failed.unless_gone(async { Ok(self.addresses().await?.iter().any(|it| it.id == id)) }).await
    }
}
