//! What differs between what is and what must be, as data with reasons. Pure: no clock, no network,
//! no environment. `describe` says it to people; `apply/` carries it out without choices of its own.

mod describe;
mod infra;

use std::collections::BTreeMap;

use serde::Serialize;

pub use infra::{InfraAction, MachineFact, infrastructure};

use crate::host::HostName;
use crate::playbook::{Change, Facts, Inputs, Playbook, Step};

/// Everything that `up` would do.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Plan {
    /// Machines and network, in order.
    pub infra: Vec<InfraAction>,
    /// Changes on each host.
    pub hosts: BTreeMap<HostName, HostPlan>,
    /// Changes in Grafana, in words.
    pub grafana: Vec<GrafanaAction>,
}

/// The changes on one host, in the order of its playbook.
#[derive(Debug, Clone, Default, Serialize)]
pub struct HostPlan {
    /// The changes.
    #[serde(serialize_with = "changes_only")]
    pub changes: Vec<(Step, Change)>,
}

/// A change in Grafana.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GrafanaAction {
    /// The object: `dashboard System`.
    pub what: String,
    /// Why it is written.
    pub why: String,
}

impl Plan {
    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.infra.is_empty()
            && self.grafana.is_empty()
            && self.hosts.values().all(|host| host.changes.is_empty())
    }
}

impl HostPlan {
    /// What a host with these facts needs.
    pub fn new(playbook: &Playbook, inputs: &Inputs, facts: &Facts) -> Self {
        let changes = playbook
            .steps(inputs)
            .filter_map(|step| Some((step.clone(), step.lower(inputs, facts)?)))
            .collect();
        Self { changes }
    }
}

fn changes_only<S: serde::Serializer>(changes: &[(Step, Change)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(changes.iter().map(|(_, change)| change))
}
