//! What a spec decides about which parts of a playbook, an integration or a dashboard apply.

use serde::{Deserialize, Serialize};

/// A yes or no of the spec. Data name it below `when`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flag {
    /// `monitoring.install` is `distribution`.
    Distribution,
    /// `monitoring.install` is `release`.
    Release,
    /// `app.metrics` is `exporter`.
    Exporter,
    /// `app.metrics` is `builtin`.
    Builtin,
    /// The spec names no Grafana that exists.
    Grafana,
    /// An alert is about the monitoring itself.
    Watched,
}
