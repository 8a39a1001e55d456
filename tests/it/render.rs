//! Tests of `render`: the classic files, any text preserved, masks for secrets. promtool and amtool check the output.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::binary::{Monctl, Project, SPEC};
use crate::support::tools::required;
use monctl::host::HostName;
use monctl::playbook::Playbook;
use monctl::render::{Addresses, Bundle, Tool, check};
use monctl::secret::Secret;
use monctl::spec::{EnvName, EnvValue, Message, SecretName, SecretRef, Secrets, Spec, load};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

const CLASSIC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/classic/monctl.yaml");

fn classic() -> Spec {
    load(Path::new(CLASSIC)).unwrap().spec
}

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

fn rendered(bundle: &Bundle, name: &str) -> Value {
    yaml(&bundle.get(name).unwrap().masked())
}

fn bundle(spec: &Spec) -> Bundle {
    Bundle::render(spec, &Addresses::default()).unwrap()
}

/// A checker, if monctl finds it.
fn checker(tool: Tool) -> Option<std::path::PathBuf> {
    required(tool.name(), tool.find().ok_or("not on the `PATH` (`make tools`)"))
}

#[test]
fn the_classic_spec_renders_the_classic_files() {
    let addresses: Addresses = [(HostName::app(1), "203.0.113.7".parse().unwrap())].into_iter().collect();
    let bundle = Bundle::render(&classic(), &addresses).unwrap();
    let address = |text: &str| text.replace("<DJANGO_EC2_IP>", "203.0.113.7");

    // The classic files have no node exporter on the monitoring host, and call it by its loopback address.
    let mut prometheus = rendered(&bundle, "prometheus.yml");
    for job in prometheus["scrape_configs"].as_array_mut().unwrap() {
        let targets = job["static_configs"].as_array_mut().unwrap();
        targets.retain(|group| group["targets"] != json!(["localhost:9100"]));
        for group in targets {
            let labels = group.as_object_mut().unwrap().remove("labels");
            assert!(labels.is_none() || group["targets"] == json!(["localhost:9090"]), "{group}");
        }
    }
    let expected = include_str!("../fixtures/classic/prometheus.yml");
    assert_eq!(prometheus, yaml(&address(expected)));
    let rules = include_str!("../fixtures/classic/alert_rules.yml");
    assert_eq!(rendered(&bundle, "alert_rules.yml"), yaml(rules));

    let mut expected = yaml(include_str!("../fixtures/classic/alertmanager.yml"));
    let slack = expected.pointer_mut("/receivers/0/slack_configs/0").unwrap().as_object_mut().unwrap();
    slack.remove("api_url");
    slack.insert("api_url_file".into(), json!("/etc/monctl/monitoring/slack-webhook-url"));
    assert_eq!(rendered(&bundle, "alertmanager.yml"), expected);
}

#[test]
fn render_prints_files_with_masked_secrets() {
    let call = || Monctl::new().args(["-f", CLASSIC, "render", "--dry-run", "--address", "app=203.0.113.7"]);
    call().run().success().stdout_contains("203.0.113.7:8000").stdout_contains("[secret]");
    let document = call().args(["--output", "json"]).run().success().json();
    let prometheus = document["files"]["prometheus.yml"].as_str().unwrap();
    assert!(prometheus.contains("203.0.113.7:8000"), "{prometheus}");
    assert_eq!(document["warnings"].as_array().unwrap().len(), 0);
}

#[test]
fn render_writes_what_it_prints_and_nothing_else() {
    let project = Project::new();
    let before = project.files();
    project.monctl().args(["render", "--dry-run"]).run().success();
    assert_eq!(project.files(), before, "a dry run writes nothing");
    project.monctl().args(["render", "--out", "out/deep"]).run().success();
    let document = project.monctl().args(["--output", "json", "render", "--dry-run"]).run().success().json();
    for (name, text) in document["files"].as_object().unwrap() {
        let written = fs::read_to_string(project.path("out/deep").join(name)).unwrap();
        assert_eq!(written, text.as_str().unwrap(), "{name}");
    }
}

