//! `monctl verify-dashboards`: checks that every panel of every dashboard in monctl's folders shows data, with the
//! queries of a browser. Generates a little traffic meanwhile: without any, the application's panels are empty. Since
//! the traffic is a drill, the project is locked meanwhile; with `--no-traffic` the command is read-only.

use std::future::ready;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use serde_json::{Value, json};

use super::context::Context;
use super::outcome::Outcome;
use crate::cli::DashboardsArgs;
use crate::drill::{self, DrillHosts};
use crate::error::{Error, Exit, Result};
use crate::event::Events;
use crate::grafana::panels::{PanelFindings, Shown, longest_step, panels};
use crate::grafana::{self, GrafanaAccess, GrafanaClient};
use crate::host::{Machine, Role};
use crate::provider;
use crate::remote::{ANSWERS_WITHIN, PortForward, Remote};
use crate::screenshots;
use crate::services::{self, monitoring};
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
    let queries =
        panels(&view.client, &dashboards, spec.grafana.data_source(), spec.monitoring.scrape_interval);
    let found = if args.no_traffic {
        queries.await?
    } else {
        match Traffic::begin(spec, &machines, &dashboards, &context.events).await {
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
    let outcome = outcome(&found, pictures.as_deref().unwrap_or_default());
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

/// Traffic on all application hosts at the same time. It continues while panels are queried: a panel of current values
/// is empty again a few scrapes after it ends.
struct Traffic {
    monitoring: Remote,
    apps: Vec<Remote>,
}

impl Traffic {
    /// Begins the traffic; returns once Prometheus has seen it on each host.
    async fn begin(spec: &Spec, machines: &[Machine], dashboards: &[Value], events: &Events) -> Result<Self> {
        let monitoring = Remote::connect(monitoring(machines)?, ANSWERS_WITHIN, events).await?;
        let prometheus = services::prometheus(&monitoring).await?;
        let scrape_interval = spec.monitoring.scrape_interval;
        let step = longest_step(dashboards, scrape_interval).min(LONGEST_STEP);
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
            drill::begin_traffic(&site, &prometheus, &address, app_port, scrape_interval.get(), step).await?;
            Ok::<_, Error>(app)
        }))
        .await?;
        Ok(Self { monitoring, apps })
    }

    /// Runs some work, and ends the traffic after it.
    async fn during<T>(&self, work: impl Future<Output = T>, events: &Events) -> T {
        let sites = || self.apps.iter().map(|app| DrillHosts { app, monitoring: &self.monitoring });
        let kept = async {
            join_all(sites().map(async |site| drill::keep_traffic(&site).await)).await;
            // Reached only if there are no hosts.
            std::future::pending().await
        };
        let done = tokio::select! { done = work => done, never = kept => never };
        if let Err(error) = try_join_all(sites().map(async |site| drill::end_traffic(&site).await)).await {
            events.warn(error.in_one_line());
        }
        done
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

/// A query or a variable with a problem or a notice.
struct Remark<'a> {
    dashboard: &'a str,
    what: String,
    expr: &'a str,
    shown: &'a Shown,
    notices: &'a [String],
}

/// The problems and notices, by dashboard.
fn remarks(found: &PanelFindings) -> Vec<Remark<'_>> {
    let variables = found.variables.iter().map(|one| Remark {
        dashboard: &one.dashboard,
        what: format!("variable `{}`", one.variable),
        expr: "",
        shown: &one.shown,
        notices: &[],
    });
    let queries = found.queries.iter().map(|one| Remark {
        dashboard: &one.dashboard,
        what: if one.query.is_empty() { one.panel.clone() } else { format!("{} ({})", one.panel, one.query) },
        expr: &one.expr,
        shown: &one.shown,
        notices: &one.notices,
    });
    let is_remarkable = |it: &Remark| *it.shown != Shown::Data || !it.notices.is_empty();
    let mut remarks: Vec<Remark> = variables.chain(queries).filter(is_remarkable).collect();
    remarks.sort_by_key(|remark| remark.dashboard);
    remarks
}

