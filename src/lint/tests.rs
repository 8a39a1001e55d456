//! Tables: a rule, the state of Prometheus and Alertmanager, and the expected findings.

use std::time::Duration;

use super::*;
use crate::http::alertmanager::{Matcher, Silence, SilenceStatus};
use crate::http::prometheus::Labels;
use crate::promql::sides_with_number;
use crate::spec::Catalogue;

/// The existing series with their labels.
const SERIES: [&str; 16] = [
    "node_timex_offset_seconds job=node-exporter instance=10.0.0.7:9100",
    "zfs_compress_ratio job=node-exporter instance=10.0.0.7:9100",
    "up job=node-exporter instance=10.0.0.7:9100",
    "up job=django-instance instance=10.0.0.7:8000",
    "node_cpu_seconds_total job=node-exporter instance=10.0.0.7:9100 cpu=0 mode=idle",
    "node_cpu_seconds_total job=node-exporter instance=10.0.0.7:9100 cpu=0 mode=user",
    "node_memory_MemAvailable_bytes job=node-exporter instance=10.0.0.7:9100",
    "node_memory_MemTotal_bytes job=node-exporter instance=10.0.0.7:9100",
    "node_filesystem_avail_bytes job=node-exporter instance=10.0.0.7:9100 mountpoint=/ fstype=ext4",
    "node_filesystem_size_bytes job=node-exporter instance=10.0.0.7:9100 mountpoint=/ fstype=ext4",
    "django_http_responses_total_by_status_total job=django-instance instance=10.0.0.7:8000 status=200",
    "django_http_responses_total_by_status_total job=django-instance instance=10.0.0.7:8000 status=302",
    "django_http_requests_latency_seconds_bucket job=django-instance instance=10.0.0.7:8000 le=1 view=index",
    "queue_length job=django-instance instance=10.0.0.7:8000 queue=mail",
    "node_load5 job=node-exporter instance=10.0.0.7:9100",
    "slow_jobs_total job=batch instance=10.0.0.8:9000",
];