#[test]
fn render_reports_what_was_checked_and_what_was_not() {
    let project = Project::new();
    let dry = || project.monctl().args(["render", "--dry-run"]);
    dry()
        .env("PATH", "")
        .env_remove("MONCTL_PROMTOOL")
        .env_remove("MONCTL_AMTOOL")
        .run()
        .success()
        .stdout_contains("not checked: promtool and amtool are not installed")
        .stderr_contains("promtool is not installed, so it did not check the files")
        .stderr_contains("amtool is not installed, so it did not check the files");
    if checker(Tool::Promtool).is_some() && checker(Tool::Amtool).is_some() {
        dry()
            .run()
            .success()
            .stdout_contains("accepted by promtool and amtool")
            .stderr_lacks("not installed");
    }
}

#[test]
fn a_rule_that_promtool_rejects_ends_render() {
    let spec = format!("{}  Own: {{expr: \"unheard_of(up) > 0\"}}\n", SPEC.split("notify").next().unwrap());
    let project = Project::with_spec(&format!("{spec}notify: {{capture: {{}}}}\n"));
    if checker(Tool::Promtool).is_some() {
        let ran = project.monctl().args(["render", "--out", "out"]).run();
        ran.code(2).stderr_contains("promtool rejects").stderr_contains("could not parse expression");
        assert!(!project.path("out").exists(), "nothing was written");
    }
}

#[test]
fn hosts_without_an_address_have_placeholders_and_others_are_refused() {
    let project = Project::new();
    let dry = |address: &str| project.monctl().args(["render", "--dry-run", "--address", address]).run();
    dry("monitoring=203.0.113.8").success().stdout_contains("<APP_1_ADDRESS>:9100");
    dry("app-2=203.0.113.8")
        .code(2)
        .stderr_contains("no host `app-2`")
        .stderr_contains("`app`, `monitoring`");
}

#[test]
fn every_application_host_is_scraped_where_its_metrics_are() {
    let mut spec = classic();
    spec.app.count = 3;
    let targets = |spec: &Spec, job: usize| {
        let prometheus = rendered(&bundle(spec), "prometheus.yml");
        let configs = prometheus["scrape_configs"][job]["static_configs"].as_array().unwrap().clone();
        configs.last().unwrap()["targets"].clone()
    };
    assert_eq!(
        targets(&spec, 1),
        json!(["<APP_1_ADDRESS>:8000", "<APP_2_ADDRESS>:8000", "<APP_3_ADDRESS>:8000"])
    );
    assert_eq!(targets(&spec, 2).as_array().unwrap().len(), 3);
    spec.app.metrics = Some(monctl::spec::Metrics::Exporter);
    assert_eq!(targets(&spec, 1)[0], "<APP_1_ADDRESS>:9101");
}

#[test]
fn a_host_of_a_further_role_has_node_exporter_behind_a_firewall_and_nothing_else() {
    let spec = SPEC.replace("provider: local", "provider: {hosts: {app: [a], monitoring: m, db: [d, e]}}");
    let project = Project::with_spec(&spec);
    let spec = load(&project.path("monctl.yaml")).unwrap().spec;
    let hosts: Vec<String> = spec.hosts().iter().map(ToString::to_string).collect();
    assert_eq!(hosts, ["app", "db", "db-2", "monitoring"]);

    let bundle = bundle(&spec);
    let prometheus = rendered(&bundle, "prometheus.yml");
    let of_db = |job: &&Value| job.to_string().contains("<DB_");
    let jobs: Vec<&Value> = prometheus["scrape_configs"].as_array().unwrap().iter().filter(of_db).collect();
    let [node] = jobs[..] else { panic!("{jobs:?}") };
    assert_eq!(
        node["static_configs"],
        json!([
            {"targets": ["localhost:9100"], "labels": {"instance": "monitoring:9100"}},
            {"targets": ["<APP_1_ADDRESS>:9100", "<DB_1_ADDRESS>:9100", "<DB_2_ADDRESS>:9100"]},
        ])
    );
    let text = |name: &str| bundle.get(name).unwrap().masked().into_owned();
    assert!(text("roles/db/nftables/rules.nft").contains("tcp dport { 9100 } jump metrics"));
    let steps = |role: &str| {
        let playbook =
            Playbook::of(role.parse().unwrap(), &spec.flags(), spec.catalogue.integrations()).unwrap();
        playbook.steps.iter().map(|step| step.id.to_string()).collect::<Vec<_>>()
    };
    let of_node = ["packages", "node-exporter-release", "node-exporter-user", "node-exporter"];
    assert_eq!(steps("db"), [&["packages", "firewall"][..], &of_node].concat());
}

