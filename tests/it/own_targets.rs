//! Scrape targets and annotations of the user's own.

use std::fs;

use monctl::render::Tool;

use crate::support::binary::{Project, Ran, SPEC};
use crate::support::tools::required;

const TARGETS: &str = "\
monitoring:
  targets:
    shop-database:
      address: [db1.example.org:9187, '[fd00::1]:9187']
      path: /probe
      tls: {ca_file: ca.pem, server_name: db.internal}
      auth:
        basic:
          username: scraper
          password: {env: SHOP_PASSWORD}
      labels: {team: shop}
    gateway:
      address: [gateway.example.org:443]
      scheme: https
      auth: {bearer: {file: gateway.token}}
    cache: {address: [10.0.0.7:9121]}
";

const CA: &str = include_str!("../fixtures/targets/ca.pem");

fn project(targets: &str) -> Project {
    let spec = SPEC.replace("alerts:\n", &format!("{targets}alerts:\n  TargetMissing: {{}}\n"));
    Project::with_spec(&spec).file("ca.pem", CA).file("key.pem", "-----BEGIN PRIVATE KEY-----\n")
}

fn rendered(targets: &str) -> Ran {
    project(targets).monctl().args(["render", "--dry-run"]).run().stderr_lacks("hunter2")
}

/// One mistake in [`TARGETS`]: a replaced text and its replacement, the expected place and message.
#[track_caller]
fn mistake(text: &str, other: &str, place: &str, message: &str) {
    assert!(TARGETS.contains(text), "{text}");
    rendered(&TARGETS.replacen(text, other, 1))
        .code(2)
        .stderr_contains(&format!("monctl.yaml:{place}"))
        .stderr_contains(message);
}

#[test]
fn targets_become_scrape_jobs_with_files_for_cas_and_secrets() {
    let project = project(TARGETS);
    let ran = project.monctl().args(["render", "--out", "out"]).run().success();
    let prometheus = fs::read_to_string(project.path("out/prometheus.yml")).unwrap();
    let own = prometheus.split_once("  - job_name: \"cache\"").unwrap().1;
    insta::assert_snapshot!("own_targets", format!("  - job_name: \"cache\"{own}"));
    assert_eq!(fs::read_to_string(project.path("out/targets/shop-database.ca")).unwrap(), CA);
    for name in ["shop-database", "gateway"] {
        let secret = fs::read_to_string(project.path(&format!("out/targets/{name}.secret"))).unwrap();
        assert_eq!(secret, "[secret]");
    }
    if required("promtool", Tool::Promtool.find().ok_or("not installed")).is_some() {
        ran.stdout_contains("accepted by promtool").stderr_lacks("warning");
    }
}

#[test]
fn each_mistake_of_a_target_has_its_place_and_a_remedy() {
    mistake(
        "shop-database:",
        "prometheus:",
        "9:5",
        "the integration `monitoring` has a scrape job `prometheus`",
    );
    mistake(
        "shop-database:",
        "node-exporter:",
        "9:5",
        "the integration `node` has a scrape job `node-exporter`",
    );
    mistake(
        "shop-database:",
        "shop database:",
        "9:5",
        "the key `shop database` is not valid: the name of a scrape job",
    );
    mistake(
        "db1.example.org:9187",
        "http://db1.example.org:9187",
        "10:17",
        "the value is not valid: write HOST:PORT",
    );
    mistake("db1.example.org:9187", "db1.example.org", "10:17", "the value is not valid: write HOST:PORT");
    mistake("db1.example.org:9187", "db1.example.org:99999", "10:17", "a port lies between 1 and 65535");
    mistake("[db1.example.org:9187, '[fd00::1]:9187']", "[]", "10:", "the job has no target");
    mistake("/probe", "/probe?a=b", "11:13", "leave `?`, `#` and what follows out");
    mistake("ca.pem", "other.pem", "12:22", "cannot read `./other.pem` as text");
    mistake("ca.pem", "key.pem", "12:22", "`./key.pem` holds a private key");
    mistake("ca.pem", "site/requirements.txt", "12:22", "`./site/requirements.txt` holds no certificate");
    mistake("{ca_file: ca.pem,", "{insecure: true,", "12:", "`insecure` accepts any certificate");
    mistake("path: /probe", "scheme: http", "12:", "`tls` is for `scheme: https`");
    mistake("username: scraper", "username: 'a:b'", "15:21", "a user name is not empty");
    mistake("{env: SHOP_PASSWORD}", "hunter2", "16:21", "expected a mapping with `env`, `file` or `command`");
    mistake("team: shop", "job: shop", "17:", "Prometheus sets this label");
    mistake("scheme: https", "tsl: {}", "20:7", "the key `tsl` is not known here; did you mean `tls`?");
}

#[test]
fn a_target_without_an_alert_and_secrets_in_clear_are_warned_of() {
    let spec = SPEC.replace(
        "alerts:\n",
        "monitoring: {targets: {db: {address: [db:1], auth: {bearer: {env: TOKEN}}}}}\nalerts:\n",
    );
    let run = |spec: &str| Project::with_spec(spec).monctl().args(["render", "--dry-run"]).run().success();
    run(&spec)
        .stderr_contains("no alert fires when a target of `monitoring.targets` such as `db` does not answer")
        .stderr_contains(
            "Prometheus sends the credentials of `db` unencrypted at each scrape: use `scheme: https`",
        );
    let own = "alerts:\n  Own: {expr: 'up{job=\"db\"} == 0'}\n";
    run(&spec.replace("alerts:\n", own).replace("[db:1]", "[localhost:1]"))
        .stderr_lacks("no alert fires")
        .stderr_lacks("unencrypted");
}

#[test]
fn annotations_of_the_users_own_are_added_to_alerts() {
    let spec = |of_known: &str, of_own: &str| {
        SPEC.replace(
            "for: 1m}\n",
            &format!("for: 1m, annotations: {{{of_known}}}}}\n  Own: {{expr: up == 0, annotations: {{{of_own}}}}}\n"),
        )
    };
    let run = |spec: String| Project::with_spec(&spec).monctl().args(["render", "--dry-run"]).run();
    run(spec("team: 'a {b}'", "page: 'https://x/{{ $labels.job }}'"))
        .success()
        .stdout_contains("\"team\": \"a {{\\\"{\\\"}}b}\"")
        .stdout_contains("\"page\": \"https://x/{{ $labels.job }}\"");
    run(spec("team: a", "page: '{{ $label.job }}'")).code(2).stderr_contains("monctl.yaml:9:");
    run(spec("team: '{{ $value }}'", "a: b"))
        .success()
        .stderr_contains("the annotation `team` of `HighCPUUsage` is plain text");
    run(spec("summary: x", "a: b")).code(2).stderr_contains("set it next to `annotations`: `summary: …`");
    run(spec("value: x", "a: b")).code(2).stderr_contains("monctl writes this annotation");
}
