//! `monctl verify-dashboards`: whether every panel of every dashboard in monctl's folder shows something, asked
//! of Grafana as a browser would. A little traffic goes first: without any the application's panels are empty.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::try_join_all;
use serde_json::{Value, json};

use super::deployment::ANSWERS_WITHIN;
use super::open::{monitoring, port};
use super::way::Way;
use super::{Context, Outcome, grafana, screenshots};
use crate::cli::{DashboardsArgs, Web};
use crate::error::{Error, Exit, Result};
use crate::event::Events;
use crate::host::{Machine, Role};
use crate::http::Endpoint;
use crate::http::grafana::{DATA_SOURCE_UID, FOLDER_UID, GrafanaClient};
use crate::http::prometheus::Prometheus;
use crate::provider::Provider;
use crate::remote::Remote;
use crate::spec::{Spec, load};
use crate::verify::{self, Checked, Hosts, Shown, panels};

/// A dashboard of days need not show the last minute.
const LONGEST_STEP: Duration = Duration::from_secs(30);
/// Grafana runs already.
const READY_WITHIN: Duration = Duration::from_secs(10);

/// # Errors
/// Where the monitoring host or Grafana does not answer, or holds no dashboard. A panel without data is an outcome
/// of [`Exit::NotProven`].
pub(super) async fn run(args: &DashboardsArgs, context: &Context) -> Result<Outcome> {
    let loaded = load(&context.spec)?;
    let provider = Provider::of(&loaded, &context.events).await?;
    let machines = provider.observe().await?.running();
    let way = Way::open(monitoring(&machines)?.clone(), port(Web::Grafana), context.events.clone()).await?;
    let client = grafana::client_at(way.socket(), &provider.folder(), READY_WITHIN).await?;
    let dashboards = dashboards(&client).await?;
    // The panels are asked all the same. What is cut off here ends soon without monctl.
    if let Err(error) = traffic(&loaded.spec, &machines, &dashboards, &context.events).await {
        context.events.warn(format!("not all traffic was made: {}", error.in_one_line()));
    }
    let checked =
        panels(&client, &dashboards, DATA_SOURCE_UID, loaded.spec.monitoring.scrape_interval).await?;
    let pictures = match &args.screenshots {
        Some(folder) => {
            let password = grafana::password(&provider.folder())?;
            let cookies = grafana::log_in(way.socket(), &password).await?;
            screenshots::take(folder, &dashboards, &way, &cookies).await?
        }
        None => vec![],
    };
    Ok(outcome(&checked, &pictures))
}

/// Makes traffic on all application hosts at the same time.
async fn traffic(spec: &Spec, machines: &[Machine], dashboards: &[Value], events: &Events) -> Result<()> {
    let monitoring = Remote::connect(monitoring(machines)?, ANSWERS_WITHIN).await?;
    let prometheus = Prometheus::new(&Endpoint::Unix(monitoring.forward(port(Web::Prometheus)).await?))?;
    let scrape_interval = spec.monitoring.scrape_interval;
    let step = verify::longest_step(dashboards, scrape_interval).min(LONGEST_STEP);
    events.note(format!(
        "a visitor's requests go to the application until it was scraped twice, every {scrape_interval}"
    ));
    let hosts = machines.iter().filter(|machine| machine.name.role() == Role::App);
    try_join_all(hosts.map(async |machine| {
        let app = Remote::connect(machine, ANSWERS_WITHIN).await?;
        let site = Hosts { app: &app, monitoring: &monitoring };
        verify::traffic(
            &site,
            &prometheus,
            &machine.address.to_string(),
            spec.app.port.get(),
            scrape_interval.get(),
            step,
        )
        .await
    }))
    .await
    .map(drop)
}

/// The dashboards in monctl's folder, as they are stored.
async fn dashboards(client: &GrafanaClient) -> Result<Vec<Value>> {
    let uids = client.dashboards_in(FOLDER_UID).await?;
    if uids.is_empty() {
        return Err(
            Error::could_not_run("Grafana holds no dashboard of monctl").remedy("`monctl up` imports them")
        );
    }
    try_join_all(uids.iter().map(|uid| client.stored(uid))).await
}

fn outcome(checked: &[Checked], pictures: &[PathBuf]) -> Outcome {
    let mut text = String::new();
    let mut dashboard = "";
    for one in checked {
        let (word, cause) = match &one.shown {
            Shown::Data => continue,
            Shown::Empty(cause) => ("empty", cause),
            Shown::Error(cause) => ("error", cause),
        };
        if dashboard != one.dashboard {
            dashboard = &one.dashboard;
            let _ = writeln!(text, "{dashboard}");
        }
        let _ = writeln!(text, "  {word}  {} ({})", one.panel, one.query);
        let _ = writeln!(text, "         {}", one.expr.replace('\n', " "));
        let _ = writeln!(text, "         {cause}");
    }
    for picture in pictures {
        let _ = writeln!(text, "picture {}", picture.display());
    }
    let bad = checked.iter().filter(|one| one.shown != Shown::Data).count();
    let all = checked.len();
    let _ = match bad {
        0 => write!(text, "all {all} queries of all panels bring data"),
        bad => write!(text, "{bad} of {all} queries bring no data"),
    };
    let exit = if bad == 0 { Exit::Success } else { Exit::NotProven };
    Outcome::success(text, json!({ "queries": checked, "without_data": bad, "pictures": pictures }))
        .with_exit(exit)
}
