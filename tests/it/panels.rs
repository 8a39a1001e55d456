//! Whether panels show data, in the stand-in for Grafana or in a real one, either of which queries a real Prometheus.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::support::pipeline::free_address;
use crate::support::recordings;
use crate::support::test_grafana::TestGrafana;
use crate::support::test_prometheus::TestPrometheus;
use monctl::duration::PromDuration;
use monctl::grafana::panels::{Checked, Shown, panels};
use monctl::grafana::{
    DATA_SOURCE_UID, Dashboard, DataSource, Desired, FOLDER_UID, Frames, GrafanaChange, GrafanaClient,
    PanelQuery, diff,
};
use monctl::project::Exported;
use monctl::spec::OnDrift;
use serde_json::{Value, json};

const DEADLINE: Duration = Duration::from_mins(1);
/// Prometheus' counter of requests to itself.
const REQUESTS: &str = "prometheus_http_requests_total";

/// Dashboards as people publish them for hosts and for Django, in the format of Grafana's export for sharing.
const FLEET: &str = include_str!("../fixtures/dashboards/fleet.json");
const APPLICATION: &str = include_str!("../fixtures/dashboards/requests.json");

struct Bench {
    grafana: TestGrafana,
    client: GrafanaClient,
    interval: PromDuration,
    _prometheus: TestPrometheus,
}

impl Bench {
    /// With a Prometheus that scrapes itself. `None` if it is not installed, which fails the test with `CI=true`.
    async fn start() -> Option<Self> {
        let scrape = |address: SocketAddr| {
            json!({
                "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
                "scrape_configs": [{"job_name": "prometheus", "static_configs": [{"targets": [address]}]}],
            })
        };
        let has_rates = format!("rate({REQUESTS}{{handler=\"/metrics\"}}[1m]) > 0");
        Some(Self::with(TestPrometheus::scraping(scrape, &has_rates).await?, "1s").await)
    }

    /// With a Prometheus that holds recorded answers of exporters.
    async fn of_recordings() -> Option<Self> {
        Some(Self::with(TestPrometheus::with_history(&recordings::history()).await?, "15s").await)
    }

    async fn with(prometheus: TestPrometheus, interval: &str) -> Self {
        let grafana = TestGrafana::start();
        let client = grafana.client();
        client.wait_ready(DEADLINE).await.unwrap();
        let source = json!({
            "uid": DATA_SOURCE_UID, "name": "Prometheus", "type": "prometheus", "access": "proxy",
            "url": prometheus.url(), "jsonData": {"timeInterval": interval},
        });
        grafana.post("/api/datasources", source).await;
        let interval = interval.parse().unwrap();
        Self { grafana, client, interval, _prometheus: prometheus }
    }

    /// The results of the queries to Prometheus.
    async fn check(&self, dashboard: &Value) -> Vec<Checked> {
        let dashboards = std::slice::from_ref(dashboard);
        let found = panels(&self.client, dashboards, DATA_SOURCE_UID, self.interval).await.unwrap();
        let is_queried = |one: &Checked| !matches!(one.shown, Shown::NotQueried(_));
        found.queries.into_iter().filter(is_queried).collect()
    }

    /// Imports a dashboard that somebody else exported, and checks what Grafana stored.
    async fn check_imported(&self, export: &str) -> Vec<Checked> {
        let (name, uid) = ("theirs.json".to_owned(), "theirs".to_owned());
        let exported = Exported {
            name,
            uid,
            text: export.to_owned(),
            given_uid: None,
            title: None,
            inputs: BTreeMap::new(),
        };
        let dashboard = exported.adopt(DATA_SOURCE_UID).unwrap();
        let dashboard = Dashboard::new("theirs", dashboard, FOLDER_UID).unwrap();
        let data_source = DataSource::prometheus(DATA_SOURCE_UID, "http://localhost", "15s");
        let desired = Desired::new(data_source, vec![dashboard]);
        let state = self.client.observe(&desired).await.unwrap();
        let changes = diff(&desired, &state).into_iter();
        let changes = changes.filter(|change| !matches!(change, GrafanaChange::DataSource(_)));
        self.client.apply(changes.collect(), &|_| Ok(OnDrift::Restore)).await.unwrap();
        let uid = desired.dashboards[0].document()["uid"].as_str().unwrap();
        self.check(&self.client.stored(uid).await.unwrap()).await
    }
}

