//! Whether panels show something, asked of the stand-in for Grafana or of a real one, which asks a real Prometheus that
//! scrapes itself.

#![allow(clippy::unwrap_used, reason = "a helper's failure is the test's failure")]

#[path = "support/grafana_release.rs"]
mod grafana_release;
#[path = "support/pipeline.rs"]
#[allow(dead_code, reason = "only its programs are used")]
mod pipeline;
#[path = "support/relay.rs"]
#[allow(dead_code, reason = "each test binary uses its part")]
mod relay;
#[path = "support/test_grafana.rs"]
#[allow(dead_code, reason = "each test binary uses its part")]
mod test_grafana;

use std::fs;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use monctl::http::Endpoint;
use monctl::http::grafana::{DATA_SOURCE_UID, GrafanaClient};
use monctl::http::prometheus::Prometheus;
use monctl::spec::PromDuration;
use monctl::verify::{Checked, Shown, panels};
use pipeline::{Process, free_address, program};
use serde_json::{Value, json};
use tempfile::TempDir;
use test_grafana::TestGrafana;

const DEADLINE: Duration = Duration::from_mins(1);
/// Requests to itself are what it counts.
const REQUESTS: &str = "prometheus_http_requests_total";

struct Bench {
    grafana: TestGrafana,
    client: GrafanaClient,
    _prometheus: Process,
    _folder: TempDir,
}

