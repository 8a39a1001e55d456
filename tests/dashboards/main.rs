//! What every dashboard that monctl brings along keeps to, so that it works with one host and with fifty and says what
//! it shows. `rules.rs` has what a program can see in the JSON; `world.rs` asks promtool whether each query brings data
//! out of metrics as they were recorded; `colours.rs` sees them with the eyes of colour-blind people.

#![allow(clippy::unwrap_used, reason = "a helper's failure is the test's failure")]

mod colours;
mod document;
mod rules;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;

use monctl::render::{self, Tool};
use monctl::spec::{Alert, Spec, catalogue_names, load};
use regex::Regex;
use serde_json::{Value, json};

use document::{of_annotations, of_variables, panels, queries};
use world::World;

fn reference() -> Spec {
    load(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/reference/monctl.yaml"))).unwrap().spec
}

/// The reference with every alert of the catalogue, with none, and with an application that is counted from outside.
fn specs() -> [(&'static str, Spec); 3] {
    let every = catalogue_names().map(|name| (name.parse().unwrap(), Alert::default())).collect();
    let exporter: Spec = changed(|spec| spec["app"]["metrics"] = json!("exporter"));
    [
        ("every alert", Spec { alerts: every, ..reference() }),
        ("no alert", Spec { alerts: BTreeMap::new(), ..reference() }),
        ("exporter", exporter),
    ]
}

fn changed(change: impl FnOnce(&mut Value)) -> Spec {
    let mut spec = serde_json::to_value(reference()).unwrap();
    change(&mut spec);
    serde_json::from_value(spec).unwrap()
}

/// Every dashboard of every spec, with a name for messages.
fn all() -> Vec<(String, Value)> {
    let of = |(which, spec): (&str, Spec)| {
        let dashboards = render::dashboards(&spec).unwrap().into_iter();
        dashboards.map(|(name, document)| (format!("{name} ({which})"), document)).collect::<Vec<_>>()
    };
    specs().into_iter().flat_map(of).collect()
}

fn hosts() -> Value {
    render::dashboards(&specs()[0].1).unwrap().remove("hosts").unwrap()
}

#[test]
fn a_dashboard_is_a_file_and_their_uids_differ() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/dashboards");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files: BTreeSet<String> = files
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    let dashboards = render::dashboards(&reference()).unwrap();
    assert_eq!(dashboards.keys().cloned().collect::<BTreeSet<_>>(), files);
    assert!(["overview", "hosts", "django", "monitoring"].iter().all(|name| files.contains(*name)));
    let uids: BTreeSet<&str> = dashboards.values().map(|one| one["uid"].as_str().unwrap()).collect();
    assert_eq!(uids.len(), files.len());
}

#[test]
fn dashboards_keep_to_every_rule() {
    for (name, dashboard) in all() {
        let findings: Vec<String> = rules::findings(&dashboard).iter().map(ToString::to_string).collect();
        assert!(findings.is_empty(), "{name}:\n  {}", findings.join("\n  "));
    }
}

#[test]
fn every_rule_finds_the_dashboard_that_breaks_it() {
    assert!(rules::findings(&hosts()).is_empty());
    let broken = rules::broken_examples();
    let tested: BTreeSet<&str> = broken.iter().map(|(rule, _)| *rule).collect();
    assert_eq!(tested, rules::names().collect(), "each rule has an example");
    for (index, (rule, damage)) in broken.into_iter().enumerate() {
        let mut dashboard = hosts();
        damage(&mut dashboard);
        let found: BTreeSet<&str> = rules::findings(&dashboard).iter().map(|finding| finding.rule).collect();
        assert!(found.contains(rule), "example {index} breaks `{rule}`, found is {found:?}");
    }
}

#[test]
fn thresholds_are_those_of_the_spec() {
    let panel = |spec: &Spec| {
        let dashboard = render::dashboards(spec).unwrap().remove("hosts").unwrap();
        panels(&dashboard).into_iter().find(|panel| panel["title"] == "CPU used").unwrap().clone()
    };
    let at = |above: f64, severity: &str| {
        panel(&changed(|spec| {
            spec["alerts"] = json!({"HighCPUUsage": {"above": above, "for": "3m", "severity": severity}});
        }))
    };
    let steps = |panel: &Value| panel["fieldConfig"]["defaults"]["thresholds"]["steps"].clone();
    let (fine, orange, vermilion) = ("#0072B2", "#E69F00", "#D55E00");
    let warning = at(71.5, "warning");
    let fine = json!({"color": fine, "value": null});
    assert_eq!(steps(&warning), json!([fine, {"color": orange, "value": 71.5}]));
    assert_eq!(steps(&at(90.0, "critical")), json!([fine, {"color": vermilion, "value": 90.0}]));
    assert_eq!(warning["fieldConfig"]["defaults"]["custom"]["thresholdsStyle"]["mode"], "dashed");
    let help = warning["description"].as_str().unwrap();
    assert!(help.ends_with(" HighCPUUsage fires above 71.5 % for 3m."), "{help}");

    let own = panel(&changed(|spec| spec["alerts"] = json!({"HighCPUUsage": {"expr": "vector(1)"}})));
    for without in [panel(&specs()[1].1), own] {
        assert_eq!(steps(&without), json!([fine]));
        assert_eq!(without["fieldConfig"]["defaults"]["custom"]["thresholdsStyle"]["mode"], "off");
        let help = without["description"].as_str().unwrap();
        assert!(help.ends_with(" The spec has no alert HighCPUUsage with a threshold."), "{help}");
    }
}

#[test]
fn dashboards_name_only_alerts_that_there_are() {
    let said = Regex::new(r"(\w+) fires above|has no alert (\w+) with").unwrap();
    for (which, dashboard) in all() {
        for panel in panels(&dashboard) {
            for found in said.captures_iter(panel["description"].as_str().unwrap_or_default()) {
                let name = found.get(1).or(found.get(2)).unwrap().as_str();
                assert!(catalogue_names().any(|known| known == name), "{which}: {}: {name}", panel["title"]);
            }
        }
    }
}

/// Which dashboards a world is for: the metrics of an application differ by how it is counted.
fn judged(world: &World, builtin: bool) -> Vec<(String, String)> {
    let spec = if builtin { &specs()[0].1 } else { &specs()[2].1 };
    let dashboards = render::dashboards(spec).unwrap();
    let every = |one| queries(one).into_iter().chain(of_variables(one)).chain(of_annotations(one));
    let asked: Vec<_> =
        dashboards.iter().flat_map(|(name, one)| every(one).map(move |query| (name, query))).collect();
    let expressions: Vec<&str> = asked.iter().map(|(_, query)| query.expression.as_str()).collect();
    let empty = world.without_data(&expressions);
    empty
        .into_iter()
        .map(|index| {
            (format!("{}: {}", asked[index].0, asked[index].1.panel), asked[index].1.expression.clone())
        })
        .collect()
}

fn promtool_is_here() -> bool {
    let found = Tool::Promtool.find().is_some();
    assert!(found || std::env::var("CI").as_deref() != Ok("true"), "promtool is not installed");
    if !found {
        // Past the capture of the test harness, so that it is seen.
        let _ = writeln!(std::io::stderr(), "NOT RUN: promtool is not installed here (`make tools`)");
    }
    found
}

#[test]
fn every_query_brings_data_out_of_what_was_recorded() {
    if !promtool_is_here() {
        return;
    }
    for builtin in [false, true] {
        let empty = judged(&World::busy(builtin), builtin);
        assert!(empty.is_empty(), "builtin: {builtin}: {empty:#?}");
    }
}

#[test]
fn where_nobody_asks_the_application_only_panels_that_say_so_are_empty() {
    if !promtool_is_here() {
        return;
    }
    let dashboards = render::dashboards(&specs()[2].1).unwrap();
    let explained = |place: &str| {
        let (name, title) = place.split_once(": ").unwrap();
        // There is no view to choose, either.
        let Some(panel) = panels(&dashboards[name]).into_iter().find(|panel| panel["title"] == title) else {
            return title == "variable view";
        };
        let says = panel["fieldConfig"]["defaults"]["noValue"].as_str().unwrap();
        ["no traffic", "no request yet"].contains(&says)
    };
    let empty = judged(&World::quiet(), false);
    let unexplained: Vec<_> = empty.iter().filter(|(place, _)| !explained(place)).collect();
    assert!(unexplained.is_empty(), "{unexplained:#?}");
    assert!(!empty.is_empty(), "a quiet world has no latencies");
}

#[test]
fn a_metric_that_is_misspelt_and_a_label_that_there_is_not_bring_no_data() {
    if !promtool_is_here() {
        return;
    }
    let world = World::busy(false);
    let judge = |expression: &str| world.without_data(&[expression]);
    assert_eq!(judge(r#"node_load1{job="node-exporter"}"#), [0; 0]);
    assert_eq!(judge(r#"node_laod1{job="node-exporter"}"#), [0]);
    assert_eq!(judge(r#"node_load1{job="node_exporter"}"#), [0]);
    assert_eq!(judge(r#"sum by (le) (node_load1{mode="idle"})"#), [0]);
}

#[test]
fn node_exporter_sees_the_root_of_every_kind_of_machine() {
    let unit = include_str!("../../templates/systemd/monctl-node-exporter.service");
    let option = |name: &str| {
        let found = unit.split_whitespace().find_map(|word| word.strip_prefix(name)).unwrap();
        Regex::new(&found.replace("$$", "$")).unwrap()
    };
    let types = option("--collector.filesystem.fs-types-exclude=");
    assert!(!["ext4", "xfs", "btrfs", "overlay"].iter().any(|kind| types.is_match(kind)));
    assert!(["tmpfs", "proc", "cgroup", "cgroup2"].iter().all(|kind| types.is_match(kind)));
    let places = option("--collector.filesystem.mount-points-exclude=");
    assert!(!["/", "/srv", "/var/lib/docker", "/runner"].iter().any(|place| places.is_match(place)));
    assert!(
        ["/run", "/run/host/incoming", "/var/lib/docker/overlay2/x"]
            .iter()
            .all(|place| places.is_match(place))
    );
}
