//! Clients of the services on the monitoring host. They listen on its loopback; each client goes through ssh.

use super::grafana;
use crate::cli::Web;
use crate::error::{Error, Result};
use crate::host::{HostName, Machine};
use crate::http::Endpoint;
use crate::http::alertmanager::Alertmanager;
use crate::http::prometheus::Prometheus;
use crate::remote::Remote;

/// The monitoring host among machines that run.
pub(super) fn monitoring(machines: &[Machine]) -> Result<&Machine> {
    machines.iter().find(|it| it.name == HostName::MONITORING).ok_or_else(|| {
        Error::could_not_run("the monitoring host does not run").remedy("`monctl up` creates or starts it")
    })
}

/// The port of a service on the monitoring host's loopback.
pub(super) const fn port(service: Web) -> u16 {
    match service {
        Web::Grafana => grafana::PORT,
        Web::Prometheus => 9090,
        Web::Alertmanager => 9093,
    }
}

/// A client of the Prometheus on this host.
///
/// # Errors
/// When the connection breaks.
pub(super) async fn prometheus(monitoring: &Remote) -> Result<Prometheus> {
    Prometheus::new(&Endpoint::Unix(monitoring.forward(port(Web::Prometheus)).await?))
}

/// A client of the Alertmanager on this host.
///
/// # Errors
/// When the connection breaks.
pub(super) async fn alertmanager(monitoring: &Remote) -> Result<Alertmanager> {
    Alertmanager::new(&Endpoint::Unix(monitoring.forward(port(Web::Alertmanager)).await?))
}
