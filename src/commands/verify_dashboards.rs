//! `monctl verify-dashboards`: checks that every panel of every dashboard in monctl's folders shows data, with the
//! queries of a browser. Generates a little traffic meanwhile: without any, the application's panels are empty. Since
//! the traffic is a drill, the project is locked meanwhile; with `--no-traffic` the command is read-only.

use std::future::ready;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::future::try_join_all;
use serde_json::Value;

use super::context::Context;
use crate::cli::DashboardsArgs;
use crate::drill::VisitorTraffic;
use crate::error::{Error, Exit, Result};
use crate::grafana::panels::{PanelVerdict, longest_step, panels, verdict};
use crate::grafana::{self, GrafanaAccess, GrafanaClient};
use crate::provider;
use crate::remote::PortForward;
use crate::report::Outcome;
use crate::screenshots;
use crate::services::monitoring;
use crate::spec::{Spec, load};

/// Longest step that the traffic covers: a dashboard of days need not show the last minute.
const LONGEST_STEP: Duration = Duration::from_secs(30);
/// Time limit for a running Grafana to answer.
const READY_WITHIN: Duration = Duration::from_secs(10);

/// # Errors
/// When the monitoring host or Grafana does not answer, Grafana has no dashboard of monctl, or another monctl is
/// changing the project. A panel without data is an outcome with [`Exit::NotProven`].
pub(super) async fn run(args: &DashboardsArgs, context: &Context) -> Result<Outcome> {
    let loaded = load(&context.spec)?;
    let browser = args.screenshots.as_ref().map(|_| screenshots::find()).transpose()?;
    let provider = provider::of(&loaded, &context.events).await?;
    let _lock = if args.no_traffic { None } else { Some(provider.lock()?) };
    let machines = provider.observe().await?.running();
    let access = GrafanaAccess::of(&loaded, provider.folder())?;
    let machine = monitoring(&machines)?.clone();
    let way = PortForward::open(machine, grafana::PORT, context.events.clone());
    let view = View::open(&access, way).await?;
    let dashboards = dashboards(&view.client).await?;
    let spec = &loaded.spec;
    let step = longest_step(&dashboards, spec.monitoring.scrape_interval).min(LONGEST_STEP);
    let queries =
        panels(&view.client, &dashboards, spec.grafana.data_source(), spec.monitoring.scrape_interval);
    let found = if args.no_traffic {
        queries.await?
    } else {
        match VisitorTraffic::begin(spec, &machines, step, &context.events).await {
            Ok(traffic) => traffic.during(queries, &context.events).await?,
            Err(error) => {
                // The panels are queried all the same. The remaining traffic ends soon without monctl.
                context.events.warn(format!("could not generate all traffic: {}", error.in_one_line()));
                queries.await?
            }
        }
    };
    let pictures = match (&args.screenshots, browser) {
        (Some(folder), Some(browser)) => view.pictures(&browser, folder, &dashboards, &access, spec).await,
        _ => Ok(vec![]),
    };
    // The findings are reported even if the screenshots fail.
    let PanelVerdict { is_proof, text, json } = verdict(&found, pictures.as_deref().unwrap_or_default());
    let exit = if is_proof { Exit::Success } else { Exit::NotProven };
    let outcome = Outcome::success(text, json).with_exit(exit);
    let Err(error) = pictures else { return Ok(outcome) };
    context.events.warn(error.in_one_line());
    let exit = if outcome.exit == Exit::Success { Exit::Failed } else { outcome.exit };
    Ok(outcome.with_exit(exit))
}

/// Access to the dashboards.
struct View {
    client: GrafanaClient,
    /// The port forward to monctl's own Grafana; `None` for an existing one.
    way: Option<PortForward>,
}

impl View {
    async fn open(access: &GrafanaAccess, way: impl Future<Output = Result<PortForward>>) -> Result<Self> {
        if let Some(client) = access.external(READY_WITHIN).await? {
            return Ok(Self { client, way: None });
        }
        let way = way.await?;
        let client = access.client(ready(Ok(way.socket())), READY_WITHIN).await?;
        Ok(Self { client, way: Some(way) })
    }

    async fn pictures(
        &self,
        browser: &Path,
        into: &Path,
        dashboards: &[Value],
        access: &GrafanaAccess,
        spec: &Spec,
    ) -> Result<Vec<PathBuf>> {
        if let Some(way) = &self.way {
            let cookies = access.log_in(way.socket()).await?;
            return screenshots::take(browser, into, dashboards, way.url(), cookies).await;
        }
        let relay = self.client.relay().await?;
        let path = spec.grafana.existing().map_or("", |existing| existing.path());
        let base = format!("{}{path}/", relay.url());
        screenshots::take(browser, into, dashboards, &base, vec![relay.cookie()]).await
    }
}

/// The dashboards in monctl's folders, as they are stored.
async fn dashboards(client: &GrafanaClient) -> Result<Vec<Value>> {
    let uids = client.dashboards_of_monctl().await?;
    if uids.is_empty() {
        return Err(
            Error::could_not_run("Grafana has no dashboard of monctl").remedy("`monctl up` imports them")
        );
    }
    try_join_all(uids.iter().map(|uid| client.stored(uid))).await
}
