//! What `verify-dashboards` finds in a Grafana whose Prometheus holds fifty hosts, one of which lacks a metric. Runs
//! against the stand-in for the recorded and for later releases, or against a real Grafana.

#![allow(clippy::needless_pass_by_value, reason = "dashboards are written where they are used")]

use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::support::test_grafana::TestGrafana;
use crate::support::test_prometheus::TestPrometheus;
use monctl::duration::PromDuration;
use monctl::grafana::panels::{Checked, PanelFindings, Shown, panels};
use monctl::grafana::{DATA_SOURCE_UID, GrafanaClient};
use serde_json::{Value, json};

const DEADLINE: Duration = Duration::from_mins(1);
const HOSTS: u64 = 50;
/// The host that lacks `node_load1`.
const LACKING: u64 = 7;
/// The host with a high load.
const BUSY: u64 = 3;
/// A host that was removed ten minutes ago.
const GONE: u64 = 99;
const MINUTE: u64 = 60;

struct Bench {
    grafana: TestGrafana,
    client: GrafanaClient,
    _prometheus: TestPrometheus,
}

impl Bench {
    /// `None` if Prometheus is not installed, which fails the test with `CI=true`.
    async fn start() -> Option<Self> {
        // The last one is the latest.
        Self::of(TestGrafana::of_each_release().last()?).await
    }

    /// The same with this Grafana.
    async fn of(grafana: TestGrafana) -> Option<Self> {
        let prometheus = TestPrometheus::with_history(&history()).await?;
        let client = grafana.client();
        client.wait_ready(DEADLINE).await.unwrap();
        for (uid, kind) in [(DATA_SOURCE_UID, "prometheus"), ("logs", "loki")] {
            let source = json!({
                "uid": uid, "name": format!("The {uid}"), "type": kind, "access": "proxy",
                "url": prometheus.url(), "jsonData": {"timeInterval": "15s"},
            });
            grafana.post("/api/datasources", source).await;
        }
        Some(Self { grafana, client, _prometheus: prometheus })
    }

    async fn check(&self, dashboard: Value) -> PanelFindings {
        let dashboards = [dashboard];
        panels(&self.client, &dashboards, DATA_SOURCE_UID, PromDuration::seconds(15)).await.unwrap()
    }
}

fn host(number: u64) -> String {
    format!("10.0.0.{number}:9100")
}

/// Samples every 15 s, in the text format that promtool reads.
fn history() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let mut text = String::new();
    let mut series = |labels: &str, value: u64, from: u64, to: u64| {
        for at in (now - from..=now - to).step_by(15) {
            writeln!(text, "{labels} {value} {at}").unwrap();
        }
    };
    let job = "job=\"node-exporter\"";
    for number in (1..=HOSTS).chain([GONE]) {
        let to = if number == GONE { 10 * MINUTE } else { 0 };
        series(&format!("up{{{job},instance=\"{}\"}}", host(number)), 1, 20 * MINUTE, to);
    }
    for number in (1..=HOSTS).filter(|number| *number != LACKING) {
        let load = if number == BUSY { 20 } else { 1 };
        series(&format!("node_load1{{{job},instance=\"{}\"}}", host(number)), load, 20 * MINUTE, 0);
    }
    series("jobs_total{queue=\"old\"}", 5, 20 * MINUTE, 12 * MINUTE);
    series("jobs_total{queue=\"new\"}", 5, 20 * MINUTE, 0);
    text.push_str("# EOF\n");
    text
}

fn panel(title: &str, expr: &str) -> Value {
    with(json!({"title": title, "type": "timeseries", "targets": [{"refId": "A", "expr": expr}]}), json!({}))
}

fn with(mut object: Value, more: Value) -> Value {
    object.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    object
}

fn dashboard(variables: Value, panels: Value) -> Value {
    json!({
        "title": "Test", "time": {"from": "now-5m", "to": "now"},
        "templating": {"list": variables}, "panels": panels,
    })
}

