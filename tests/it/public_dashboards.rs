//! Dashboards as people publish them: our own equivalents with the features of well-known ones (full hosts, the three
//! of a Django mixin, Prometheus with old rows, Gunicorn, `PostgreSQL`, Redis, Celery, Caddy). Each is imported and
//! queried over 15 minutes, six hours, a day and a week.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::support::recordings;
use crate::support::test_grafana::TestGrafana;
use crate::support::test_prometheus::TestPrometheus;
use monctl::duration::PromDuration;
use monctl::grafana::panels::{Checked, PanelFindings, Shown, panels};
use monctl::grafana::{
    DATA_SOURCE_UID, Dashboard, DataSource, Desired, FOLDER_UID, GrafanaChange, GrafanaClient, diff,
};
use monctl::project::Exported;
use monctl::spec::OnDrift;
use serde_json::json;

const DEADLINE: Duration = Duration::from_mins(2);
const RANGES: [&str; 4] = ["15m", "6h", "24h", "7d"];
/// Metrics as exporters of databases, queues and servers would report them.
const REPORTS: &str = include_str!("../fixtures/dashboards/public/metrics.txt");

struct Bench {
    client: GrafanaClient,
    _grafana: TestGrafana,
    _prometheus: TestPrometheus,
}

impl Bench {
    /// With two hours of history. `None` if Prometheus is not installed, which fails the test with `CI=true`.
    async fn start() -> Option<Self> {
        let prometheus = TestPrometheus::with_history(&recordings::history_of(REPORTS, 480)).await?;
        let grafana = TestGrafana::of_each_release().nth(2).unwrap_or_else(TestGrafana::start);
        let client = grafana.client();
        client.wait_ready(DEADLINE).await.unwrap();
        let source = DataSource::prometheus(DATA_SOURCE_UID, &prometheus.url(), "15s");
        let desired = Desired { folders: vec![], ..Desired::new(source, vec![]) };
        import(&client, &desired).await;
        Some(Self { client, _grafana: grafana, _prometheus: prometheus })
    }

    /// Imports a dashboard with a range and queries it.
    async fn check(&self, name: &str, range: &str) -> PanelFindings {
        let desired = Desired::new(Option::<DataSource>::None, vec![adopted(name, range)]);
        import(&self.client, &desired).await;
        let stored = self.client.stored(&desired.dashboards[0].uid).await.unwrap();
        panels(&self.client, &[stored], DATA_SOURCE_UID, PromDuration::seconds(15)).await.unwrap()
    }
}

async fn import(client: &GrafanaClient, desired: &Desired) {
    let state = client.observe(desired).await.unwrap();
    let changes = diff(desired, &state).into_iter();
    let changes = changes.filter(|change| !matches!(change, GrafanaChange::OrphanedDashboard(_)));
    client.apply(changes.collect(), &|_| Ok(OnDrift::Restore)).await.unwrap();
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/dashboards/public")
}

fn text(name: &str) -> String {
    fs::read_to_string(folder().join(format!("{name}.json"))).unwrap()
}

fn names() -> Vec<String> {
    let files = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let boards = files.filter(|path| path.extension().is_some_and(|ext| ext == "json"));
    let mut names: Vec<String> =
        boards.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// The dashboard as a spec imports it, with a range.
fn adopted(name: &str, range: &str) -> Dashboard {
    let inputs =
        if name == "tasks" { [("DS_LOKI".to_owned(), "logs".to_owned())].into() } else { BTreeMap::new() };
    let (given_uid, title) = (None, None);
    let exported =
        Exported { name: name.into(), text: text(name), uid: name.into(), given_uid, title, inputs };
    let mut document = exported.adopt(DATA_SOURCE_UID).unwrap();
    document["time"] = json!({"from": format!("now-{range}"), "to": "now"});
    Dashboard::new(name, document, FOLDER_UID).unwrap()
}

#[tokio::test]
async fn no_query_of_a_public_dashboard_is_refused_over_any_range_and_each_dashboard_shows_data() {
    let Some(bench) = Bench::start().await else { return };
    for name in names() {
        for range in RANGES {
            let found = bench.check(&name, range).await;
            let refused: Vec<&Checked> =
                found.queries.iter().filter(|one| matches!(one.shown, Shown::Error(_))).collect();
            assert!(refused.is_empty(), "{name}, {range}: {refused:#?}");
            let broken: Vec<_> =
                found.variables.iter().filter(|one| matches!(one.shown, Shown::Error(_))).collect();
            assert!(broken.is_empty(), "{name}, {range}: {broken:#?}");
            let with_data = found.queries.iter().filter(|one| one.shown == Shown::Data).count();
            assert!(with_data > 0, "{name}, {range}: {:#?}", found.queries);
        }
    }
}
