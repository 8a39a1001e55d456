//! An integration of the user's own on real machines: installed, scraped, proven, shown and removed by its folder alone.

use std::path::Path;

use monctl::host::HostName;

use crate::programs::gateway;
use crate::support::binary::{Project, Ran};
use crate::support::release_mirror::{ReleaseMirror, named_programs};
use crate::test_project::{TestProject, runtime};
use crate::turns;

const APP: HostName = HostName::app(1);

/// A spec with the integration that is an example, and its alert alone.
fn spec(project: &TestProject, catalogue: &Path) -> String {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let source = if named_programs().is_some() { "release" } else { "distribution" };
    format!(
        "
version: 1
project: {}
provider: local
app: {{path: {}, wsgi: notes.wsgi, workers: 1, env: {{SECRET_KEY: for-tests}}}}
monitoring:
  scrape_interval: 1s
  evaluation_interval: 1s
  install: {{{source}: {{catalogue: {}}}}}
integrations: [{}]
alerts:
  QueueTooLong: {{for: 5s}}
notify: {{capture: {{}}, group_wait: 1s, group_interval: 4s}}
",
        project.name,
        examples.join("notes").display(),
        catalogue.display(),
        examples.join("integrations/queue").display(),
    )
}

fn run(folder: &Project, words: &str) -> Ran {
    let _turn = turns::of(words.split(' '));
    folder.monctl().args(words.split(' ')).run()
}

#[test]
fn an_integration_folder_is_enough_to_install_prove_show_and_remove_an_exporter() {
    let Some(project) = TestProject::new() else { return };
    runtime().block_on(project.provider.create_network()).unwrap();
    let mirror = ReleaseMirror::with_grafana(gateway(&project));
    let folder = Project::with_spec(&spec(&project, &mirror.catalogue()));

    run(&folder, "up --yes").success();
    run(&folder, "plan").code(0);
    let exposure = "systemd-analyze security --no-pager monctl-queue.service \
                    | sed -n 's/.*exposure level for .*: \\([0-9.]*\\) .*/\\1/p'";
    let exposure: f64 = project.output(APP, exposure).parse().unwrap();
    assert!(exposure <= 4.0, "{exposure}");

    let proof = run(&folder, "--output json verify-alert QueueTooLong").success().json();
    assert_eq!(proof["proven"], true, "{proof:#}");
    assert_eq!(project.output(APP, "ls /run/monctl-queue"), "", "the drill leaves no message");
    run(&folder, "status").success().stdout_contains("last proof of QueueTooLong: ");
    run(&folder, "check").success();
    run(&folder, "logs queue").success();
    let shown = run(&folder, "--output json verify-dashboards").success().json();
    let of_queue = |one: &&serde_json::Value| one["dashboard"] == "Queue";
    assert_eq!(shown["queries"].as_array().unwrap().iter().filter(of_queue).count(), 2, "{shown:#}");

    // Removed from the spec, it is removed from the hosts.
    let without = spec(&project, &mirror.catalogue());
    let begin = without.find("integrations:").unwrap();
    let end = without.find("notify:").unwrap();
    let without = format!("{}alerts: {{HostDown: {{}}}}\n{}", &without[..begin], &without[end..]);
    let folder = folder.file("monctl.yaml", without);
    run(&folder, "up --yes").success().stderr_contains("- queue");
    run(&folder, "plan").code(0);
    let unit = "systemctl show --property=LoadState --value monctl-queue.service";
    assert_eq!(project.output(APP, unit), "not-found");
    run(&folder, "down --yes").success();
}