fn variable(name: &str, query: &str) -> Value {
    json!({"type": "query", "name": name, "query": query, "includeAll": true, "allValue": ".+", "multi": true})
}

fn shown<'a>(found: &'a PanelFindings, panel: &str) -> &'a Shown {
    let of = |one: &&Checked| one.panel == panel;
    &found.queries.iter().find(of).unwrap_or_else(|| panic!("no `{panel}` in {found:#?}")).shown
}

fn of_variable<'a>(found: &'a PanelFindings, name: &str) -> &'a Shown {
    let of = found.variables.iter().find(|one| one.variable == name);
    &of.unwrap_or_else(|| panic!("no `{name}` in {found:#?}")).shown
}

fn empty(why: &str) -> Shown {
    Shown::Empty(why.to_owned())
}

#[tokio::test]
async fn an_empty_panel_gets_its_cause_in_every_release() {
    for (release, grafana) in TestGrafana::of_each_release().enumerate() {
        let Some(bench) = Bench::of(grafana).await else { return };
        let found = bench
            .check(dashboard(
                json!([]),
                json!([
                    panel("good", "node_load1"),
                    panel("misspelt", "sum(rate(node_laod1[$__rate_interval]))"),
                    panel("no such value", "jobs_total{queue=\"newer\"}"),
                    panel("nan", "0 * up / 0"),
                    panel("broken", "sum(rate("),
                    panel("ended", "jobs_total{queue=\"old\"}"),
                ]),
            ))
            .await;
        assert_eq!(*shown(&found, "good"), Shown::Data, "release {release}");
        let misspelt = empty("there is no metric `node_laod1`; did you mean `node_load1`?");
        assert_eq!(*shown(&found, "misspelt"), misspelt, "release {release}");
        let Shown::Empty(no_value) = shown(&found, "no such value") else { panic!("{found:#?}") };
        assert!(
            no_value.starts_with("no series of `jobs_total` has `queue=\"newer\"`; `queue` is"),
            "{no_value}"
        );
        let Shown::Empty(nan) = shown(&found, "nan") else { panic!("{found:#?}") };
        assert!(nan.starts_with("only NaN"), "release {release}: {nan}");
        let Shown::Error(broken) = shown(&found, "broken") else { panic!("{found:#?}") };
        assert!(broken.contains("parse error") && !broken.contains("results"), "release {release}: {broken}");
        let ended = "`jobs_total{queue=\"old\"}` has no values since `now-5m`, only older ones: choose a longer range";
        assert_eq!(*shown(&found, "ended"), empty(ended), "release {release}");
    }
}

#[tokio::test]
async fn one_host_of_fifty_without_data_is_found() {
    let Some(bench) = Bench::start().await else { return };
    bench.grafana.forget_requests();
    let found = bench
        .check(dashboard(
            json!([variable("host", "label_values(up{job=\"node-exporter\"}, instance)")]),
            json!([
                panel("each", "node_load1{instance=~\"$host\"}"),
                panel("sum", "sum(node_load1{instance=~\"$host\"})"),
                panel("high", "node_load1{instance=~\"$host\"} > 10"),
                panel("all there", "sum(up{instance=~\"$host\"})"),
                panel("at will", "sum(node_load1)"),
            ]),
        ))
        .await;
    for lacking in ["each", "sum", "high"] {
        let Shown::Partial(why) = shown(&found, lacking) else { panic!("{found:#?}") };
        let expected =
            format!("no data where `host` is `{}`: no series of `node_load1` has `instance=~", host(LACKING));
        assert!(why.starts_with(&expected), "{lacking}: {why}");
    }
    for whole in ["all there", "at will"] {
        assert_eq!(*shown(&found, whole), Shown::Data, "{whole}");
    }
    // The list still holds the removed host, unless one of Prometheus' two-hour blocks has ended since. That this host
    // has no data is not an error.
    let [host] = found.variables.as_slice() else { panic!("{found:#?}") };
    assert!([50, 51].contains(&host.values), "{host:?}");
    assert_eq!((host.alone, &host.shown), (50, &Shown::Data));
    let requests = bench.grafana.requests().len();
    assert!(requests < 150, "{requests} requests: values that occur in the series were queried too");
}

