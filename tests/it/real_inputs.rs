//! Specs as people really write them: valid variants are accepted, and each problem is reported once, at its line.

use std::process::Command;

use crate::support::binary::{Project, Ran};
use crate::support::tools::program;
use monctl::render::{Addresses, Bundle, rules, warnings};
use monctl::spec::load;
use serde_json::Value;

/// A valid spec with these alerts (a YAML mapping in braces or lines of it) and this section `notify`.
fn spec(alerts: &str, notify: &str) -> String {
    format!(
        "version: 1\nproject: notes\nprovider: local\napp: {{path: site, wsgi: notes.wsgi}}\n\
         alerts: {alerts}\nnotify: {notify}\n"
    )
}

fn own(rule: &str) -> String {
    spec(&format!("{{Own: {{{rule}}}}}"), "{capture: {}}")
}

/// Renders without promtool and amtool, so that all messages are monctl's own.
#[track_caller]
fn render(text: &str) -> Ran {
    let project = Project::with_spec(text);
    let ran = project.monctl().env("PATH", "/nowhere").args(["render", "--dry-run"]).run();
    ran.stderr_lacks("hunter2")
}

/// Refused with exactly one problem, at this place and with these words.
#[track_caller]
fn one_problem(text: &str, place: &str, words: &str) {
    render(text)
        .code(2)
        .stderr_contains("has a problem")
        .stderr_contains(&format!("monctl.yaml:{place}: "))
        .stderr_contains(words);
}

/// A file of the rendered bundle, as YAML.
#[track_caller]
fn rendered(text: &str, file: &str) -> Value {
    let project = Project::with_spec(text);
    let loaded = load(&project.path("monctl.yaml")).unwrap();
    let bundle = Bundle::render(&loaded.spec, &Addresses::default()).unwrap();
    serde_saphyr::from_str(&bundle.get(file).unwrap().masked()).unwrap()
}

fn alert_rules(text: &str) -> Vec<Value> {
    let rules = rendered(text, "alert_rules.yml");
    let groups = rules["groups"].as_array().unwrap().clone();
    groups.iter().flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}

fn warned(text: &str) -> Vec<String> {
    let project = Project::with_spec(text);
    warnings(&load(&project.path("monctl.yaml")).unwrap())
}

#[test]
fn a_pattern_in_backticks_needs_no_second_backslash() {
    for expr in [
        r"sum by (instance) (rate(jobs_done_total{queue=~`mail\.(in|out)\d?`}[5m])) == 0",
        r"label_replace(up, `host`, `$1`, `instance`, `([^:]+):\d+`) == 0",
        r#"x{path=~`C:\\.*"quoted"`} > 0"#,
    ] {
        let text = spec(&format!("\n  Own:\n    expr: |-\n      {expr}\n"), "{capture: {}}");
        render(&text).success().stderr_lacks("was not checked");
        assert_eq!(alert_rules(&text)[0]["expr"], expr, "Prometheus gets it unchanged");
    }
}

#[test]
fn syntax_of_a_newer_prometheus_is_a_warning_and_invalid_syntax_is_refused() {
    for (expr, word) in [
        ("increase(app_errors_total[5m] anchored) > 0", "anchored"),
        ("rate(app_errors_total[5m] smoothed) > 0", "smoothed"),
        ("rate(x[5m] offset 2 * 1h) > 0", "offset"),
    ] {
        render(&own(&format!("expr: '{expr}'")))
            .success()
            .stderr_contains("was not checked")
            .stderr_contains(word);
    }
    one_problem(&own("expr: 'increase(app_errors_total[5m] backwards) > 0'"), "5:22", "not valid PromQL");
}

#[test]
fn an_own_rule_may_keep_firing_and_one_of_the_catalogue_may_not() {
    let text = own("expr: sensor_ok == 0, for: 5m, keep_firing_for: 30m");
    assert_eq!(alert_rules(&text)[0]["keep_firing_for"], "30m");
    one_problem(
        &spec("{HostDown: {keep_firing_for: 5m}}", "{capture: {}}"),
        "5:38",
        "only for your own rules",
    );
    one_problem(&own("expr: up == 0, keep_firing_for: ever"), "5:48", "write a duration");
}

