//! Explanations of the reference's alert, of the catalogue's, and of the shapes that those do not have.

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
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("monctl.yaml");
    let text = format!(
        "version: 1\nproject: shop\nprovider: local\napp: {{path: {NOTES}, wsgi: notes.wsgi, metrics: exporter}}\n\
         alerts: {{{alerts}}}\nnotify: {{{notify}}}\n"
    );
    std::fs::write(&path, text).unwrap();
    load(&path).ok().map(|loaded| loaded.spec)
}

fn reference_spec() -> Spec {
    load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/reference/monctl.yaml")).unwrap().spec
}

fn explain(spec: &Spec, name: &str, asked: AskedFault) -> Explanation {
    let rule = rules(spec).into_iter().find(|rule| rule.name == name).unwrap();
    Explanation::new(spec, &rule, asked)
}

fn way(spec: &Spec, name: &str) -> AlertPath {
    explain(spec, name, AskedFault::default()).way.unwrap_or_else(|| panic!("{name} is not read"))
}

#[test]
fn the_references_alert_is_explained_with_its_test_and_what_to_change() {
    let explanation = explain(&reference_spec(), "HighCPUUsage", AskedFault::default());
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
        .map(|name| explain(&spec, name, AskedFault::default()).text(100));
    insta::assert_snapshot!(texts.join("\n\n----\n\n"));
}

/// Each alert of the catalogue by itself, as it comes.
#[test]
fn every_alert_of_the_catalogue_is_explained_in_words_that_fit_it_and_arrives() {
    let mut texts = Vec::new();
    for name in Catalogue::default().names() {
        let alone = if name == "Watchdog" { String::new() } else { format!("{name}: {{}}, ") };
        let spec =
            spec_with(&format!("{alone}Watchdog: {{}}"), "capture: {}, heartbeat_url: {env: A}").unwrap();
        let explanation = explain(&spec, name, AskedFault::default());
        texts.push(explanation.text(100));
        let Some(way) = explanation.way else {
            assert_eq!(name, "Watchdog", "only what always fires compares nothing");
            continue;
        };
        assert!(way.prediction.is_certain(), "{name}: {:?}", way.prediction);
        assert!(way.savings.iter().any(|saving| !saving.sooner.0.is_zero()), "{name}");
    }
    insta::assert_snapshot!(texts.join("\n\n----\n\n"));
}

/// A spec whose severities go different ways.
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
fn an_alert_is_explained_by_the_way_of_its_severity() {
    let spec = routed();
    // The lines of a text may break anywhere.
    let text = |name| explain(&spec, name, AskedFault::default()).text(10_000);
    let critical = text("AppDown");
    for said in
        ["sends to Slack, #on-call;", "which nobody is told", "told again every 30m (`repeat_interval`)"]
    {
        let joined = critical.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(joined.contains(said), "no {said:?} in {critical}");
    }
    let settings = way(&spec, "AppDown").settings;
    assert!(!settings.send_resolved && way(&spec, "DiskSpaceLow").settings.send_resolved);
    for (name, said) in [
        ("DiskSpaceLow", "sends to Slack, #alerts;"),
        ("DiskSpaceLow", "from 22:00 to 07:00 (Europe/Berlin, on Friday) nobody is told"),
        ("DiskSpaceLow", "told again every 2h"),
        ("HighLatency", "sends to Slack, by the webhook of the severity `high`;"),
        ("Watchdog", "is sent to the dead man's switch at `notify.heartbeat_url`, and to nobody else"),
    ] {
        let text = text(name);
        let joined = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(joined.contains(said), "no {said:?} in {text}");
    }
}

