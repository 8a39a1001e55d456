//! Valid specs, and how each mistake is reported: through the binary, with line and column.

use std::fs;
use std::path::Path;

use crate::support::binary::{Monctl, Project, Ran, SPEC};
use monctl::spec::{
    Catalogue, CatalogueAlert, DrillKind, Install, Metrics, SecretName, Secrets, json_schema, load,
};

/// Renders a spec in its own project, which must not change.
#[track_caller]
fn render(spec: &str) -> Ran {
    let project = Project::with_spec(spec);
    let before = project.files();
    let ran = project.monctl().args(["render", "--dry-run"]).run();
    assert_eq!(project.files(), before, "something was written");
    ran.stderr_lacks("hunter2")
}

/// A valid spec with one line replaced.
#[track_caller]
fn with(line: &str, other: &str) -> String {
    assert!(SPEC.contains(line), "{line}");
    SPEC.replace(line, other)
}

/// One mistake: the replaced line and its replacement, the expected line and column, message and excerpt.
#[track_caller]
fn mistake(line: &str, other: &str, place: &str, message: &str, excerpt: &str) {
    render(&with(line, other))
        .code(2)
        .stdout_is("")
        .stderr_contains("has a problem")
        .stderr_contains(&format!("monctl.yaml:{place}: {message}"))
        .stderr_contains(excerpt);
}

#[test]
fn a_valid_spec_renders() {
    render(SPEC).success();
}

#[test]
fn a_missing_file_is_reported_with_the_ways_to_name_one() {
    let project = Project::new();
    let call = |path: &str| project.monctl().args(["-f", path, "render", "--dry-run"]).run();
    call("other.yaml").code(2).stderr_contains("`other.yaml`").stderr_contains("MONCTL_SPEC");
    call("site").code(2).stderr_contains("`site`");
}

#[test]
fn an_empty_file_is_reported() {
    for text in ["", "\n", "# nothing\n", "---\n"] {
        render(text).code(2).stderr_contains("the file is empty");
    }
}

#[test]
fn invalid_yaml_is_reported_with_its_place() {
    render("project: [notes\n")
        .code(2)
        .stderr_contains("monctl.yaml:1:10: not valid YAML")
        .stderr_contains("    1 | project: [notes\n      |          ^");
    render("app:\n  port: 1: 2\n").code(2).stderr_contains("monctl.yaml:2:10: not valid YAML");
    let project = Project::new().file("monctl.yaml", [0xff, 0xfe, 0x00]);
    project.monctl().args(["render", "--dry-run"]).run().code(2).stderr_contains("is not UTF-8");
}

#[test]
fn a_file_of_another_kind_is_not_shown() {
    for text in [
        "hunter2\n",
        "- hunter2\n",
        "https://hooks.slack.com/services/hunter2",
        "a: hunter2: x\n",
        "'hunter2",
    ] {
        render(text).code(2).stderr_contains("monctl.yaml:1:");
    }
}

#[test]
fn an_unknown_key_is_reported_with_the_nearest_known_one() {
    let excerpt = "    6 |   prot: 8000\n      |   ^^^^";
    mistake(
        "  path: site",
        "  path: site\n  prot: 8000",
        "6:3",
        "the key `prot` is not known here; did you mean `port`?",
        excerpt,
    );
    mistake(
        "version: 1",
        "version: 1\ngrafanna: {}",
        "2:1",
        "the key `grafanna` is not known here; did you mean `grafana`?",
        "",
    );
    mistake(
        "  capture: {}",
        "  capture: {chanel: x}",
        "10:13",
        "the key `chanel` is not known here; did you mean `channel`?",
        "",
    );
}

#[test]
fn a_duplicate_key_is_reported_with_the_first_one() {
    mistake(
        "project: notes",
        "project: notes\nproject: other",
        "3:1",
        "the key `project` is a duplicate; first on line 2",
        "    3 | project: other",
    );
}

#[test]
fn a_missing_key_is_reported() {
    render("version: 1\nproject: notes\n")
        .code(2)
        .stderr_contains("has 3 problems")
        .stderr_contains("`provider` is missing")
        .stderr_contains("`app` is missing")
        .stderr_contains("`notify` is missing");
    mistake("  path: site\n", "", "5:3", "`path` is missing in `app`", "");
}

#[test]
fn a_release_command_that_is_none_is_reported_at_its_place() {
    mistake(
        "  path: site",
        "  path: site\n  release: [migrate, ./manage.py migrate]",
        "6:22",
        "`./manage.py migrate` is not valid: a management command begins with its name",
        "    6 |   release: [migrate, ./manage.py migrate]",
    );
}

#[test]
fn a_wrong_type_is_reported_in_words() {
    let line = "  path: site";
    for (other, place, message) in [
        ("  path: site\n  port: many", "6:9", "expected a whole number, found text"),
        ("  path: site\n  port: 1.5", "6:9", "expected a whole number, found a number"),
        ("  path: [site]", "5:9", "expected text, found a list"),
        (
            "  path: site\n  workers:",
            "6:10",
            "expected a whole number, found nothing; leave the key out to use its default",
        ),
        ("  path: site\n  workers: {}", "6:12", "expected a whole number, found a mapping"),
        ("  path: site\n  metrics: both", "6:12", "`both` is not known; expected `exporter` or `builtin`"),
    ] {
        mistake(line, other, place, message, "^");
    }
    mistake(
        "alerts:\n  HighCPUUsage: {above: 80, for: 1m}",
        "alerts: [HighCPUUsage]",
        "7:9",
        "expected a mapping, found a list",
        "",
    );
    mistake(
        "notify:\n  capture: {}",
        "notify: {capture: {}}\ngrafana: {required: 1}",
        "10:21",
        "expected `true` or `false`, found a whole number",
        "",
    );
}

#[test]
fn numbers_must_be_in_their_range() {
    let line = "{above: 80, for: 1m}";
    for above in ["-1", "100.5", "101", "1e9"] {
        mistake(line, &format!("{{above: {above}}}"), "8:25", "", "is not a percentage between 0 and 100");
    }
    mistake(line, "{above: 100}", "8:25", "the alert could never fire above 100%; use less than 100", "");
    for above in ["0", "99.9"] {
        render(&with(line, &format!("{{above: {above}}}"))).success();
    }
    mistake(
        "version: 1",
        "version: 2",
        "1:10",
        "expected 1, found 2",
        "    1 | version: 2\n      |          ^",
    );
    for (key, value) in
        [("port", "0"), ("port", "65536"), ("count", "0"), ("workers", "0"), ("workers", "-1")]
    {
        render(&with("  path: site", &format!("  path: site\n  {key}: {value}")))
            .code(2)
            .stderr_contains("out of range");
    }
}

