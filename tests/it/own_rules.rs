//! Rule files of the user's own: read and checked with the spec, rendered as they are, explained like other alerts.

use std::fs;

use monctl::render::Tool;

use crate::support::binary::{Project, Ran, SPEC};
use crate::support::tools::required;

const RULES: &str = "\
groups:
  - name: shop
    rules:
      - record: shop:errors:ratio5m   # of all carts
        expr: sum(rate(shop_errors_total[5m])) / sum(rate(shop_requests_total[5m]))
      - alert: ShopErrors
        expr: shop:errors:ratio5m > 0.05
        for: 2m
        labels: {severity: critical, team: shop}
        annotations:
          summary: '{{ $value }} of the requests fail'
          dashboard: https://shop.example.org/{{ $labels.job }}
";

/// A project whose spec names rule files.
fn project(files: &str, rules: &str) -> Project {
    let spec = SPEC.replace("alerts:", &format!("monitoring: {{rules: {files}}}\nalerts:"));
    Project::with_spec(&spec).file("shop_rules.yml", rules)
}

/// What `render` says of rules.
fn rendered(rules: &str) -> Ran {
    project("[shop_rules.yml]", rules).monctl().args(["render", "--dry-run"]).run()
}

/// One mistake in [`RULES`]: a replaced text and its replacement, the expected place and message.
#[track_caller]
fn mistake(text: &str, other: &str, place: &str, message: &str) {
    assert!(RULES.contains(text), "{text}");
    rendered(&RULES.replacen(text, other, 1))
        .code(2)
        .stdout_is("")
        .stderr_contains("the rule file `shop_rules.yml` has a problem")
        .stderr_contains(&format!("shop_rules.yml:{place}"))
        .stderr_contains(message);
}

#[test]
fn a_rule_file_is_rendered_as_it_is_and_checked_with_the_set() {
    let rules = RULES.replace('\n', "\r\n");
    let project = project("[shop_rules.yml]", &rules);
    let ran = project.monctl().args(["render", "--out", "out"]).run().success();
    assert_eq!(fs::read(project.path("out/rules/shop_rules.yml")).unwrap(), rules.as_bytes());
    let prometheus = fs::read_to_string(project.path("out/prometheus.yml")).unwrap();
    assert!(prometheus.contains("rule_files:\n  - \"alert_rules.yml\"\n  - \"rules/shop_rules.yml\"\n"));
    let ours = fs::read_to_string(project.path("out/alert_rules.yml")).unwrap();
    assert!(!ours.contains("ShopErrors"), "{ours}");
    // Alertmanager groups by name as soon as there are several alerts.
    let routes = fs::read_to_string(project.path("out/alertmanager.yml")).unwrap();
    assert!(routes.contains("alertname"), "{routes}");
    if required("promtool", Tool::Promtool.find().ok_or("not installed")).is_some() {
        ran.stdout_contains("accepted by promtool");
    }
}

#[test]
fn promtool_checks_what_monctl_cannot() {
    if required("promtool", Tool::Promtool.find().ok_or("not installed")).is_none() {
        return;
    }
    rendered(&RULES.replace("> 0.05", "> unheard_of(1)"))
        .code(2)
        .stderr_contains("promtool rejects the rendered files")
        .stderr_contains("shop_rules.yml");
}

#[test]
fn each_mistake_in_a_rule_file_has_its_place_and_a_remedy() {
    mistake(
        "annotations:",
        "annotation:",
        "10:9",
        "the key `annotation` is not known here; did you mean `annotations`?",
    );
    mistake("for: 2m", "for: 2 minutes", "8:14", "`2 minutes` is not valid: ");
    mistake("> 0.05", ">", "7:15", "not valid PromQL: unexpected end");
    mistake(
        "sum(rate(shop_errors_total[5m]))",
        "sum(rate(x[5m])",
        "5:15",
        "not valid PromQL: `(` is never closed",
    );
    mistake("$value", "$valu", "11:", "there is no variable `$");
    mistake("$labels.job", "$lables.job", "12:", "there is no variable `$");
    mistake(
        "alert: ShopErrors",
        "alert: HighCPUUsage",
        "6:16",
        "the spec uses the catalogue's alert `HighCPUUsage`",
    );
    mistake(
        "      - record: shop:errors:ratio5m   # of all carts\n        expr",
        "      - expr",
        "4:",
        "the rule has neither `alert` nor `record`",
    );
    mistake(
        "alert: ShopErrors",
        "alert: ShopErrors\n        record: a",
        "6:",
        "the rule has both `record` and `alert`",
    );
    mistake(
        "record: shop:errors:ratio5m",
        "record: shop-errors",
        "4:17",
        "`shop-errors` is not valid: the name of a series",
    );
    mistake(
        "[5m]))\n      - alert",
        "[5m]))\n        for: 1m\n      - alert",
        "6:",
        "a recording rule has no such key; leave it out",
    );
    mistake("{severity: critical", "{severity: ''", "9:", "the severity is empty; leave it out, or name one");
    mistake("team: shop", "alertname: x", "9:", "Prometheus sets this label to the alert's name");
    mistake("groups:", "groups: [", "", "not valid YAML");
    let twice =
        format!("{RULES}{}", RULES.split_once("rules:\n").unwrap().1.split_once("5m]))\n").unwrap().1);
    rendered(&twice)
        .code(2)
        .stderr_contains(
            "shop_rules.yml:13:16: `shop_rules.yml` has an alert `ShopErrors`, too (group `shop`)",
        )
        .stderr_contains("rename one of them, such as `ShopErrorsCritical`");
}

