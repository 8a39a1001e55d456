//! The step kind `user`: a system user without login exists.

use serde::Deserialize;

use super::change::{ChangeKind, Detail, LibraryCall, StepChange};
use super::facts::{Facts, Probes};
use super::step_id::StepId;

/// A system user with a group of the same name, no home and no login.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    name: String,
}

impl User {
    pub(super) fn probe(&self, probes: &mut Probes) {
        probes.users.insert(self.name.clone());
    }

    pub(super) fn lower(&self, step: &StepId, facts: &Facts) -> Option<StepChange> {
        if facts.users.contains(&self.name) {
            return None;
        }
        Some(StepChange {
            step: step.clone(),
            kind: ChangeKind::Create,
            details: vec![Detail::new(format!("user {}", self.name), "absent")],
            commands: vec![LibraryCall::new(["user_create", &self.name])],
            payloads: [].into(),
        })
    }
}