impl Bench {
    /// `None` where Prometheus is not installed, which fails the test with `CI=true`.
    async fn start() -> Option<Self> {
        let program = program("prometheus")?;
        let folder = tempfile::tempdir().unwrap();
        let address = free_address();
        let scrape = json!({
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
            "scrape_configs": [{"job_name": "prometheus", "static_configs": [{"targets": [address]}]}],
        });
        fs::write(folder.path().join("prometheus.yml"), scrape.to_string()).unwrap();
        let process = Command::new(program)
            .current_dir(folder.path())
            .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"])
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let prometheus = Process(Mutex::new(process.unwrap()));
        let has_rates = format!("rate({REQUESTS}{{handler=\"/metrics\"}}[1m]) > 0");
        let begin = Instant::now();
        let asked = Prometheus::new(&Endpoint::Tcp(address)).unwrap();
        while !asked.query(&has_rates).await.is_ok_and(|found| !found.is_empty()) {
            assert!(begin.elapsed() < DEADLINE, "Prometheus has not scraped itself");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let grafana = TestGrafana::start();
        let client = grafana.client();
        client.wait_ready(DEADLINE).await.unwrap();
        let source = json!({
            "uid": DATA_SOURCE_UID, "name": "Prometheus", "type": "prometheus", "access": "proxy",
            "url": format!("http://{address}"), "jsonData": {"timeInterval": "1s"},
        });
        grafana.post("/api/datasources", source).await;
        Some(Self { grafana, client, _prometheus: prometheus, _folder: folder })
    }

    async fn check(&self, dashboard: &Value) -> Vec<Checked> {
        panels(&self.client, std::slice::from_ref(dashboard), DATA_SOURCE_UID, PromDuration::seconds(1))
            .await
            .unwrap()
    }
}

fn panel(title: &str, expr: &str) -> Value {
    json!({"title": title, "type": "timeseries", "targets": [{"refId": "A", "expr": expr}]})
}

fn dashboard(panels: impl IntoIterator<Item = Value>) -> Value {
    let panels: Vec<Value> = panels.into_iter().collect();
    json!({"title": "Test", "time": {"from": "now-5m", "to": "now"}, "panels": panels})
}

/// What is wrong, by panel; empty where there is data.
fn causes(checked: &[Checked]) -> Vec<(&str, &str)> {
    checked
        .iter()
        .map(|one| match &one.shown {
            Shown::Data => (one.panel.as_str(), ""),
            Shown::Empty(why) | Shown::Error(why) => (one.panel.as_str(), why.as_str()),
        })
        .collect()
}

#[tokio::test]
async fn each_panel_without_data_is_named_with_its_cause() {
    let Some(bench) = Bench::start().await else { return };
    let checked = bench
        .check(&dashboard(vec![
            panel("good", &format!("sum(rate({REQUESTS}[$__rate_interval]))")),
            panel("misspelt", "sum(rate(prometheus_http_request_total[$__rate_interval]))"),
            panel("no such value", &format!("{REQUESTS}{{job=\"prometheus\", code=\"999\"}}")),
            panel("no such label", &format!("{REQUESTS}{{status=\"200\"}}")),
            panel("broken", "sum(rate("),
            panel("nothing", "up == 7"),
            panel("nan", "0 * up / 0"),
            json!({"title": "now", "type": "stat", "targets": [{"refId": "A", "expr": "up", "instant": true}]}),
        ]))
        .await;
    let found = causes(&checked);
    assert_eq!(found[0], ("good", ""));
    let misspelt = format!("there is no metric `prometheus_http_request_total`; did you mean `{REQUESTS}`?");
    assert_eq!(found[1], ("misspelt", misspelt.as_str()));
    assert!(
        found[2].1.starts_with(&format!("no `{REQUESTS}` has `code=\"999\"`; `code` is")),
        "{}",
        found[2].1
    );
    assert!(found[2].1.contains("`200`"), "{}", found[2].1);
    assert_eq!(found[3].1, format!("no `{REQUESTS}` has `status=\"200\"`; it has no label `status`"));
    assert!(found[4].1.contains("parse error"), "{}", found[4].1);
    assert!(matches!(checked[4].shown, Shown::Error(_)), "{:?}", checked[4]);
    assert!(found[5].1.starts_with("all that it selects is there"), "{}", found[5].1);
    assert!(found[6].1.starts_with("only NaN"), "{}", found[6].1);
    assert_eq!(found[7], ("now", ""));
}

#[tokio::test]
async fn variables_repetitions_and_library_panels_are_asked_as_a_browser_does() {
    let Some(bench) = Bench::start().await else { return };
    let kept = panel("kept", &format!("{REQUESTS}{{handler=~\"$handler\"}}"));
    bench
        .grafana
        .post("/api/library-elements", json!({"uid": "kept", "name": "kept", "kind": 1, "model": kept}))
        .await;
    let query = |name: &str, query: &str, regex: &str, all: bool| json!({"type": "query", "name": name, "query": {"query": query}, "regex": regex, "includeAll": all, "multi": all});
    let mut repeated =
        panel("requests of $handler", &format!("{REQUESTS}{{handler=~\"$handler\", job=\"$job\"}}"));
    repeated["repeat"] = "handler".into();
    let mut dashboard = dashboard(vec![
        json!({"type": "row", "title": "row", "panels": [panel("inside", "up{instance=~\"${instance}\"}")]}),
        repeated,
        json!({"title": "kept", "libraryPanel": {"uid": "kept"}}),
        json!({"title": "mixed", "datasource": {"uid": "-- Mixed --"}, "targets": [
            {"refId": "A", "expr": "up", "datasource": {"uid": "${DS}"}},
            {"refId": "B", "datasource": {"uid": "-- Dashboard --"}, "expr": "ignored"},
        ]}),
    ]);
    dashboard["templating"] = json!({"list": [
        {"type": "datasource", "name": "DS", "query": "prometheus"},
        query("job", "label_values(up, job)", "", false),
        query("instance", "label_values(up{job=\"$job\"}, instance)", "", true),
        query("handler", &format!("label_values({REQUESTS}{{job=\"$job\"}}, handler)"), "/^(.*(?:query|metrics))$/", true),
    ]});
    let checked = bench.check(&dashboard).await;
    let found = causes(&checked);
    assert!(found.iter().all(|(_, cause)| cause.is_empty()), "{found:#?}");
    let names: Vec<&str> = found.iter().map(|(panel, _)| *panel).collect();
    assert_eq!(
        names,
        [
            "inside",
            "requests of /api/v1/query (handler /api/v1/query)",
            "requests of /metrics (handler /metrics)",
            "kept",
            "mixed"
        ]
    );
}

#[tokio::test]
async fn fifty_panels_are_asked_several_at_a_time() {
    let Some(bench) = Bench::start().await else { return };
    let all = (0..50).map(|index| panel(&format!("panel {index}"), "sum(rate(up[1m]))"));
    bench.grafana.forget_requests();
    let checked = bench.check(&dashboard(all)).await;
    assert_eq!(checked.len(), 50);
    assert!(checked.iter().all(|one| one.shown == Shown::Data), "{:?}", causes(&checked));
    assert!(bench.grafana.most_at_once() > 1, "one after the other");
    assert!(bench.grafana.requests().len() < 60, "more requests than panels");
}

#[tokio::test]
async fn a_prometheus_that_is_gone_is_an_error_of_grafanas_own_words() {
    let grafana = TestGrafana::start();
    let client = grafana.client();
    client.wait_ready(DEADLINE).await.unwrap();
    let source = json!({
        "uid": DATA_SOURCE_UID, "name": "Prometheus", "type": "prometheus", "access": "proxy",
        "url": format!("http://{}", free_address()),
    });
    grafana.post("/api/datasources", source).await;
    let board = dashboard(vec![panel("any", "up")]);
    let asked = panels(&client, &[board], DATA_SOURCE_UID, PromDuration::seconds(1)).await;
    let message = asked.unwrap_err().to_string();
    assert!(message.contains("Failed to call resource"), "{message}");
}