#[test]
fn a_process_has_a_unit_with_its_command_word_for_word() {
    let project = Project::with_spec(&SPEC.replace(
        "  wsgi:",
        "  processes:\n    worker: celery -A notes worker -n 'mail $x-%h'\n    beat: {command: ./manage.py beat, stop_within: 1m30s}\n  wsgi:",
    ));
    let bundle = bundle(&load(&project.path("monctl.yaml")).unwrap().spec);
    let unit = |name: &str| bundle.get(&format!("systemd/monctl-app-{name}.service")).unwrap().masked();
    let worker = unit("worker");
    for line in [
        r#"ExecStart=/usr/bin/env -- "celery" "-A" "notes" "worker" "-n" "mail $$x-%%h""#,
        "User=monctl-app",
        "EnvironmentFile=/etc/monctl/app/environment",
        "TimeoutStopSec=1m",
        "ProtectSystem=strict",
    ] {
        assert!(worker.lines().any(|it| it == line), "{line} is not in {worker}");
    }
    // The workers' settings would make it count requests.
    assert!(!worker.contains("/etc/monctl/app/settings"), "{worker}");
    assert!(unit("beat").contains("\nTimeoutStopSec=1m30s\n"));
    assert!(bundle.get("systemd/process.service").is_none());
}

#[test]
fn a_server_of_the_application_has_files_and_gives_its_address_only_where_the_spec_names_it() {
    let rendered = |services: &str| {
        let lines = format!("  services: [{services}]\n  processes: {{worker: celery}}\n  wsgi:");
        let project = Project::with_spec(&SPEC.replace("  wsgi:", &lines));
        bundle(&load(&project.path("monctl.yaml")).unwrap().spec)
    };
    for (services, has_postgresql, has_redis) in [
        ("", false, false),
        ("postgresql", true, false),
        ("redis", false, true),
        ("postgresql, redis", true, true),
    ] {
        let bundle = rendered(services);
        let of = |service: &str| bundle.iter().filter(|(name, _)| name.contains(service)).count();
        assert_eq!((of("postgresql") > 0, of("redis") > 0), (has_postgresql, has_redis), "{services}");
        let environment = bundle.get("environment/app").unwrap().masked();
        assert_eq!(environment.contains("\nDATABASE_URL=postgresql://monctl-app@/app\n"), has_postgresql);
        for unit in ["monctl-app", "monctl-app-worker"] {
            let unit = bundle.get(&format!("systemd/{unit}.service")).unwrap().masked();
            assert_eq!(unit.contains("\nAfter=monctl-postgresql.service\n"), has_postgresql, "{unit}");
            assert_eq!(unit.contains("\nAfter=monctl-redis.service\n"), has_redis, "{unit}");
            assert_eq!(
                unit.contains("\nEnvironmentFile=/var/lib/monctl/services/environment\n"),
                has_redis,
                "{unit}"
            );
        }
    }
}

