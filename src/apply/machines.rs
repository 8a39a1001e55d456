//! The infrastructure part of a plan, by the provider.

use std::collections::BTreeMap;

use futures_util::future::join_all;

use crate::error::Result;
use crate::host::HostName;
use crate::plan::{InfraAction, MachineFact};
use crate::provider::{MachineState, Observed, Provider};

/// What the planner needs to know of the machines.
pub fn machine_facts(observed: &Observed) -> BTreeMap<HostName, MachineFact> {
    observed
        .machines
        .iter()
        .map(|(host, machine)| {
            let fact = match machine.state {
                MachineState::Unfinished => MachineFact::Unfinished,
                MachineState::Stopped => MachineFact::Stopped,
                MachineState::Running => MachineFact::Running,
            };
            (*host, fact)
        })
        .collect()
}

/// Makes the network first, then everything else at once.
///
/// # Errors
/// The first failure, after all actions have ended: machines that were made stay for the next run.
pub async fn infrastructure(provider: &Provider, actions: &[InfraAction]) -> Result<()> {
    if actions.contains(&InfraAction::CreateNetwork) {
        provider.create_network().await?;
    }
    join_all(actions.iter().map(|action| act(provider, *action))).await.into_iter().collect()
}

async fn act(provider: &Provider, action: InfraAction) -> Result<()> {
    match action {
        InfraAction::CreateNetwork => Ok(()),
        InfraAction::CreateMachine(host) => provider.create_machine(host).await.map(drop),
        InfraAction::StartMachine(host) => provider.start_machine(host).await.map(drop),
        InfraAction::RemoveMachine(host) => provider.remove_machine(host).await,
    }
}
