//! Explanations of the classic alert on CPU usage, of the catalogue's alerts, and of other forms of expressions.

use std::path::Path;
use std::time::Duration;

use super::*;
use crate::render::rules;
use crate::spec::{Catalogue, load};
use crate::timing::{Stage, chance_of, is_certain};

const NOTES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/notes");

/// A spec with these alerts.
fn spec(alerts: &str) -> Spec {
    try_spec(alerts).unwrap()
}

fn try_spec(alerts: &str) -> Option<Spec> {
    spec_with(alerts, "capture: {}")
}

fn spec_with(alerts: &str, notify: &str) -> Option<Spec> {
    let application = format!(
        "provider: local\napp: {{path: {NOTES}, wsgi: notes.wsgi, metrics: exporter, domain: shop.example}}"
    );
    spec_of(&application, alerts, notify)
}

/// The same of an application that something else deploys.
fn watched_spec_with(alerts: &str) -> Option<Spec> {
    let application = "provider: {hosts: {app: [web], monitoring: watch}}\n\
                       app: {deploy: false, unit: shop.service, url: http://127.0.0.1:8000/, \
                       count_requests: {venv: /srv/shop/venv}}";
    spec_of(application, alerts, "capture: {}")
}

fn spec_of(application: &str, alerts: &str, notify: &str) -> Option<Spec> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("monctl.yaml");
    let text =
        format!("version: 1\nproject: shop\n{application}\nalerts: {{{alerts}}}\nnotify: {{{notify}}}\n");
    std::fs::write(&path, text).unwrap();
    load(&path).ok().map(|loaded| loaded.spec)
}

fn classic_spec() -> Spec {
    load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/classic/monctl.yaml")).unwrap().spec
}

fn explain(spec: &Spec, name: &str, custom: CustomFault) -> Explanation {
    let rule = rules(spec).into_iter().find(|rule| rule.name == name).unwrap();
    Explanation::new(spec, &rule, custom)
}

fn way(spec: &Spec, name: &str) -> AlertPath {
    explain(spec, name, CustomFault::default()).way.unwrap_or_else(|| panic!("{name} has no prediction"))
}

#[test]
fn the_classic_alert_is_explained_with_its_test_and_what_makes_it_faster() {
    let explanation = explain(&classic_spec(), "HighCPUUsage", CustomFault::default());
    insta::assert_snapshot!(explanation.text(100));
}

#[test]
fn other_shapes_are_explained_in_their_own_words() {
    let spec = spec(
        "HighLatency: {for: 1m}, HostDown: {}, Always: {expr: vector(1)}, \
         Failed: {expr: 'node_systemd_unit_state == 1 unless on (instance) up == 0'}, \
         Missing: {expr: 'absent_over_time(up{job=\"x\"}[5m])'}, \
         Full: {expr: 'predict_linear(node_filesystem_avail_bytes[1h], 4 * 3600) < 0', for: 5m}",
    );
    let texts = ["HighLatency", "HostDown", "Always", "Failed", "Missing", "Full"]
        .map(|name| explain(&spec, name, CustomFault::default()).text(100));
    insta::assert_snapshot!(texts.join("\n\n----\n\n"));
}

/// Each alert of the catalogue by itself, as it comes.
#[test]
fn every_alert_of_the_catalogue_is_explained_in_words_that_fit_it_and_arrives() {
    for name in Catalogue::default().names() {
        let alone = if name == "Watchdog" { String::new() } else { format!("{name}: {{}}, ") };
        let spec = spec_with(&format!("{alone}Watchdog: {{}}"), "capture: {}, heartbeat_url: {env: A}")
            .or_else(|| watched_spec_with(&alone))
            .unwrap();
        let explanation = explain(&spec, name, CustomFault::default());
        insta::assert_snapshot!(format!("explain_{name}"), explanation.text(100));
        let Some(way) = explanation.way else {
            assert_eq!(name, "Watchdog", "only an alert that always fires compares nothing");
            continue;
        };
        assert!(way.prediction.is_certain(), "{name}: {:?}", way.prediction);
        assert!(way.savings.iter().any(|saving| !saving.sooner.0.is_zero()), "{name}");
    }
}

/// A spec whose severities have different routes.
fn routed() -> Spec {
    spec_with(
        "AppDown: {}, DiskSpaceLow: {}, HighLatency: {severity: high}, Watchdog: {}",
        "slack: {webhook_url: {env: A}, channel: '#alerts'}, repeat_interval: 2h, heartbeat_url: {env: B}, \
         severities: {critical: {channel: '#on-call', send_resolved: false, repeat_interval: 30m}, \
         high: {webhook_url: {env: C}}, \
         warning: {mute: [{from: '22:00', to: '07:00', days: [friday], time_zone: Europe/Berlin}]}}",
    )
    .unwrap()
}