#[tokio::test]
async fn a_variable_has_its_own_result_and_affects_only_the_panels_that_use_it() {
    let Some(bench) = Bench::start().await else { return };
    let found = bench
        .check(dashboard(
            json!([
                variable("host", "label_values(up, instance)"),
                variable("misspelt", "label_values(upp{job=\"x\"}, instance)"),
                {"type": "query", "name": "cluster", "query": "label_values(up, cluster)"},
                with(variable("none", "label_values(up, instance)"), json!({"regex": "/^web/"})),
                variable("broken", "label_values(up{, instance)"),
                variable("strange", "tags(up)"),
                variable("unclosed", "metrics(up[)"),
                variable("through", "label_values(up{instance=~\"$broken\"}, job)"),
                with(variable("logs", "label_values(app)"), json!({"datasource": {"uid": "logs"}})),
                with(
                    variable("excused", "label_values(swap, device)"),
                    json!({"description": "The devices. May be empty: there is no swap."}),
                ),
            ]),
            json!([
                panel("fine", "up{instance=~\"$host\"}"),
                panel("empty", "up{instance=~\"x${misspelt}\"}"),
                panel("no metric", "disks{instance=~\"${misspelt}\"}"),
                panel("other condition", "up{job=\"none\", instance=~\"${misspelt}\"}"),
                panel("optional", "up{cluster=\"$cluster\"}"),
                panel("error", "up{instance=~\"[[broken]]\"}"),
                panel("indirect", "up{job=~\"$through\"}"),
                panel("of logs", "up{job=~\"$logs\"}"),
                {"title": "kept", "libraryPanel": {"uid": "gone", "name": "Kept"}},
            ]),
        ))
        .await;
    assert_eq!(*of_variable(&found, "host"), Shown::Data);
    let misspelt = "there is no metric `upp`; did you mean `up`?";
    assert_eq!(*of_variable(&found, "misspelt"), empty(misspelt));
    let Shown::Empty(none) = of_variable(&found, "none") else { panic!("{found:#?}") };
    assert!(none.starts_with("its pattern `/^web/` matches none of 5"), "{none}");
    let Shown::Error(unclosed) = of_variable(&found, "unclosed") else { panic!("{found:#?}") };
    assert!(unclosed.starts_with("`up[` is not a valid regular expression"), "{unclosed}");
    let Shown::Error(broken) = of_variable(&found, "broken") else { panic!("{found:#?}") };
    assert!(broken.contains("parse error"), "{broken}");
    let strange = "monctl does not support the variable query `tags(up)`";
    assert_eq!(*of_variable(&found, "strange"), Shown::Error(strange.into()));
    let through = Shown::Error(format!("it uses the variable `broken`: {broken}"));
    assert_eq!(*of_variable(&found, "through"), through);
    let not_queried = |why: &str| Shown::NotQueried(why.to_owned());
    let loki = "its data source is of type `loki`, not Prometheus";
    assert_eq!(*of_variable(&found, "logs"), not_queried(loki));
    let excused = "May be empty: there is no swap. (there is no metric `swap`)";
    assert_eq!(*of_variable(&found, "excused"), Shown::NotApplicable(excused.into()));

    assert_eq!(*shown(&found, "fine"), Shown::Data);
    let of_the_variable = format!("its variable `misspelt` has no values: {misspelt}");
    assert_eq!(*shown(&found, "empty"), empty(&of_the_variable));
    // If the metric itself is missing, or another condition is not met, the variable is not the cause.
    assert_eq!(*shown(&found, "no metric"), empty("there is no metric `disks`"));
    let Shown::Empty(of_the_job) = shown(&found, "other condition") else { panic!("{found:#?}") };
    assert!(of_the_job.starts_with("no series of `up` has `job=\"none\"`"), "{of_the_job}");
    assert_eq!(*shown(&found, "optional"), Shown::Data, "an empty text matches series without the label");
    assert_eq!(*shown(&found, "error"), through);
    assert!(
        matches!(shown(&found, "indirect"), Shown::Error(why) if why.contains("`through`")),
        "{found:#?}"
    );
    assert_eq!(*shown(&found, "of logs"), not_queried(&format!("it uses the variable `logs`: {loki}")));
    assert!(matches!(shown(&found, "kept"), Shown::Error(why) if why.contains("library panel `gone`")));
}

