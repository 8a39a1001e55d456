//! What every dashboard that monctl brings along keeps to, so that it works with one host and with fifty and says what
//! it shows. promtool is the judge of its queries.

#![allow(clippy::unwrap_used, reason = "a helper's failure is the test's failure")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use monctl::http::grafana::DATA_SOURCE_UID;
use monctl::render::Tool;
use regex::Regex;
use serde_json::Value;

fn dashboards() -> Vec<(PathBuf, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/dashboards");
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 2, "{files:?}");
    let read = |path: PathBuf| {
        let document = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        (path, document)
    };
    files.into_iter().map(read).collect()
}

fn panels(dashboard: &Value) -> &Vec<Value> {
    dashboard["panels"].as_array().unwrap()
}

/// Panel title and expression of every query.
fn queries(dashboard: &Value) -> Vec<(String, String)> {
    let of_panel = |panel: &Value| {
        let title = panel["title"].as_str().unwrap().to_owned();
        let targets = panel["targets"].as_array().unwrap().clone();
        targets.into_iter().map(move |target| (title.clone(), target["expr"].as_str().unwrap().to_owned()))
    };
    panels(dashboard).iter().flat_map(of_panel).collect()
}

#[test]
fn uids_are_fixed_plain_and_differ() {
    let plain = Regex::new("^[A-Za-z0-9_]{1,40}$").unwrap();
    let uids: Vec<String> =
        dashboards().iter().map(|(_, one)| one["uid"].as_str().unwrap().to_owned()).collect();
    assert!(uids.iter().all(|uid| plain.is_match(uid)), "{uids:?}");
    assert_eq!(uids.iter().collect::<BTreeSet<_>>().len(), uids.len());
    assert!(plain.is_match(DATA_SOURCE_UID));
}

#[test]
fn panels_say_what_they_show_in_which_unit() {
    for (path, dashboard) in dashboards() {
        let mut ids = BTreeSet::new();
        for panel in panels(&dashboard) {
            let at = format!("{}: {}", path.display(), panel["title"]);
            let help = panel["description"].as_str().unwrap_or_default();
            assert!(help.len() > 20 && help.ends_with('.'), "{at}: help is a sentence: {help:?}");
            assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{at}: no unit");
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{at}: its id is another's, too");
        }
    }
}

#[test]
fn panels_do_not_lie_on_each_other() {
    for (path, dashboard) in dashboards() {
        let mut taken = BTreeSet::new();
        for panel in panels(&dashboard) {
            let place = |key: &str| panel["gridPos"][key].as_u64().unwrap();
            assert!(place("x") + place("w") <= 24, "{}: {} is too wide", path.display(), panel["title"]);
            for x in place("x")..place("x") + place("w") {
                for y in place("y")..place("y") + place("h") {
                    assert!(taken.insert((x, y)), "{}: {} covers another", path.display(), panel["title"]);
                }
            }
        }
    }
}

#[test]
fn everything_asks_our_data_source() {
    fn collect<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
        match value {
            Value::Object(keys) => {
                found.extend(keys.get("datasource"));
                keys.values().for_each(|value| collect(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
            _ => {}
        }
    }
    for (path, dashboard) in dashboards() {
        let mut found = Vec::new();
        collect(&dashboard, &mut found);
        assert!(found.len() > 2 * panels(&dashboard).len(), "{}", path.display());
        for data_source in found {
            assert_eq!(data_source["uid"], DATA_SOURCE_UID, "{}", path.display());
        }
    }
}

#[test]
fn every_query_is_for_the_chosen_hosts_of_its_job() {
    let selector = Regex::new(r"\{[^}]*\}").unwrap();
    let jobs = Regex::new(r#"job="(node-exporter|django-instance)""#).unwrap();
    for (path, dashboard) in dashboards() {
        let variable = &dashboard["templating"]["list"][0];
        assert_eq!(
            (&variable["name"], &variable["multi"], &variable["includeAll"]),
            (&"instance".into(), &true.into(), &true.into())
        );
        // Fifty names in one regular expression are slow; this matches them all.
        assert_eq!(variable["allValue"], ".+");
        for (title, query) in queries(&dashboard) {
            let selectors: Vec<&str> = selector.find_iter(&query).map(|found| found.as_str()).collect();
            assert!(!selectors.is_empty(), "{}: {title}: {query}", path.display());
            for one in selectors {
                assert!(one.contains(r#"instance=~"$instance""#), "{}: {title}: {one}", path.display());
                assert!(jobs.is_match(one), "{}: {title}: {one}", path.display());
            }
        }
    }
}

#[test]
fn rates_fit_the_scrape_interval_and_histograms_are_summed_first() {
    let range = Regex::new(r"\[([^\]]*)\]").unwrap();
    for (path, dashboard) in dashboards() {
        for (title, query) in queries(&dashboard) {
            for found in range.captures_iter(&query) {
                assert_eq!(&found[1], "$__rate_interval", "{}: {title}: {query}", path.display());
            }
            let quantiles = query.matches("histogram_quantile(").count();
            let summed = query.matches(", sum by (le").count();
            assert_eq!(quantiles, summed, "{}: {title}: {query}", path.display());
        }
    }
}

#[test]
fn promtool_can_read_every_query() {
    let Some(promtool) = Tool::Promtool.find() else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "promtool is not installed");
        eprintln!("did not run: promtool is not installed");
        return;
    };
    let mut rules = String::from("groups:\n- name: queries\n  rules:\n");
    for (index, (_, query)) in dashboards().iter().flat_map(|(_, one)| queries(one)).enumerate() {
        let query = query.replace("$__rate_interval", "1m").replace("$instance", ".+");
        writeln!(rules, "  - record: query:{index}\n    expr: {}", Value::from(query)).unwrap();
    }
    let file = tempfile::Builder::new().suffix(".yml").tempfile().unwrap();
    fs::write(&file, rules).unwrap();
    let judged = Command::new(promtool).args(["check", "rules"]).arg(file.path()).output().unwrap();
    assert!(judged.status.success(), "{}", String::from_utf8_lossy(&judged.stderr));
}

#[test]
fn node_exporter_sees_the_root_of_every_kind_of_machine() {
    let unit = include_str!("../templates/systemd/monctl-node-exporter.service");
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