#[test]
fn an_alert_is_explained_with_the_route_of_its_severity() {
    let spec = routed();
    // The lines of a text may break anywhere.
    let text = |name| explain(&spec, name, CustomFault::default()).text(10_000);
    let critical = text("AppDown");
    for expected in [
        "sends to Slack, #on-call;",
        "no resolved notification is sent",
        "repeats the notification every 30m (`repeat_interval`)",
    ] {
        let joined = critical.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(joined.contains(expected), "no {expected:?} in {critical}");
    }
    let settings = way(&spec, "AppDown").settings;
    assert!(!settings.send_resolved && way(&spec, "DiskSpaceLow").settings.send_resolved);
    for (name, expected) in [
        ("DiskSpaceLow", "sends to Slack, #alerts;"),
        ("DiskSpaceLow", "from 22:00 to 07:00 (Europe/Berlin, on Friday) no notification is sent"),
        ("DiskSpaceLow", "repeats the notification every 2h"),
        ("HighLatency", "sends to Slack, through the webhook of severity `high`;"),
        ("Watchdog", "is sent to the dead man's switch at `notify.heartbeat_url` only"),
    ] {
        let text = text(name);
        let joined = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(joined.contains(expected), "no {expected:?} in {text}");
    }
}

#[test]
fn changes_that_a_check_would_report_are_not_offered() {
    use crate::lint::{EVALUATIONS, SCRAPES};
    let mut offered = 0;
    for name in ["HighCPUUsage", "HighServerErrorRate", "WorkersRestarting"] {
        for parameters in ["", "for: 40s, window: 70s", "for: 20s, window: 30s"] {
            let Some(spec) = try_spec(&format!("{name}: {{{parameters}}}")) else { continue };
            let Some(AlertPath { savings, settings, .. }) = explain(&spec, name, CustomFault::default()).way
            else {
                continue;
            };
            let of_alert = |key: &str| savings.iter().find(|it| it.setting == format!("alerts.{name}.{key}"));
            let then = |saving: &Saving| saving.then.parse::<crate::duration::PromDuration>().unwrap().get();
            let hold = of_alert("for").map(then);
            let window = of_alert("window").map(then);
            assert!(
                hold.is_none_or(|it| it >= EVALUATIONS * settings.evaluation_interval),
                "{name}: {savings:?}"
            );
            assert!(window.is_none_or(|it| it >= SCRAPES * settings.scrape_interval), "{name}: {savings:?}");
            offered += usize::from(hold.is_some()) + usize::from(window.is_some());
        }
    }
    assert!(offered >= 4, "values that are long enough are halved: {offered}");
}

#[test]
fn only_cpu_usage_is_tried_with_the_classic_command() {
    let spec = spec(
        "HighCPUUsage: {}, HighLoad: {}, Io: {expr: '100 * avg by (instance) (rate(node_cpu_seconds_total{mode=\"iowait\"}[1m])) > 20'}",
    );
    let tried = |name| way(&spec, name).trial.is_some();
    assert_eq!([tried("HighCPUUsage"), tried("HighLoad"), tried("Io")], [true, false, false]);
}

#[test]
fn the_seconds_of_a_saving_are_those_that_the_changed_spec_saves() {
    let before = spec("HighCPUUsage: {above: 80, for: 1m}");
    let best = &way(&before, "HighCPUUsage").savings[0];
    assert_eq!((&*best.setting, &*best.then), ("alerts.HighCPUUsage.for", "30s"));
    let delivered =
        |spec: &Spec| way(spec, "HighCPUUsage").prediction.window(Stage::Delivered).unwrap().expected;
    let after = spec("HighCPUUsage: {above: 80, for: 30s}");
    assert_eq!(delivered(&after).0 + best.sooner.0, delivered(&before).0);
}

#[test]
fn a_fault_is_never_delivered_up_to_one_length_and_always_from_another() {
    let way = way(&classic_spec(), "HighCPUUsage");
    assert_eq!(way.sizes.iter().map(|size| size.value).collect::<Vec<_>>(), [85.0, 90.0, 100.0]);
    for Size { value, never: Millis(never), always } in way.sizes {
        let second = Duration::from_secs(1);
        let chance = |time: Duration| chance_of(&way.settings, &Fault::level(0.0, value).lasting(time));
        assert!(chance(never) <= 0.0 && chance(never + second) > 0.0, "{value}");
        let Millis(always) = always.unwrap();
        let less = always.checked_sub(second).unwrap();
        assert!(is_certain(chance(always)) && !is_certain(chance(less)), "{value}");
    }
}