#[tokio::test]
async fn a_panel_is_queried_over_its_own_range_and_in_its_own_steps() {
    let Some(bench) = Bench::start().await else { return };
    let ended = |title: &str, more: Value| with(panel(title, "jobs_total{queue=\"old\"}"), more);
    let now = |title: &str, of_panel: Value, of_query: Value| {
        let query = json!({"refId": "A", "expr": "last_over_time(jobs_total{queue=\"old\"}[$__interval])", "instant": true});
        with(json!({"title": title, "targets": [with(query, of_query)]}), of_panel)
    };
    let found = bench
        .check(dashboard(
            json!([{"type": "custom", "name": "span", "query": "1h"}]),
            json!([
                ended("as the dashboard", json!({})),
                ended("longer", json!({"timeFrom": "1h"})),
                ended("as chosen", json!({"timeFrom": "$span"})),
                ended("before", json!({"timeShift": "14m"})),
                now("short steps", json!({}), json!({})),
                now("long steps", json!({"interval": "30m"}), json!({})),
                now("long steps of the query", json!({}), json!({"interval": "30m"})),
                now(
                    "many points",
                    json!({"interval": "30m", "maxDataPoints": 10}),
                    json!({"intervalFactor": 1})
                ),
            ]),
        ))
        .await;
    for without in ["as the dashboard", "short steps"] {
        assert!(matches!(shown(&found, without), Shown::Empty(_)), "{without}: {found:#?}");
    }
    for data in ["longer", "as chosen", "before", "long steps", "long steps of the query", "many points"] {
        assert_eq!(*shown(&found, data), Shown::Data, "{data}");
    }
}

#[tokio::test]
async fn other_data_sources_and_panels_that_may_be_empty_are_reported_but_not_failures() {
    let Some(bench) = Bench::start().await else { return };
    let sentence = "May be empty: the host has no swap.";
    let described = json!({"description": format!("Swap in use. {sentence}")});
    let loki = json!({"title": "logs", "datasource": "The logs", "targets": [{"refId": "A", "expr": "{app=\"x\"}"}]});
    let mut board = dashboard(
        json!([]),
        json!([
            loki,
            {"title": "mixed", "datasource": {"uid": "-- Mixed --"}, "targets": [
                {"refId": "A", "datasource": {"uid": "logs"}, "expr": "{app=\"x\"}"},
            ]},
            with(panel("swap", "node_swap_bytes"), described.clone()),
            with(panel("mistaken", "node_swap_bytes{"), described.clone()),
            with(panel("there", "node_load1"), described),
        ]),
    );
    board["rows"] = json!([{"title": "Old", "panels": [panel("old", "up"), panel("old and bad", "upp")]}]);
    let found = bench.check(board).await;
    let not_queried = Shown::NotQueried("its data source is of type `loki`, not Prometheus".into());
    for logs in ["logs", "mixed"] {
        assert_eq!(*shown(&found, logs), not_queried);
    }
    let Shown::NotApplicable(why) = shown(&found, "swap") else { panic!("{found:#?}") };
    assert!(why.starts_with(sentence), "{why}");
    assert!(matches!(shown(&found, "mistaken"), Shown::Error(_)), "{found:#?}");
    assert_eq!(*shown(&found, "there"), Shown::Data);
    assert_eq!(*shown(&found, "old"), Shown::Data);
    assert!(matches!(shown(&found, "old and bad"), Shown::Empty(_)));
}
