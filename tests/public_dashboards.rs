//! Dashboards as people publish them: equivalents of our own that use the features of the best known ones (hosts in full,
//! a Django mixin's three, a Prometheus of old rows, Gunicorn, `PostgreSQL`, Redis, Celery, Caddy). Each is imported and asked
//! over a quarter of an hour, six hours, a day and a week.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a helper's failure is the test's failure")]

#[path = "support/grafana_release.rs"]
mod grafana_release;
#[path = "support/pipeline.rs"]
#[allow(dead_code, reason = "only its programs are used")]
mod pipeline;
#[path = "support/recordings.rs"]
#[allow(dead_code, reason = "each test binary uses its part")]
mod recordings;
#[path = "support/relay.rs"]
#[allow(dead_code, reason = "each test binary uses its part")]
mod relay;
#[path = "support/test_grafana.rs"]
#[allow(dead_code, reason = "each test binary uses its part")]
mod test_grafana;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use monctl::grafana::panels::{Checked, Found, Shown, panels};
use monctl::grafana::{
    DATA_SOURCE_UID, Dashboard, DataSource, Desired, FOLDER_UID, GrafanaChange, GrafanaClient, diff,
};
use monctl::http::Endpoint;
use monctl::http::prometheus::Prometheus;
use monctl::project::Exported;
use monctl::spec::{OnDrift, PromDuration};
use pipeline::{Process, free_address, program};
use serde_json::json;
use tempfile::TempDir;
use test_grafana::TestGrafana;

const DEADLINE: Duration = Duration::from_mins(2);
const RANGES: [&str; 4] = ["15m", "6h", "24h", "7d"];
/// What exporters of databases, queues and servers would report.
const REPORTS: &str = include_str!("fixtures/dashboards/public/metrics.txt");

struct Bench {
    client: GrafanaClient,
    _grafana: TestGrafana,
    _prometheus: Process,
    _folder: TempDir,
}

impl Bench {
    /// With two hours of history. `None` where Prometheus is not installed, which fails the test with `CI=true`.
    async fn start() -> Option<Self> {
        let (prometheus, promtool) = (program("prometheus")?, program("promtool")?);
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("history"), recordings::history_of(REPORTS, 480)).unwrap();
        fs::write(at("prometheus.yml"), "{}").unwrap();
        let written = Command::new(promtool)
            .current_dir(folder.path())
            .args(["tsdb", "create-blocks-from", "openmetrics", "history", "data"])
            .output()
            .unwrap();
        assert!(written.status.success(), "{}", String::from_utf8_lossy(&written.stderr));
        let address = free_address();
        let process = Command::new(prometheus)
            .current_dir(folder.path())
            .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"])
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let process = Process(Mutex::new(process.unwrap()));
        let asked = Prometheus::new(&Endpoint::Tcp(address)).unwrap();
        let begin = Instant::now();
        while !asked.query("up").await.is_ok_and(|found| !found.is_empty()) {
            assert!(begin.elapsed() < DEADLINE, "Prometheus does not show its history");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let grafana = TestGrafana::of_each_release().nth(2).unwrap_or_else(TestGrafana::start);
        let client = grafana.client();
        client.wait_ready(DEADLINE).await.unwrap();
        let source = DataSource::prometheus(DATA_SOURCE_UID, &format!("http://{address}"), "15s");
        let desired = Desired { folders: vec![], ..Desired::new(source, vec![]) };
        import(&client, &desired).await;
        Some(Self { client, _grafana: grafana, _prometheus: process, _folder: folder })
    }

    /// Imports a dashboard over a range and asks it.
    async fn check(&self, name: &str, range: &str) -> Found {
        let desired = Desired::new(Option::<DataSource>::None, vec![adopted(name, range)]);
        import(&self.client, &desired).await;
        let stored = self.client.stored(&desired.dashboards[0].uid).await.unwrap();
        panels(&self.client, &[stored], DATA_SOURCE_UID, PromDuration::seconds(15)).await.unwrap()
    }
}

async fn import(client: &GrafanaClient, desired: &Desired) {
    let state = client.observe(desired).await.unwrap();
    let changes = diff(desired, &state).into_iter();
    let changes = changes.filter(|change| !matches!(change, GrafanaChange::Stray(_)));
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

/// As the spec brings it in, over a range.
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