#[test]
fn the_networks_of_the_spec_may_reach_the_application_and_by_default_all() {
    let mut spec = classic();
    let addresses: Addresses = [(HostName::MONITORING, "10.0.0.2".parse().unwrap())].into_iter().collect();
    let rules = |spec: &Spec| {
        Bundle::render(spec, &addresses)
            .unwrap()
            .get("roles/app/nftables/rules.nft")
            .unwrap()
            .masked()
            .into_owned()
    };
    assert!(!rules(&spec).contains("8000"), "{}", rules(&spec));
    spec.app.allow = ["203.0.113.0/24", "2001:db8::/32"].map(|net| net.to_owned().try_into().unwrap()).into();
    let guarded = rules(&spec);
    assert!(guarded.contains("tcp dport 8000 jump application"), "{guarded}");
    let accepted: Vec<&str> = guarded.lines().map(str::trim).filter(|line| line.contains("saddr")).collect();
    let expected = [
        "ip saddr 10.0.0.2 accept",
        "ip saddr 10.0.0.2 accept",
        "ip saddr 203.0.113.0/24 accept",
        "ip6 saddr 2001:db8::/32 accept",
    ];
    assert_eq!(accepted, expected);
}

#[test]
fn a_domain_has_a_web_server_and_the_applications_own_port_is_closed() {
    let of = |changes: &[(&str, Value)]| {
        let mut spec = serde_json::to_value(classic()).unwrap();
        for (key, value) in changes {
            spec["app"][*key] = value.clone();
        }
        serde_json::from_value::<Spec>(spec).unwrap()
    };
    assert!(bundle(&classic()).get("caddy/Caddyfile").is_none());

    let acme = json!({"email": "ops@example.org", "directory": "https://acme.example/dir"});
    let domain = json!(["shop.example", "www.shop.example"]);
    let changes = [
        ("domain", domain),
        ("acme", acme),
        ("metrics", json!("exporter")),
        ("allow", json!(["192.0.2.0/24"])),
    ];
    let files = bundle(&of(&changes));
    insta::assert_snapshot!(files.get("caddy/Caddyfile").unwrap().masked());
    let socket = files.get("systemd/monctl-app.socket").unwrap().masked();
    assert!(socket.contains("ListenStream=127.0.0.1:8000"), "{socket}");
    let rules = files.get("roles/app/nftables/rules.nft").unwrap().masked();
    assert!(rules.contains("tcp dport { 2019, 2020, 8000, 9100, 9101 } jump metrics"), "{rules}");
    assert!(rules.contains("tcp dport 443 jump application") && !rules.contains("dport 80 "), "{rules}");
    let unit = files.get("roles/app/systemd/monctl-caddy-certificates.service").unwrap().masked();
    assert!(unit.contains("2020 shop.example www.shop.example\n"), "{unit}");

    // Prometheus scrapes the application's own port there.
    let builtin = bundle(&of(&[("domain", json!("shop.example")), ("metrics", json!("builtin"))]));
    let socket = builtin.get("systemd/monctl-app.socket").unwrap().masked();
    assert!(socket.contains("ListenStream=0.0.0.0:8000"), "{socket}");
    let caddyfile = builtin.get("caddy/Caddyfile").unwrap().masked();
    assert!(!caddyfile.contains("acme_ca") && !caddyfile.contains("email"), "{caddyfile}");
}

#[test]
fn application_hosts_of_an_autoscaling_group_are_found_by_their_tag() {
    let found = |aws: &str| {
        let spec = SPEC
            .replace("provider: local", &format!("provider: {{aws: {{{aws}}}}}"))
            .replace("alerts:", "monitoring: {discovery: ec2}\nalerts:");
        Project::with_spec(&spec).monctl().args(["render", "--out", "out", "--output", "json"]).run()
    };
    let project = found("region: eu-central-1, endpoint: http://10.0.0.1:5000").success();
    let verdicts = &project.json()["checked"];
    assert!(verdicts["promtool"] == "accepted" || checker(Tool::Promtool).is_none(), "{project}");
    let prometheus = project.json()["files"]["prometheus.yml"].as_str().map(yaml).unwrap();
    let monitoring = json!([{"targets": ["localhost:9100"], "labels": {"instance": "monitoring:9100"}}]);
    for (job, port, others) in [(1, 9101, None), (2, 9100, Some(&monitoring))] {
        let job = &prometheus["scrape_configs"][job];
        assert_eq!(job.get("static_configs"), others, "{job}");
        let ec2 = &job["ec2_sd_configs"][0];
        assert_eq!((&ec2["region"], &ec2["port"]), (&json!("eu-central-1"), &json!(port)));
        assert_eq!(ec2["endpoint"], "http://10.0.0.1:5000");
        assert_eq!(ec2["filters"][0], json!({"name": "tag:monctl:scrape", "values": ["notes"]}));
    }
    found("").code(2).stderr_contains("monctl.yaml:7:25: discovery needs `provider.aws.region`");
}