impl Remark<'_> {
    fn write(&self, text: &mut String) {
        let (word, cause) = match self.shown {
            Shown::Data => ("note", ""),
            Shown::Partial(cause) => ("partly", cause.as_str()),
            Shown::Empty(cause) => ("empty", cause.as_str()),
            Shown::Error(cause) => ("error", cause.as_str()),
            Shown::NotApplicable(cause) => ("not applicable", cause.as_str()),
            Shown::NotQueried(cause) => ("not queried", cause.as_str()),
        };
        text.push_str(&format!("  {word}  {}\n", self.what));
        let expr = self.expr.replace('\n', " ");
        for line in [expr.as_str(), cause].into_iter().chain(self.notices.iter().map(String::as_str)) {
            if !line.is_empty() {
                text.push_str(&format!("         {line}\n"));
            }
        }
    }
}

fn outcome(found: &PanelFindings, pictures: &[PathBuf]) -> Outcome {
    let mut text = String::new();
    let mut dashboard = None;
    for remark in remarks(found) {
        if dashboard != Some(remark.dashboard) {
            dashboard = Some(remark.dashboard);
            text.push_str(&format!("{}\n", remark.dashboard));
        }
        remark.write(&mut text);
    }
    for one in found.variables.iter().filter(|one| one.alone > 0 && one.alone < one.values) {
        text.push_str(&format!(
            "{}: {} of the {} values of `{}` were checked one by one\n",
            one.dashboard, one.alone, one.values, one.variable
        ));
    }
    for picture in pictures {
        text.push_str(&format!("picture {}\n", picture.display()));
    }
    let counts = Counts::of(found);
    text.push_str(&counts.text());
    let exit = if counts.is_proof() { Exit::Success } else { Exit::NotProven };
    let data = json!({
        "queries": found.queries,
        "variables": found.variables,
        "without_data": counts.lacking,
        "not_applicable": counts.not_applicable,
        "not_queried": counts.not_queried,
        "variables_without_values": counts.variables,
        "pictures": pictures,
    });
    Outcome::success(text, data).with_exit(exit)
}

/// Number of queries by result.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    /// Queries with a verdict.
    queried: usize,
    lacking: usize,
    not_applicable: usize,
    not_queried: usize,
    /// Variables without values.
    variables: usize,
    /// Variables that Grafana shows as an error. An empty list does not matter if the panels have data.
    broken: usize,
}

impl Counts {
    fn of(found: &PanelFindings) -> Self {
        let mut counts = Self::default();
        for one in &found.queries {
            match one.shown {
                Shown::NotApplicable(_) => counts.not_applicable += 1,
                Shown::NotQueried(_) => counts.not_queried += 1,
                _ => counts.queried += 1,
            }
            counts.lacking += usize::from(one.shown.is_lacking());
        }
        counts.variables = found.variables.iter().filter(|one| one.shown.is_lacking()).count();
        counts.broken = found.variables.iter().filter(|one| matches!(one.shown, Shown::Error(_))).count();
        counts
    }

    /// Without any query nothing is proven.
    fn is_proof(&self) -> bool {
        self.queried > 0 && self.lacking == 0 && self.broken == 0
    }

