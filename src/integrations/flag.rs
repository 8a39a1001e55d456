//! Flags of a spec that select parts of playbooks, integrations and dashboards.

use serde::{Deserialize, Serialize};

/// A flag of the spec, which data files name as `when`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flag {
    /// `monitoring.install` is `distribution`.
    Distribution,
    /// `monitoring.install` is `release`.
    Release,
    /// `app.metrics` is `exporter`, or monctl counts the requests of an application that something else deploys.
    Exporter,
    /// `app.metrics` is `builtin`.
    Builtin,
    /// The application's requests are counted, in whichever way.
    Counted,
    /// Something else deploys the application: `app.deploy` is false.
    Observed,
    /// `app.unit` names the unit of such an application.
    Unit,
    /// `app.url` names the URL of its health checks.
    Url,
    /// `app.metrics_url` names the URL of its metrics.
    Relayed,
    /// `app.count_requests`: monctl counts the requests of such an application.
    Counting,
    /// The spec names no existing Grafana.
    Grafana,
    /// The spec has `app.domain`.
    Domain,
    /// Some alert monitors the monitoring itself.
    Watched,
    /// `app.services` names PostgreSQL.
    Postgresql,
    /// `app.services` names Redis.
    Redis,
}
