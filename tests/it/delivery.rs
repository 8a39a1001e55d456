//! Routes and content of messages, as Alertmanager itself evaluates them: inhibition, mute times, the heartbeat.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::support::binary::{Project, SPEC};
use crate::support::pipeline::{Process, alertmanager_process, free_address};
use crate::support::tools::program;
use monctl::http::alertmanager::{Alertmanager, HeldAlert};
use monctl::http::{Client, Endpoint};
use monctl::render::{Addresses, Bundle, check};
use monctl::secret::Secret;
use monctl::spec::{SecretName, Secrets, Spec, load};
use serde_json::{Value, json};

const DEADLINE: Duration = Duration::from_mins(1);
const SLACK: &str = "  slack: {webhook_url: {env: HOOK}, channel: '#alerts'}\n";
const SEVERITIES: &str = "  severities:
    critical: {webhook_url: {env: ON_CALL}, channel: '#on-call', repeat_interval: 1h}
    warning:
      send_resolved: false
      mute: [{from: '22:00', to: '07:00', days: [friday], time_zone: Europe/Berlin}]
";

/// A spec with these alerts and this `notify`.
fn spec(alerts: &str, notify: &str) -> Spec {
    let (before, _) = SPEC.split_once("alerts:").unwrap();
    let text = format!("{before}alerts: {{{alerts}}}\nnotify:\n{notify}");
    load(&Project::with_spec(&text).path("monctl.yaml")).unwrap().spec
}

fn bundle(spec: &Spec) -> Bundle {
    Bundle::render(spec, &Addresses::default()).unwrap()
}

fn rendered(spec: &Spec) -> Value {
    serde_saphyr::from_str(&bundle(spec).get("alertmanager.yml").unwrap().masked()).unwrap()
}