fn panel(title: &str, expr: &str) -> Value {
    json!({"title": title, "type": "timeseries", "targets": [{"refId": "A", "expr": expr}]})
}

fn dashboard(panels: impl IntoIterator<Item = Value>) -> Value {
    let panels: Vec<Value> = panels.into_iter().collect();
    json!({"title": "Test", "time": {"from": "now-5m", "to": "now"}, "panels": panels})
}

/// The cause of missing data by panel; empty if there are data.
fn causes(checked: &[Checked]) -> Vec<(&str, &str)> {
    checked
        .iter()
        .map(|one| match &one.shown {
            Shown::Data => (one.panel.as_str(), ""),
            Shown::Partial(why)
            | Shown::Empty(why)
            | Shown::Error(why)
            | Shown::NotApplicable(why)
            | Shown::NotQueried(why) => (one.panel.as_str(), why.as_str()),
        })
        .collect()
}

fn without_data(checked: &[Checked]) -> Vec<(&str, &str)> {
    causes(checked).into_iter().filter(|(_, cause)| !cause.is_empty()).collect()
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
        found[2].1.starts_with(&format!("no series of `{REQUESTS}` has `code=\"999\"`; `code` is")),
        "{}",
        found[2].1
    );
    assert!(found[2].1.contains("`200`"), "{}", found[2].1);
    assert_eq!(
        found[3].1,
        format!("no series of `{REQUESTS}` has `status=\"200\"`; none has a label `status`")
    );
    assert!(found[4].1.contains("parse error"), "{}", found[4].1);
    assert!(matches!(checked[4].shown, Shown::Error(_)), "{:?}", checked[4]);
    assert_eq!(found[5].1, "there are values, but none meets the comparison now");
    assert!(matches!(checked[5].shown, Shown::NotApplicable(_)), "{:?}", checked[5]);
    assert!(found[6].1.starts_with("only NaN"), "{}", found[6].1);
    assert_eq!(found[7], ("now", ""));
}