#[test]
fn problems_of_the_spec_and_of_its_rule_files_are_reported_together() {
    let rules = RULES.replace("for: 2m", "for: x");
    let project = project("[shop_rules.yml]", &rules);
    let spec = fs::read_to_string(project.path("monctl.yaml")).unwrap();
    project
        .file("monctl.yaml", spec.replace("above: 80", "above: 180"))
        .monctl()
        .args(["render", "--dry-run"])
        .run()
        .code(2)
        .stderr_contains("the spec `monctl.yaml` has a problem\nmonctl.yaml:9:")
        .stderr_contains("the rule file `shop_rules.yml` has a problem\nshop_rules.yml:8:14:");
}

#[test]
fn a_rule_file_that_cannot_be_used_is_reported_where_the_spec_names_it() {
    for (files, message) in [
        ("[other.yml]", "monctl.yaml:7:22: cannot read the rule file `other.yml`: "),
        ("[shop_rules.yml, site/../shop_rules.yml]", "another rule file is called `shop_rules.yml`, too"),
        ("[site]", "the name of a rule file ends with `.yml` or `.yaml`"),
    ] {
        let ran = project(files, RULES).monctl().args(["render", "--dry-run"]).run();
        ran.code(2).stderr_contains(message);
    }
}

#[test]
fn severities_of_rule_files_are_routed() {
    let project = project("[shop_rules.yml]", RULES);
    let spec = fs::read_to_string(project.path("monctl.yaml")).unwrap();
    let with = |severity: &str| {
        spec.replace(
            "capture: {}",
            &format!("capture: {{}}\n  severities: {{{severity}: {{repeat_interval: 1h}}}}"),
        )
    };
    let project = project.file("monctl.yaml", with("critical"));
    project.monctl().args(["render", "--dry-run"]).run().success();
    let project = project.file("monctl.yaml", with("page"));
    let ran = project.monctl().args(["render", "--dry-run"]).run();
    ran.code(2).stderr_contains("no alert has the severity `page`");
}

#[test]
fn an_alert_of_a_rule_file_is_explained_by_what_its_recording_rule_records() {
    let explain = |rules: &str| {
        project("[shop_rules.yml]", rules).monctl().args(["explain", "ShopErrors"]).run().success()
    };
    explain(RULES)
        .stdout_contains("ShopErrors: shop:errors:ratio5m > 0.05")
        .stdout_contains("the expression is more than 0.05: it is a mean over the last 5m")
        .stdout_contains("for 2m (`for`)")
        .stdout_contains("shop_rules.yml: ShopErrors.for: 1m");
    // Another group may evaluate it earlier or later.
    let apart = RULES.replace("      - alert", "  - name: alerts\n    rules:\n      - alert");
    explain(&apart).stdout_contains("no prediction: the expression reads recorded series in a way");
    let slow = RULES.replace("    rules:\n      - record", "    interval: 90s\n    rules:\n      - record");
    explain(&slow).stdout_contains("Prometheus evaluates the rule (every 1m30s)");
}

#[test]
fn an_alert_of_a_rule_file_has_a_drill_where_its_shape_allows_one() {
    let rules = "\
groups:
  - name: hosts
    rules:
      - record: host:cpu:percent
        expr: 100 - avg by (instance) (rate(node_cpu_seconds_total{mode=\"idle\"}[1m])) * 100
      - {alert: BusyHost, expr: 'host:cpu:percent > 90', for: 1m}
      - {alert: Other, expr: 'up == 0'}
";
    let project = project("[shop_rules.yml]", rules);
    let list = project.monctl().args(["verify-alert", "--list"]).run().success();
    list.stdout_contains("BusyHost: stress-ng keeps every CPU busy")
        .stdout_contains("Other: no drill, only rule tests\n  because: monctl does not know how to make");
}