#[test]
fn an_alert_may_have_any_name_that_prometheus_takes() {
    let names = ["High error rate", "Php-fpm-children", "CertExpiry(<7d)", "a.b/c", "Zähler > 5 %", "5xx"];
    let lines = names.map(|name| format!("\n  \"{name}\": {{expr: up == 0, summary: x}}")).concat();
    let text = spec(&lines, "{capture: {}}");
    render(&text).success();
    let mut found: Vec<_> =
        alert_rules(&text).iter().map(|rule| rule["alert"].as_str().unwrap().to_owned()).collect();
    let mut expected = names.map(str::to_owned).to_vec();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    // A problem below such a name is still reported at its line.
    let text = spec("\n  \"a.b (c)\":\n    expr: up ==\n", "{capture: {}}");
    one_problem(&text, "7:11", "not valid PromQL");
    render(&spec("\n  \" x\": {expr: up == 0}\n", "{capture: {}}"))
        .code(2)
        .stderr_contains("no spaces at its ends");
    let project = Project::with_spec(&spec("\n  High error rate: {expr: 'x > 5'}", "{capture: {}}"));
    project
        .monctl()
        .args(["explain", "High error rate"])
        .run()
        .success()
        .stdout_contains("High error rate: x > 5");
}

#[test]
fn one_figure_may_have_two_thresholds() {
    let text = spec(
        "{HighCPUUsage: {above: 80, severity: warning}, HighCPUUsageCritical: {above: 95, severity: critical}}",
        "{capture: {}, runbooks: 'https://wiki.example.org/runbooks'}",
    );
    render(&text).success();
    let rules = alert_rules(&text);
    let of = |name: &str| rules.iter().find(|rule| rule["alert"] == name).unwrap().clone();
    for (name, above, severity) in
        [("HighCPUUsage", "> 80", "warning"), ("HighCPUUsageCritical", "> 95", "critical")]
    {
        let rule = of(name);
        assert!(rule["expr"].as_str().unwrap().ends_with(above), "{rule}");
        assert_eq!(rule["labels"]["severity"], severity);
        assert_eq!(rule["annotations"]["runbook_url"], "https://wiki.example.org/runbooks/HighCPUUsage.md");
    }
    render(&spec("{'DiskSpaceLow root': {above: 80}, DiskSpaceLow-2: {above: 95}}", "{capture: {}}"))
        .success();
    // The second one has its own rule tests, with its own threshold.
    if let Some(promtool) = program("promtool") {
        let project = Project::with_spec(&text);
        project.monctl().args(["render", "--out", "out"]).run().success();
        let tests = "tests/HighCPUUsageCritical.yml";
        let judged = Command::new(promtool)
            .args(["test", "rules", tests])
            .current_dir(project.path("out"))
            .output()
            .unwrap();
        assert!(judged.status.success(), "{}", String::from_utf8_lossy(&judged.stdout));
    }
    let unknown = spec("{HighCPUUsages: {above: 80}}", "{capture: {}}");
    one_problem(&unknown, "5:10", "did you mean `HighCPUUsage`?");
    let beyond = spec("{HighCPUUsageCritical: {above: 100}}", "{capture: {}}");
    one_problem(&beyond, "5:40", "the alert could never fire above 100%");
}

#[test]
fn a_severity_from_a_template_matches_any_severity_it_can_have() {
    let notify =
        |severity: &str| format!("{{capture: {{}}, severities: {{{severity}: {{repeat_interval: 1h}}}}}}");
    let rule = |severity: &str| format!("{{Own: {{expr: x > 0.8, severity: '{severity}'}}}}");
    let either = "{{ if gt $value 0.95 }}critical{{ else }}warning{{ end }}";
    render(&spec(&rule(either), &notify("critical"))).success();
    render(&spec(&rule("{{ $labels.severity }}"), &notify("critical"))).success();
    render(&spec(&rule("sev-1"), &notify("sev-1"))).success();
    let other = spec(&rule(either), &notify("high"));
    render(&other).code(2).stderr_contains("no alert has the severity `high`");
}

