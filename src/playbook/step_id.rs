//! The names of steps, and what of the spec decides whether they are part of a role.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The name of a step, unique in its playbook.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepId(pub String);

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the spec says that decides whether a step is part of a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flag {
    /// `monitoring.install` is `distribution`.
    Distribution,
    /// `monitoring.install` is `release`.
    Release,
    /// `app.metrics` is `exporter`.
    Exporter,
    /// The spec names no Grafana that exists.
    Grafana,
}