#[test]
fn an_invalid_duration_is_reported_with_valid_examples() {
    for (duration, shown) in
        [("1x", "`1x`"), ("1.5m", "`1.5m`"), ("10", "`10`"), ("1s1m", "`1s1m`"), ("-1s", "`-1s`")]
    {
        let message = format!("{shown} is not valid: write a duration such as `15s`, `1m30s`, `2h` or `15d`");
        mistake("for: 1m", &format!("for: {duration}"), "8:34", &message, "");
    }
    for (key, column) in [("scrape_interval", 31), ("evaluation_interval", 35), ("retention", 25)] {
        let (other, place) = (format!("monitoring: {{{key}: 0s}}\napp:"), format!("4:{column}"));
        mistake("app:", &other, &place, "it must be longer than 0s", "^");
    }
    let other = "  capture: {}\n  resolve_timeout: 0s";
    mistake("  capture: {}", other, "11:20", "it must be longer than 0s", "^");
}

#[test]
fn an_unknown_alert_is_reported_with_the_nearest_of_the_catalogue() {
    let message =
        "the catalogue has no alert `HighCPU`, and this one has no `expr`; did you mean `HighCPUUsage`?";
    mistake(
        "HighCPUUsage: {above: 80, for: 1m}",
        "HighCPU: {above: 80}",
        "8:3",
        message,
        "    8 |   HighCPU: {above: 80}\n      |   ^^^^^^^",
    );
    let unknown = "the catalogue has no alert `High CPU`, and this one has no `expr`";
    mistake("HighCPUUsage: {above: 80, for: 1m}", "High CPU: {above: 80}", "8:3", unknown, "");
}

#[test]
fn an_alert_has_the_parameters_of_its_kind() {
    let line = "HighCPUUsage: {above: 80, for: 1m}";
    mistake(line, "HostDown: {above: 80}", "8:21", "this alert has no threshold", "");
    mistake(
        line,
        "Own: {expr: up == 0, above: 80}",
        "8:31",
        "a rule with its own `expr` has its numbers",
        "",
    );
    mistake(line, "Own: {expr: ' '}", "8:15", "the expression is empty", "");
    mistake(
        line,
        "HighCPUUsage: {window: 20s}",
        "8:26",
        "the alert could never fire: a rate needs two scrapes",
        "",
    );
}

#[test]
fn a_parameter_that_the_alert_does_not_have_is_refused() {
    let line = "HighCPUUsage: {above: 80, for: 1m}";
    for (alert, place, message) in [
        ("HostDown: {window: 5m}", "8:22", "this alert has no window: it looks at the last scrape"),
        ("HighCPUUsage: {within: 1d}", "8:26", "this alert has no `within`: it predicts nothing"),
        ("HighCPUUsage: {traffic: 1}", "8:27", "this alert has no `traffic`: it does not depend on traffic"),
        ("DiskWillFillSoon: {within: 0s}", "8:30", "it must be longer than 0s"),
        ("HighLatency: {traffic: -1}", "8:26", "it must be a number per second, 0 or more"),
        ("WorkersRestarting: {above: -1}", "8:30", "-1 is not a count, 0 or more"),
        (
            "Own: {expr: up, window: 5m}",
            "8:27",
            "a rule with its own `expr` has its numbers in `expr`; leave this out",
        ),
    ] {
        mistake(line, alert, place, message, "^");
    }
    for alert in ["DiskWillFillSoon: {within: 3d, window: 2h}", "HighLatency: {traffic: 0}"] {
        render(&with(line, alert)).success();
    }
}

/// The names of a spec's alerts.
fn alerts(project: &Project) -> Vec<String> {
    let spec = load(&project.path("monctl.yaml")).unwrap().spec;
    spec.alerts.keys().map(ToString::to_string).collect()
}

#[test]
fn a_threshold_that_no_value_exceeds_is_refused() {
    let line = "HighCPUUsage: {above: 80, for: 1m}";
    let message = "the value never exceeds 75, so the alert could never fire";
    mistake(line, "HighLatency: {above: 75}", "8:24", message, "");
    mistake(line, "HighLatency: {above: 80}", "8:24", message, "");
    render(&with(line, "HighLatency: {above: 60}")).success();
    // The project's own django-prometheus may have other buckets.
    let builtin =
        with(line, "HighLatency: {above: 80}").replace("  path: site", "  path: site\n  metrics: builtin");
    render(&builtin)
        .code(2)
        .stderr_contains("or raise `PROMETHEUS_LATENCY_BUCKETS` in the project's settings");
    let project = Project::with_spec(&builtin)
        .file("site/notes/settings.py", "PROMETHEUS_LATENCY_BUCKETS = (1, 100)\n");
    project.monctl().args(["render", "--dry-run"]).run().success();
}

#[test]
fn a_window_that_is_too_short_for_a_rate_is_refused() {
    let line = "HighCPUUsage: {above: 80, for: 1m}";
    let slow =
        |rule: &str| with(line, rule).replace("notify:", "monitoring: {evaluation_interval: 1m}\nnotify:");
    render(&slow("RuleEvaluationFailing: {window: 1m}"))
        .code(2)
        .stderr_contains("monctl.yaml:8:35: its counters increase at each evaluation, every 1m")
        .stderr_contains("use 1m30s or more");
    render(&slow("RuleEvaluationFailing: {window: 90s}")).success();
    render(&with(line, "RuleEvaluationFailing: {window: 1m}")).success();
}

