//! An integration of the user's own on real machines: installed, scraped, proven, shown and removed by its folder alone.

use std::path::Path;

use monctl::host::HostName;

use crate::drills::{show_all_cpus, show_own_cpu_only};
use crate::programs::gateway;
use crate::site::eventually;
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
    let folder = folder.file("monctl.yaml", &without);
    run(&folder, "up --yes").success().stderr_contains("- queue");
    run(&folder, "plan").code(0);
    let unit = "systemctl show --property=LoadState --value monctl-queue.service";
    assert_eq!(project.output(APP, unit), "not-found");
    let folder = rules_and_targets_of_the_users_own_work_like_monctls(&project, folder, &without);
    run(&folder, "down --yes").success();
}

/// Metrics over TLS for those who know the password.
const SERVER: &str = include_str!("own_target.py");

/// A rule file whose alert reads a recorded series.
const RULES: &str = "\
groups:
  - name: busy
    rules:
      - record: host:cpu_usage:percent
        expr: 100 - avg by (instance) (rate(node_cpu_seconds_total{mode=\"idle\"}[8s])) * 100
      - alert: BusyHost
        expr: host:cpu_usage:percent > 80
        for: 5s
        annotations: {summary: '{{ $labels.instance }} is busy'}
";

/// What Prometheus answers to a query: the values.
fn values(project: &TestProject, query: &str) -> Vec<String> {
    let call = format!("curl -sG localhost:9090/api/v1/query --data-urlencode 'query={query}'");
    let answer: serde_json::Value =
        serde_json::from_str(&project.output(HostName::MONITORING, &call)).unwrap();
    let results = answer["data"]["result"].as_array().unwrap();
    results.iter().map(|result| result["value"][1].as_str().unwrap().to_owned()).collect()
}

/// With the spec and the machines of the test above.
fn rules_and_targets_of_the_users_own_work_like_monctls(
    project: &TestProject,
    folder: Project,
    spec: &str,
) -> Project {
    let certificate = "cd /root && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
                       -subj /CN=shop.internal -addext subjectAltName=DNS:shop.internal -keyout key.pem -out cert.pem \
                       2>/dev/null && cat cert.pem";
    let certificate = project.output(APP, certificate);
    project.output(APP, &format!("cat > /root/target.py <<'EOF'\n{SERVER}\nEOF"));
    project.output(APP, "systemd-run --quiet --unit=own-target --working-directory=/root python3 target.py");
    let address = project.output(APP, "hostname -I").split(' ').next().unwrap().to_owned();
    let own = format!(
        "monitoring:
  rules: [busy_rules.yml]
  targets:
    shop:
      address: ['{address}:9443']
      tls: {{ca_file: ca.pem, server_name: shop.internal}}
      auth: {{basic: {{username: scraper, password: {{file: password}}}}}}
      labels: {{team: shop}}
"
    );
    let spec = spec
        .replace("monitoring:\n", &own)
        .replace("{HostDown: {}}", "{HostDown: {}, TargetMissing: {for: 5s}}");
    let folder = folder
        .file("monctl.yaml", spec)
        .file("busy_rules.yml", RULES)
        .file("ca.pem", certificate)
        .file("password", "hunter2-of-the-target\n");

    run(&folder, "plan").code(3).stdout_contains("rules/busy_rules.yml").stdout_lacks("hunter2");
    run(&folder, "up --yes").success().stderr_lacks("hunter2");
    run(&folder, "plan").code(0);
    let secret = "stat -c '%U %a' /etc/monctl/monitoring/targets/shop.secret";
    assert_eq!(project.output(HostName::MONITORING, secret), "monctl-prometheus 600");
    let rules = project.output(HostName::MONITORING, "cat /etc/monctl/monitoring/rules/busy_rules.yml");
    assert_eq!(rules, RULES.trim());
    eventually("the target is scraped", || values(project, "up{job=\"shop\",team=\"shop\"}") == ["1"]);
    eventually("the series is recorded", || values(project, "host:cpu_usage:percent").len() == 2);
    run(&folder, "status").success().stdout_contains("shop");
    show_own_cpu_only(|host, command| project.output(host, command));
    let proof = run(&folder, "--output json verify-alert BusyHost").success().json();
    assert_eq!(proof["proven"], true, "{proof:#}");
    show_all_cpus(|host, command| project.output(host, command));

    // A changed rule is shown, and loaded without a restart.
    let started = "systemctl show --property=ActiveEnterTimestampMonotonic monctl-prometheus";
    let before = project.output(HostName::MONITORING, started);
    let folder = folder.file("busy_rules.yml", RULES.replace("> 80", "> 70"));
    run(&folder, "plan")
        .code(3)
        .stdout_contains("-        expr: host:cpu_usage:percent > 80")
        .stdout_contains("+        expr: host:cpu_usage:percent > 70");
    run(&folder, "up --yes").success();
    assert_eq!(project.output(HostName::MONITORING, started), before, "reloaded, not restarted");
    let loaded = project.output(HostName::MONITORING, "curl -s localhost:9090/api/v1/rules");
    assert!(loaded.replace("\\u003e", ">").contains("host:cpu_usage:percent > 70"), "{loaded}");

    // A target that does not answer is an alert.
    project.output(APP, "systemctl stop own-target");
    let firing = "ALERTS{alertname=\"TargetMissing\",job=\"shop\",alertstate=\"firing\"}";
    eventually("TargetMissing fires", || values(project, firing) == ["1"]);
    assert_eq!(values(project, "ALERTS{alertname=\"HostDown\"}"), [""; 0]);
    folder
}
