//! Processes of the application beside Gunicorn, from their first deploy to their removal.

use crate::site::{APP, Site, eventually};

const SPEC: &str = "  path: app\n";

/// A process that ends its work when it is asked to stop, and then notes which edition it was.
const WORKER: &str = r#"import os, signal, time
from notes.wsgi import application

DATA = os.environ["STATE_DIRECTORY"]
running = True


def stop(*_):
    global running
    running = False


signal.signal(signal.SIGTERM, stop)
print("the first edition works", flush=True)
while running:
    time.sleep(0.1)
with open(f"{DATA}/drained", "w") as file:
    file.write("the first edition")
"#;

pub fn processes_restart_with_each_deploy_and_are_rolled_back_with_it(site: &Site) {
    let spec = format!("{SPEC}  processes:\n    worker: python worker.py\n");
    site.write("app/worker.py", WORKER);
    site.converge();
    let app = site.process(APP, "app");

    // A new process disturbs no other.
    site.edit("monctl.yaml", SPEC, &spec);
    site.converge();
    assert_eq!(site.process(APP, "app"), app);
    let worker = site.process(APP, "app-worker");
    let of_worker = |what: &str| site.on(APP, &format!("cat /proc/{worker}/{what} | tr '\\0' '\\n'"));
    assert_eq!(of_worker("cmdline"), "python\nworker.py");
    assert!(!of_worker("environ").contains("MONCTL_METRICS"), "it would count requests");
    assert!(of_worker("environ").contains("ALLOWED_HOSTS=*"));
    site.monctl("logs app-worker --since 5m").success().stdout_contains("the first edition works");
    site.monctl("status").success().stdout_contains("app-worker");
    let metric = r#"curl -s 127.0.0.1:9100/metrics | grep 'name="monctl-app-worker.service",state="active"'"#;
    eventually("node exporter watches it", || site.on(APP, metric).ends_with(" 1"));

    // New code: it ends its work, and the new edition follows.
    site.edit("app/worker.py", "works\"", "works, second edition\"");
    site.converge();
    assert_ne!(site.process(APP, "app-worker"), worker);
    assert_eq!(site.on(APP, "cat /var/lib/monctl/app/drained"), "the first edition");
    site.monctl("logs app-worker --since 5m").success().stdout_contains("works, second edition");

    // A version whose process ends again and again is rolled back.
    site.edit("app/worker.py", "running = True\n", "raise SystemExit('no broker')\n");
    site.monctl("up --yes")
        .code(1)
        .stdout_contains("monctl-app-worker.service does not stay up")
        .stdout_contains("no broker")
        .stdout_contains("rolled back: the previous set is active again and healthy");
    site.edit("app/worker.py", "raise SystemExit('no broker')\n", "running = True\n");
    site.monctl("plan").success();

    let worker = site.process(APP, "app-worker");
    site.edit("monctl.yaml", "python worker.py", "selery worker");
    site.monctl("up --yes")
        .code(1)
        .stdout_contains("monctl-app-worker.service cannot start: there is no program `selery`")
        .stdout_contains("nothing was activated");
    assert_eq!(site.process(APP, "app-worker"), worker);

    // It leaves the spec, and nothing else restarts.
    site.edit("monctl.yaml", &spec.replace("python worker.py", "selery worker"), SPEC);
    let app = site.process(APP, "app");
    let found = site.findings(APP);
    let is_removed =
        found.iter().any(|it| it.what == "unit monctl-app-worker.service" && it.why.starts_with("no longer"));
    assert!(is_removed, "{found:#?}");
    site.converge();
    assert_eq!(site.process(APP, "app"), app);
    assert_eq!(
        site.on(APP, "cd /etc/systemd/system && ls monctl-app-*.service"),
        "monctl-app-metrics.service"
    );
    assert_eq!(site.process(APP, "app-worker"), "0");

    std::fs::remove_file(site.path("app/worker.py")).unwrap();
    site.converge();
}