#[test]
fn an_own_rule_with_invalid_promql_is_refused_at_its_place() {
    let line = "HighCPUUsage: {above: 80, for: 1m}";
    for (rule, place, message) in [
        ("Own: {expr: 'up =='}", "8:15", "not valid PromQL: unexpected end or token"),
        ("Own: {expr: 'sum(up == 0'}", "8:15", "not valid PromQL: `(` is never closed"),
        ("Own: {expr: 'rate(up) > 1'}", "8:15", "not valid PromQL: "),
        ("Own: {expr: up == 0, summary: 'it is {{ $value'}", "8:40", "the template `{{ $value` has no `}}`"),
        (
            "Own: {expr: up == 0, description: '{{ if $value }}x'}",
            "8:41",
            "the template's `{{ if }}` has no `{{ end }}`",
        ),
        ("Own: {expr: up == 0, labels: {a: '{{ }}'}}", "8:37", "the template `{{ }}` is empty"),
    ] {
        mistake(line, rule, place, message, "");
    }
    // If promtool is installed, it decides.
    let unknown = Project::with_spec(&with(line, "Own: {expr: 'raet(up[5m]) > 1'}"));
    let without_promtool = unknown.monctl().env("PATH", "/").args(["render", "--dry-run"]).run();
    without_promtool.success().stderr_contains("was not checked").stderr_contains("did you mean `rate`?");
}

#[test]
fn labels_that_route_alerts_are_refused() {
    let line = "HighCPUUsage: {above: 80, for: 1m}";
    for (rule, place, message) in [
        ("HostDown: {severity: ''}", "8:24", "the severity is empty"),
        ("Own: {expr: up == 0, severity: ' '}", "8:34", "the severity is empty"),
        ("HostDown: {labels: {severity: page}}", "8:33", "set the severity next to `labels`"),
        ("Own: {expr: up == 0, labels: {severity: page}}", "8:43", "set the severity next to `labels`"),
        ("HostDown: {labels: {alertname: X}}", "8:34", "Prometheus sets this label to the alert's name"),
        ("HostDown: {labels: {instance: x}}", "8:33", "this label identifies the host"),
        (
            "HostDown: {labels: {host: x}}",
            "8:29",
            "`HostDown` inhibits other alerts of its host by this label",
        ),
    ] {
        mistake(line, rule, place, message, "");
    }
    render(&with(line, "Own: {expr: up == 0, severity: page, labels: {host: x, instance: y}}")).success();
}

#[test]
fn an_alert_whose_metric_the_project_does_not_export_is_warned_of() {
    let builtin = with("  HighCPUUsage: {above: 80, for: 1m}", "  UnappliedMigrations: {}")
        .replace("  path: site", "  path: site\n  metrics: builtin");
    render(&builtin).success().stderr_contains("`PROMETHEUS_EXPORT_MIGRATIONS = True`");
    let project =
        Project::with_spec(&builtin).file("site/notes/settings.py", "PROMETHEUS_EXPORT_MIGRATIONS = True\n");
    project.monctl().args(["render", "--dry-run"]).run().success().stderr_lacks("EXPORT_MIGRATIONS");
}

#[test]
fn a_spec_without_alerts_has_those_that_are_not_optional() {
    let without = with("alerts:\n  HighCPUUsage: {above: 80, for: 1m}\n", "");
    let exporter = alerts(&Project::with_spec(&without));
    let has = |alerts: &[String], name: &str| alerts.iter().any(|alert| alert == name);
    for name in ["HighCPUUsage", "HostDown", "AppDown", "WorkersSaturated", "RuleEvaluationFailing"] {
        assert!(has(&exporter, name), "{name}");
    }
    for name in ["NoTraffic", "HighClientErrorRate", "AlertUnproven", "Watchdog"] {
        assert!(!has(&exporter, name), "{name} is optional");
    }
    assert!(!has(&exporter, "NotificationsFailing"), "monctl receives only while a drill runs");
    let slack = without.replace("  capture: {}", "  slack: {webhook_url: {env: X}}");
    assert!(has(&alerts(&Project::with_spec(&slack)), "NotificationsFailing"));
    let builtin = without.replace("  path: site", "  path: site\n  metrics: builtin");
    let builtin = alerts(&Project::with_spec(&builtin));
    assert!(has(&builtin, "AppDown") && !has(&builtin, "WorkersSaturated"), "workers are not counted there");
    let with_heartbeat = without.replace("  capture: {}", "  capture: {}\n  heartbeat_url: {env: X}");
    assert!(has(&alerts(&Project::with_spec(&with_heartbeat)), "Watchdog"));
    assert_eq!(alerts(&Project::with_spec(&without.replace("notify:", "alerts: {}\nnotify:"))), [""; 0]);
}

#[test]
fn an_alert_that_could_never_fire_usefully_is_refused() {
    mistake(
        "  HighCPUUsage: {above: 80, for: 1m}",
        "  Watchdog: {}",
        "8:3",
        "this alert can never fire usefully: it would be sent nowhere: it needs `notify.heartbeat_url`",
        "",
    );
    let spec = with("  path: site", "  path: site\n  metrics: builtin");
    render(&spec.replace("HighCPUUsage: {above: 80, for: 1m}", "WorkersSaturated: {}"))
        .code(2)
        .stderr_contains(
            "monctl.yaml:9:3: this alert can never fire usefully: only monctl's own exporter exports",
        );
}

#[test]
fn a_heartbeat_needs_the_alert_that_always_fires() {
    mistake(
        "  capture: {}",
        "  capture: {}\n  heartbeat_url: {env: X}",
        "11:3",
        "a heartbeat needs the alert that always fires: add `Watchdog: {}` to `alerts`",
        "",
    );
}

#[test]
fn overrides_of_a_severity_are_checked() {
    let severities =
        |text: &str| with("  capture: {}", &format!("  capture: {{}}\n  severities:\n    {text}"));
    let refused = |text: &str, place: &str, message: &str| {
        render(&severities(text)).code(2).stderr_contains(&format!("monctl.yaml:{place}: {message}"));
    };
    refused("critcal: {}", "12:5", "no alert has the severity `critcal`");
    refused("warnin: {}", "12:5", "no alert has the severity `warnin`; did you mean `warning`?");
    refused("warning: {webhook_url: {env: X}}", "12:15", "`capture` receives everything");
    refused(
        "warning: {mute: [{from: '22:00', to: '22:00'}]}",
        "12:22",
        "the time from 22:00 to 22:00 is empty",
    );
    refused(
        "warning: {mute: [{from: '22:00', to: '7:00'}]}",
        "12:42",
        "the value is not valid: write a time",
    );
    refused(
        "warning: {mute: [{from: '22:00', to: '07:00', time_zone: Europe/Berln}]}",
        "12:62",
        "`Europe/Berln` is not a time zone such as `Europe/Berlin`; did you mean `Europe/Berlin`?",
    );
    refused(
        "warning: {mute: [{from: '22:00', to: '07:00', days: [fryday]}]}",
        "12:58",
        "the value is not known; expected `monday`",
    );
    let night = "warning: {mute: [{from: '22:00', to: '07:00', days: [friday], time_zone: Europe/Berlin}]}";
    render(&severities(night)).success();
}

