//! Which keys of `app` apply: those of an application that monctl deploys, or those of one that it only watches.

use std::collections::BTreeSet;

use super::app::App;
use super::finding::SpecFinding;
use super::model::Spec;
use super::problem::Problem;
use super::provider::ProviderSettings;
use super::tree::{KeyPath, Node, Value};

/// The keys about an application that something else deploys.
const OBSERVED: [&str; 5] = ["unit", "url", "metrics_url", "host", "count_requests"];

/// The keys that any application has.
const COMMON: [&str; 2] = ["deploy", "count"];

/// Findings about keys of the wrong kind. `has` returns whether the file has a key of `app`.
pub(super) fn check(spec: &Spec, has: &dyn Fn(&str) -> bool) -> Vec<SpecFinding> {
    let mut findings = Vec::new();
    let mut find = |path: &str, message: &str| {
        findings.push(SpecFinding::new(path, message).about("app.deploy").about("provider"));
    };
    if spec.app.deploy {
        for key in OBSERVED.into_iter().filter(|key| has(key)) {
            let message = format!(
                "`{key}` is about an application that something else deploys; leave it out, or add `deploy: false`"
            );
            find(&format!("app.{key}"), &message);
        }
        return findings;
    }
    if !matches!(spec.provider, ProviderSettings::Hosts(_)) {
        let message = "an application that something else deploys is on hosts that exist: write `provider: {hosts: …}`, \
                       or leave `deploy` out";
        find("app.deploy", message);
    }
    for key in keys_of_deployed().filter(|key| has(key)) {
        let message = format!("`{key}` has no effect with `deploy: false`; leave it out{}", instead(key));
        find(&format!("app.{key}"), &message);
    }
    let App { unit, url, metrics_url, host, count_requests, .. } = &spec.app;
    if count_requests.is_some() && unit.is_none() {
        find("app.count_requests", "monctl counts the requests of a unit: add `unit`, or leave this out");
    }
    if count_requests.is_some() && metrics_url.is_some() {
        let message = "requests are counted in one way: leave `count_requests` or `metrics_url` out";
        find("app.count_requests", message);
    }
    if unit.is_none() && url.is_none() && metrics_url.is_none() {
        let message =
            "with `deploy: false`, monctl must know what to watch: add `unit`, `url` or `metrics_url`";
        find("app.deploy", message);
    }
    if host.is_some() && url.is_none() && metrics_url.is_none() {
        find(
            "app.host",
            "this is for requests to `url` and `metrics_url` only; leave it out, or add one of them",
        );
    }
    findings
}

/// Reports that the folder of an application that monctl deploys is missing. The schema cannot: other applications have
/// none.
pub(super) fn missing_path(root: &Node, faulty: &mut BTreeSet<KeyPath>) -> Option<Problem> {
    let app = root.get(["app"]).filter(|app| matches!(app.value, Value::Map(_)))?;
    if app.has("path") || !faulty.insert("app.path".into()) {
        return None;
    }
    Some(Problem::new(app.place, "`path` is missing in `app`"))
}

/// The keys about an application that monctl deploys: all others.
fn keys_of_deployed() -> impl Iterator<Item = &'static str> {
    let known = super::schema::json_schema()["$defs"]["App"]["properties"].as_object();
    let keys = known.into_iter().flat_map(|known| known.keys().map(String::as_str));
    keys.filter(|key| !OBSERVED.contains(key) && !COMMON.contains(key))
}

/// The key to write instead.
fn instead(key: &str) -> &'static str {
    match key {
        "metrics" | "metrics_path" => "; `metrics_url` names metrics that the application serves itself",
        "health_path" => "; `url` names what is requested",
        "port" | "metrics_port" | "allow" => "; monctl changes nothing of the application's ports",
        _ => "",
    }
}
