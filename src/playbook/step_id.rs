//! The names of steps.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The name of a step, unique in its playbook.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepId(pub String);

impl StepId {
    /// The directory of this step's service, by which it is found once no playbook names it.
    pub(super) fn directory(&self) -> String {
        format!("/etc/monctl/{self}")
    }
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
