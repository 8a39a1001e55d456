//! The catalogue's rule tests, run by promtool: each alert passes its own tests with the catalogue's parameters and
//! with any others, and each small change of a rule makes a test fail.

mod judge;
mod mutants;
mod mutation;
mod parameters;
mod promises;
mod table;

use std::collections::BTreeMap;

use crate::support::binary::{Project, SPEC};
use monctl::spec::{Alert, AlertName, Catalogue, Spec, load};

/// The catalogue with the example integration, whose alert is tested in the same way.
fn catalogue() -> Catalogue {
    Catalogue::with(&[EXAMPLE.into()]).unwrap()
}

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/integrations/queue");

/// A spec with all alerts of the catalogue, and more lines of a spec after the alerts.
fn spec(alerts: &str, more: &str) -> Spec {
    let (before, _) = SPEC.split_once("alerts:").unwrap();
    // Some alerts are about the web server of a domain.
    let before = before.replacen("app:\n", "app:\n  domain: shop.example\n", 1);
    // Loading refuses those of an application that something else deploys; rules and their tests are the same.
    let is_of_watched = |line: &&str| {
        ["UnitDown", "HealthCheckFailing", "CountingLost"].iter().any(|it| line.trim().starts_with(it))
    };
    let (watched, alerts): (Vec<&str>, Vec<&str>) = alerts.split_inclusive('\n').partition(is_of_watched);
    let alerts = alerts.concat();
    let text = format!(
        "{before}alerts:\n{alerts}notify:\n  capture: {{}}\n  heartbeat_url: {{env: X}}\nintegrations: [{EXAMPLE}]\n{more}"
    );
    let mut spec = load(&Project::with_spec(&text).path("monctl.yaml")).unwrap().spec;
    if !watched.is_empty() {
        // Both kinds of metrics are scraped then.
        spec.app.deploy = false;
        spec.app.metrics_url = Some("http://127.0.0.1:8000/metrics".parse().unwrap());
        spec.alerts.extend(serde_saphyr::from_str::<BTreeMap<AlertName, Alert>>(&watched.concat()).unwrap());
    }
    spec
}

/// Every alert of the catalogue with its own parameters.
fn all() -> Spec {
    all_with("")
}

/// The same with more lines of a spec.
fn all_with(more: &str) -> Spec {
    let lines: Vec<_> = catalogue().names().map(|name| format!("  {name}: {{}}\n")).collect();
    spec(&lines.concat(), more)
}
