//! Exported dashboards, and how each kind is adapted.

use serde_json::{Value, json};

use super::*;

const SHARED: &str = include_str!("../../../tests/fixtures/dashboards/shared.json");
const PLAIN: &str = include_str!("../../../tests/fixtures/dashboards/plain.json");
const V2: &str = include_str!("../../../tests/fixtures/dashboards/v2.json");

fn exported(text: impl Into<String>) -> Exported {
    let (name, uid) = ("my.json".into(), "own_my".into());
    Exported { name, text: text.into(), uid, given_uid: None, title: None, inputs: BTreeMap::new() }
}

fn adopt(text: impl Into<String>) -> Result<Value> {
    exported(text).adopt("ours")
}

/// The place and the reason of a refusal.
fn refusal(text: impl Into<String>) -> String {
    let error = adopt(text).unwrap_err();
    assert!(error.hint().is_some(), "{error}");
    error.to_string()
}

fn ours() -> Value {
    json!({"type": "prometheus", "uid": "ours"})
}

#[test]
fn inputs_are_filled_in_and_traces_of_the_other_grafana_removed() {
    let dashboard = adopt(SHARED).unwrap();
    let text = dashboard.to_string();
    for gone in [
        "__inputs",
        "__elements",
        "__requires",
        "DS_MAIN",
        "VAR_JOB",
        "iteration",
        "\"version\"",
        "other-uid",
    ] {
        assert!(!text.contains(gone), "{gone} is left");
    }
    assert!(dashboard.get("id").is_none());
    assert_eq!(dashboard["uid"], "shared-nodes");
    assert_eq!(dashboard["templating"]["list"][1]["query"], "node-exporter");
    assert_eq!(dashboard["templating"]["list"][2]["datasource"], ours());
    assert_eq!(dashboard["templating"]["list"][2]["regex"], r"/(?<value>.*):\d+/", "other sources are kept");
}

#[test]
fn a_minimum_interval_loses_the_comparison_that_later_releases_reject() {
    let panel = |interval: &str| json!({"type": "graph", "interval": interval, "targets": []});
    let row = json!({"type": "row", "panels": [panel(">1m")]});
    let adopted =
        |key: &str, list: Value| adopt(json!({"title": "T", "panels": [], key: list}).to_string()).unwrap();
    let panels = adopted("panels", json!([panel(">30s"), row, panel("5s"), panel("")]))["panels"].take();
    assert_eq!(panels[0]["interval"], "30s");
    assert_eq!(panels[1]["panels"][0]["interval"], "1m");
    assert_eq!([&panels[2]["interval"], &panels[3]["interval"]], ["5s", ""]);
    let old = adopted("rows", json!([{"title": "Row", "panels": [panel(">2m")]}]));
    assert_eq!(old["rows"][0]["panels"][0]["interval"], "2m");
}

#[test]
fn a_data_source_variable_defaults_to_ours() {
    let dashboard = adopt(SHARED).unwrap();
    assert_eq!(dashboard["templating"]["list"][0]["current"], json!({"text": "ours", "value": "ours"}));
    let targets = &dashboard["panels"][2]["targets"];
    assert_eq!(targets[1]["datasource"]["uid"], "${DS}");
    assert_eq!(targets[0]["datasource"], ours());
    assert_eq!(dashboard["panels"][2]["datasource"]["uid"], "-- Mixed --");
}

#[test]
fn library_panels_are_inlined() {
    let panel = &adopt(SHARED).unwrap()["panels"][1];
    assert!(panel.get("libraryPanel").is_none());
    assert_eq!(
        (&panel["id"], &panel["title"], &panel["type"]),
        (&json!(2), &json!("Load"), &json!("timeseries"))
    );
    assert_eq!(panel["gridPos"], json!({"x": 0, "y": 1, "w": 12, "h": 8}));
    assert_eq!(panel["targets"][0]["datasource"], ours());
}

#[test]
fn panels_in_closed_rows_and_sources_by_name_are_adapted() {
    let dashboard = adopt(SHARED).unwrap();
    assert_eq!(dashboard["panels"][3]["panels"][0]["datasource"], ours());
    let built_in = &dashboard["annotations"]["list"][0]["datasource"];
    assert_eq!(*built_in, json!({"type": "datasource", "uid": "-- Grafana --"}));
}