#[tokio::test]
async fn variables_repetitions_and_library_panels_are_queried_as_by_a_browser() {
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
async fn a_dashboard_of_hosts_that_uses_every_feature_shows_data_everywhere() {
    let Some(bench) = Bench::of_recordings().await else { return };
    let checked = bench.check_imported(FLEET).await;
    assert_eq!(without_data(&checked), []);
    // Each panel of the repeated row for both hosts, its repeated panel for both interfaces; the rest once.
    let names: Vec<&str> = checked.iter().map(|one| one.panel.as_str()).collect();
    for (name, queries) in [
        ("Up for (node 10.0.0.2)", 1),
        ("Memory (node 10.0.0.1)", 2),
        ("Traffic of lo (node 10.0.0.2, device lo)", 2),
        ("Traffic of host0 (node 10.0.0.1, device host0)", 2),
        ("Reachable, and other sources", 2),
        ("The 3 busiest disks", 1),
        ("Inodes (mount /)", 1),
        ("Operations", 2),
    ] {
        assert_eq!(names.iter().filter(|one| **one == name).count(), queries, "{name}: {names:#?}");
    }
    assert_eq!(checked.len(), 2 * (1 + 1 + 1 + 2 + 2 * 2) + 2 + 4 + 2 + 2 + 2, "{names:#?}");
}

#[tokio::test]
async fn a_dashboard_of_an_application_that_uses_every_feature_shows_data_everywhere() {
    let Some(bench) = Bench::of_recordings().await else { return };
    let checked = bench.check_imported(APPLICATION).await;
    assert_eq!(without_data(&checked), []);
    let names: Vec<&str> = checked.iter().map(|one| one.panel.as_str()).collect();
    for name in [
        "Latency, 0.95 of requests",
        "Answered 500 (status 500)",
        "Requests (view notebook:list)",
        "Answers (view <unnamed view>)",
        "django_http_requests_body_total_bytes_count",
        "Requests by method",
    ] {
        assert!(names.contains(&name), "{name}: {names:#?}");
    }
}

#[tokio::test]
async fn one_misspelt_metric_in_a_dashboard_of_somebody_else_is_named() {
    let Some(bench) = Bench::of_recordings().await else { return };
    let checked = bench.check_imported(&FLEET.replace("node_load1{", "node_laod1{")).await;
    let cause = "there is no metric `node_laod1`; did you mean `node_load1`?";
    assert_eq!(without_data(&checked), [("Load for each CPU", cause)]);
    // In a variable's query, it must not hide the panels that are repeated by the variable.
    let checked = bench.check_imported(&FLEET.replace("node_uname_info{", "node_unam_info{")).await;
    let bad = without_data(&checked);
    assert!(bad.iter().any(|(panel, _)| *panel == "Up for"), "{bad:#?}");
}

#[tokio::test]
async fn fifty_panels_are_queried_several_at_a_time() {
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
#[ignore = "a measurement, see bench/panels.sh"]
#[allow(clippy::print_stdout, reason = "what it measured is its result")]
async fn fifty_panels_beside_the_same_requests_one_after_the_other() {
    const RUNS: usize = 5;
    let bench = Bench::of_recordings().await.expect("Prometheus is installed");
    let expr = "avg by (instance, mode) (rate(node_cpu_seconds_total[1m]))";
    let board = dashboard((0..50).map(|index| panel(&format!("panel {index}"), expr)));
    let range = ("now-5m".to_owned(), "now".to_owned());
    let data_source = DATA_SOURCE_UID.to_owned();
    let query = PanelQuery {
        data_source,
        expr: expr.into(),
        instant: false,
        range,
        step: 15_000,
        points: 1_000,
        min_step: None,
        factor: 1,
    };
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let begin = Instant::now();
        assert_eq!(without_data(&bench.check(&board).await), []);
        ours.push(begin.elapsed().as_secs_f64());
        let begin = Instant::now();
        for _ in 0..50 {
            assert!(matches!(bench.client.frames(&query).await.unwrap().frames, Frames::Data(_)));
        }
        bare.push(begin.elapsed().as_secs_f64());
    }
    let [ours, bare] = [ours, bare].map(|mut all| {
        all.sort_by(f64::total_cmp);
        all[RUNS / 2]
    });
    let met = if ours < 3.0 { "yes" } else { "**no**" };
    println!("| What | monctl | Yardstick | Aim | Met |\n|---|---|---|---|---|");
    println!(
        "| fifty panels of `verify-dashboards`, wall | {ours:.2} s | the same requests one after the other: {bare:.2} s (×{:.2}) | under 3 s | {met} |",
        ours / bare
    );
}

#[tokio::test]
async fn an_unreachable_prometheus_is_an_error_with_grafanas_message() {
    let grafana = TestGrafana::start();
    let client = grafana.client();
    client.wait_ready(DEADLINE).await.unwrap();
    let source = json!({
        "uid": DATA_SOURCE_UID, "name": "Prometheus", "type": "prometheus", "access": "proxy",
        "url": format!("http://{}", free_address()),
    });
    grafana.post("/api/datasources", source).await;
    let board = dashboard(vec![panel("any", "up")]);
    let result = panels(&client, &[board], DATA_SOURCE_UID, PromDuration::seconds(1)).await;
    let message = result.unwrap_err().to_string();
    let expected = if TestGrafana::release() < 12 {
        "Failed to call resource"
    } else {
        "An error occurred within the plugin"
    };
    assert!(message.contains(expected), "{message}");
}
