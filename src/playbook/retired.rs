//! Services that the playbook no longer has, such as those of an integration that was taken out of the spec.

use super::change::{ChangeKind, Detail, LibraryCall, StepChange};
use super::facts::Facts;
use super::inputs::Inputs;
use super::step::{Playbook, Step, StepKind};
use super::step_id::StepId;

impl Playbook {
    /// The services that a host has from an earlier playbook, each with the change that removes it. Their users and
    /// packages stay until `down`.
    pub fn retired(&self, inputs: &Inputs, facts: &Facts) -> Vec<(Step, StepChange)> {
        let steps = self.steps(inputs);
        let is_known = |name: &str| steps.iter().any(|step| step.id.0 == name);
        facts.applied.keys().filter(|name| !is_known(name)).map(|name| retire(name)).collect()
    }
}

fn retire(name: &str) -> (Step, StepChange) {
    let id = StepId(name.to_owned());
    let why = "no longer in the spec; its units are stopped and removed";
    let change = StepChange {
        step: id.clone(),
        kind: ChangeKind::Remove,
        details: vec![Detail::new(id.directory(), why)],
        commands: vec![LibraryCall::new(["service_retire", name, &id.directory()])],
        payloads: [].into(),
    };
    (Step { id, when: None, lane: None, join: vec![], kind: StepKind::Retired }, change)
}