#[test]
fn a_plain_export_queries_our_prometheus_and_keeps_other_kinds() {
    let dashboard = adopt(PLAIN).unwrap();
    assert_eq!(dashboard["uid"], "own_my", "it has no uid of its own");
    let [metrics, logs] = [0, 1].map(|index| &dashboard["panels"][index]);
    assert_eq!([&metrics["datasource"], &metrics["targets"][0]["datasource"]], [&ours(), &ours()]);
    assert_eq!(metrics["targets"][1]["datasource"], ours(), "the default source of another Grafana");
    assert_eq!(logs["datasource"], json!({"type": "loki", "uid": "logs"}));
}

#[test]
fn where_other_kinds_are_required_the_query_identifies_its_source() {
    let text = PLAIN.replace("\"id\": 81,", r#""__requires": [{"type": "datasource", "id": "loki"}],"#);
    assert_eq!(adopt(text).unwrap()["panels"][0]["targets"][1]["datasource"], ours());
    let logs = json!("Loki");
    let two = json!({"title": "Two", "__requires": [{"type": "datasource", "id": "loki"}], "panels": [
        {"type": "timeseries", "datasource": "prometheus-prod", "targets": [{"expr": "up"}]},
        {"type": "logs", "datasource": logs, "targets": [{"expr": "{job=\"web\"}"}]},
        {"type": "timeseries", "datasource": {"uid": "P1809F7CD0C75ACF3"}, "targets": [{"expr": "up"}]},
        {"type": "timeseries", "datasource": "Loki", "targets": [{"expr": "{job=\"web\"} |= \"x\""}]},
        {"type": "table", "datasource": "SQL", "targets": [{"rawSql": "select 1"}]},
    ]});
    let adopted = adopt(two.to_string()).unwrap();
    let source = |index: usize| adopted["panels"][index]["datasource"].clone();
    assert_eq!([0, 1, 2, 3, 4].map(source), [ours(), logs.clone(), ours(), logs, json!("SQL")]);
}

#[test]
fn a_placeholder_without_an_input_is_our_prometheus_or_refused_with_its_line() {
    let board = |source: &Value, more: &Value| {
        let panel = json!({"type": "timeseries", "datasource": source, "targets": [more]});
        json!({"title": "A", "__requires": [{"type": "datasource", "id": "loki"}], "panels": [panel]})
    };
    let query = json!({"expr": "up", "refId": "A"});
    for source in [
        json!("${DS_THANOS}"),
        json!("${DS_SIGNCL-PROMETHEUS}"),
        json!({"type": "prometheus", "uid": "${DS_PROMETHEUS_WH211}"}),
        json!({"uid": "$DS_ANY"}),
    ] {
        let adopted = adopt(board(&source, &query).to_string()).unwrap();
        assert_eq!(adopted["panels"][0]["datasource"], ours(), "{source}");
    }
    let loki = board(&json!({"type": "loki", "uid": "${DS_LOKI}"}), &json!({"expr": "{a=\"b\"}"}));
    let refused = refusal(format!("{loki:#}"));
    assert!(
        refused.ends_with(
            "the placeholder `${DS_LOKI}` stands for a data source of type `loki`, but has no value"
        ),
        "{refused}"
    );
    assert!(!refused.starts_with("my.json:1:"), "{refused}");
    for name in ["loki", "DS_LOKI"] {
        let inputs = [(name.to_owned(), "logs".to_owned())].into();
        let given = Exported { inputs, ..exported(loki.to_string()) }.adopt("ours").unwrap();
        assert_eq!(given["panels"][0]["datasource"], json!({"type": "loki", "uid": "logs"}), "{name}");
    }
    let unknown = board(&json!("${DS_X}"), &json!({"rawSql": "select 1"}));
    assert!(refusal(unknown.to_string()).contains("`${DS_X}` stands for a data source, but has no value"));
}

#[test]
fn built_in_sources_are_kept() {
    let of_expressions = json!({"type": "__expr__", "uid": "__expr__"});
    let board = json!({"title": "A", "panels": [{"datasource": "-- Mixed --", "targets": [
        {"refId": "A", "expr": "up", "datasource": "Prometheus"},
        {"refId": "B", "type": "math", "expression": "$A * 2", "datasource": "__expr__"},
        {"refId": "C", "type": "reduce", "expression": "A", "datasource": {"uid": "__expr__"}},
    ]}]});
    let adopted = adopt(board.to_string()).unwrap();
    let targets = &adopted["panels"][0]["targets"];
    assert_eq!(targets[0]["datasource"], ours());
    assert_eq!([&targets[1]["datasource"], &targets[2]["datasource"]], [&of_expressions, &of_expressions]);

    let inputs = json!([
        {"name": "DS_PROM", "type": "datasource", "pluginId": "prometheus"},
        {"name": "DS_EXPRESSION", "type": "datasource", "pluginId": "__expr__"},
    ]);
    let board = json!({"title": "A", "__inputs": inputs, "panels": [{"targets": [
        {"refId": "A", "expr": "up", "datasource": {"type": "prometheus", "uid": "${DS_PROM}"}},
        {"refId": "B", "expression": "$A*2", "datasource": {"type": "__expr__", "uid": "${DS_EXPRESSION}"}},
    ]}]});
    let adopted = adopt(board.to_string()).unwrap();
    let targets = &adopted["panels"][0]["targets"];
    assert_eq!([&targets[0]["datasource"], &targets[1]["datasource"]], [&ours(), &of_expressions]);
}

#[test]
fn a_tag_that_grafana_rejects_is_reported_with_its_place() {
    let tag = "component-id: a-service-whose-name-is-longer-than-fifty-bytes";
    let text = format!("{{\"title\": \"A\", \"panels\": [],\n \"tags\": [\"short\",\n  \"{tag}\"]}}");
    assert_eq!(
        refusal(text),
        format!("my.json:3:3: the tag `{tag}` has 61 bytes; Grafana allows at most 50")
    );
}

#[test]
fn the_specs_uid_and_title_replace_the_files() {
    for text in [PLAIN, SHARED, V2] {
        let exported =
            Exported { given_uid: Some("mine".into()), title: Some("Mine".into()), ..exported(text) };
        let adopted = exported.adopt("ours").unwrap();
        let of_resource = (&adopted["metadata"]["name"], &adopted["spec"]["title"]);
        let of = if adopted["spec"].is_object() { of_resource } else { (&adopted["uid"], &adopted["title"]) };
        assert_eq!(of, (&json!("mine"), &json!("Mine")));
    }
}

#[test]
fn the_new_schema_is_recognized_and_queries_our_prometheus() {
    let resource = adopt(V2).unwrap();
    assert_eq!(resource["apiVersion"], "dashboard.grafana.app/v2beta1");
    assert_eq!(resource["metadata"], json!({"name": "new-schema"}));
    let query = "/spec/elements/panel-1/spec/data/spec/queries/0/spec/query/datasource";
    assert_eq!(resource.pointer(query), Some(&json!({"name": "ours"})));
    let choice = resource.pointer("/spec/variables/0/spec/current").unwrap();
    assert_eq!(*choice, json!({"text": "ours", "value": "ours"}));
}

#[test]
fn a_resource_that_holds_the_classic_schema_is_unwrapped_and_keeps_its_name() {
    for version in ["v0alpha1", "v1beta1", "v1"] {
        let api = format!("dashboard.grafana.app/{version}");
        let spec = json!({"title": "A", "panels": [], "uid": "not-it"});
        let named =
            json!({"apiVersion": api, "kind": "Dashboard", "metadata": {"name": "checkout"}, "spec": spec});
        let classic = json!({"title": "A", "panels": [], "uid": "checkout"});
        assert_eq!(adopt(named.to_string()).unwrap(), classic, "{version}");
    }
    let nameless = json!({"apiVersion": "dashboard.grafana.app/v1", "spec": {"title": "A", "panels": []}});
    assert_eq!(adopt(nameless.to_string()).unwrap()["uid"], "own_my");
    let bad = "{\"apiVersion\": \"dashboard.grafana.app/v1\",\n \"metadata\": {\"name\": \"a b\"},\n \"spec\": {\"title\": \"A\", \"panels\": []}}";
    assert!(refusal(bad).starts_with("my.json:2:23: the uid `a b` is not valid"), "{}", refusal(bad));
}

/// The data source of a query in the schema v2 after the adaptation.
fn sources_of(version: &str, query: &Value, inputs: &[(&str, &str)]) -> Value {
    let panel =
        json!({"kind": "Panel", "spec": {"data": {"kind": "QueryGroup", "spec": {"queries": [query]}}}});
    let spec = json!({"title": "A", "elements": {"panel-1": panel}, "layout": {}});
    let resource = json!({"apiVersion": format!("dashboard.grafana.app/{version}"), "metadata": {"name": "a"}, "spec": spec});
    let inputs = inputs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let adopted = Exported { inputs, ..exported(resource.to_string()) }.adopt("ours").unwrap();
    let spec = adopted.pointer("/spec/elements/panel-1/spec/data/spec/queries/0/spec").unwrap();
    spec.get("datasource").or_else(|| spec["query"].get("datasource")).cloned().unwrap_or_default()
}

#[test]
fn prometheus_queries_are_recognized_in_each_version_of_the_new_schema() {
    let alpha = |source: Value| json!({"kind": "PanelQuery", "spec": {"datasource": source, "query": {"kind": "prometheus", "spec": {}}}});
    let later = |query: Value| json!({"kind": "PanelQuery", "spec": {"query": query}});
    let of = |version, query| sources_of(version, &query, &[]);
    assert_eq!(of("v2alpha1", alpha(json!({"type": "prometheus", "uid": "theirs"}))), ours());
    assert_eq!(of("v2alpha1", alpha(json!({"uid": "${ds}"}))), json!({"uid": "${ds}"}));
    let named = |name: &str| json!({"group": "prometheus", "datasource": {"name": name}});
    for version in ["v2beta1", "v2"] {
        assert_eq!(of(version, later(named("theirs"))), json!({"name": "ours"}));
        assert_eq!(of(version, later(named("${DS_PROMETHEUS}"))), json!({"name": "ours"}));
        assert_eq!(of(version, later(named("${ds}"))), json!({"name": "${ds}"}));
    }
    // An external export has a label in place of its source, which an input can name.
    let label = json!({"grafana.app/export-label": "loki-1"});
    let exported = later(json!({"group": "loki", "labels": label}));
    assert_eq!(of("v2", exported.clone()), Value::Null);
    assert_eq!(sources_of("v2", &exported, &[("loki-1", "logs")]), json!({"name": "logs"}));
}

#[test]
fn a_library_panel_of_the_new_schema_is_named_with_its_place() {
    let panel =
        "{\"kind\": \"LibraryPanel\", \"spec\": {\"libraryPanel\": {\"uid\": \"x\", \"name\": \"Load\"}}}";
    let text = V2.replace("\"elements\": {\n", &format!("\"elements\": {{\n      \"panel-2\": {panel},\n"));
    assert_eq!(refusal(text), "my.json:11:18: the library panel `Load` is not in the file");
}

#[test]
fn broken_files_are_refused_with_line_and_column() {
    assert_eq!(refusal("{\n  \"title\": \"A\",\n}"), "my.json:3:1: not valid JSON: trailing comma");
    assert_eq!(refusal(""), "my.json:1:0: not valid JSON: EOF while parsing a value");
    let nothing = "not a dashboard: it has neither `panels` nor `elements`";
    assert_eq!(refusal("[1]"), format!("my.json:1:1: {nothing}"));
    assert_eq!(refusal("{\"title\": \"A\"}"), format!("my.json:1:1: {nothing}"));
    assert_eq!(refusal("{\n \"panels\": {}}"), "my.json:2:12: `panels` is not a list");
    assert_eq!(refusal("{\"panels\": [],\n \"title\": \" \"}"), "my.json:2:11: the dashboard has no title");
    let uid = "{\"panels\": [], \"title\": \"A\",\n \"uid\": \"a b\"}";
    assert!(refusal(uid).starts_with("my.json:2:9: the uid `a b` is not valid"), "{}", refusal(uid));
}

#[test]
fn an_input_without_a_value_is_reported_and_can_be_set() {
    let text = SHARED
        .replace("\"pluginId\": \"prometheus\", \"pluginName\": \"Prometheus\"", "\"pluginId\": \"loki\"");
    assert_eq!(
        refusal(text.clone()),
        "my.json:3:5: the input `DS_MAIN` needs a data source of type `loki`, but has no value"
    );
    let given = Exported { inputs: [("DS_MAIN".to_owned(), "logs".to_owned())].into(), ..exported(text) };
    assert_eq!(given.adopt("ours").unwrap()["panels"][3]["panels"][0]["datasource"], "logs");
}

#[test]
fn a_missing_library_panel_is_reported() {
    let text = SHARED
        .replace("\"lib-load\": {", "\"another\": {")
        .replace("\"uid\": \"lib-load\",\n", "\"uid\": \"x\",\n");
    assert_eq!(refusal(text), "my.json:58:94: the library panel `Load of a host` is not in the file");
}