    fn text(&self) -> String {
        let mut text = match (self.queried, self.lacking) {
            (0, _) => "nothing is proven: no query was sent".to_owned(),
            (queried, 0) => format!("all {queried} queries of all panels return data"),
            (queried, lacking) => format!("{lacking} of {queried} queries return no data"),
        };
        for (count, what) in [
            (self.variables, "variables without values"),
            (self.not_applicable, "queries not applicable"),
            (self.not_queried, "queries not sent"),
        ] {
            if count > 0 {
                text.push_str(&format!("; {what}: {count}"));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grafana::panels::{Checked, CheckedVariable};

    fn query(dashboard: &str, panel: &str, shown: Shown) -> Checked {
        let [dashboard, panel, query, expr] = [dashboard, panel, "A", "up"].map(str::to_owned);
        Checked { dashboard, panel, query, expr, notices: vec![], shown }
    }

    fn found(queries: Vec<Checked>) -> PanelFindings {
        PanelFindings { queries, variables: vec![] }
    }

    #[test]
    fn missing_data_is_listed_by_dashboard_and_fails() {
        let mut found = found(vec![
            query("A", "good", Shown::Data),
            query("A", "bad", Shown::Empty("no metric".into())),
            query("B", "logs", Shown::NotQueried("it is Loki".into())),
            query("B", "swap", Shown::NotApplicable("May be empty: no swap.".into())),
            query("B", "disks", Shown::Partial("no data where `host` is `h`".into())),
        ]);
        found.variables.push(CheckedVariable {
            dashboard: "A".into(),
            variable: "host".into(),
            values: 0,
            alone: 0,
            shown: Shown::Empty("nothing has it".into()),
        });
        let outcome = outcome(&found, &[]);
        insta::assert_snapshot!(outcome.text, @r"
        A
          empty  variable `host`
                 nothing has it
          empty  bad (A)
                 up
                 no metric
        B
          not queried  logs (A)
                 up
                 it is Loki
          not applicable  swap (A)
                 up
                 May be empty: no swap.
          partly  disks (A)
                 up
                 no data where `host` is `h`
        2 of 3 queries return no data; variables without values: 1; queries not applicable: 1; queries not sent: 1
        ");
        assert_eq!(outcome.exit, Exit::NotProven);
        let data = &outcome.json;
        let counts = ["without_data", "not_applicable", "not_queried", "variables_without_values"];
        assert_eq!(counts.map(|key| data[key].as_u64().unwrap()), [2, 1, 1, 1]);
        assert_eq!(data["queries"][3]["shown"], "not_applicable");
    }

    #[test]
    fn only_queries_with_data_are_a_proof() {
        let exit = |shown: Shown| outcome(&found(vec![query("A", "one", shown)]), &[]).exit;
        assert_eq!(exit(Shown::Data), Exit::Success);
        for shown in [Shown::Empty, Shown::Error, Shown::Partial, Shown::NotQueried, Shown::NotApplicable] {
            assert_eq!(exit(shown(String::new())), Exit::NotProven);
        }
        let both = vec![query("A", "one", Shown::Data), query("A", "two", Shown::NotQueried(String::new()))];
        assert_eq!(outcome(&found(both), &[]).exit, Exit::Success);
    }

    #[test]
    fn a_variable_without_values_passes_if_every_panel_has_data_and_a_broken_one_fails() {
        let exit = |shown: Shown| {
            let mut found = found(vec![query("A", "one", Shown::Data)]);
            let (dashboard, variable) = ("A".to_owned(), "cluster".to_owned());
            found.variables.push(CheckedVariable { dashboard, variable, values: 0, alone: 0, shown });
            let outcome = outcome(&found, &[]);
            assert!(outcome.text.contains("variable `cluster`"), "{}", outcome.text);
            outcome.exit
        };
        assert_eq!(exit(Shown::Empty("no series has the label".into())), Exit::Success);
        assert_eq!(exit(Shown::Error("parse error".into())), Exit::NotProven);
    }

    #[test]
    fn notices_of_prometheus_are_shown_and_do_not_fail() {
        let mut remarked = query("A", "one", Shown::Data);
        remarked.notices = vec!["PromQL info: metric might not be a counter: \"up\"".into()];
        let outcome = outcome(&found(vec![remarked]), &[]);
        insta::assert_snapshot!(outcome.text, @r#"
        A
          note  one (A)
                 up
                 PromQL info: metric might not be a counter: "up"
        all 1 queries of all panels return data
        "#);
        assert_eq!(outcome.exit, Exit::Success);
    }
}
