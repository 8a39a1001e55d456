//! An application that a team deployed by itself is watched, drilled, and left as it was.

use std::fs;

use crate::existing::Existing;
use crate::site::{APP, CALM, EACH_SECOND, MONITORING, eventually};

/// The team's application: Gunicorn and Django, a user, a venv and a unit of their own, on a port that only the host
/// itself reaches.
const DEPLOY: &str = include_str!("watched/deploy.sh");
const UNDEPLOY: &str = include_str!("watched/undeploy.sh");

/// The keys of `app` that describe it.
const APPLICATION: &str = "app:
  deploy: false
  unit: shop.service
  url: http://127.0.0.1:8000/
  metrics_url: http://127.0.0.1:8000/metrics
  host: shop.example
monitoring:
";

pub fn an_application_that_something_else_deploys_is_watched_and_left_as_it_was(existing: &Existing) {
    let clean = existing.snapshots();
    existing.on(APP, DEPLOY);
    let before = existing.snapshots();
    let operator = &existing.operator;
    let spec = fs::read_to_string(operator.path("home/monctl.yaml")).unwrap();
    let (head, rest) = spec.split_once("app:\n  path").unwrap();
    let (_, tail) = rest.split_once("monitoring:\n").unwrap();
    let alerts = "  UnitDown: {for: 2s}\n  HealthCheckFailing: {for: 2s}\n  AppDown: {for: 2s}\n";
    let tail = tail
        .replace(CALM, EACH_SECOND)
        .replace("group_wait: 1s", "group_wait: 1s\n  group_interval: 4s")
        .replace("  HighCPUUsage: {above: 80, for: 10s}\n", alerts);
    operator.write("home/monctl.yaml", &format!("{head}{APPLICATION}{tail}"));

    let running =
        || existing.on(APP, "systemctl show --property=MainPID,ActiveEnterTimestampMonotonic shop.service");
    let process = running();
    operator.monctl("up --yes").success();
    operator.monctl("up --yes").success().stdout_contains("no change");
    assert_eq!(running(), process, "the application was restarted");
    assert_eq!(existing.on(APP, "find /srv/monctl /opt/monctl/app /etc/monctl/app 2>/dev/null | wc -l"), "0");
    operator.monctl("manage -- check").code(5).stderr_contains("monctl does not deploy the application");
    operator.monctl("logs shop --since 1h").success().stdout_contains("Booting worker");

    // Only the monitoring host reads what the watch serves.
    let reads = format!("curl -sf --max-time 5 http://{}:9101", existing.app);
    eventually("the state of the unit is known", || {
        existing
            .on(MONITORING, &format!("{reads}/metrics"))
            .contains("monctl_unit_active{name=\"shop.service\"} 1\n")
    });
    existing.on(MONITORING, &format!("{reads}/metrics | grep -q '^monctl_url_answers.* 1$'"));
    existing.on(MONITORING, &format!("{reads}/application | grep -q '^shop_orders 7$'"));
    eventually("the application's own metrics are scraped", || {
        existing
            .on(MONITORING, "curl -sf 'http://127.0.0.1:9090/api/v1/query?query=shop_orders'")
            .contains(r#","7"]"#)
    });

    operator.monctl("verify-alert UnitDown --yes").success().stderr_contains("received by monctl");
    existing.on(APP, "systemctl is-active --quiet shop.service");

    operator
        .monctl("down --yes")
        .success()
        .stdout_contains("removed from app: units")
        .stdout_contains("nothing is left");
    existing.is_as_before(&before);
    existing.on(APP, UNDEPLOY);
    existing.is_as_before(&clean);
    existing.spec("");
}
