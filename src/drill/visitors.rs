//! A visitor's requests to all application hosts while their dashboards are checked.

use std::time::Duration;

use futures_util::future::{join_all, try_join_all};

use super::drill_host::DrillHosts;
use super::traffic::{begin_traffic, end_traffic, keep_traffic};
use crate::error::{Error, Result};
use crate::event::Events;
use crate::host::{Machine, Role};
use crate::remote::{ANSWERS_WITHIN, Remote};
use crate::services::{self, monitoring};
use crate::spec::Spec;

/// Traffic on all application hosts at the same time. It continues while panels are queried: a panel of current values
/// is empty again a few scrapes after it ends.
#[derive(Debug)]
pub struct VisitorTraffic {
    monitoring: Remote,
    apps: Vec<Remote>,
}

impl VisitorTraffic {
    /// Begins the traffic; returns once Prometheus has seen it on each host, for `step` at least.
    ///
    /// # Errors
    /// When a host does not answer, or Prometheus does not see the requests.
    pub async fn begin(spec: &Spec, machines: &[Machine], step: Duration, events: &Events) -> Result<Self> {
        let monitoring = Remote::connect(monitoring(machines)?, ANSWERS_WITHIN, events).await?;
        let prometheus = services::prometheus(&monitoring).await?;
        let scrape_interval = spec.monitoring.scrape_interval;
        events.note(format!(
            "sending a visitor's requests to the application until it was scraped twice (every {scrape_interval}) and \
             the panels were queried"
        ));
        // An application that monctl does not deploy gets no requests.
        let hosts = machines.iter().filter(|machine| machine.name.role() == Role::APP && spec.app.deploy);
        let apps = try_join_all(hosts.map(async |machine| {
            let app = Remote::connect(machine, ANSWERS_WITHIN, events).await?;
            let site = DrillHosts { app: &app, monitoring: &monitoring };
            let (address, app_port) = (machine.address.to_string(), spec.app.port.get());
            begin_traffic(&site, &prometheus, &address, app_port, scrape_interval.get(), step).await?;
            Ok::<_, Error>(app)
        }))
        .await?;
        Ok(Self { monitoring, apps })
    }

    /// Runs some work, and ends the traffic after it.
    pub async fn during<T>(&self, work: impl Future<Output = T>, events: &Events) -> T {
        let sites = || self.apps.iter().map(|app| DrillHosts { app, monitoring: &self.monitoring });
        let kept = async {
            join_all(sites().map(async |site| keep_traffic(&site).await)).await;
            // Reached only if there are no hosts.
            std::future::pending().await
        };
        let done = tokio::select! { done = work => done, never = kept => never };
        if let Err(error) = try_join_all(sites().map(async |site| end_traffic(&site).await)).await {
            events.warn(error.in_one_line());
        }
        done
    }
}
