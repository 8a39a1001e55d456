//! The differences between the current and the desired state, as data with reasons. Pure: no clock, no network,
//! no environment. `describe` renders them for people; `apply/` carries them out without decisions of its own.

pub mod aws;
mod describe;
mod infra;
mod rollout;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

pub use infra::{InfraAction, MachineFact, infrastructure};
pub use rollout::Rollout;

use crate::host::HostName;
use crate::playbook::{Facts, Inputs, Playbook, Step, StepChange, StepId};

/// Everything that `up` would do.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Plan {
    /// Where machines are created, in words; empty if on this computer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub place: Vec<String>,
    /// Machines and network, in order.
    pub infra: Vec<InfraAction>,
    /// Changes on each host.
    pub hosts: BTreeMap<HostName, HostPlan>,
    /// Changes in Grafana, in words.
    pub grafana: Vec<GrafanaAction>,
    /// Changes made by people in Grafana, which are kept.
    pub kept: Vec<GrafanaAction>,
}

/// The changes on one host, in the order of its playbook.
#[derive(Debug, Clone, Default, Serialize)]
pub struct HostPlan {
    /// The changes.
    #[serde(serialize_with = "changes_only")]
    pub changes: Vec<(Step, StepChange)>,
    /// Optional parts that are not available, with the reason.
    pub missing: Vec<String>,
    /// Whether another host runs, or ran, the release commands of the application's version.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_released: bool,
}

/// A change in Grafana.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GrafanaAction {
    /// `+` new, `~` changed, `-` removed, `=` kept as changed by a person.
    pub sign: char,
    /// The object: `dashboard Hosts`.
    pub what: String,
    /// Why it is written.
    pub why: String,
}

impl Plan {
    /// Actions that stop or replace machines, one sentence each.
    pub fn disruptions(&self) -> Vec<String> {
        self.infra.iter().filter_map(InfraAction::disruption).collect()
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.infra.is_empty()
            && self.grafana.is_empty()
            && self.hosts.values().all(|host| host.changes.is_empty())
    }
}

impl HostPlan {
    /// The changes for a host with these facts. A lane whose optional release is not available is skipped as a whole.
    pub fn new(playbook: &Playbook, inputs: &Inputs, facts: &Facts) -> Self {
        let mut plan = Self::default();
        let mut without = BTreeSet::new();
        for step in playbook.steps(inputs) {
            if let Some(why) = step.missing(inputs, facts) {
                plan.missing.push(why);
                without.extend(step.lane.clone());
            }
            if step.lane.as_ref().is_some_and(|lane| without.contains(lane)) {
                continue;
            }
            let changed: Vec<StepId> = plan.changes.iter().map(|(step, _)| step.id.clone()).collect();
            if let Some(change) = step.lower(inputs, facts, &changed) {
                plan.changes.push((step, change));
            }
        }
        plan.changes.extend(playbook.retired(inputs, facts));
        plan
    }

    /// The step that switches to another version of the application.
    pub fn switch(&self) -> Option<&Step> {
        self.changes.iter().map(|(step, _)| step).find(|step| step.carries_tree())
    }

    /// The steps without which the switch cannot run, since they are before it in its sequence.
    pub fn needed_by_switch(&self) -> impl Iterator<Item = &StepId> {
        let switch = self.switch();
        let is_before = move |step: &&Step| switch.is_some_and(|switch| switch.id != step.id);
        let is_needed = move |step: &&Step| {
            let lane = step.lane.as_ref();
            lane.is_none_or(|lane| {
                switch.is_some_and(|switch| switch.lane.as_ref() == Some(lane) || switch.join.contains(lane))
            })
        };
        let steps = self.changes.iter().map(|(step, _)| step);
        steps.take_while(is_before).filter(is_needed).map(|step| &step.id)
    }
}

fn changes_only<S: serde::Serializer>(
    changes: &[(Step, StepChange)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(changes.iter().map(|(_, change)| change))
}
