//! An application that a team deployed by itself is watched, drilled, and left as it was.

use std::fs;

use crate::existing::Existing;
use crate::site::{APP, CALM, EACH_SECOND, MONITORING, eventually};

/// The team's application: Gunicorn and Django, a user, a venv and a unit of their own, on a port that only the host
/// itself reaches.
const DEPLOY: &str = include_str!("watched/deploy.sh");
const UNDEPLOY: &str = include_str!("watched/undeploy.sh");
/// The team's next deploy.
const REBUILD: &str = include_str!("watched/rebuild.sh");
const UVICORN: &str = include_str!("watched/uvicorn.sh");
const FIRST_SERVER: &str = include_str!("watched/first_server.sh");
const VISIT: &str = include_str!("watched/visit.sh");
/// The files of the team's Python environment and unit.
const THEIRS: &str = "find /srv/shop /etc/systemd/system/shop.service* -type f ! -name '*.pyc' -print0 | sort -z | xargs -0 sha256sum";

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

    requests_are_counted(existing);

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

/// monctl counts the requests of the application from the team's next restart on, and says so meanwhile.
fn requests_are_counted(existing: &Existing) {
    let operator = &existing.operator;
    let watched = fs::read_to_string(operator.path("home/monctl.yaml")).unwrap();
    let theirs = existing.on(APP, THEIRS);
    let counting = "  count_requests: {venv: /srv/shop/venv}\n";
    let errors = "  HighServerErrorRate: {above: 50, window: 10s, traffic: 0.1, for: 2s}\n";
    let spec = watched.replace("  metrics_url: http://127.0.0.1:8000/metrics\n", counting).replace(
        "  AppDown: {for: 2s}\n",
        &format!("  AppDown: {{for: 2s}}\n  CountingLost: {{for: 2s}}\n{errors}"),
    );
    operator.write("home/monctl.yaml", &spec);
    let process = || existing.on(APP, "systemctl show --property=MainPID --value shop.service");
    let read = |path: &str| {
        existing.on(MONITORING, &format!("curl -sf --max-time 5 http://{}:9101/{path}", existing.app))
    };
    let responses = |status: u16, view: &str| {
        let series = format!(
            "django_http_responses_total_by_status_view_method_total{{method=\"GET\",status=\"{status}\",view=\"{view}\"}} "
        );
        read("application")
            .lines()
            .find_map(|line| line.strip_prefix(&series)?.strip_suffix(".0")?.parse::<u32>().ok())
    };
    let is_counted = |value: u8| {
        read("metrics").contains(&format!("monctl_requests_counted{{name=\"shop.service\"}} {value}\n"))
    };
    let lost = || {
        existing.on(
            MONITORING,
            "curl -sf 'http://127.0.0.1:9090/api/v1/query?query=ALERTS%7Balertname=%22CountingLost%22,alertstate=%22firing%22%7D'",
        )
    };
    let restart = "`shop.service` must be restarted to be counted: systemctl restart shop.service";

    let before = process();
    operator.monctl("up --yes").success().stdout_contains(restart);
    assert_eq!(process(), before, "the application was restarted");
    operator.monctl("up --yes").success().stdout_contains("no change").stdout_contains(restart);
    let exposure = "systemd-analyze security --no-pager monctl-counting.service monctl-watch.service \
        | sed -n 's/.*exposure level for .*: \\([0-9.]*\\) .*/\\1/p'";
    let levels = existing.on(APP, exposure);
    assert_eq!(levels.lines().filter(|level| level.parse::<f64>().unwrap() <= 4.0).count(), 2, "{levels}");
    operator.monctl("status").success().stdout_contains(restart);
    assert!(is_counted(0), "the running process does not count yet");
    assert_eq!(read("application"), "", "requests are unknown");
    operator
        .monctl("verify-alert HighServerErrorRate --yes")
        .stderr_contains("must be restarted to be counted");
    let quiet =
        "env MONCTL_METRICS=exporter MONCTL_METRICS_DIR=/absent /srv/shop/venv/bin/python -c 'print(1)' 2>&1";
    assert_eq!(existing.on(APP, quiet).trim(), "1");

    existing.on(APP, "systemctl restart shop.service");
    eventually("both workers count", || read("application").contains("\nmonctl_workers 2"));
    operator.monctl("status").success().stdout_contains("counted");
    existing.on(APP, VISIT);
    for (status, view, count) in
        [(200, "shop.metrics", 120), (404, "<unnamed view>", 60), (500, "shop.error", 20)]
    {
        assert_eq!(responses(status, view), Some(count), "{status} {view}");
    }
    operator.monctl("verify-alert HighServerErrorRate --yes").success();

    existing.on(APP, REBUILD);
    eventually("the new environment does not count", || is_counted(0));
    eventually("CountingLost fires", || lost().contains("CountingLost"));
    operator.monctl("status").success().stdout_contains("monctl-counting.pth` is missing");
    operator.monctl("up --yes").success().stdout_contains(restart);
    existing.on(APP, "systemctl restart shop.service");
    // Its first process is root's, its workers are not.
    eventually("the new environment counts", || read("application").contains("\nmonctl_workers 2"));
    eventually("CountingLost is resolved", || !lost().contains("CountingLost"));
    operator.monctl("up --yes").success().stdout_contains("no change").stdout_lacks("must be restarted");

    existing.on(APP, UVICORN);
    eventually("uvicorn counts", || is_counted(1));
    existing.on(APP, "curl -sf -H 'Host: shop.example' 'http://127.0.0.1:8000/metrics?[1-9]'");
    assert_eq!(responses(200, "shop.metrics"), Some(9));
    existing.on(APP, FIRST_SERVER);

    operator.write("home/monctl.yaml", &watched);
    operator.monctl("up --yes").success();
    assert_eq!(existing.on(APP, THEIRS), theirs);
    assert_eq!(existing.on(APP, "systemctl show --property=DropInPaths --value shop.service").trim(), "");
}