#[test]
fn an_invalid_value_causes_no_further_problems() {
    let mute = |mute: &str| {
        spec(
            "{HostDown: {}, HighCPUUsage: {}}",
            &format!("{{capture: {{}}, severities: {{warning: {{mute: [{mute}]}}}}}}"),
        )
    };
    render(&mute("{from: '22:00', to: 7:00, time_zone: Europe/Berlin}"))
        .code(2)
        .stderr_contains("has a problem")
        .stderr_contains("write a time such as `22:00`")
        .stderr_lacks("is empty");
    render(&mute("{from: '22:00', to: '07:00', time_zone: UTC+1}"))
        .code(2)
        .stderr_contains("has a problem")
        .stderr_contains("`UTC+1` is not a time zone");
    // Nor about the scrapes of a window, duplicate hosts, or the alert of a heartbeat.
    let slow =
        spec("{HighCPUUsage: {window: 20s}}", "{capture: {}}") + "monitoring: {scrape_interval: often}\n";
    render(&slow).code(2).stderr_contains("has a problem").stderr_lacks("a rate needs two scrapes");
    let hosts = spec("{HostDown: {}}", "{capture: {}}")
        .replace("provider: local", "provider: {hosts: {app: ['web1:22', 'web2:22'], monitoring: mon}}");
    render(&hosts)
        .code(2)
        .stderr_contains("has 2 problems")
        .stderr_lacks("is a duplicate")
        .stderr_lacks("is listed twice");
    let heard = spec("{Watchdog: 5, HostDown: {}}", "{capture: {}, heartbeat_url: {env: X}}");
    render(&heard).code(2).stderr_contains("has a problem").stderr_lacks("a heartbeat needs");
}

#[test]
fn a_template_that_prometheus_cannot_fill_is_refused_at_its_column() {
    for (template, column, words) in [
        ("free {{ $value * 100 }} %", 63, "no operators such as `*`"),
        ("{{ $label.instance }} is down", 51, "there is no variable `$label` here; did you mean `$labels`?"),
        ("{{ $value | humanizeNoSmallPrefix }}", 60, "no function `humanizeNoSmallPrefix`"),
        ("{{ if gt $value 80 }}x{{ end }}", 64, "write `80.0`"),
        ("{{ $labels.foo-bar }}", 62, "`-` is not allowed in a name"),
        ("{{ .Lables.a }}", 51, "did you mean `Labels`?"),
    ] {
        let text = own(&format!("expr: 'up == 0', description: '{template}'"));
        one_problem(&text, &format!("5:{}", column - 1), words);
    }
    let quotes = spec(
        "\n  Own:\n    expr: up == 0\n    description: \"{{ printf '%.1f' $value }}\"\n",
        "{capture: {}}",
    );
    one_problem(&quotes, "8:29", "write `\"%.1f\"`");
    let folded = spec(
        "\n  Own:\n    expr: up == 0\n    summary: >-\n      one\n      {{ nope $value }}\n",
        "{capture: {}}",
    );
    one_problem(&folded, "10:10", "no function `nope`");
    let labels = own("expr: up == 0, labels: {team: '{{ $lables.team }}'}");
    one_problem(&labels, "5:50", "there is no variable `$lables`");
    // All of them are reported at once, also by `plan`.
    let project = Project::with_spec(&spec(
        "\n  A: {expr: 'up == 0', description: '{{ $value * 100 }}'}\n  B: {expr: 'up == 0', summary: '{{ $label.x }}'}",
        "{capture: {}}",
    ));
    project.monctl().arg("plan").run().code(2).stderr_contains("has 2 problems");
}

#[test]
fn a_template_without_quotes_is_refused_with_a_remedy() {
    let text =
        spec("\n  Down:\n    expr: up == 0\n    summary: {{ $labels.instance }} is down", "{capture: {}}");
    one_problem(&text, "8:14", "quote a text with `{{` in YAML");
    let alone = spec("\n  Down:\n    expr: up == 0\n    summary: {{ $value }}", "{capture: {}}");
    one_problem(&alone, "8:14", "quote a text with `{{` in YAML");
    let colon = spec("\n  Down:\n    expr: up == 0\n    summary: CPU: {{ $value }} %", "{capture: {}}");
    one_problem(&colon, "8:14", "quote a text with `{{` in YAML");
}

#[test]
fn a_plain_text_of_the_catalogue_with_braces_is_a_warning() {
    let warnings = warned(&spec("{HighCPUUsage: {summary: '{{ $labels.instance }} busy'}}", "{capture: {}}"));
    assert!(warnings[0].contains("the message shows `{{ … }}` literally"), "{warnings:?}");
    assert_eq!(warned(&own("expr: up == 0, summary: '{{ $labels.instance }}'")), [""; 0]);
}

