//! `monctl verify-dashboards`: whether every panel of every dashboard in monctl's folder shows something, asked
//! of Grafana as a browser would.

use std::fmt::Write as _;
use std::time::Duration;

use futures_util::future::try_join_all;
use serde_json::json;

use super::{Context, Outcome, grafana};
use crate::error::{Error, Exit, Result};
use crate::host::HostName;
use crate::http::grafana::{DATA_SOURCE_UID, FOLDER_UID, GrafanaClient};
use crate::provider::Provider;
use crate::remote::Remote;
use crate::spec::{PromDuration, load};
use crate::verify::{Checked, Shown, panels};

/// The machine runs already.
const CONNECT_WITHIN: Duration = Duration::from_secs(20);
/// Grafana runs already, too.
const READY_WITHIN: Duration = Duration::from_secs(10);

/// # Errors
/// Where the monitoring host or Grafana does not answer, or holds no dashboard. A panel without data is an outcome
/// of [`Exit::NotProven`].
pub(super) async fn run(context: &Context) -> Result<Outcome> {
    let loaded = load(&context.spec)?;
    let provider = Provider::of(&loaded, &context.events).await?;
    let running = provider.observe().await?.running();
    let machine = running.iter().find(|it| it.name == HostName::MONITORING).ok_or_else(|| {
        Error::could_not_run("the monitoring host does not run").remedy("`monctl up` makes or starts it")
    })?;
    let remote = Remote::connect(machine, CONNECT_WITHIN).await?;
    let client = grafana::client(&remote, &grafana::password(&provider.folder())?).await?;
    client.wait_ready(READY_WITHIN).await?;
    let checked = check(&client, loaded.spec.monitoring.scrape_interval).await?;
    Ok(outcome(&checked))
}

/// Every query of the dashboards in monctl's folder.
async fn check(client: &GrafanaClient, scrape_interval: PromDuration) -> Result<Vec<Checked>> {
    let uids = client.dashboards_in(FOLDER_UID).await?;
    if uids.is_empty() {
        return Err(
            Error::could_not_run("Grafana holds no dashboard of monctl").remedy("`monctl up` imports them")
        );
    }
    let dashboards = try_join_all(uids.iter().map(|uid| client.stored(uid))).await?;
    panels(client, &dashboards, DATA_SOURCE_UID, scrape_interval).await
}

fn outcome(checked: &[Checked]) -> Outcome {
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
    let bad = checked.iter().filter(|one| one.shown != Shown::Data).count();
    let all = checked.len();
    let _ = match bad {
        0 => write!(text, "all {all} queries of all panels bring data"),
        bad => write!(text, "{bad} of {all} queries bring no data"),
    };
    let exit = if bad == 0 { Exit::Success } else { Exit::NotProven };
    Outcome::success(text, json!({ "queries": checked, "without_data": bad })).with_exit(exit)
}