/// The receiver that Alertmanager's routes select for these labels.
fn receiver(amtool: &Path, spec: &Spec, labels: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("alertmanager.yml");
    let text =
        bundle(spec).get("alertmanager.yml").unwrap().masked().replace("[secret]", "http://127.0.0.1:9/");
    fs::write(&file, text).unwrap();
    let mut command = Command::new(amtool);
    let output = command.args(["config", "routes", "test", "--config.file"]).arg(&file).args(labels).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn severities_are_routed_as_in_the_spec() {
    let Some(amtool) = program("amtool") else { return };
    let spec = spec("HighCPUUsage: {}, HostDown: {}, Own: {expr: up == 0}", &format!("{SLACK}{SEVERITIES}"));
    check(&bundle(&spec)).unwrap();
    for (labels, expected) in [
        (&["alertname=HostDown", "severity=critical"][..], "slack-critical"),
        (&["alertname=HighCPUUsage", "severity=warning"], "slack-warning"),
        (&["alertname=Own"], "slack-notifications"),
        (&["alertname=Own", "severity=criticals"], "slack-notifications"),
    ] {
        assert_eq!(receiver(&amtool, &spec, labels), expected, "{labels:?}");
    }
}

#[test]
fn a_severity_overrides_only_its_own_settings() {
    let document = rendered(&spec("HighCPUUsage: {}, HostDown: {}", &format!("{SLACK}{SEVERITIES}")));
    let [usual, critical, warning] = [0, 1, 2].map(|at| &document["receivers"][at]["slack_configs"][0]);
    assert_eq!(usual["channel"], "#alerts");
    assert_eq!((&critical["channel"], &warning["channel"]), (&json!("#on-call"), &json!("#alerts")));
    assert_eq!(critical["api_url_file"], "/etc/monctl/monitoring/webhooks/critical");
    assert_eq!(warning["api_url_file"], usual["api_url_file"]);
    assert_eq!((&critical["send_resolved"], &warning["send_resolved"]), (&json!(true), &Value::Null));
    assert_eq!(critical["text"], usual["text"]);
    let [critical, warning] = [0, 1].map(|at| &document["route"]["routes"][at]);
    assert_eq!((&critical["repeat_interval"], &warning["repeat_interval"]), (&json!("1h"), &Value::Null));
    assert_eq!(warning["mute_time_intervals"], json!(["warning"]));
    assert_eq!(critical["mute_time_intervals"], Value::Null);
}

#[test]
fn a_night_is_muted_on_both_sides_of_midnight() {
    let document = rendered(&spec("HighCPUUsage: {}, HostDown: {}", &format!("{SLACK}{SEVERITIES}")));
    let intervals = json!([{"name": "warning", "time_intervals": [
        {"times": [{"start_time": "22:00", "end_time": "24:00"}], "weekdays": ["friday"], "location": "Europe/Berlin"},
        {"times": [{"start_time": "00:00", "end_time": "07:00"}], "weekdays": ["saturday"], "location": "Europe/Berlin"},
    ]}]);
    assert_eq!(document["time_intervals"], intervals);
}

#[test]
fn the_webhook_of_a_severity_has_its_own_file() {
    let bundle = bundle(&spec(
        "HostDown: {}",
        &format!("{SLACK}  severities: {{critical: {{webhook_url: {{env: ON_CALL}}}}}}\n"),
    ));
    let file = bundle.get("alertmanager/webhooks/critical").unwrap();
    assert_eq!(file.masked(), "[secret]");
    let name = SecretName::SeverityWebhookUrl("critical".parse().unwrap());
    let secrets = Secrets::from_iter([(name, Secret::new("https://hooks.slack.com/services/T/B/hunter2"))]);
    assert_eq!(file.reveal(&secrets).unwrap().expose(), "https://hooks.slack.com/services/T/B/hunter2");
}

#[test]
fn the_heartbeat_has_its_url_only_on_the_host() {
    let Some(amtool) = program("amtool") else { return };
    let spec = spec("Watchdog: {}, HighCPUUsage: {}", &format!("{SLACK}  heartbeat_url: {{env: BEAT}}\n"));
    check(&bundle(&spec)).unwrap();
    let bundle = bundle(&spec);
    let file = bundle.get("alertmanager.yml").unwrap();
    assert!(file.is_secret());
    assert!(file.masked().contains("url: \"[secret]\"\n"), "{}", file.masked());
    let url = "https://beat.example/\"hunter2\\";
    let secrets = Secrets::from_iter([(SecretName::HeartbeatUrl, Secret::new(url))]);
    let revealed: Value = serde_saphyr::from_str(file.reveal(&secrets).unwrap().expose()).unwrap();
    assert_eq!(revealed["receivers"][1]["webhook_configs"][0]["url"], url);
    assert_eq!(receiver(&amtool, &spec, &["alertname=Watchdog", "severity=none"]), "heartbeat");
    assert_eq!(receiver(&amtool, &spec, &["alertname=HighCPUUsage"]), "slack-notifications");
}

#[test]
fn alerts_of_one_name_share_a_message_and_one_alone_needs_no_group() {
    let groups = |alerts: &str| rendered(&spec(alerts, SLACK))["route"]["group_by"].clone();
    assert_eq!(groups("HighCPUUsage: {}"), Value::Null);
    assert_eq!(groups("HighCPUUsage: {}, HighMemoryUsage: {}"), json!(["alertname"]));
}

#[test]
fn inhibition_rules_exist_only_with_their_source_alert() {
    let rules = |alerts: &str, more: &str| {
        rendered(&spec(alerts, &format!("{SLACK}{more}")))["inhibit_rules"].clone()
    };
    assert_eq!(rules("HighCPUUsage: {}, HighMemoryUsage: {}", ""), Value::Null);
    assert_eq!(rules("HostDown: {}", ""), Value::Null);
    assert_eq!(rules("HostDown: {}, HighCPUUsage: {}", "").as_array().unwrap().len(), 1);
    let beat = "  heartbeat_url: {env: BEAT}\n";
    assert_eq!(rules("Watchdog: {}, NotificationsFailing: {}", beat).as_array().unwrap().len(), 1);
    assert_eq!(rules("Watchdog: {}, HighCPUUsage: {}", beat), Value::Null);
}

/// The message's text for these alerts, rendered by Alertmanager's templates.
fn text(amtool: &Path, spec: &Spec, alerts: &Value) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let template = rendered(spec)["receivers"][0]["slack_configs"][0]["text"].as_str().unwrap().to_owned();
    let data = json!({"receiver": "x", "status": "firing", "alerts": alerts, "groupLabels": {}, "commonLabels": {},
        "commonAnnotations": {}, "externalURL": "http://localhost:9093"});
    let output = Command::new(amtool)
        .args(["template", "render", "--template.glob"])
        .arg(file("empty.tmpl", ""))
        .arg("--template.data")
        .arg(file("data.json", &data.to_string()))
        .arg(format!("--template.text={template}"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// An alert as Alertmanager gets it, by the rule of this name.
fn alert(spec: &Spec, name: &str, status: &str, labels: Value) -> Value {
    let rule = monctl::render::rules(spec).into_iter().find(|rule| rule.name == name).unwrap();
    let mut labels = labels;
    labels["alertname"] = name.into();
    labels["severity"] = rule.labels["severity"].clone().into();
    let annotations: Value = rule
        .annotations
        .iter()
        .map(|(name, text)| ((*name).clone(), text.replace("{{ $labels.instance }}", "192.0.2.1:9100")))
        .collect();
    json!({"status": status, "labels": labels, "annotations": annotations,
        "startsAt": "2026-03-01T04:05:06Z", "endsAt": "2026-03-01T05:05:06Z"})
}

#[test]
fn a_message_has_summary_host_start_value_and_remedy() {
    let Some(amtool) = program("amtool") else { return };
    let spec =
        spec("HighCPUUsage: {}, HostDown: {}", &format!("{SLACK}  runbooks: https://docs.example/alerts/\n"));
    let labels = json!({"instance": "192.0.2.1:9100", "host": "192.0.2.1"});
    let alerts = json!([
        alert(&spec, "HighCPUUsage", "firing", labels.clone()),
        alert(&spec, "HostDown", "resolved", labels),
    ]);
    let output = text(&amtool, &spec, &alerts).replace("{{ printf \"%.1f\" $value }}", "93.2");
    assert_eq!(
        output.trim_end(),
        "High CPU usage detected: CPU usage is above 80% on 192.0.2.1:9100\n\
         instance `192.0.2.1:9100`, severity `warning`\n\
         since 2026-03-01 04:05:06 UTC, now *93.2%*\n\
         *What to do:* Find the process that takes the CPU (`top` on the host), and see whether requests have become slow.\n\
         <https://docs.example/alerts/HighCPUUsage.md|More about HighCPUUsage>\n\
         \n\
         Host does not answer: Node exporter on 192.0.2.1:9100 has not answered for 2m; other alerts of this host are inhibited\n\
         instance `192.0.2.1:9100`, severity `critical`\n\
         since 2026-03-01 04:05:06 UTC until 2026-03-01 05:05:06 UTC"
    );
}

#[test]
fn a_message_without_published_pages_names_a_command_that_works() {
    let Some(amtool) = program("amtool") else { return };
    let spec = spec("HighCPUUsage: {}", SLACK);
    let output = text(&amtool, &spec, &json!([alert(&spec, "HighCPUUsage", "firing", json!({}))]));
    assert!(output.contains("More: `monctl runbook HighCPUUsage`"), "{output}");
    assert!(!output.contains("http"), "a link that leads nowhere: {output}");
}

#[test]
fn a_text_of_the_user_replaces_the_whole_text() {
    let spec =
        spec("HighCPUUsage: {}", "  slack: {webhook_url: {env: HOOK}, title: T, text: 'CPU HIGH LOAD'}\n");
    let message = rendered(&spec)["receivers"][0]["slack_configs"][0].take();
    assert_eq!(
        message,
        json!({"api_url_file": "/etc/monctl/monitoring/slack-webhook-url", "title": "T",
        "text": "CPU HIGH LOAD", "send_resolved": true})
    );
    let rules = monctl::render::rules(&spec);
    assert_eq!(rules[0].annotations.keys().collect::<Vec<_>>(), [&"description", &"summary"]);
}

/// A real Alertmanager with a spec's configuration, until it is dropped.
struct Running {
    alertmanager: Alertmanager,
    client: Client,
    _process: Process,
    _folder: tempfile::TempDir,
}

impl Running {
    async fn start(spec: &Spec) -> Option<Self> {
        Self::telling(spec, "http://127.0.0.1:9/").await
    }

    /// One that sends its messages to this address.
    async fn telling(spec: &Spec, slack: &str) -> Option<Self> {
        let program = program("prometheus-alertmanager")?;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("url");
        fs::write(&file, slack).unwrap();
        let text =
            bundle(spec).get("alertmanager.yml").unwrap().masked().replace("[secret]", "http://127.0.0.1:9/");
        let text = text.replace("/etc/monctl/monitoring/slack-webhook-url", &file.display().to_string());
        fs::write(folder.path().join("alertmanager.yml"), text).unwrap();
        let address: SocketAddr = free_address();
        let process = alertmanager_process(&program, folder.path(), address);
        let running = Self {
            alertmanager: Alertmanager::new(&Endpoint::Tcp(address)).unwrap(),
            client: Client::new("Alertmanager", &Endpoint::Tcp(address)).unwrap(),
            _process: process,
            _folder: folder,
        };
        let begin = Instant::now();
        while !running.client.get("/-/ready").await.is_ok_and(|answer| answer.is_success()) {
            assert!(begin.elapsed() < DEADLINE, "Alertmanager does not answer");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Some(running)
    }

    async fn post(&self, alerts: &[&[(&str, &str)]]) {
        let one = |labels: &&[(&str, &str)]| json!({"labels": labels.iter().copied().collect::<std::collections::BTreeMap<_, _>>()});
        let body: Value = alerts.iter().map(one).collect();
        assert!(self.client.post("/api/v2/alerts", &body).await.unwrap().is_success());
    }

    /// The alerts, once Alertmanager has inhibited the expected number.
    async fn judged(&self, inhibited: usize) -> Vec<HeldAlert> {
        let begin = Instant::now();
        loop {
            let alerts = self.alertmanager.alerts().await.unwrap();
            let held_back = alerts.iter().filter(|alert| !alert.status.inhibited_by.is_empty()).count();
            if held_back == inhibited {
                return alerts;
            }
            assert!(begin.elapsed() < DEADLINE, "{held_back} are suppressed, not {inhibited}: {alerts:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test]
async fn a_host_that_is_down_inhibits_only_its_own_alerts() {
    let spec = spec("HostDown: {}, AppDown: {}, DiskSpaceLow: {}, TargetMissing: {}", SLACK);
    let Some(running) = Running::start(&spec).await else { return };
    running
        .post(&[
            &[("alertname", "HostDown"), ("host", "192.0.2.1"), ("instance", "192.0.2.1:9100")],
            &[("alertname", "AppDown"), ("host", "192.0.2.1"), ("instance", "192.0.2.1:9101")],
            &[("alertname", "DiskSpaceLow"), ("host", "192.0.2.1"), ("instance", "192.0.2.1:9100")],
            &[("alertname", "AppDown"), ("host", "192.0.2.2"), ("instance", "192.0.2.2:9101")],
            &[("alertname", "TargetMissing"), ("job", "node-exporter")],
        ])
        .await;
    for alert in running.judged(2).await {
        let is_held = !alert.status.inhibited_by.is_empty();
        let label = |name: &str| alert.labels.get(name).map_or("", String::as_str);
        assert_eq!(is_held, label("host") == "192.0.2.1" && label("alertname") != "HostDown", "{alert:?}");
    }
}

/// Stores the messages that are posted to it.
#[derive(Clone, Default)]
struct Inbox(Arc<Mutex<Vec<String>>>);

impl Inbox {
    /// The address at which it answers as Slack does.
    async fn open(&self) -> String {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let messages = self.0.clone();
        let keep = move |body: String| {
            messages.lock().unwrap().push(body);
            std::future::ready("ok")
        };
        let router = axum::Router::new().route("/", axum::routing::post(keep));
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}/")
    }

    fn tells_of(&self, alert: &str) -> bool {
        self.0.lock().unwrap().iter().any(|message| message.contains(alert))
    }

    async fn wait_for(&self, alert: &str) {
        let begin = Instant::now();
        while !self.tells_of(alert) {
            assert!(begin.elapsed() < DEADLINE, "no message about {alert}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Both fire within `group_wait`, in any order; `for` of `AppDown` ensures that it does not fire earlier.
#[tokio::test]
async fn app_down_is_inhibited_if_its_host_is_down() {
    for order in [["AppDown", "HostDown"], ["HostDown", "AppDown"]] {
        let notify = format!("{SLACK}  group_wait: 2s\n");
        let spec = spec("HostDown: {}, AppDown: {}, TargetMissing: {}", &notify);
        let inbox = Inbox::default();
        let Some(running) = Running::telling(&spec, &inbox.open().await).await else { return };
        for name in order {
            running.post(&[&[("alertname", name), ("host", "192.0.2.1")]]).await;
        }
        running.judged(1).await;
        // A later alert is notified later: by then the others would have been sent.
        running.post(&[&[("alertname", "TargetMissing")]]).await;
        inbox.wait_for("HostDown").await;
        inbox.wait_for("TargetMissing").await;
        assert!(!inbox.tells_of("AppDown"), "{order:?}");
    }
}

/// The two are scraped and evaluated at different moments; `for` has to outlast both.
#[test]
fn app_down_never_fires_before_host_down() {
    for monitoring in ["", "monitoring: {scrape_interval: 1m, evaluation_interval: 30s}\n"] {
        let spec = spec("HostDown: {}, AppDown: {}", &format!("{SLACK}{monitoring}"));
        let [app, host] = ["AppDown", "HostDown"].map(|name| {
            let rules = monctl::render::rules(&spec);
            rules.iter().find(|rule| rule.name == name).unwrap().hold.unwrap().get()
        });
        let intervals = spec.monitoring.scrape_interval.get() + spec.monitoring.evaluation_interval.get();
        assert!(app >= host + intervals, "{app:?} after {host:?} and {intervals:?}");
    }
}

#[tokio::test]
async fn the_heartbeat_stops_if_notifications_to_slack_fail() {
    let spec =
        spec("Watchdog: {}, NotificationsFailing: {}", &format!("{SLACK}  heartbeat_url: {{env: BEAT}}\n"));
    let Some(running) = Running::start(&spec).await else { return };
    let failing = |integration| [("alertname", "NotificationsFailing"), ("integration", integration)];
    // Only the dead man's switch itself refuses: the other receiver works.
    running.post(&[&[("alertname", "Watchdog")], &failing("webhook")]).await;
    running.judged(0).await;
    running.post(&[&failing("slack")]).await;
    let alerts = running.judged(1).await;
    assert!(
        alerts.iter().any(|it| it.labels["alertname"] == "Watchdog" && !it.status.inhibited_by.is_empty())
    );
}

/// Labels of rules are templates; this one finds a host in an instance.
#[test]
fn alerts_have_a_host_label_if_their_host_may_be_down() {
    let labels = |alerts: &str| monctl::render::rules(&spec(alerts, SLACK))[0].labels.clone();
    assert!(!labels("AppDown: {}").contains_key("host"));
    assert!(labels("AppDown: {}, HostDown: {}").contains_key("host"));
    let own = monctl::render::rules(&spec("HostDown: {}, Own: {expr: up, labels: {host: web}}", SLACK));
    assert_eq!(own[1].labels["host"], "web", "the user's label wins");
}
