//! What a provider has of a project.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::host::{HostName, Machine};
use crate::plan::MachineFact;
use crate::plan::aws::Cloud;

/// What the provider has of a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Observed {
    /// The network is complete: link, addresses, NAT, keys and the configuration of ssh.
    pub network: bool,
    /// The machines that exist, whole or not. A host without an entry does not exist.
    pub machines: BTreeMap<HostName, ObservedMachine>,
    /// Everything that EC2 has of the project, where it has the machines.
    #[serde(skip)]
    pub aws: Option<Cloud>,
}

impl Observed {
    /// The machines that run.
    pub fn running(&self) -> Vec<Machine> {
        let running = self.machines.values().filter(|found| found.state == MachineState::Running);
        running.map(|found| found.machine.clone()).collect()
    }

    /// What the planner needs to know of the machines.
    pub fn facts(&self) -> BTreeMap<HostName, MachineFact> {
        let fact = |state| match state {
            MachineState::Unfinished => MachineFact::Unfinished,
            MachineState::Stopped => MachineFact::Stopped,
            MachineState::Running => MachineFact::Running,
        };
        self.machines.iter().map(|(host, machine)| (*host, fact(machine.state))).collect()
    }
}

/// A machine as it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ObservedMachine {
    /// What can be done with it.
    pub state: MachineState,
    /// Its address and how ssh reaches it, once it runs.
    pub machine: Machine,
}

/// What can be done with a machine that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MachineState {
    /// Its making was cut short. [`super::Provider::create_machine`] clears it away and makes it anew.
    Unfinished,
    /// It is whole and does not run. [`super::Provider::start_machine`] brings it back with its disk.
    Stopped,
    /// It runs, or boots.
    Running,
}
