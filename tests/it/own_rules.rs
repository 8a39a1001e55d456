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
            "shop_rules.yml:13:16: `shop_rules.yml` has an alert `ShopErrors`, too (group `shop`), with the same labels",
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
      - {alert: Full, expr: 'node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes < 0.1'}
";
    let project = project("[shop_rules.yml]", rules);
    let list = project.monctl().args(["verify-alert", "--list"]).run().success();
    list.stdout_contains("BusyHost: stress-ng keeps every CPU busy")
        .stdout_contains(
            "Other: no drill, only rule tests\n  because: monctl does not know how to make your own rule fire; declare it in the \
             spec: `alerts: {Other: {drill: …}}`",
        )
        .stdout_contains("add `Full: {drill: {kind: memory}}` to `alerts` of the spec");
}

/// A second rule of the same name, for the pattern of a warning and a critical alert.
fn with_warning(labels: &str) -> String {
    format!(
        "{RULES}      - {{alert: ShopErrors, expr: 'shop:errors:ratio5m > 0.01', for: 7m, labels: {labels}}}\n"
    )
}

/// A project whose `alerts` add something to a rule of [`RULES`]; nothing else is selected.
fn adding(entry: &str, rules: &str) -> Project {
    let spec = SPEC.split_once("alerts:").unwrap().0;
    let rest = SPEC.split_once("notify:").unwrap().1;
    let spec = format!("{spec}monitoring: {{rules: [shop_rules.yml]}}\nalerts:\n  {entry}\nnotify:{rest}");
    Project::with_spec(&spec).file("shop_rules.yml", rules)
}

#[test]
fn the_spec_adds_a_drill_to_an_alert_of_a_rule_file() {
    let drill = "ShopErrors: {drill: {kind: requests, status: 500}}";
    let project = adding(drill, RULES);
    let list = project.monctl().args(["verify-alert", "--list"]).run().success();
    list.stdout_contains("ShopErrors: real requests are answered with 500\n  danger: none for users")
        // A drill selects no alert, so that the catalogue's stay.
        .stdout_contains("HighMemoryUsage: stress-ng takes memory");
    project.monctl().args(["explain", "ShopErrors"]).run().success().stdout_contains("for 2m (`for`)");

    // An alert beside it selects.
    let both = adding(&format!("{drill}\n  HighCPUUsage: {{above: 80}}"), RULES);
    let list = both.monctl().args(["verify-alert", "--list"]).run().success();
    list.stdout_contains("ShopErrors: real requests").stdout_lacks("HighMemoryUsage");
}

#[test]
fn a_drill_belongs_to_the_rule_of_the_file_even_if_the_catalogue_knows_its_name() {
    let rules = RULES.replace("ShopErrors", "HighLatencyShop");
    let project = adding("HighLatencyShop: {drill: {kind: requests, status: 500}}", &rules);
    let list = project.monctl().args(["verify-alert", "--list"]).run().success();
    list.stdout_contains("HighLatencyShop: real requests are answered with 500")
        .stdout_contains("HighMemoryUsage: stress-ng takes memory");
}

#[test]
fn each_mistake_in_a_drill_of_a_rule_file_has_its_place_in_the_spec() {
    let wrong =
        |entry: &str, rules: &str| adding(entry, rules).monctl().args(["render", "--dry-run"]).run().code(2);
    let line = SPEC.split_once("alerts:").unwrap().0.lines().count() + 3;
    let at = |column: usize| format!("monctl.yaml:{line}:{column}: ");
    wrong(
        "ShopErrors: {drill: {kind: run, run: [fill], undo: [/bin/x], reaches: 1, job: a, danger: b}}",
        RULES,
    )
    .stderr_contains(&format!("{}it must begin with the absolute path of a program", at(35)));
    wrong("ShopErrors: {drill: {kind: cpu}}", RULES)
        .stderr_contains("the alert is not about the usage of CPUs");
    wrong("ShopErrors: {drill: {kind: requests, status: 500}, for: 5m}", RULES).stderr_contains(&format!(
        "{}`ShopErrors` is a rule of `shop_rules.yml`: change it there; here, only its `drill` can be added",
        at(59)
    ));
    wrong("ShopErrors: {}", RULES)
        .stderr_contains(
            "`ShopErrors` is a rule of `shop_rules.yml`; add its `drill` here, or leave this out",
        )
        .stderr_lacks("the catalogue has no alert");
    wrong("ShopError: {drill: {kind: requests, status: 500}}", RULES)
        .stderr_contains("the catalogue has no alert `ShopError`, and this one has no `expr`");
    wrong("ShopErrors: {expr: up == 0, drill: {kind: disk}}", RULES)
        .stderr_contains("shop_rules.yml:6:16: `alerts` of the spec has an alert `ShopErrors`, too");
    wrong("ShopErrors: {drill: {kind: requests, status: 500}}", &with_warning("{severity: warning}"))
        .stderr_contains(&format!(
            "{}there are 2 rules `ShopErrors` (`shop_rules.yml`), and a drill proves a rule by its name: rename one",
            at(16)
        ));
}

#[test]
fn a_drill_may_make_cpus_busy_for_a_recorded_usage() {
    let rules = "\
groups:
  - name: hosts
    rules:
      - record: host:cpu:percent
        expr: 100 - avg by (instance) (rate(node_cpu_seconds_total{mode=\"idle\"}[1m])) * 100
      - {alert: BusyHost, expr: 'host:cpu:percent > 90', for: 1m}
";
    adding("BusyHost: {drill: {kind: cpu}}", rules).monctl().args(["render", "--dry-run"]).run().success();
}

#[test]
fn two_rules_of_one_name_are_accepted_if_their_labels_differ() {
    let project = project("[shop_rules.yml]", &with_warning("{severity: warning}"));
    project.monctl().args(["render", "--dry-run"]).run().success();
    let explained = project.monctl().args(["explain", "ShopErrors"]).run().success();
    explained
        .stdout_contains("ShopErrors of `shop_rules.yml` with the labels {severity: critical, team: shop}")
        .stdout_contains("ShopErrors of `shop_rules.yml` with the labels {severity: warning}")
        .stdout_contains("for 2m (`for`)")
        .stdout_contains("for 7m (`for`)")
        .stdout_contains("shop_rules.yml: ShopErrors.for: 3m30s");
    let list = project.monctl().args(["verify-alert", "--list"]).run().success();
    list.stdout_contains("ShopErrors: no drill, only rule tests\n  because: there are 2 rules `ShopErrors`");
    project.monctl().args(["verify-alert", "ShopErrors"]).run().code(5).stderr_contains(
        "there is no drill for `ShopErrors`: there are 2 rules `ShopErrors` (`shop_rules.yml`)",
    );

    // A mistake in the second one is found at its place, and its severity is known.
    rendered(&with_warning("{severity: ''}"))
        .code(2)
        .stderr_contains("shop_rules.yml:13:")
        .stderr_contains("the severity is empty");
    rendered(&with_warning("{team: shop, severity: critical}"))
        .code(2)
        .stderr_contains("shop_rules.yml:13:17: `shop_rules.yml` has an alert `ShopErrors`, too");
}
