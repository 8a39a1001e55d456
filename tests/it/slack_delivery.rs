//! Messages to Slack from a real Alertmanager with monctl's configuration: markup, marks, a bot, a proxy; and templates
//! that are refused in advance because amtool would fail to render them.

use std::collections::BTreeSet;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::alertmanager::RunningAlertmanager;
use crate::support::binary::{Project, SPEC};
use crate::support::slack::{Slack, TOKEN};
use crate::support::tools::program;
use monctl::http::slack::Mark;
use monctl::http::slack::history::messages;
use monctl::render::{Addresses, Bundle, check};
use monctl::secret::Secret;
use monctl::spec::{SecretName, Secrets, Spec, load};
use serde_json::{Value, json};

const DEADLINE: Duration = Duration::from_mins(1);

/// A spec with these alerts and this section `slack`; messages go out at once.
fn spec(alerts: &str, slack: &str) -> Spec {
    let (before, _) = SPEC.split_once("alerts:").unwrap();
    let text = format!("{before}alerts: {{{alerts}}}\nnotify:\n  slack: {{{slack}}}\n  group_wait: 1s\n");
    load(&Project::with_spec(&text).path("monctl.yaml")).unwrap().spec
}

fn bundle(spec: &Spec) -> Bundle {
    Bundle::render(spec, &Addresses::default()).unwrap()
}

fn receiver(spec: &Spec) -> Value {
    let text = bundle(spec).get("alertmanager.yml").unwrap().masked().into_owned();
    let file: Value = serde_saphyr::from_str(&text).unwrap();
    file["receivers"][0]["slack_configs"][0].clone()
}