#[test]
fn nothing_is_offered_that_a_check_would_find_fault_with() {
    use crate::lint::{EVALUATIONS, SCRAPES};
    let mut offered = 0;
    for name in ["HighCPUUsage", "HighServerErrorRate", "WorkersRestarting"] {
        for parameters in ["", "for: 40s, window: 70s", "for: 20s, window: 30s"] {
            let Some(spec) = try_spec(&format!("{name}: {{{parameters}}}")) else { continue };
            let Some(AlertPath { savings, settings, .. }) = explain(&spec, name, AskedFault::default()).way
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
    assert!(offered >= 4, "what is long enough to be halved is offered: {offered}");
}

#[test]
fn only_the_usage_of_cpus_is_tried_with_the_references_load() {
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
    let told = |spec: &Spec| way(spec, "HighCPUUsage").prediction.window(Stage::Delivered).unwrap().expected;
    let after = spec("HighCPUUsage: {above: 80, for: 30s}");
    assert_eq!(told(&after).0 + best.sooner.0, told(&before).0);
}

#[test]
fn a_fault_is_never_told_up_to_one_length_and_always_from_another() {
    let way = way(&reference_spec(), "HighCPUUsage");
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
fn what_is_asked_about_is_tried_in_place_of_the_references_test() {
    let asked = AskedFault { value: Some(95.0), lasting: Some(Duration::from_mins(1)) };
    let trial = explain(&reference_spec(), "HighCPUUsage", asked).way.unwrap().trial.unwrap();
    assert_eq!(trial.what, "95% for 60 s");
    assert!(trial.chance <= 0.0);
    assert!(trial.reason.unwrap().contains("do not keep the expression at more than 80%"));
    assert_eq!(trial.remedies.duration, Some(Millis(Duration::from_secs(140))));
}

#[test]
fn no_line_is_wider_than_the_screen() {
    for width in [60, 80, 100, 200] {
        let text = explain(&reference_spec(), "HighCPUUsage", AskedFault::default()).text(width);
        // The first line is the user's own expression.
        let wide: Vec<&str> = text.lines().skip(1).filter(|line| line.chars().count() > width).collect();
        assert!(wide.is_empty(), "wider than {width}: {wide:#?}");
    }
}

#[test]
fn a_counter_that_may_be_born_with_its_event_is_named_and_no_first_event_promised() {
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
        // There from the start, or a stream.
        "increase(node_network_receive_errs_total{device=\"eth0\"}[5m]) > 0",
        "increase(prometheus_rule_evaluation_failures_total[5m]) > 0",
        "rate(app_requests_total{kind=\"x\"}[5m]) > 3",
        "increase(app_requests_total[5m]) < 1",
        "changes(process_start_time_seconds[1h]) > 2",
        // It sees what is new.
        "increase(app_errors_total[15m]) > 0 or (app_errors_total unless app_errors_total offset 15m) > 0",
    ] {
        assert_eq!(first_event(expr), None, "{expr}");
    }
    let spec = spec("Own: {expr: 'increase(app_errors_total{kind=\"x\"}[15m]) > 0'}");
    // The lines of a text may break anywhere.
    let text = explain(&spec, "Own", AskedFault::default()).text(100);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let remedy = "or (app_errors_total{kind=\"x\"} unless app_errors_total{kind=\"x\"} offset 15m) > 0";
    assert!(text.contains("the first event may not count") && text.contains(remedy), "{text}");
    for promise in [
        "number 1 does it where the counter was there before",
        "how long a fault has to last, where its counter was there before",
    ] {
        assert!(text.contains(promise), "no {promise} in {text}");
    }
}

#[test]
fn the_advice_about_a_first_event_takes_its_own_medicine() {
    let spec = spec("Own: {expr: 'increase(app_errors_total{kind=\"x\"}[15m]) > 0'}");
    let advice = way(&spec, "Own").first_event.unwrap();
    let mended = format!("increase(app_errors_total{{kind=\"x\"}}[15m]) > 0 {}", advice.remedy);
    let spec = spec_with(&format!("Own: {{expr: '{mended}'}}"), "capture: {}").unwrap();
    assert_eq!(way(&spec, "Own").first_event, None, "{mended}");
}

#[test]
fn a_rule_that_keeps_firing_is_over_later_and_says_so() {
    let spec = spec(
        "Own: {expr: 'sensor_ok == 0', for: 1m, keep_firing_for: 30m}, Short: {expr: 'sensor_ok == 0', for: 1m}",
    );
    let text = explain(&spec, "Own", AskedFault::default()).text(10_000);
    assert!(
        text.contains("once the rule is false again for 30m (`keep_firing_for`) the alert is over"),
        "{text}"
    );
    let over = |name: &str| {
        let prediction = way(&spec, name).prediction;
        prediction.after_end.iter().find(|it| it.stage == Stage::Resolved).unwrap().earliest.0
    };
    let later = over("Own").checked_sub(over("Short")).unwrap();
    assert!((later.as_secs_f64() - 1800.0).abs() < 16.0, "{later:?}");
}