#[test]
fn a_spec_renders_to_the_same_bytes_every_time() {
    let mut spec = classic();
    spec.alerts.get_mut("HighCPUUsage").unwrap().labels =
        ["a", "b", "c", "d", "e"].map(|name| (name.parse().unwrap(), String::new())).into();
    let first = bundle(&spec);
    assert!((0..20).all(|_| bundle(&spec) == first));
}

#[test]
fn resolved_notifications_are_sent_unless_the_spec_disables_them() {
    let send_resolved = |choice: Option<bool>| {
        let mut spec = classic();
        spec.notify.slack.as_mut().unwrap().message.send_resolved = choice;
        rendered(&bundle(&spec), "alertmanager.yml")["receivers"][0]["slack_configs"][0]["send_resolved"]
            .clone()
    };
    assert_eq!([None, Some(true), Some(false)].map(send_resolved), [json!(true), json!(true), Value::Null]);
}

/// User text: random combinations of fragments that break quoting, and any text.
fn text() -> impl Strategy<Value = String> {
    let fragments = prop::sample::select(vec![
        "\"",
        "'",
        "\\",
        "\n",
        "\r\n",
        "\t",
        "{{",
        "}}",
        "{",
        "}",
        "{{ $labels.x }}",
        "{{-",
        "-}}",
        "{%",
        "%}",
        "{#",
        "#}",
        "$",
        "${above}",
        "${window}",
        "%",
        "- ",
        "* ",
        "&a ",
        "*a",
        "!!int ",
        "#",
        " # ",
        ": ",
        "|",
        ">",
        "@",
        "`",
        "~",
        "null",
        "yes",
        "1e3",
        "0x1",
        "<<",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "\u{1}",
        "\u{7f}",
        "Überlast",
        "高負荷",
        "🔥",
        "مرحبا",
        " ",
        "a",
    ]);
    prop_oneof![
        3 => prop::collection::vec(fragments, 0..8).prop_map(|parts| parts.concat()),
        1 => any::<String>().prop_map(|text| text.replace('\0', "")),
    ]
}

/// Text that is not a template: text with `{{` is passed to Alertmanager as it is.
fn plain_text() -> impl Strategy<Value = String> {
    text().prop_map(|text| text.split("{{").collect::<Vec<_>>().join(" "))
}

/// Text in double quotes with everything but letters and digits escaped. Independent of monctl's own quoting.
fn quoted(text: &str) -> String {
    let escape = |c: char| match c {
        c if c.is_ascii_alphanumeric() => c.to_string(),
        c => format!("\\U{:08x}", u32::from(c)),
    };
    format!("\"{}\"", text.chars().map(escape).collect::<String>())
}