/// The first attachment of the first message that arrives.
async fn arrived(slack: &Slack) -> Value {
    let begin = Instant::now();
    loop {
        if let Some(message) = slack.messages.lock().unwrap().first() {
            return message["attachments"][0].clone();
        }
        assert!(begin.elapsed() < DEADLINE, "no message arrived");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn webhook(slack: &Slack) -> Secrets {
    Secrets::from_iter([
        (SecretName::SlackWebhookUrl, Secret::new(slack.webhook())),
        (SecretName::SlackBotToken, Secret::new(TOKEN)),
    ])
}

fn hosts(count: usize) -> Value {
    let one = |number| {
        json!({"labels": {"alertname": "HostDown", "severity": "critical", "instance": format!("192.0.2.{number}:9100")},
               "annotations": {"summary": "Host does not answer", "description": format!("192.0.2.{number} is silent")}})
    };
    (1..=count).map(one).collect()
}

#[tokio::test]
async fn markup_in_names_labels_and_texts_reaches_slack_as_text() {
    let slack = Slack::on((Ipv4Addr::LOCALHOST, 0).into());
    let spec = spec("HostDown: {}", "webhook_url: {env: HOOK}");
    let Some(running) = RunningAlertmanager::start(&spec, &webhook(&slack)).await else { return };
    running
        .post(&json!([{
            "labels": {"alertname": "CertExpiry(<7d)", "severity": "critical", "view": "<unnamed view>"},
            "annotations": {"summary": "R&D <nightly> load", "description": "see <wiki> & call ops",
                "runbook_url": "https://wiki.example.org/a?b=1&c=<d>|e", "action": "kill <pid>"},
        }]))
        .await;
    let message = arrived(&slack).await;
    assert_eq!(message["title"], "[FIRING] CertExpiry(&lt;7d)");
    let text = message["text"].as_str().unwrap();
    for part in [
        "R&amp;D &lt;nightly&gt; load: see &lt;wiki&gt; &amp; call ops\n",
        "view `&lt;unnamed view&gt;`",
        "*What to do:* kill &lt;pid&gt;",
        "<https://wiki.example.org/a?b=1&amp;c=%3Cd%3E%7Ce|More about CertExpiry(&lt;7d)>",
    ] {
        assert!(text.contains(part), "no {part} in {text}");
    }
}

#[tokio::test]
async fn all_marks_of_a_message_are_found_however_many() {
    for count in [3, 12, 60] {
        let slack = Slack::on((Ipv4Addr::LOCALHOST, 0).into());
        let spec = spec(
            "HostDown: {}, HighCPUUsage: {}",
            "webhook_url: {env: HOOK}, bot_token: {env: BOT}, channel: '#alerts'",
        );
        let Some(running) = RunningAlertmanager::start(&spec, &webhook(&slack)).await else { return };
        running.post(&hosts(count)).await;
        let message = arrived(&slack).await;
        let stored = json!({"ok": true, "messages": [{"ts": "1.0", "attachments": [message.clone()]}]});
        let found = messages(&stored.to_string()).unwrap();
        let fingerprints: BTreeSet<&str> = found[0].marks.iter().map(|mark| &*mark.fingerprint).collect();
        assert_eq!((found[0].marks.len(), fingerprints.len()), (count, count));
        let footer = message["footer"].as_str().unwrap();
        assert!(footer.len() <= 300 && !footer.is_empty(), "{footer}");
        // A few of them are also in the footer.
        assert_eq!(Mark::of_message(footer, "").len(), count.min(7));
        let text = message["text"].as_str().unwrap();
        assert_eq!(text.matches(" is silent").count(), count.min(20));
        assert_eq!(text.contains("The first 20 of 60 alerts."), count == 60, "{text}");
    }
}

#[tokio::test]
async fn a_bot_posts_if_there_is_no_webhook() {
    let slack = Slack::on((Ipv4Addr::LOCALHOST, 0).into());
    let spec = spec(
        "HostDown: {}",
        &format!("bot_token: {{env: BOT}}, channel: '#on-call', api_url: '{}'", slack.api()),
    );
    let names: Vec<_> = spec.secret_refs().map(|(name, _)| name).collect();
    assert_eq!(names, [SecretName::SlackBotToken]);
    let bundle = bundle(&spec);
    check(&bundle).unwrap();
    let token = bundle.get("alertmanager/webhooks/slack.bot-token").unwrap();
    assert_eq!((token.is_secret(), &*token.masked()), (true, "[secret]"));
    assert!(!bundle.get("alertmanager.yml").unwrap().is_secret(), "the token is in its own file");
    let Some(running) = RunningAlertmanager::start(&spec, &webhook(&slack)).await else { return };
    running.post(&hosts(1)).await;
    assert_eq!(arrived(&slack).await["title"], "[FIRING] HostDown");
    assert_eq!((slack.count("#on-call"), slack.count("#alerts")), (1, 0));
}

#[test]
fn slack_without_webhook_and_bot_is_refused() {
    let refused = |slack: &str, words: &str| {
        let text = SPEC.replace("  capture: {}", &format!("  slack: {{{slack}}}"));
        Project::with_spec(&text)
            .monctl()
            .args(["render", "--dry-run"])
            .run()
            .code(2)
            .stderr_contains("has a problem")
            .stderr_contains(words);
    };
    refused("channel: '#alerts'", "messages need a `webhook_url` or a `bot_token`");
    refused("bot_token: {env: BOT}", "a bot needs a channel");
}

#[test]
fn slack_and_the_heartbeat_are_reached_through_the_proxy() {
    let (before, _) = SPEC.split_once("alerts:").unwrap();
    let text = format!(
        "{before}alerts: {{HighCPUUsage: {{}}, Watchdog: {{}}, HostDown: {{}}}}\nnotify:\n  slack:\n    webhook_url: {{env: HOOK}}\n    \
         proxy_url: http://proxy.example.org:3128\n  severities: {{critical: {{channel: '#on-call'}}}}\n  \
         heartbeat_url: {{env: BEAT}}\n"
    );
    let spec = load(&Project::with_spec(&text).path("monctl.yaml")).unwrap().spec;
    check(&bundle(&spec)).unwrap();
    let file: Value =
        serde_saphyr::from_str(&bundle(&spec).get("alertmanager.yml").unwrap().masked()).unwrap();
    let receivers = file["receivers"].as_array().unwrap();
    for configuration in [
        &receivers[0]["slack_configs"][0],
        &receivers[1]["slack_configs"][0],
        &receivers[2]["webhook_configs"][0],
    ] {
        assert_eq!(
            configuration["http_config"],
            json!({"proxy_url": "http://proxy.example.org:3128"}),
            "{file}"
        );
    }
    let credentials = text.replace("http://proxy", "http://me:hunter2@proxy");
    let ran = Project::with_spec(&credentials).monctl().args(["render", "--dry-run"]).run();
    ran.code(2).stderr_contains("contains no user name or password").stderr_lacks("hunter2");
}

#[test]
fn a_title_and_a_text_with_braces_are_templates_and_others_plain() {
    let with = |title: &str, text: &str| {
        receiver(&spec(
            "HighCPUUsage: {}",
            &format!("webhook_url: {{env: HOOK}}, title: '{title}', text: '{text}'"),
        ))
    };
    let template =
        with("{{ .CommonLabels.alertname }}", "{{ range .Alerts }}{{ .Annotations.description }}{{ end }}");
    assert_eq!(template["title"], "{{ .CommonLabels.alertname }}");
    assert_eq!(template["text"], "{{ range .Alerts }}{{ .Annotations.description }}{{ end }}");
    let plain = with("R&D <nightly>", "<!here> look at <https://wiki.example.org|the wiki> & <logs>");
    assert_eq!(plain["title"], "R&amp;D &lt;nightly&gt;");
    assert_eq!(plain["text"], "<!here> look at <https://wiki.example.org|the wiki> &amp; &lt;logs&gt;");
}

/// Templates of messages: whether they can be rendered.
const TEMPLATES: [(&str, bool); 19] = [
    ("{{ .CommonLabels.alertname }}", true),
    ("{{ .Status | toUpper }} {{ len .Alerts.Firing }}", true),
    ("{{ range .Alerts }}{{ .Annotations.summary }} {{ .StartsAt.UTC.Format \"15:04\" }}{{ end }}", true),
    ("{{ range .Alerts.Firing }}{{ .Labels.instance }}{{ end }}", true),
    ("{{ with .CommonAnnotations.runbook_url }}<{{ . }}|page>{{ else }}none{{ end }}", true),
    ("{{ if eq .Status \"firing\" }}a{{ else if eq .Status \"resolved\" }}b{{ end }}", true),
    ("{{ .GroupLabels.SortedPairs.Values | join \", \" }}", true),
    ("{{ define \"x\" }}{{ .Receiver }}{{ end }}{{ template \"x\" . }}", true),
    ("{{ $total := len .Alerts }}{{ if gt $total 1 }}{{ $total }}{{ end }}", true),
    ("{{ .Annotations.summary }}", false),
    ("{{ $labels.alertname }}", false),
    ("{{ .CommonLabel.alertname }}", false),
    ("{{ .Status | humanize }}", false),
    ("{{ range .Alerts }}{{ .CommonLabels.a }}{{ end }}", false),
    ("{{ template \"mine\" . }}", false),
    ("{{ .Status", false),
    ("{{ if .Status }}", false),
    ("{{ printf '%s' .Status }}", false),
    ("{{ len .Alerts * 2 }}", false),
];

/// Whether amtool renders a template.
fn is_filled(amtool: &Path, template: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.tmpl");
    fs::write(&empty, "").unwrap();
    let data = folder.path().join("data.json");
    let alert = json!({"status": "firing", "labels": {"instance": "a"}, "annotations": {"summary": "x"},
        "startsAt": "2026-03-01T04:05:06Z", "endsAt": "2026-03-01T05:05:06Z"});
    let filled = json!({"receiver": "x", "status": "firing", "alerts": [alert.clone(), alert], "groupLabels": {"a": "b"},
        "commonLabels": {"alertname": "A"}, "commonAnnotations": {}, "externalURL": "http://localhost:9093"});
    fs::write(&data, filled.to_string()).unwrap();
    let mut command = Command::new(amtool);
    command.args(["template", "render", "--template.glob"]).arg(&empty).arg("--template.data").arg(&data);
    command.arg(format!("--template.text={template}")).output().unwrap().status.success()
}

#[test]
fn a_message_template_is_refused_exactly_if_alertmanager_would_fail() {
    let amtool = program("amtool");
    for (template, is_sound) in TEMPLATES {
        let quoted = serde_json::to_string(template).unwrap();
        let text = SPEC.replace(
            "  capture: {}",
            &format!("  slack:\n    webhook_url: {{env: HOOK}}\n    text: {quoted}"),
        );
        let project = Project::with_spec(&text);
        let accepted = load(&project.path("monctl.yaml"));
        assert_eq!(accepted.is_ok(), is_sound, "{template}: {:?}", accepted.err());
        if let Some(amtool) = &amtool {
            assert_eq!(is_filled(amtool, template), is_sound, "amtool disagrees about {template}");
        }
    }
    let misplaced = SPEC.replace("  capture: {}", "  capture: {title: 'x {{ .Annotations.summary }}'}");
    Project::with_spec(&misplaced).monctl().args(["render", "--dry-run"]).run().code(2).stderr_contains(
        "monctl.yaml:10:26: only each alert has `.Annotations`: write `{{ range .Alerts }}` around it",
    );
}

/// Templates of rules: whether Prometheus accepts them. monctl also refuses those that it accepts but cannot render.
const OF_RULES: [(&str, bool); 12] = [
    ("{{ $value | humanize }} on {{ $labels.instance | stripPort }}", true),
    ("{{ range query \"up\" }}{{ .Value }}{{ end }}", true),
    ("{{ if gt $value 0.5 }}a{{ else }}b{{ end }}", true),
    ("{{ with $x := $labels.a }}{{ $x }}{{ end }}{{ define \"a\" }}b{{ end }}", true),
    ("{{- $value -}}", true),
    ("{{ $value * 100 }}", false),
    ("{{ $label.instance }}", false),
    ("{{ $value | humanizeNoSmallPrefix }}", false),
    ("{{ printf '%.1f' $value }}", false),
    ("{{ $labels.foo-bar }}", false),
    ("{{ if $value }}", false),
    ("{{ end }}", false),
];

#[test]
fn a_rule_template_is_refused_if_promtool_refuses_it() {
    let promtool = program("promtool");
    for (template, is_sound) in OF_RULES {
        let quoted = serde_json::to_string(template).unwrap();
        let text = SPEC.replace(
            "HighCPUUsage: {above: 80, for: 1m}",
            &format!("Own: {{expr: up == 0, summary: {quoted}}}"),
        );
        let accepted = load(&Project::with_spec(&text).path("monctl.yaml"));
        assert_eq!(accepted.is_ok(), is_sound, "{template}: {:?}", accepted.err());
        let Some(promtool) = &promtool else { continue };
        let file = tempfile::NamedTempFile::new().unwrap();
        let rule = format!(
            "groups: [{{name: g, rules: [{{alert: A, expr: up == 0, annotations: {{summary: {quoted}}}}}]}}]"
        );
        fs::write(file.path(), rule).unwrap();
        let judged = Command::new(promtool).args(["check", "rules"]).arg(file.path()).output().unwrap();
        assert_eq!(judged.status.success(), is_sound, "promtool disagrees about {template}");
    }
}