#[test]
fn a_project_is_a_dns_label() {
    for name in ["My_Shop", "-a", "a.b", "\"../x\"", "ä"] {
        mistake(
            "project: notes",
            &format!("project: {name}"),
            "2:10",
            "",
            "is not valid: use 1 to 63 lower-case letters",
        );
    }
}

#[test]
fn the_application_must_exist() {
    mistake(
        "  path: site",
        "  path: nowhere",
        "5:9",
        "there is no folder `./nowhere`",
        "    5 |   path: nowhere\n      |         ^^^^^^^",
    );
    mistake(
        "notes.wsgi",
        "shop.wsgi",
        "6:9",
        "there is no `./site/shop/wsgi.py`",
        "    6 |   wsgi: shop.wsgi\n      |         ^^^^^^^^^",
    );
    mistake(
        "notes.wsgi",
        "notes/wsgi.py",
        "6:9",
        "`notes/wsgi.py` is not valid: the module is written with dots",
        "",
    );
    mistake(
        "  path: site",
        "  path: site\n  requirements: other.txt",
        "6:17",
        "there is no file `./site/other.txt`",
        "",
    );
}

#[test]
fn the_servers_of_the_application_are_its_only_ones() {
    let with_services =
        |lines: &str| with("  wsgi:", &format!("  services: [postgresql, redis]\n{lines}  wsgi:"));
    render(&with_services("")).success();
    for (lines, message) in [
        ("  count: 2\n", "each of the 2 application hosts would have servers with data of its own"),
        ("  port: 6390\n", "port 6390 is used by the service `redis`; choose another"),
    ] {
        render(&with_services(lines)).code(2).stderr_contains(message);
    }
    let services = |list: &str| render(&with("  wsgi:", &format!("  services: {list}\n  wsgi:")));
    services("[redis, redis]").code(2).stderr_contains("`redis` is listed twice; leave one out");
    services("[mysql]").code(2).stderr_contains("`mysql` is not known; expected `postgresql` or `redis`");
    for (variable, service) in
        [("DATABASE_URL", "postgresql"), ("PGHOST", "postgresql"), ("REDIS_URL", "redis")]
    {
        let text = with_services("").replace("  env:\n", &format!("  env:\n    {variable}: x\n"));
        let text = if text.contains(variable) {
            text
        } else {
            with_services(&format!("  env: {{{variable}: x}}\n"))
        };
        render(&text).code(2).stderr_contains(&format!(
            "`{variable}` is set here, and the service `{service}` sets it, too; leave it out"
        ));
    }
}

#[test]
fn a_process_has_a_name_of_its_own_and_a_command_without_a_shell() {
    let with_process = |process: &str| with("  wsgi:", &format!("  processes: {{{process}}}\n  wsgi:"));
    render(&with_process("worker: celery -A notes worker, beat: {command: ./manage.py beat, hosts: first}"))
        .success();
    for (process, message) in [
        (
            "Worker: celery",
            "the key `Worker` is not valid: the name of a process has up to 32 lower-case letters",
        ),
        ("metrics: celery", "`monctl-app-metrics.service` is a unit of monctl's own; choose another name"),
        ("worker: celery && date", "`celery && date` is not valid: a command is a program and its arguments"),
        ("worker: 'echo $HOME'", "`echo $HOME` is not valid: a command is a program and its arguments"),
        ("worker: ''", "`` is not valid: a command is a program and its arguments"),
        ("worker: [celery]", "expected text or a mapping with `command`, found a list"),
        ("worker: {hosts: all}", "`command` is missing in `app.processes.worker`"),
        ("worker: {command: celery, hosts: last}", "is not known; expected `all` or `first`"),
        (
            "worker: {command: celery, stop_within: 0s}",
            "it must be between 1s and 1h: a deploy waits as long",
        ),
        (
            "worker: {command: celery, stop_within: 2h}",
            "it must be between 1s and 1h: a deploy waits as long",
        ),
    ] {
        render(&with_process(process)).code(2).stderr_contains(message);
    }
}

#[test]
fn ports_of_one_host_differ() {
    for (other, place) in
        [("port: 9101", "6:9"), ("port: 9100", "6:9"), ("metrics_port: 9100", "6:17"), ("port: 22", "6:9")]
    {
        render(&with("  path: site", &format!("  path: site\n  {other}")))
            .code(2)
            .stderr_contains(&format!("monctl.yaml:{place}: port "));
    }
}

#[test]
fn alerts_go_to_exactly_one_place() {
    mistake(
        "  capture: {}",
        "  group_wait: 1s",
        "9:1",
        "one of `slack` and `capture` is needed; `capture: {}` needs no settings",
        "",
    );
    mistake(
        "  capture: {}",
        "  capture: {}\n  slack: {webhook_url: {env: X}}",
        "11:3",
        "`slack` and `capture` exclude each other",
        "",
    );
    render(&with("  capture: {}", "  capture: 5")).code(2).stderr_lacks("one of `slack` and `capture`");
}

#[test]
fn the_list_of_hosts_sets_their_number() {
    let listed = with("provider: local", "provider: {hosts: {app: [a, b], monitoring: m}}");
    let project = Project::with_spec(&listed);
    assert_eq!(load(&project.path("monctl.yaml")).unwrap().spec.app.count, 2);
    render(&listed.replace("  path: site\n", "  path: site\n  count: 2\n")).success();
    for count in ["1", "3"] {
        render(&listed.replace("  path: site\n", &format!("  path: site\n  count: {count}\n")))
            .code(2)
            .stderr_contains("monctl.yaml:6:10: `provider.hosts.app` lists 2 hosts; leave `count` out");
    }
}

