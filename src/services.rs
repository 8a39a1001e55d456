//! Clients of the services on the monitoring host. They listen on its loopback; each client goes through ssh.

use crate::error::{Error, Result};
use crate::host::{HostName, Machine};
use crate::http::alertmanager::Alertmanager;
use crate::http::prometheus::Prometheus;
use crate::http::{Endpoint, alertmanager, prometheus};
use crate::remote::Remote;

/// The monitoring host among machines that run.
///
/// # Errors
/// When it does not run.
pub fn monitoring(machines: &[Machine]) -> Result<&Machine> {
    machines.iter().find(|it| it.name == HostName::MONITORING).ok_or_else(|| {
        Error::could_not_run("the monitoring host does not run").remedy("`monctl up` creates or starts it")
    })
}

/// A client of the Prometheus on this host.
///
/// # Errors
/// When the connection breaks.
pub async fn prometheus(monitoring: &Remote) -> Result<Prometheus> {
    Prometheus::new(&Endpoint::Unix(monitoring.forward(prometheus::PORT).await?))
}

/// A client of the Alertmanager on this host.
///
/// # Errors
/// When the connection breaks.
pub async fn alertmanager(monitoring: &Remote) -> Result<Alertmanager> {
    Alertmanager::new(&Endpoint::Unix(monitoring.forward(alertmanager::PORT).await?))
}