#[test]
fn a_tilde_is_the_home_folder_in_every_path() {
    let project = Project::new()
        .file("home/code/manage.py", "")
        .file("home/code/requirements.txt", "Django\n")
        .file("home/code/notes/wsgi.py", "application = None\n")
        .file("home/board.json", "{\"title\": \"Board\", \"panels\": []}")
        .file("home/webhook", "https://hooks.slack.com/services/hunter2\n");
    let text = spec("{HostDown: {}}", "{slack: {webhook_url: {file: ~/webhook}}}")
        .replace("path: site", "path: ~/code")
        + "grafana: {dashboards: [~/board.json]}\n";
    let project = project.file("monctl.yaml", text);
    let call =
        |home: &str| project.monctl().env("HOME", project.path(home)).args(["render", "--dry-run"]).run();
    call("home").success();
    call("nowhere").code(2).stderr_contains("nowhere/code`");
    let other = spec("{HostDown: {}}", "{capture: {}}").replace("path: site", "path: ~anna/code");
    one_problem(&other, "4:13", "only `~/…` is supported, not `~USER`");
}

/// A spec of hosts that exist.
fn hosts(app: &str, monitoring: &str) -> String {
    spec("{HostDown: {}}", "{capture: {}}").replace(
        "provider: local",
        &format!("provider:\n  hosts:\n    app: [{app}]\n    monitoring: {monitoring}"),
    )
}

#[test]
fn a_missing_key_is_reported_before_ssh_runs() {
    let text = hosts(
        "{ssh: 127.0.0.9, port: 9, address: 10.9.9.9, user: ubuntu, key: ~/.ssh/prod.pem}",
        "{ssh: 127.0.0.10, port: 9, address: 10.9.9.8, key: keys/not-there.pem}",
    );
    render(&text).success();
    let project = Project::with_spec(&text).file("home/.ssh/other.pem", "");
    let data = project.path("data");
    let plan =
        || project.monctl().env("HOME", project.path("home")).env("XDG_DATA_HOME", &data).arg("plan").run();
    plan()
        .code(2)
        .stderr_contains("has 2 problems")
        .stderr_contains("home/.ssh/prod.pem`")
        .stderr_contains("monctl.yaml:5:")
        .stderr_contains("keys/not-there.pem`");
    assert!(!data.exists(), "ssh was prepared");
}

#[test]
fn common_ways_to_write_hosts_are_accepted_or_corrected() {
    render(&hosts("{ssh: web1.invalid, user: anna.meier}", "Mon_1.invalid")).success();
    render(&hosts("{ssh: web1.invalid, user: SVC-Deploy}, 'fd00::7', _jump", "Anna.Meier@mon.invalid"))
        .success();
    for (app, words) in [
        ("'web1.invalid:2222'", "write the port next to the host: `{ssh: web1.invalid, port: 2222}`"),
        ("'deploy@web1.invalid:22'", "write the port next to the host: `{ssh: web1.invalid, port: 22}`"),
        ("'[fd00::7]'", "leave the brackets out: `fd00::7`"),
        ("'[fd00::7]:22'", "write the port next to the host: `{ssh: fd00::7, port: 22}`"),
        ("'-oProxyCommand=x'", "a host is written as for ssh"),
        ("'-lroot@web1'", "a host is written as for ssh"),
    ] {
        one_problem(&hosts(app, "mon.invalid"), "5:11", words);
    }
    one_problem(
        &hosts("{ssh: web1.invalid, user: -lroot}", "mon.invalid"),
        "5:37",
        "does not begin with `-`",
    );
}

#[test]
fn a_wsgi_entry_may_name_its_callable() {
    let with = |wsgi: &str| {
        spec("{HostDown: {}}", "{capture: {}}").replace("wsgi: notes.wsgi", &format!("wsgi: '{wsgi}'"))
    };
    render(&with("notes.wsgi:application")).success();
    render(&with("notes.wsgi:app")).success();
    render(&with("shop.wsgi:application")).code(2).stderr_contains("there is no `./site/shop/wsgi.py`");
    render(&with("notes.wsgi:make()")).code(2).stderr_contains("or with its callable");
}