#[test]
fn a_provider_has_the_settings_that_it_needs() {
    let wrong = [
        ("aws", "3:11", "`aws` has settings: write `{aws: {…}}`"),
        ("{aws: {region: Frankfurt}}", "3:26", "`Frankfurt` is not valid: a region is written like"),
        ("{aws: {account: 12}}", "3:27", "`12` is not valid: an account is written as its twelve digits"),
        ("{aws: {instance_type: big}}", "3:33", "`big` is not valid: an instance type is written like"),
        (
            "{aws: {allow_ssh_from: [10.0.0.1/8]}}",
            "3:35",
            "`10.0.0.1/8` is not valid: it has bits set after its prefix; use `10.0.0.0/8`",
        ),
        ("{aws: {allow_ssh_from: [home]}}", "3:35", "`home` is not valid: write a network such as"),
        ("{aws: {disk: 4}}", "3:24", "4 is out of range"),
        ("{aws: {subnet: subnet-01234567, vpc: vpc-01234567}}", "3:48", "a subnet decides on its VPC"),
        ("{hosts: {app: [a]}}", "3:19", "`monitoring` is missing"),
        ("{hosts: {app: [], monitoring: m}}", "3:20", "at least one application host is needed"),
        ("{hosts: {app: [-oX], monitoring: m}}", "3:26", "`-oX` is not valid: a host is written as for ssh"),
        ("{hosts: {app: [a, a], monitoring: m}}", "3:29", "`a` is listed twice; each host has one role"),
        ("{hosts: {app: [a], monitoring: a}}", "3:42", "`a` is listed twice"),
        ("{hosts: {app: [a], monitoring: m, db: [a]}}", "3:50", "`a` is listed twice"),
        ("{hosts: {app: [a], monitoring: m, db: d}}", "3:49", "expected a list"),
        (
            "{hosts: {app: [a], monitoring: m, my-db: [d]}}",
            "3:45",
            "the key `my-db` is not known here; for your own, use 1 to 20",
        ),
        (
            "{hosts: {app: [{ssh: a, host_key: SHA256:x}], monitoring: m}}",
            "3:45",
            "is not valid: a host key is written by its fingerprint",
        ),
    ];
    for (provider, place, message) in wrong {
        mistake("provider: local", &format!("provider: {provider}"), place, "", message);
    }
    mistake(
        "provider: local",
        "provider: locl",
        "3:11",
        "`locl` is not known; expected `local` or a mapping with `aws` or `hosts`; did you mean `local`?",
        "",
    );
}

#[test]
fn an_application_that_something_else_deploys_has_keys_of_its_own() {
    let text = |app: &str| {
        format!(
            "version: 1\nproject: notes\nprovider: {{hosts: {{app: [a], monitoring: m}}}}\napp:\n{app}notify: {{capture: {{}}}}\n"
        )
    };
    let unit = "  deploy: false\n  unit: shop.service\n";
    render(&text(unit)).success();
    for (app, place, message) in [
        ("  deploy: false\n", "5:11", "monctl must know what to watch: add `unit`, `url` or `metrics_url`"),
        (&format!("{unit}  path: site\n"), "7:9", "`path` has no effect with `deploy: false`; leave it out"),
        (
            &format!("{unit}  workers: 3\n"),
            "7:12",
            "`workers` has no effect with `deploy: false`; leave it out",
        ),
        (&format!("{unit}  metrics: builtin\n"), "7:12", "leave it out; `metrics_url` names metrics that"),
        (&format!("{unit}  port: 8001\n"), "7:9", "monctl changes nothing of the application's ports"),
        (
            &format!("{unit}  host: shop.example\n"),
            "7:9",
            "this is for requests to `url` and `metrics_url` only",
        ),
        (
            "  deploy: false\n  url: 'http://127.0.0.1/'\n  count_requests: {venv: /srv/venv}\n",
            "7:3",
            "monctl counts the requests of a unit: add `unit`",
        ),
        (
            &format!("{unit}  metrics_url: 'http://127.0.0.1/m'\n  count_requests: {{venv: /srv/venv}}\n"),
            "8:3",
            "leave `count_requests` or `metrics_url` out",
        ),
        (&format!("{unit}  count_requests: {{venv: venv}}\n"), "7:26", "write the absolute path"),
        (
            "  path: site\n  count_requests: {venv: /srv/venv}\n",
            "6:3",
            "leave it out, or add `deploy: false`",
        ),
        ("  deploy: false\n  unit: shop\n", "6:9", "`shop` is not valid: write the full name of the service"),
        ("  deploy: false\n  url: shop\n", "6:8", "`shop` is not valid: a base URL begins with"),
        ("  unit: shop.service\n", "5:3", "`path` is missing in `app`"),
        ("  path: site\n  unit: shop.service\n", "6:9", "leave it out, or add `deploy: false`"),
    ] {
        render(&text(app))
            .code(2)
            .stderr_contains(&format!("monctl.yaml:{place}: "))
            .stderr_contains(message);
    }
    for provider in ["local", "{aws: {region: eu-central-1}}"] {
        let text = text(unit).replace("{hosts: {app: [a], monitoring: m}}", provider);
        render(&text)
            .code(2)
            .stderr_contains("monctl.yaml:5:11: ")
            .stderr_contains("write `provider: {hosts: …}`");
    }
    let named = |alert: &str| format!("{}alerts: {{{alert}: {{}}}}\n", text(unit));
    render(&named("UnitDown")).success();
    render(&named("HighServerErrorRate")).code(2).stderr_contains("Prometheus scrapes none of its metrics");
    render(&named("HealthCheckFailing")).code(2).stderr_contains("it needs `app.url`");
    render(&named("CountingLost")).code(2).stderr_contains("it needs `app.count_requests`");
    mistake(
        "HighCPUUsage: {above: 80, for: 1m}",
        "UnitDown: {}",
        "8:3",
        "this alert can never",
        "`app.unit`",
    );
}