#[test]
fn a_fault_described_by_the_user_replaces_the_classic_command() {
    let custom = CustomFault { value: Some(95.0), lasting: Some(Duration::from_mins(1)) };
    let trial = explain(&classic_spec(), "HighCPUUsage", custom).way.unwrap().trial.unwrap();
    assert_eq!(trial.what, "95% for 60 s");
    assert!(trial.chance <= 0.0);
    assert!(trial.reason.unwrap().contains("do not keep the expression at more than 80%"));
    assert_eq!(trial.remedies.duration, Some(Millis(Duration::from_secs(140))));
}

#[test]
fn no_line_is_wider_than_the_screen() {
    for width in [60, 80, 100, 200] {
        let text = explain(&classic_spec(), "HighCPUUsage", CustomFault::default()).text(width);
        // The first line is the user's own expression.
        let wide: Vec<&str> = text.lines().skip(1).filter(|line| line.chars().count() > width).collect();
        assert!(wide.is_empty(), "wider than {width}: {wide:#?}");
    }
}

#[test]
fn a_counter_that_may_appear_with_its_event_is_named_and_no_first_event_promised() {
    let first_event = |expr: &str| {
        let spec = spec(&format!("Own: {{expr: '{expr}'}}"));
        way(&spec, "Own").first_event
    };
    for expr in [
        "increase(django_http_exceptions_total_by_type_total{type=\"PaymentError\"}[15m]) > 0",
        "sum by (job) (increase(app_errors_total[15m])) > 0",
        "rate(app_errors_total{kind=\"x\"}[5m]) > 0",
        "increase(prometheus_http_requests_total{code=\"500\"}[5m]) >= 1",
        "0 < increase(app_errors_total[5m])",
    ] {
        assert!(first_event(expr).is_some(), "{expr}");
    }
    for expr in [
        // Exists from the start, or counts frequent events.
        "increase(node_network_receive_errs_total{device=\"eth0\"}[5m]) > 0",
        "increase(prometheus_rule_evaluation_failures_total[5m]) > 0",
        "rate(app_requests_total{kind=\"x\"}[5m]) > 3",
        "increase(app_requests_total[5m]) < 1",
        "changes(process_start_time_seconds[1h]) > 2",
        // It sees new series.
        "increase(app_errors_total[15m]) > 0 or (app_errors_total unless app_errors_total offset 15m) > 0",
    ] {
        assert_eq!(first_event(expr), None, "{expr}");
    }
    let spec = spec("Own: {expr: 'increase(app_errors_total{kind=\"x\"}[15m]) > 0'}");
    // The lines of a text may break anywhere.
    let text = explain(&spec, "Own", CustomFault::default()).text(100);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let remedy = "or (app_errors_total{kind=\"x\"} unless app_errors_total{kind=\"x\"} offset 15m) > 0";
    assert!(text.contains("the first event may be missed") && text.contains(remedy), "{text}");
    for promise in [
        "event number 1 makes the rule true if the counter existed before",
        "how long a fault has to last, if its counter existed before",
    ] {
        assert!(text.contains(promise), "no {promise} in {text}");
    }
}

#[test]
fn the_remedy_for_a_missed_first_event_clears_the_warning() {
    let spec = spec("Own: {expr: 'increase(app_errors_total{kind=\"x\"}[15m]) > 0'}");
    let advice = way(&spec, "Own").first_event.unwrap();
    let corrected = format!("increase(app_errors_total{{kind=\"x\"}}[15m]) > 0 {}", advice.remedy);
    let spec = spec_with(&format!("Own: {{expr: '{corrected}'}}"), "capture: {}").unwrap();
    assert_eq!(way(&spec, "Own").first_event, None, "{corrected}");
}

#[test]
fn a_rule_that_keeps_firing_resolves_later_and_the_text_names_it() {
    let spec = spec(
        "Own: {expr: 'sensor_ok == 0', for: 1m, keep_firing_for: 30m}, Short: {expr: 'sensor_ok == 0', for: 1m}",
    );
    let text = explain(&spec, "Own", CustomFault::default()).text(10_000);
    assert!(
        text.contains("once the rule is false again for 30m (`keep_firing_for`), the alert resolves"),
        "{text}"
    );
    let resolved = |name: &str| {
        let prediction = way(&spec, name).prediction;
        prediction.after_end.iter().find(|it| it.stage == Stage::Resolved).unwrap().earliest.0
    };
    let later = resolved("Own").checked_sub(resolved("Short")).unwrap();
    assert!((later.as_secs_f64() - 1800.0).abs() < 16.0, "{later:?}");
}