#[test]
fn the_entry_point_decides_on_the_interface_and_is_found_where_none_is_named() {
    let settings = |entry: &str| {
        let text = spec("{HostDown: {}}", "{capture: {}}").replace(", wsgi: notes.wsgi", entry);
        let project = Project::with_spec(&text).file("site/notes/asgi.py", "");
        let spec = load(&project.path("monctl.yaml")).unwrap().spec;
        let bundle = Bundle::render(&spec, &Addresses::default()).unwrap();
        let settings = bundle.get("environment/settings").unwrap().masked().into_owned();
        settings.lines().filter(|line| line.contains("GI=")).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(settings(", asgi: 'notes.asgi:app'"), "MONCTL_ASGI=notes.asgi:app");
    assert_eq!(settings(", wsgi: notes.wsgi"), "MONCTL_WSGI=notes.wsgi");
    assert_eq!(settings(""), "MONCTL_WSGI=notes.wsgi");
    let both = ", wsgi: notes.wsgi, asgi: notes.wsgi";
    let text = spec("{HostDown: {}}", "{capture: {}}").replace(", wsgi: notes.wsgi", both);
    one_problem(&text, "4:43", "`wsgi` is given, too; leave out the one that is not to be served");
}

#[test]
fn django_prometheus_is_scraped_at_its_own_path() {
    let text = spec("{HostDown: {}}", "{capture: {}}");
    let project = |urls: &str| {
        Project::with_spec(&text)
            .file("site/notes/wsgi.py", "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'notes.settings')\n")
            .file(
                "site/notes/settings.py",
                "ROOT_URLCONF = 'notes.urls'\nINSTALLED_APPS = ['django_prometheus']\n",
            )
            .file("site/notes/urls.py", urls)
    };
    let scraped = |project: &Project| {
        let spec = load(&project.path("monctl.yaml")).unwrap().spec;
        let bundle = Bundle::render(&spec, &Addresses::default()).unwrap();
        let file: Value = serde_saphyr::from_str(&bundle.get("prometheus.yml").unwrap().masked()).unwrap();
        let settings = bundle.get("environment/settings").unwrap().masked().into_owned();
        let job = file["scrape_configs"]
            .as_array()
            .unwrap()
            .iter()
            .find(|job| job["job_name"] == "django-instance");
        (job.unwrap()["metrics_path"].clone(), settings)
    };
    let prefixed =
        project("urlpatterns = [path('monitoring/prometheus/', include('django_prometheus.urls'))]\n");
    let (path, settings) = scraped(&prefixed);
    assert_eq!(path, "/monitoring/prometheus/metrics");
    for line in ["MONCTL_METRICS=builtin\n", "MONCTL_METRICS_PATH=/monitoring/prometheus/metrics\n"] {
        assert!(settings.contains(line), "{settings}");
    }
    let (path, settings) = scraped(&project("urlpatterns = []\n"));
    assert_eq!(path, Value::Null);
    assert!(settings.contains("MONCTL_METRICS=exporter\n"), "{settings}");
    let pointless = text.replace("wsgi: notes.wsgi", "wsgi: notes.wsgi, metrics: exporter, metrics_path: /x");
    one_problem(&pointless, "4:70", "this is for `metrics: builtin` only");
}

#[test]
fn rules_have_the_names_of_the_spec() {
    let project =
        Project::with_spec(&spec("{HighCPUUsage: {}, 'HighCPUUsage night': {above: 95}}", "{capture: {}}"));
    let loaded = load(&project.path("monctl.yaml")).unwrap();
    let names: Vec<String> = rules(&loaded.spec).into_iter().map(|rule| rule.name).collect();
    assert_eq!(names, ["HighCPUUsage", "HighCPUUsage night"]);
}

#[test]
fn an_application_runs_in_the_folder_of_its_manage_py_with_its_folders_of_modules() {
    let files = |env: &str| {
        let text =
            spec("{HostDown: {}}", "{capture: {}}").replace("site,", &format!("repository, env: {{{env}}},"));
        let project = ["requirements.txt", "site/manage.py", "site/src/notes/wsgi.py"]
            .iter()
            .fold(Project::with_spec(&text), |project, name| project.file(&format!("repository/{name}"), ""));
        let loaded = load(&project.path("monctl.yaml")).unwrap();
        let bundle = Bundle::render(&loaded.spec, &Addresses::default()).unwrap();
        ["environment/settings", "systemd/monctl-app.service", "environment/app"]
            .map(|name| bundle.get(name).unwrap().masked().into_owned())
    };
    let [settings, unit, environment] = files("");
    assert!(
        settings.contains("MONCTL_APP_DIR=/srv/monctl/app/site\nMONCTL_APP_ROOT=/srv/monctl/app\n"),
        "{settings}"
    );
    assert!(unit.contains("\nWorkingDirectory=/srv/monctl/app/site\n"), "{unit}");
    assert!(environment.ends_with("PYTHONPATH=\"/srv/monctl/app/site/src\"\n"), "{environment}");
    let [_, _, environment] = files("PYTHONPATH: 'lib:/srv/monctl/app/shared'");
    let expected = "PYTHONPATH=\"/srv/monctl/app/site/src:lib:/srv/monctl/app/shared\"\n";
    assert!(environment.ends_with(expected), "{environment}");
}