/// Nothing of the application is among the files; its metrics are passed on only if the spec names them.
#[test]
fn of_an_application_that_something_else_deploys_only_what_is_known_is_watched() {
    let rendered = |app: &str| {
        let text = format!(
            "version: 1\nproject: notes\nprovider: {{hosts: {{app: [a], monitoring: m}}}}\napp: {{deploy: false, {app}}}\nnotify: {{capture: {{}}}}\n"
        );
        render(&text).success().stdout
    };
    let unit = rendered("unit: shop.service");
    assert!(unit.contains("watch.py --port 9101 --unit \"shop.service\"\n"), "{unit}");
    for absent in [
        "monctl-app",
        "gunicorn",
        "AppDown",
        "monctl_django",
        "HighServerErrorRate",
        "HealthCheckFailing",
        "prometheus_client==",
    ] {
        assert!(!unit.contains(absent), "{absent}");
    }
    let counted = rendered("unit: shop.service, count_requests: {venv: /srv/shop/venv}");
    for present in [
        "Environment=COUNTED_UNIT=shop.service\n",
        "ReadWritePaths=-/srv/shop/venv\n",
        "--unit \"shop.service\" --counted\n",
        "metrics_path: \"/application\"",
        "alert: \"HighServerErrorRate\"",
        "alert: \"WorkersSaturated\"",
        "alert: \"CountingLost\"",
        "monctl_metrics/watched.py",
        "\nprometheus_client==",
    ] {
        assert!(counted.contains(present), "{present}");
    }
    assert!(
        !counted.contains("User=monctl-app\n")
            && !unit.contains(" --counted\n")
            && !unit.contains("CountingLost")
    );
    let all = rendered(
        "url: 'http://127.0.0.1:8000/', metrics_url: 'http://127.0.0.1:8000/metrics', host: shop.example",
    );
    for present in [
        "metrics_path: \"/application\"",
        "job_name: \"app-watch\"",
        "alert: \"HighServerErrorRate\"",
        "HealthCheckFailing",
    ] {
        assert!(all.contains(present), "{present}");
    }
    assert!(!all.contains("UnitDown") && !all.contains("WorkersSaturated"));
}

#[test]
fn software_is_obtained_by_a_word_or_a_word_with_settings() {
    let install = |text: &str| {
        let project = Project::with_spec(&with("app:", &format!("monitoring: {{install: {text}}}\napp:")));
        load(&project.path("monctl.yaml")).unwrap().spec.monitoring.install
    };
    assert_eq!(install("release"), Install::Release(monctl::spec::Releases::default()));
    assert_eq!(install("distribution"), Install::Distribution(monctl::spec::Releases::default()));
    let settings = install("{distribution: {mirror: 'http://127.0.0.1:1/m', versions: {grafana: 12.1}}}");
    assert!(!settings.is_release());
    assert_eq!(settings.releases().mirror.as_ref().unwrap().as_str(), "http://127.0.0.1:1/m");
    assert_eq!(
        settings.releases().versions["grafana"],
        "12.1",
        "text that looks like a number stays as written"
    );
    let mistake =
        |text: &str| render(&with("app:", &format!("monitoring: {{install: {text}}}\napp:"))).code(2);
    mistake("{release: {mirror: 'https://me:hunter2@m'}}")
        .stderr_contains("contains no user name or password");
    mistake("{release: {}, distribution: {}}")
        .stderr_contains("expected a mapping with `distribution` or `release`");
    mistake("{release: {catalogue: none.json}}").stderr_contains("there is no file `./none.json`");
    mistake("{release: {versions: {promtheus: '3'}}}").stderr_contains("did you mean `prometheus`?");
}

/// A spec with a mistake on nearly every line.
const MISTAKES: &str = "\
version: 2
project: My_Shop
provider: aws
app:
  path: nowhere
  wsgi: notes/wsgi
  prot: 8000
  port: 99999
  workers: many
monitoring:
  scrape_interval: 15 s
alerts:
  HighCPU: {above: 80}
  HighCPUUsage: {above: 800, for: 1x}
  HighCPUUsage: {}
notify:
  slack: {webhook_url: hunter2}
  capture: {}
";

#[test]
fn one_error_lists_all_problems_in_the_order_of_the_file() {
    let ran = render(MISTAKES).code(2).stderr_contains("has 15 problems");
    let places: Vec<&str> = ran
        .stderr
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("monctl.yaml:")?.split(": ").next())
        .collect();
    let expected = [
        "1:10", "2:10", "3:11", "5:9", "6:9", "7:3", "8:9", "9:12", "11:20", "13:3", "14:25", "14:35",
        "15:3", "17:3", "17:24",
    ];
    assert_eq!(places, expected, "{ran}");
}

#[test]
fn no_line_that_may_hold_a_secret_is_shown() {
    let slack = |text: &str| render(&with("  capture: {}", &format!("  slack:\n    {text}"))).code(2);
    slack("webhook_url: https://hooks.slack.com/services/hunter2").stderr_contains("monctl.yaml:11:18: ");
    slack("webhok_url: https://hooks.slack.com/services/hunter2")
        .stderr_contains("did you mean `webhook_url`?");
    slack("webhook_url: {env: 'https://hooks.slack.com/services/hunter2'}")
        .stderr_contains("the value is not valid");
    slack("webhook_url: {file: 'https://hooks.slack.com/services/hunter2'}").stderr_contains("this is a URL");
    slack("webhook_url: {url: hunter2}")
        .stderr_contains("expected a mapping with `env`, `file` or `command`");
    slack("webhook_url: [hunter2]").stderr_contains("found a list");
    slack("webhook_url: {command: hunter2}").stderr_contains("expected a list, found text");
    slack("webhook_url: {command: []}").stderr_contains("the command is empty");
    let app = |text: &str| render(&with("  path: site", &format!("  path: site\n{text}"))).code(2);
    app("  env: hunter2");
    app("  env: {KEY: [hunter2]}");
    app("  env: {1KEY: hunter2}");
    app("  env:\n    KEY: hunter2\n    KEY: hunter2");
    app("  env:\n    KEY: *hunter2");
    app("  env:\n    KEY: \"hunter2\\0\"").stderr_contains("control characters");
    app("  enviroment:\n    KEY: hunter2");
    app("  SECRET_KEY: hunter2");
    app("  password: hunter2");
    render(&format!("{SPEC}hunter2\n")).code(2);
}

