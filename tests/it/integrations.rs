//! The user's own integrations: the example is rendered, proven and explained without a line of Rust, and a broken one
//! is refused with its place.

use std::fs;
use std::path::{Path, PathBuf};

use monctl::render::{Addresses, Bundle, dashboards};
use monctl::spec::{Spec, load};

use crate::support::binary::{Project, SPEC};

/// The example of docs/integrations.md.
const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/integrations/queue");

/// A project with a copy of the example, and one file of it changed.
fn project(change: Option<(&str, &str, &str)>) -> Project {
    let mut project = Project::with_spec(&format!("{SPEC}integrations: [queue]\n"));
    for path in files(Path::new(EXAMPLE)) {
        let mut text = fs::read_to_string(&path).unwrap();
        let name = path.strip_prefix(EXAMPLE).unwrap().to_str().unwrap().to_owned();
        if let Some((_, from, to)) = change.filter(|(file, ..)| *file == name) {
            assert!(text.contains(from), "no {from:?} in {name}");
            text = text.replace(from, to);
        }
        project = project.file(&format!("queue/{name}"), text);
    }
    project
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn spec() -> Spec {
    load(&project(None).path("monctl.yaml")).unwrap().spec
}

#[test]
fn a_folder_is_enough_to_scrape_protect_install_and_show_an_integration() {
    let spec = spec();
    let bundle = Bundle::render(&spec, &Addresses::default()).unwrap();
    let text = |name: &str| bundle.get(name).unwrap().masked().into_owned();
    let prometheus: serde_json::Value = serde_saphyr::from_str(&text("prometheus.yml")).unwrap();
    let jobs = prometheus["scrape_configs"].as_array().unwrap();
    let queue = jobs.iter().find(|job| job["job_name"] == "queue").unwrap();
    assert!(queue["static_configs"][0]["targets"][0].as_str().unwrap().ends_with(":9219"), "{queue}");
    assert!(text("roles/app/nftables/rules.nft").contains("tcp dport { 9100, 9101, 9219 } jump metrics"));
    assert!(
        text("roles/app/systemd/monctl-queue.service")
            .contains("ExecStart=/usr/bin/python3 /etc/monctl/queue/")
    );
    assert!(text("integrations/queue/exporter.py").contains("queue_length"));
    let dashboards = dashboards(&spec).unwrap();
    assert_eq!(dashboards["queue"]["title"], "Queue");
    let overview = dashboards["overview"]["panels"].as_array().unwrap();
    assert!(overview.iter().any(|panel| panel["title"] == "Messages in queues"));
}

#[test]
fn its_alerts_are_used_unless_the_spec_names_others() {
    let project = project(None);
    let without = SPEC.replace(SPEC.split_once("alerts:").unwrap().1.split_once("notify:").unwrap().0, "");
    let project = project.file("monctl.yaml", without.replace("alerts:", "") + "integrations: [queue]\n");
    let spec = load(&project.path("monctl.yaml")).unwrap().spec;
    let rules = Bundle::render(&spec, &Addresses::default()).unwrap();
    assert!(rules.get("alert_rules.yml").unwrap().masked().contains("alert: \"QueueTooLong\""));
}

#[test]
fn its_drill_is_listed_its_alert_explained_and_its_runbook_printed() {
    let project = project(None);
    let spec = fs::read_to_string(project.path("monctl.yaml")).unwrap();
    let project =
        project.file("monctl.yaml", spec.replace("alerts:\n", "alerts:\n  QueueTooLong: {for: 1m}\n"));
    project
        .monctl()
        .args(["verify-alert", "--list"])
        .run()
        .success()
        .stdout_contains("QueueTooLong: runs /etc/monctl/queue/drill.sh fill 200")
        .stdout_contains("danger: none, since the messages of the drill are empty");
    project.monctl().args(["explain", "QueueTooLong"]).run().success().stdout_contains("queue_length");
    project.monctl().args(["runbook", "QueueTooLong"]).run().success().stdout_contains("# QueueTooLong");
    let near = project.monctl().args(["runbook", "QueueToLong"]).run().code(2);
    near.stderr_contains("did you mean `QueueTooLong`?");
    let stages = project.monctl().args(["render", "--out", "rendered"]).run().success();
    drop(stages);
    assert!(project.path("rendered/tests/QueueTooLong.yml").is_file());
}

#[test]
fn a_broken_integration_is_refused_with_file_line_and_remedy() {
    let alert = "alerts/QueueTooLong.yaml";
    for (file, from, to, message) in [
        ("integration.yaml", "title: queue exporter\n", "", "missing field `title`"),
        ("integration.yaml", "title:", "titel:", "unknown field `titel`"),
        ("integration.yaml", "queue exporter", "queue & more", "`title` must consist of letters"),
        ("integration.yaml", "[app]", "[]", "`roles` is empty"),
        ("integration.yaml", "[app]", "[web]", "no host has a role that it monitors; the roles are `app`"),
        ("integration.yaml", "[app]", "[my-db]", "`my-db` is not a valid name of a role"),
        ("integration.yaml", "port: 9219", "port: 9219, path: metrics", "does not begin with `/`"),
        (
            "integration.yaml",
            "port: 9219",
            "port: 9100",
            "port 9100 is used by both node exporter and queue exporter",
        ),
        (
            "integration.yaml",
            "job: queue,",
            "job: node-exporter,",
            "two integrations have a scrape job `node-exporter`",
        ),
        ("install.yaml", "user:", "usr:", "install.yaml"),
        ("install.yaml", "id: queue-user", "id: app-user", "there is already a step `app-user`"),
        ("systemd/monctl-queue.service", "{{ program }}", "{{ programme }}", "systemd/monctl-queue.service"),
        (alert, "unit: count\n", "", "`unit`, `above` and `${above}` in `expr` go together"),
        (alert, "needs: [queue_length]", "needs: [queue_size]", "`queue_size`, which is not in `expr`"),
        (alert, "trials:", "trails:", "unknown field `trails`"),
        (
            alert,
            "job: queue\n",
            "job: node\n",
            "`job` of the drill: there is no scrape job `node`; the jobs are `queue`",
        ),
        (alert, "fill, \"200\"", "fill, \"200; true\"", "`run` of the drill: the word `200; true`"),
        (alert, "run: [/etc/", "run: [etc/", "absolute path"),
        (alert, "group: queue-alerts", "group: [", "line 1"),
    ] {
        let ran = project(Some((file, from, to))).monctl().args(["render", "--dry-run"]).run().code(2);
        ran.stderr_contains(message).stderr_contains("help:");
    }
}

#[test]
fn unexpected_files_in_an_integration_are_refused() {
    let render = |project: Project| project.monctl().args(["render", "--dry-run"]).run().code(2);
    let misspelt = project(None).file("queue/alert/Other.yaml", "");
    render(misspelt).stderr_contains("unexpected folder `alert` in an integration");
    let other = project(None).file(
        "queue/alerts/HighCPUUsage.yaml",
        fs::read(format!("{EXAMPLE}/alerts/QueueTooLong.yaml")).unwrap(),
    );
    render(other).stderr_contains("`node` has an alert `HighCPUUsage`, too");
    let nowhere = Project::with_spec(&format!("{SPEC}integrations: [nowhere]\n"));
    render(nowhere).stderr_contains("there is no folder `").stderr_contains("integrations: [nowhere]");
    let builtin = Project::with_spec(&format!("{SPEC}integrations: [node]\n"));
    let builtin = builtin.file("node/integration.yaml", "title: node\nroles: [app]\n");
    render(builtin).stderr_contains("`node` is the name of a built-in integration");
}