/// Checks the annotations and labels of the firing alert with Prometheus' own templates.
fn promtool_expects(program: &Path, bundle: &Bundle, texts: &[String; 3]) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let rules = bundle.get("alert_rules.yml").unwrap().masked();
    fs::write(folder.path().join("alert_rules.yml"), rules.as_bytes()).unwrap();
    let [summary, description, label] = texts.each_ref().map(|text| quoted(text));
    // Prometheus drops empty labels.
    let label = if texts[2].is_empty() { String::new() } else { format!("team: {label}, ") };
    let test = format!(
        "rule_files: [alert_rules.yml]
evaluation_interval: 15s
tests:
  - interval: 15s
    input_series:
      - series: 'node_cpu_seconds_total{{mode=\"idle\", instance=\"i\"}}'
        values: '0x40'
    alert_rule_test:
      - eval_time: 5m
        alertname: HighCPUUsage
        exp_alerts:
          - exp_labels: {{{label}severity: warning, instance: i}}
            exp_annotations: {{summary: {summary}, description: {description}}}
"
    );
    fs::write(folder.path().join("test.yml"), test).unwrap();
    let mut command = Command::new(program);
    let output = command.args(["test", "rules", "test.yml"]).current_dir(folder.path()).output().unwrap();
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

/// The result of a rendered field in Alertmanager's templates.
fn amtool_renders(program: &Path, template: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.tmpl");
    fs::write(&empty, "").unwrap();
    let output = Command::new(program)
        .args(["template", "render", "--template.glob"])
        .arg(&empty)
        .arg(format!("--template.text={template}"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{template:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A text with the three entities of Slack's markup decoded.
fn shown_by_slack(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

#[test]
fn any_text_survives_templates_yaml_and_go() {
    let (Some(promtool), Some(amtool)) = (checker(Tool::Promtool), checker(Tool::Amtool)) else { return };
    let mut runner = TestRunner::new(Config { cases: 48, failure_persistence: None, ..Config::default() });
    let strategy = (prop::array::uniform3(text()), prop::array::uniform3(plain_text()));
    let result = runner.run(&strategy, |(rule, message)| {
        let mut spec = classic();
        let alert = spec.alerts.get_mut("HighCPUUsage").unwrap();
        alert.summary = Some(rule[0].clone());
        alert.description = Some(rule[1].clone());
        alert.labels = [("team".parse().unwrap(), rule[2].clone())].into();
        let [channel, title, text] = message.clone().map(Some);
        spec.notify.slack.as_mut().unwrap().message = Message { channel, title, text, send_resolved: None };

        let bundle = bundle(&spec);
        prop_assert!(check(&bundle).is_ok(), "{:?}", check(&bundle).map_err(|error| error.causes()));
        if let Err(reason) = promtool_expects(&promtool, &bundle, &rule) {
            return Err(TestCaseError::fail(reason));
        }
        let slack = rendered(&bundle, "alertmanager.yml")["receivers"][0]["slack_configs"][0].take();
        for (field, expected) in ["channel", "title", "text"].into_iter().zip(&message) {
            let sent = amtool_renders(&amtool, slack[field].as_str().unwrap());
            // Slack decodes entities in texts; a channel's name is sent as it is.
            let (seen, expected) = match field {
                "channel" => (sent, expected.clone()),
                _ => (shown_by_slack(&sent), shown_by_slack(expected)),
            };
            prop_assert_eq!(seen, expected, "{}", field);
        }
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}

/// The value of a variable after a shell reads an environment file. In double quotes it parses as systemd does.
fn sourced(file: &str, name: &str) -> String {
    let script = format!("set -e; . /dev/stdin; printf %s \"${name}\"");
    let mut shell = Command::new("sh")
        .arg("-c")
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    shell.stdin.take().unwrap().write_all(file.as_bytes()).unwrap();
    let output = shell.wait_with_output().unwrap();
    assert!(output.status.success(), "{file}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn any_value_of_the_environment_survives_its_file_plain_or_secret() {
    let mut runner = TestRunner::new(Config { cases: 64, failure_persistence: None, ..Config::default() });
    let allowed =
        |text: String| text.replace(|c: char| c.is_ascii_control() && !matches!(c, '\n' | '\t'), "");
    let result = runner.run(&text().prop_map(allowed), |value| {
        let mut spec = classic();
        let (plain, secret) = ("PLAIN".parse().unwrap(), "SECRET".parse::<EnvName>().unwrap());
        let reference = SecretRef::Env(secret.clone());
        spec.app.env =
            [(plain, EnvValue::Plain(value.clone())), (secret.clone(), EnvValue::Secret(reference))].into();
        let secrets = Secrets::from_iter([(SecretName::Env(secret), Secret::new(value.clone()))]);
        let bundle = bundle(&spec);
        let content = bundle.get("environment/app").unwrap();
        prop_assert!(content.is_secret());
        prop_assert!(content.masked().contains("SECRET=\"[secret]\"\n"));
        let file = content.reveal(&secrets).unwrap();
        for name in ["PLAIN", "SECRET"] {
            prop_assert_eq!(&sourced(file.expose(), name), &value, "{}", name);
        }
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn every_alert_of_the_catalogue_is_accepted() {
    if checker(Tool::Promtool).is_none() {
        return;
    }
    let mut spec = classic();
    spec.alerts = monctl::spec::Catalogue::default()
        .names()
        .map(|name| (name.parse().unwrap(), monctl::spec::Alert::default()))
        .collect();
    check(&bundle(&spec)).unwrap();
}

#[test]
fn hosts_are_always_monitored_and_prometheus_itself_if_an_alert_needs_it() {
    let with = |name: &str| {
        let mut spec = classic();
        spec.alerts = [(name.parse().unwrap(), monctl::spec::Alert::default())].into();
        bundle(&spec)
    };
    let has = |bundle: &Bundle, file: &str, text: &str| bundle.get(file).unwrap().masked().contains(text);
    for (unit, address) in [("app", "=:9100"), ("monitoring", "=127.0.0.1:9100")] {
        let unit = format!("roles/{unit}/systemd/monctl-node-exporter.service");
        let options = format!("--web.listen-address{address} ");
        assert!(has(&with("HighCPUUsage"), &unit, &options), "{unit}");
        assert!(has(&with("HighCPUUsage"), &unit, "--collector.systemd"), "{unit}");
    }
    for sources in [r#"job_name: "alertmanager""#, "/proofs/"] {
        assert!(has(&with("NotificationsFailing"), "prometheus.yml", sources));
        assert!(has(&with("AlertUnproven"), "prometheus.yml", sources));
        assert!(!has(&with("HighCPUUsage"), "prometheus.yml", sources));
    }
}

#[test]
fn render_writes_tests_that_promtool_runs_next_to_the_rules() {
    let Some(promtool) = checker(Tool::Promtool) else { return };
    let project = Project::with_spec(&SPEC.replace("notify:", "  HostDown: {for: 30s}\nnotify:"));
    project.monctl().args(["render", "--out", "out"]).run().success().stdout_contains("promtool test rules");
    let files = project.files();
    for name in ["HighCPUUsage", "HostDown"] {
        assert!(files.contains(&format!("out/tests/{name}.yml")), "{files:?}");
    }
    let run = || {
        let mut command = Command::new(&promtool);
        command.args(["test", "rules", "tests/HighCPUUsage.yml", "tests/HostDown.yml"]);
        command.current_dir(project.path("out")).output().unwrap().status.success()
    };
    assert!(run());
    // They test the rules in this folder.
    let rules = project.path("out/alert_rules.yml");
    let text = fs::read_to_string(&rules).unwrap();
    fs::write(&rules, text.replace("for: 30s", "for: 45s")).unwrap();
    assert!(!run(), "another `for` must fail the tests");
}

#[test]
fn a_thousand_application_hosts_render_in_little_time() {
    let mut spec = classic();
    spec.app.count = 1000;
    bundle(&spec);
    let start = std::time::Instant::now();
    let bundle = bundle(&spec);
    // `make bench` measures the aim, 50 ms with optimisation; this test finds gross regressions.
    assert!(start.elapsed().as_millis() < 1000, "{:?}", start.elapsed());
    assert!(bundle.get("prometheus.yml").unwrap().masked().contains("<APP_1000_ADDRESS>:9100"));
}