#[test]
fn secrets_that_cannot_be_read_are_listed_at_their_references() {
    let spec = SPEC
        .replace("  path: site", "  path: site\n  env:\n    A: {file: no-such-file}\n    B: {command: [sh, -c, 'echo hunter2; exit 3']}\n    C: plain\n    D: {command: [no-such-program, hunter2]}")
        .replace("  capture: {}", "  slack: {webhook_url: {env: MONCTL_TEST_UNSET}}");
    let project = Project::with_spec(&spec);
    let before = project.files();
    let ran = project.monctl().arg("plan").env_remove("MONCTL_TEST_UNSET").run();
    ran.code(2)
        .stderr_contains("has 4 problems")
        .stderr_contains("monctl.yaml:7:5: `app.env.A`: cannot read `./no-such-file`: No such file")
        .stderr_contains("monctl.yaml:8:5: `app.env.B`: the command `sh` failed: exit status: 3")
        .stderr_contains("monctl.yaml:10:5: `app.env.D`: cannot run the command `no-such-program`")
        .stderr_contains("monctl.yaml:15:11: `notify.slack.webhook_url`: the environment variable `MONCTL_TEST_UNSET` is not set")
        .stderr_lacks("hunter2");
    assert_eq!(project.files(), before, "nothing was changed");
    // Commands that change no host need no secrets.
    project.monctl().args(["render", "--dry-run"]).run().success();
}

#[test]
fn the_values_of_an_environment_file_are_secrets_and_those_of_the_spec_win() {
    let spec = with("  path: site", "  path: site\n  env_file: site/.env\n  env: {SHOWN: visible}");
    let project =
        Project::with_spec(&spec).file("site/.env", "export KEY='hunter2 hunter2'\nSHOWN=hunter2\nEMPTY=\n");
    let shown = "EMPTY=\"[secret]\"\nKEY=\"[secret]\"\nSHOWN=\"visible\"\n";
    project
        .monctl()
        .args(["render", "--dry-run"])
        .run()
        .success()
        .stdout_contains(shown)
        .stdout_lacks("hunter2")
        .stderr_lacks("hunter2")
        .stderr_lacks("left out");
    let loaded = load(&project.path("monctl.yaml")).unwrap();
    let secrets = Secrets::resolve(&loaded).unwrap();
    let value =
        |name: &str| secrets.get(&SecretName::Env(name.parse().unwrap())).map(|it| it.expose().to_owned());
    assert_eq!(value("KEY").as_deref(), Some("hunter2 hunter2"));
    assert_eq!((value("EMPTY").as_deref(), value("SHOWN")), (Some(""), None));
    assert!(!format!("{loaded:?}").contains("hunter2 hunter2"));
}

#[test]
fn mistakes_of_an_environment_file_are_reported_with_their_place_and_without_values() {
    let spec = with("  path: site", "  path: site\n  env_file: .env");
    let ran = |text: &str| {
        let project = Project::with_spec(&spec).file(".env", text);
        project.monctl().args(["render", "--dry-run"]).run().code(2).stderr_lacks("hunter2")
    };
    ran("A=1\nhunter2\nB=\"hunter2\n")
        .stderr_contains("monctl.yaml:6:13: `./.env:2:1`: a line sets a variable")
        .stderr_contains("monctl.yaml:6:13: `./.env:3:3`: the quote is not closed");
    render(&spec).code(2).stderr_contains("monctl.yaml:6:13: cannot read `./.env`");
}

#[test]
fn a_pattern_that_selects_no_file_is_reported_at_its_place() {
    mistake(
        "  path: site",
        "  path: site\n  include: [notes, dist/*.css]",
        "6:20",
        "no file below `./site` matches this",
        "",
    );
    mistake(
        "  path: site",
        "  path: site\n  include: [../outside]",
        "6:13",
        "`../outside` is not valid: a path or glob is relative",
        "",
    );
}

#[test]
fn render_names_files_that_are_left_out() {
    let project = Project::new().file("site/.env", "A=b\n");
    let remedy =
        "left out: `site/.env`: to give its variables to the application, write `app.env_file: site/.env`";
    project.monctl().args(["render", "--dry-run"]).run().success().stderr_contains(remedy);
}

#[test]
fn an_invalid_webhook_url_is_reported_without_showing_it() {
    let project = Project::with_spec(&SPEC.replace("  capture: {}", "  slack: {webhook_url: {env: HOOK}}"));
    for value in [
        "hunter2",
        "",
        "https://hooks/hunter2 x",
        // Unencrypted over a network, despite names that look local.
        "http://hooks.slack.com/hunter2",
        "http://169.254.169.254/hunter2",
        "http://localhost.example.org/hunter2",
        "http://localhost:80@example.org/hunter2",
        "http://127.0.0.1.example.org/hunter2",
        "http://[::2]/hunter2",
    ] {
        let ran = project.monctl().arg("plan").env("HOOK", value).run();
        ran.code(2).stderr_contains("`notify.slack.webhook_url`: the value is").stderr_lacks("hunter2");
    }
}

#[test]
fn a_webhook_uses_https_or_loopback() {
    let name = monctl::spec::SecretName::SlackWebhookUrl;
    for value in
        ["https://hooks.slack.com/x", "http://127.0.0.1:9/x", "http://[::1]/x", "http://localhost:9/x"]
    {
        let spec = SPEC.replace("  capture: {}", "  slack: {webhook_url: {file: hook}}");
        let project = Project::with_spec(&spec).file("hook", value);
        let loaded = load(&project.path("monctl.yaml")).unwrap();
        assert!(monctl::spec::Secrets::resolve_one(&loaded, &name).is_ok(), "{value}");
    }
}

#[test]
fn a_spec_that_is_too_deep_is_refused_without_a_crash() {
    for levels in [50, 100_000] {
        let deep = format!("{SPEC}deep: {}{}\n", "[".repeat(levels), "]".repeat(levels));
        Project::with_spec(&deep).monctl().arg("plan").run().code(2).stderr_contains("levels deep");
    }
}

#[test]
fn an_endless_spec_is_refused_with_little_memory() {
    let project = Project::new();
    project.monctl().args(["-f", "/dev/zero", "plan"]).run().code(2).stderr_contains("larger than 4 MiB");
}

#[test]
fn a_secret_with_control_characters_is_reported_without_showing_it() {
    let project =
        Project::with_spec(&SPEC.replace("  path: site", "  path: site\n  env: {KEY: {env: GIVEN}}"));
    for (value, message) in
        [("", "the value is empty"), ("hunter2\u{1}", "the value contains control characters")]
    {
        let ran = project.monctl().arg("plan").env("GIVEN", value).run();
        ran.code(2).stderr_contains(&format!("`app.env.KEY`: {message}")).stderr_lacks("hunter2");
    }
}