const ROUTING: &str = "
route:
  receiver: slack
  routes:
    - matchers: ['severity=\"none\"']
      receiver: empty
    - matchers: ['team =~ \"lab|play\"', instance=~\"10.*\"]
      receiver: empty
    - match: {severity: audit}
      receiver: empty
      continue: true
    - match: {severity: audit}
      receiver: mail
receivers:
  - name: slack
    slack_configs: [{channel: x}]
  - name: empty
  - name: mail
    email_configs: [{to: a@example.org}]
";

fn labels(words: &str) -> Labels {
    words
        .split_whitespace()
        .filter_map(|word| word.split_once('='))
        .map(|(a, b)| (a.into(), b.into()))
        .collect()
}

fn snapshot(rules: Vec<CheckedRule>) -> Snapshot {
    let mut series: std::collections::BTreeMap<String, Vec<Labels>> = std::collections::BTreeMap::new();
    for line in SERIES {
        let (name, rest) = line.split_once(' ').unwrap();
        let mut all = labels(rest);
        all.insert("__name__".into(), name.into());
        series.entry(name.into()).or_default().push(all);
    }
    let seconds = Duration::from_secs;
    let job = |(name, interval): (&str, u64)| (name.to_owned(), seconds(interval));
    Snapshot {
        now: "2026-11-25T00:00:00Z".parse().unwrap(),
        rules,
        metrics: series.keys().cloned().collect(),
        series,
        values: [].into(),
        scrape_intervals: [("node-exporter", 15), ("django-instance", 15), ("batch", 60)].map(job).into(),
        alertmanagers: 1,
        routing: Routing::read(ROUTING).unwrap(),
        silences: vec![],
    }
}

fn rule(expression: &str) -> CheckedRule {
    CheckedRule {
        name: "Own".into(),
        expression: expression.into(),
        hold: Duration::from_mins(1),
        interval: Duration::from_secs(15),
        labels: Labels::new(),
        annotations: Labels::new(),
        entry: None,
        is_of_spec: true,
        file: Some("/etc/rules.yml".into()),
        error: None,
    }
}

/// The findings for one rule, in the form `KIND: EVIDENCE; REMEDY`, doubtful ones with a question mark.
fn found(rule: CheckedRule) -> Vec<String> {
    let show = |finding: &Finding| {
        let doubt = if finding.weight == Weight::Doubtful { "?" } else { "" };
        format!("{}{doubt}: {}; {}", finding.kind.word(), finding.evidence, finding.remedy)
    };
    check(&snapshot(vec![rule])).iter().map(show).collect()
}

/// Asserts that each expression has exactly one finding, which contains these words in order.
fn assert_found(cases: &[(&str, &[&str])]) {
    for (expression, words) in cases {
        let found = found(rule(expression));
        let [only] = found.as_slice() else { panic!("{expression}: {found:#?}") };
        let mut rest = &**only;
        for word in *words {
            rest = rest.split_once(word).unwrap_or_else(|| panic!("{expression}: no `{word}` in {only}")).1;
        }
    }
}

#[test]
fn sound_rules_are_left_alone() {
    for expression in [
        "100 - (avg by (instance) (rate(node_cpu_seconds_total{mode=\"idle\"}[1m])) * 100) > 80",
        "100 - 100 * node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes > 90",
        "node_filesystem_avail_bytes{fstype!~\"tmpfs|ramfs\"} / node_filesystem_size_bytes < 0.1",
        "predict_linear(node_filesystem_avail_bytes[6h], 4 * 3600) < 0",
        "up == 0",
        "absent(up{job=\"nightly\"})",
        "absent_over_time(nothing_like_it[10m])",
        "queue_length > 100 unless queue_length{queue=\"mial\"}",
        "histogram_quantile(0.95, sum by (view, le) (rate(django_http_requests_latency_seconds_bucket[5m]))) > 2",
        "node_load5 / on (instance) count by (instance) (node_cpu_seconds_total{mode=\"idle\"}) > 2",
        "avg_over_time(up[5m]) < 0.9",
        "sum(up) < 2",
        "vector(1)",
        "rate(slow_jobs_total[5m]) > 3",
        "100 * sum(rate(django_http_responses_total_by_status_total{status=\"302\"}[5m])) \
         / sum(rate(django_http_responses_total_by_status_total[5m])) > 0.5",
        "label_replace(queue_length, \"name\", \"$1\", \"queue\", \"(.*)\") > 3 and on (queue) queue_length > 1",
        "count_values by (queue) (\"length\", queue_length) > 3",
        "time() - node_load5 > 300",
        "node_timex_offset_seconds > 0.05 or node_timex_offset_seconds < -0.05",
        "zfs_compress_ratio > 3",
    ] {
        assert_eq!(found(rule(expression)), Vec::<String>::new(), "{expression}");
    }
}

#[test]
fn selectors_that_match_nothing_are_found() {
    assert_found(&[
        (
            "node_cpu_second_total > 1",
            &["matches_nothing: ", "no target has", "did you mean `node_cpu_seconds_total`?"],
        ),
        (
            "redis_connections > 1",
            &["matches_nothing: ", "nor any other that begins with `redis_`", "monctl status"],
        ),
        (
            "rate(node_cpu_seconds_total{mode=\"idel\"}[1m]) > 0.5",
            &["matches_nothing: ", "none of the 2 series", "did you mean `mode=\"idle\"`?"],
        ),
        (
            "rate(django_http_responses_total_by_status_total{status=~\"5..\"}[1m]) > 1",
            &["matches_nothing?: ", "existing values: `200`, `302`", "only with a failure"],
        ),
        (
            "queue_length{queue=\"mail\", instance!=\"10.0.0.7:8000\"} > 1",
            &["matches_nothing?: ", "existing values: `10.0.0.7:8000`"],
        ),
        (
            "queue_length > 1 or qeue_length > 2",
            &["matches_nothing?: ", "`qeue_length`", "did you mean `queue_length`?"],
        ),
    ]);
}

#[test]
fn labels_that_do_not_exist_are_found() {
    assert_found(&[
        (
            "sum by (host) (rate(node_cpu_seconds_total[1m])) > 1",
            &["no_such_label: ", "`sum by (host)`", "the labels are `cpu`"],
        ),
        ("sum by (insance) (node_load5) > 1", &["no_such_label: ", "did you mean `instance`?"]),
        (
            "queue_length{qeue!=\"mail\"} > 1",
            &["no_such_label: ", "`qeue!=\"mail\"`", "did you mean `queue`?"],
        ),
        (
            "sum by (queue) (sum by (job) (queue_length)) > 1",
            &["no_such_label: ", "`sum by (queue)`", "the labels are `job`"],
        ),
        (
            "queue_length > on (mountpoint) node_filesystem_size_bytes",
            &["no_such_label: ", "`on (mountpoint)`: the left side"],
        ),
    ]);
    // Both sides lack it.
    assert_eq!(found(rule("queue_length > on (host, queue) queue_length")).len(), 2);
    // A matcher on a label that no series has matches nothing, too.
    let both = found(rule("queue_length{qeue=\"mail\"} > 1"));
    assert!(
        both.iter().any(|it| it.starts_with("no_such_label: ") && it.contains("did you mean `queue`?")),
        "{both:?}"
    );
}

#[test]
fn labels_of_templates_have_to_be_in_the_result() {
    let annotated = |template: &str| CheckedRule {
        annotations: [("summary".to_owned(), template.to_owned())].into(),
        labels: labels("team=web"),
        ..rule("sum by (queue) (queue_length) > 5")
    };
    for template in ["{{ $labels.queue }} {{ $labels.team }} {{ $labels.alertname }} {{ $value }}", ""] {
        assert_eq!(found(annotated(template)), Vec::<String>::new(), "{template}");
    }
    let found = found(annotated("{{ $labels.instance }} is full"));
    assert!(
        found[0].contains("uses `$labels.instance`, but the result of the expression has no such label"),
        "{found:?}"
    );
}

#[test]
fn thresholds_that_are_never_or_always_reached_are_found() {
    assert_found(&[
        (
            "1 - avg by (instance) (rate(node_cpu_seconds_total{mode=\"idle\"}[1m])) > 80",
            &["never_reached: ", "between 0 and 1", "more than 80", "write 0.8"],
        ),
        (
            "100 - 100 * node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes > 900",
            &["never_reached: ", "between 0 and 100", "write a number between 0 and 100"],
        ),
        (
            "node_filesystem_avail_bytes / node_filesystem_size_bytes < 10",
            &["always_reached: ", "between 0 and 1", "write 0.1"],
        ),
        (
            "100 * node_filesystem_avail_bytes / node_filesystem_size_bytes < 0.1",
            &["never_reached: ", "is a percentage, so 0.1 means 0.1%", "write 10"],
        ),
        ("up == 2", &["never_reached: ", "is never 2"]),
        ("up > 1", &["never_reached: "]),
        ("rate(slow_jobs_total[5m]) < 0", &["never_reached: ", "is never below 0"]),
        ("rate(slow_jobs_total[5m]) >= 0", &["always_reached: "]),
        ("80 < 1 - avg(rate(node_cpu_seconds_total{mode=\"idle\"}[1m]))", &["never_reached: "]),
        ("up == 0 or sum(up) < -1", &["never_reached: ", "`sum(up)`"]),
    ]);
}

#[test]
fn a_percentage_that_is_beyond_a_fraction_already_is_a_slip() {
    let left = "100 - avg by (instance) (rate(node_cpu_seconds_total{mode=\"idle\"}[1m])) * 100";
    let rule = rule(&format!("{left} > 0.8"));
    let mut snapshot = snapshot(vec![rule.clone()]);
    assert_eq!(check(&snapshot), [], "half a percent may be intended");
    let [side] = &*sides_with_number(&rule.expression) else { panic!() };
    snapshot.values.insert(side.clone(), vec![0.3, 4.2]);
    let found = check(&snapshot);
    assert_eq!((found.len(), found[0].kind), (1, FindingKind::NeverReached));
    assert!(found[0].evidence.contains("1 of 2 values are more than 0.8 now"), "{}", found[0].evidence);
    assert!(found[0].remedy.starts_with("write 80,"), "{}", found[0].remedy);
}

#[test]
fn a_for_of_less_than_two_evaluations_is_found() {
    let holding = |seconds| CheckedRule { hold: Duration::from_secs(seconds), ..rule("up == 0") };
    for (seconds, count) in [(0, 0), (1, 1), (29, 1), (30, 0)] {
        let found = found(holding(seconds));
        assert_eq!(found.len(), count, "{seconds}: {found:?}");
        assert!(
            found.iter().all(|it| it.starts_with("short_hold: ") && it.contains("at least 30s")),
            "{found:?}"
        );
    }
}

#[test]
fn a_range_of_less_than_four_scrapes_of_its_own_job_is_found() {
    assert_found(&[
        (
            "rate(slow_jobs_total[3m]) > 3",
            &["short_range: ", "covers 3 scrapes (one every 60 s)", "at least 4m"],
        ),
        ("rate(slow_jobs_total[1m]) > 3", &["short_range: ", "covers 1 scrapes", "it is often empty"]),
        ("max_over_time(node_load5[30s]) > 3", &["short_range: ", "every 15 s", "at least 1m"]),
    ]);
}

#[test]
fn alerts_that_no_route_delivers_are_found() {
    let labelled = |words: &str| CheckedRule { labels: labels(words), ..rule("up == 0") };
    for (words, count) in [
        ("severity=critical", 0),
        ("severity=none", 1),
        // The labels of the series decide, and may lead to a receiver that notifies.
        ("team=lab", 0),
        ("severity={{$value}}", 0),
        // The route continues to further ones.
        ("severity=audit", 0),
    ] {
        let found = found(labelled(words));
        assert_eq!(found.len(), count, "{words}: {found:?}");
        assert!(
            found
                .iter()
                .all(|it| it.starts_with("not_delivered: ") && it.contains("`empty`, which notifies no one"))
        );
    }
}

#[test]
fn silences_without_end_are_found_with_the_rules_that_they_hide() {
    let silence = |ends_at: &str| Silence {
        comment: String::new(),
        id: "4711".into(),
        matchers: vec![Matcher {
            name: "alertname".into(),
            value: "O.*".into(),
            is_regex: true,
            is_equal: true,
        }],
        ends_at: ends_at.into(),
        created_by: "jo".into(),
        status: SilenceStatus { state: "active".into() },
    };
    let mut snapshot = snapshot(vec![rule("up == 0")]);
    snapshot.silences = vec![silence("2026-12-24T00:00:00Z"), silence("2099-01-01T00:00:00Z")];
    let found = check(&snapshot);
    assert_eq!((found.len(), found[0].kind, &found[0].rule), (1, FindingKind::EndlessSilence, &None));
    assert!(found[0].evidence.contains("silence 4711 of `jo` ends 2099-01-01T00:00:00Z: it silences `Own`"));
    assert!(found[0].evidence.contains("`{alertname=~\"O.*\"}`"), "{}", found[0].evidence);
}

#[test]
fn rules_that_are_not_loaded_or_cannot_be_evaluated_have_no_other_finding() {
    let absent = CheckedRule { file: None, ..rule("nothing > 1") };
    let faulty = CheckedRule { error: Some("many-to-many matching".into()), ..rule("nothing > 1") };
    assert_eq!(found(absent), ["not_loaded: Prometheus has no rule of this name; load it with `monctl up`"]);
    let found = found(faulty);
    assert_eq!(found.len(), 1);
    assert!(
        found[0].starts_with("cannot_be_evaluated: its last evaluation failed: many-to-many"),
        "{found:?}"
    );
}

#[test]
fn a_prometheus_without_an_alertmanager_is_found_once() {
    let mut snapshot = snapshot(vec![rule("up == 0"), rule("up == 0")]);
    snapshot.alertmanagers = 0;
    assert_eq!(check(&snapshot).iter().map(|it| it.kind).collect::<Vec<_>>(), [FindingKind::NoAlertmanager]);
}

#[test]
fn only_listed_metrics_of_the_catalogue_may_begin_with_the_first_event() {
    let of_catalogue = |name: &str, expression: &str| CheckedRule {
        name: name.into(),
        entry: Catalogue::default().alert(name).cloned(),
        ..rule(expression)
    };
    for (name, expression, count) in [
        // Nothing has failed yet.
        ("DatabaseErrors", "sum by (instance) (rate(django_http_exceptions_total_by_type_total[1m])) > 1", 0),
        ("HighServerErrorRate", "rate(django_http_responses_total_by_status_view_method_total[1m]) > 1", 0),
        ("AppDown", "up == 0 or monctl_workers == 0", 0),
        // node exporter would have it.
        ("SystemdUnitFailed", "node_systemd_unit_state{state=\"failed\"} == 1", 1),
        // A gauge, whatever it is called.
        ("UnappliedMigrations", "django_migrations_unapplied_total > 0", 1),
        // Another alert of the catalogue lists it.
        ("NetworkErrors", "rate(django_http_exceptions_total_by_type_total[1m]) > 1", 1),
    ] {
        assert_eq!(found(of_catalogue(name, expression)).len(), count, "{expression}");
    }
    let findings = found(of_catalogue("UnappliedMigrations", "django_migrations_unapplied_total > 0"));
    assert!(
        findings[0].contains("set `PROMETHEUS_EXPORT_MIGRATIONS = True` in the project's settings"),
        "{findings:?}"
    );
    // No target has such metrics.
    let mut snapshot = snapshot(vec![of_catalogue("DatabaseErrors", "rate(django_db_errors_total[1m]) > 0")]);
    assert_eq!(check(&snapshot), []);
    snapshot.metrics.retain(|name| !name.starts_with("django_"));
    assert_eq!(check(&snapshot).len(), 1);
}

#[test]
fn the_page_about_the_check_names_every_kind() {
    let page = include_str!("../../docs/check.md");
    for kind in FindingKind::ALL {
        assert!(page.contains(&format!("| `{}` |", kind.word())), "docs/check.md has no row for {kind:?}");
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.word());
    }
}
