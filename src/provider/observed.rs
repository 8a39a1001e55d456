//! State of a project as its provider observes it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::host::{HostName, Machine};
use crate::plan::MachineFact;
use crate::plan::aws::Cloud;

/// State of a project as its provider observes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Observed {
    /// The network is complete: link, addresses, NAT, keys and the configuration of ssh.
    pub network: bool,
    /// The machines that exist, complete or not. A host without an entry does not exist.
    pub machines: BTreeMap<HostName, ObservedMachine>,
    /// Everything that EC2 has of the project, if the machines are in EC2.
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
    /// Its creation was interrupted. [`super::Provider::create_machine`] removes it and creates it again.
    Unfinished,
    /// It is complete and does not run. [`super::Provider::start_machine`] starts it with its disk.
    Stopped,
    /// It runs, or boots.
    Running,
}