#[test]
fn the_final_newline_of_a_secret_file_is_removed() {
    let spec =
        SPEC.replace("  path: site", "  path: site\n  env:\n    A: {file: a}\n    B: {command: [cat, b]}");
    let project = Project::with_spec(&spec).file("a", "x\n").file("b", "y\n\n");
    let loaded = load(&project.path("monctl.yaml")).unwrap();
    let secrets = monctl::spec::Secrets::resolve(&loaded).unwrap();
    let value = |name: &str| {
        let name = monctl::spec::SecretName::Env(name.parse().unwrap());
        secrets.get(&name).unwrap().expose().to_owned()
    };
    assert_eq!([value("A"), value("B")], ["x", "y\n"]);
}

#[test]
fn requests_are_counted_by_the_project_itself_where_it_can() {
    let metrics = |project: &Project| load(&project.path("monctl.yaml")).unwrap().spec.app.metrics();
    assert_eq!(metrics(&Project::new()), Metrics::Exporter);
    // A word in the requirements, or in settings that are not in use, has no effect.
    let named = Project::new()
        .file("site/requirements.txt", "Django\ndjango_prometheus==2.4\n")
        .file("site/notes/settings/base.py", "INSTALLED_APPS = ['django_prometheus']\n");
    assert_eq!(metrics(&named), Metrics::Exporter);
    let used = |project: Project| {
        project
            .file("site/notes/wsgi.py", "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'notes.settings')\n")
            .file(
                "site/notes/settings.py",
                "ROOT_URLCONF = 'notes.urls'\nINSTALLED_APPS = ['django_prometheus']\n",
            )
            .file("site/notes/urls.py", "urlpatterns = [path('', include('django_prometheus.urls'))]\n")
    };
    assert_eq!(metrics(&used(Project::new())), Metrics::Builtin);
    let chosen = used(Project::with_spec(&with("  path: site", "  path: site\n  metrics: exporter")));
    assert_eq!(metrics(&chosen), Metrics::Exporter);
}

#[test]
fn the_checked_in_schema_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/spec.schema.json");
    let printed = Monctl::new().arg("schema").run().success().stdout;
    assert_eq!(fs::read_to_string(path).unwrap(), printed, "run `monctl schema > docs/spec.schema.json`");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&printed).unwrap(), *json_schema());
}

#[test]
fn every_example_is_a_valid_spec() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut seen = 0;
    for folder in fs::read_dir(examples).unwrap() {
        let spec = folder.unwrap().path().join("monctl.yaml");
        if spec.is_file() {
            Monctl::new().arg("-f").arg(spec).args(["render", "--dry-run"]).run().success();
            seen += 1;
        }
    }
    assert!(seen > 0);
}

#[test]
fn the_example_of_drills_has_every_alert_that_can_be_caused() {
    let spec = load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/drills/monctl.yaml")).unwrap().spec;
    let catalogue = Catalogue::default();
    let is_caused = |name: &&str| {
        let is_caused = |it: &&CatalogueAlert| !matches!(it.drill, DrillKind::None { .. });
        // The example deploys its application, and has no domain: no authority gives a certificate to machines of this
        // computer.
        catalogue
            .alert(name)
            .filter(is_caused)
            .is_some_and(|it| !["watch", "caddy"].contains(&it.integration.as_str()))
    };
    let wanted: Vec<&str> = catalogue.names().filter(is_caused).collect();
    let drilled: Vec<&str> = spec.alerts.keys().map(monctl::spec::AlertName::as_str).collect();
    assert_eq!(drilled, wanted);
}

#[test]
fn the_readme_shows_a_valid_spec_with_the_defaults_that_it_names() {
    let readme = include_str!("../../README.md");
    let shown = readme.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let project = Project::new()
        .file("specs/monctl.yaml", shown)
        .file("specs/.env", "")
        .file("shop/requirements.txt", "")
        .file("shop/manage.py", "")
        .file("shop/shop/wsgi.py", "");
    let spec = load(&project.path("specs/monctl.yaml")).unwrap().spec;

    let defaults: String =
        shown.lines().filter(|line| !line.contains("# default")).collect::<Vec<_>>().join("\n");
    let defaults = format!("{defaults}\n").replace("monitoring:\n", "").replace("grafana:\n", "");
    let project = project.file("specs/monctl.yaml", defaults);
    let mut without = load(&project.path("specs/monctl.yaml")).unwrap().spec;
    // Alertmanager's own defaults; omitted settings are not rendered.
    without.notify.group_wait = spec.notify.group_wait;
    without.notify.group_interval = spec.notify.group_interval;
    without.notify.repeat_interval = spec.notify.repeat_interval;
    assert_eq!(spec, without);
}

#[test]
fn a_domain_is_a_name_and_needs_one_application_host() {
    let app = "  path: site\n";
    for (lines, place, message) in [
        ("  domain: https://shop.example\n", "6:11", "the value is not valid: a domain is written"),
        ("  domain: [shop.example, shop.example]\n", "6:3", "a domain is listed twice"),
        ("  domain: []\n", "6:3", "the list is empty"),
        ("  domain: shop.example\n  count: 2\n", "6:11", "with several application hosts, each of them"),
        (
            "  domain: shop.example\n  port: 443\n",
            "7:9",
            "port 443 is used by the web server of `app.domain`",
        ),
        ("  domain: shop.example\n  metrics_port: 2019\n", "7:17", "port 2019 is used by Caddy"),
        ("  acme: {email: ops@example.org}\n", "6:3", "this is for `app.domain` only"),
        ("  domain: shop.example\n  acme: {email: ops}\n", "7:17", "`ops` is not valid: an address of mail"),
    ] {
        render(&with(app, &format!("{app}{lines}")))
            .code(2)
            .stderr_contains(&format!("monctl.yaml:{place}: {message}"));
    }
    render(&with(app, &format!("{app}  domain: [shop.example, www.shop.example]\n"))).success();
    let spec = with("  HighCPUUsage: {above: 80, for: 1m}\n", "  CaddyDown: {}\n");
    render(&spec).code(2).stderr_contains("it needs `app.domain`");
}
