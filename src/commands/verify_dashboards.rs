//! `monctl verify-dashboards`: whether every panel of every dashboard in monctl's folder shows something, asked
//! of Grafana as a browser would.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::try_join_all;
use serde_json::{Value, json};

use super::open::{monitoring, port};
use super::way::Way;
use super::{Context, Outcome, grafana, screenshots};
use crate::cli::{DashboardsArgs, Web};
use crate::error::{Error, Exit, Result};
use crate::http::grafana::{DATA_SOURCE_UID, FOLDER_UID, GrafanaClient};
use crate::provider::Provider;
use crate::spec::load;
use crate::verify::{Checked, Shown, panels};

/// Grafana runs already.
const READY_WITHIN: Duration = Duration::from_secs(10);

/// # Errors
/// Where the monitoring host or Grafana does not answer, or holds no dashboard. A panel without data is an outcome
/// of [`Exit::NotProven`].
pub(super) async fn run(args: &DashboardsArgs, context: &Context) -> Result<Outcome> {
    let loaded = load(&context.spec)?;
    let provider = Provider::of(&loaded, &context.events).await?;
    let machine = monitoring(&provider).await?;
    let way = Way::open(machine, port(Web::Grafana), context.events.clone()).await?;
    let client = grafana::client_at(way.socket(), &provider.folder(), READY_WITHIN).await?;
    let dashboards = dashboards(&client).await?;
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
