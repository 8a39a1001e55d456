//! Rules for every dashboard of monctl's, so that it works with one host and with fifty and explains what it shows.
//! `rules.rs` checks the JSON, `looks.rs` the appearance; `promql.rs` parses queries; `world.rs` runs promtool to check
//! that each query returns data from recorded metrics; `colours.rs` checks colours for colour-blind people.

mod colours;
mod document;
mod looks;
mod promql;
mod rules;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use monctl::render;
use monctl::spec::{Alert, Catalogue, Spec, load};
use regex::Regex;
use serde_json::{Value, json};

use crate::support::tools::program;

use document::{Query, of_annotations, of_variables, panels, queries, text};
use promql::Parsed;
use world::{Counted, World};

fn classic() -> Spec {
    load(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/classic/monctl.yaml"))).unwrap().spec
}

/// The classic spec with every alert of the catalogue, with none, with a user's integration, and with an application
/// measured by monctl's exporter and the default alerts, and with one that something else deploys.
fn specs() -> [(&'static str, Spec); 5] {
    let every = Catalogue::default().names().map(|name| (name.parse().unwrap(), Alert::default())).collect();
    let exporter: Spec = changed(|spec| {
        spec["app"]["metrics"] = json!("exporter");
        spec.as_object_mut().unwrap().remove("alerts");
    });
    let watched = changed(|spec| {
        spec["provider"] = json!({"hosts": {"app": ["web"], "monitoring": "watch"}});
        spec["app"] = json!({"deploy": false, "unit": "shop.service"});
    });
    [
        ("every alert", Spec { alerts: every, ..classic() }),
        ("no alert", Spec { alerts: BTreeMap::new(), ..classic() }),
        ("an integration of the user's", with_queue()),
        ("exporter", exporter),
        ("watched", watched),
    ]
}

/// The classic spec with the example integration and its alert.
fn with_queue() -> Spec {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/integrations/queue");
    let mut spec = Spec { catalogue: Catalogue::with(&[example.into()]).unwrap(), ..classic() };
    spec.alerts.insert("QueueTooLong".parse().unwrap(), Alert::default());
    spec
}

fn changed(change: impl FnOnce(&mut Value)) -> Spec {
    let mut spec = serde_json::to_value(classic()).unwrap();
    change(&mut spec);
    serde_json::from_value(spec).unwrap()
}

/// Every dashboard of every spec, with its name in messages.
fn all() -> Vec<(String, Value)> {
    let of = |(which, spec): (&str, Spec)| {
        let dashboards = render::dashboards(&spec).unwrap().into_iter();
        dashboards.map(|(name, document)| (format!("{name} ({which})"), document)).collect::<Vec<_>>()
    };
    specs().into_iter().flat_map(of).collect()
}

fn hosts() -> Value {
    render::dashboards(&specs()[0].1).unwrap().remove("hosts").unwrap()
}

#[test]
fn each_dashboard_is_a_file_with_its_own_uid() {
    let templates = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    let of = |folder: &Path| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let integrations = of(&templates.join("integrations")).map(|folder| folder.join("dashboards"));
    let files: BTreeSet<String> = [templates.join("dashboards")]
        .into_iter()
        .chain(integrations.filter(|folder| folder.is_dir()))
        .flat_map(|folder| of(&folder))
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    let dashboards = render::dashboards(&classic()).unwrap();
    assert_eq!(dashboards.keys().cloned().collect::<BTreeSet<_>>(), files);
    assert!(["overview", "hosts", "django", "monitoring"].iter().all(|name| files.contains(*name)));
    let uids: BTreeSet<&str> = dashboards.values().map(|one| one["uid"].as_str().unwrap()).collect();
    assert_eq!(uids.len(), files.len());
}

#[test]
fn dashboards_follow_every_rule() {
    for (name, dashboard) in all() {
        let findings: Vec<String> = rules::findings(&dashboard).iter().map(ToString::to_string).collect();
        assert!(findings.is_empty(), "{name}:\n  {}", findings.join("\n  "));
    }
}

#[test]
fn every_rule_finds_the_dashboard_that_breaks_it() {
    assert!(rules::findings(&hosts()).is_empty());
    let broken: Vec<_> = rules::broken_examples().into_iter().chain(looks::broken_examples()).collect();
    let tested: BTreeSet<&str> = broken.iter().map(|(rule, _)| *rule).collect();
    assert_eq!(tested, rules::names().collect(), "each rule has an example");
    for (index, (rule, damage)) in broken.into_iter().enumerate() {
        let mut dashboard = hosts();
        damage(&mut dashboard);
        let found = rules::findings_of(rule, &dashboard);
        assert!(!found.is_empty(), "example {index} breaks `{rule}` and is not detected");
    }
}

#[test]
fn thresholds_are_those_of_the_spec() {
    let panel = |spec: &Spec| {
        let dashboard = render::dashboards(spec).unwrap().remove("hosts").unwrap();
        panels(&dashboard).into_iter().find(|panel| panel["title"] == "CPU used").unwrap().clone()
    };
    let at = |above: f64, severity: &str| {
        panel(&changed(|spec| {
            spec["alerts"] = json!({"HighCPUUsage": {"above": above, "for": "3m", "severity": severity}});
        }))
    };
    let steps = |panel: &Value| panel["fieldConfig"]["defaults"]["thresholds"]["steps"].clone();
    let (fine, orange, vermilion) = ("#0072B2", "#E69F00", "#D55E00");
    let warning = at(71.5, "warning");
    let fine = json!({"color": fine, "value": null});
    assert_eq!(steps(&warning), json!([fine, {"color": orange, "value": 71.5}]));
    assert_eq!(steps(&at(90.0, "critical")), json!([fine, {"color": vermilion, "value": 90.0}]));
    assert_eq!(warning["fieldConfig"]["defaults"]["custom"]["thresholdsStyle"]["mode"], "dashed");
    let help = warning["description"].as_str().unwrap();
    assert!(help.ends_with(" HighCPUUsage fires above 71.5 % for 3m."), "{help}");

    let own = panel(&changed(|spec| spec["alerts"] = json!({"HighCPUUsage": {"expr": "vector(1)"}})));
    for without in [panel(&specs()[1].1), own] {
        assert_eq!(steps(&without), json!([fine]));
        assert_eq!(without["fieldConfig"]["defaults"]["custom"]["thresholdsStyle"]["mode"], "off");
        let help = without["description"].as_str().unwrap();
        assert!(help.ends_with(" The spec has no alert HighCPUUsage with a threshold."), "{help}");
    }
}

/// The panel shows the time until a disk is full in days; the alert's twelve hours are half a day.
#[test]
fn an_alert_on_a_forecast_fires_below_its_threshold() {
    let spec = changed(|spec| spec["alerts"] = json!({"DiskWillFillSoon": {"within": "12h", "for": "1h"}}));
    let dashboard = render::dashboards(&spec).unwrap().remove("hosts").unwrap();
    let panel =
        panels(&dashboard).into_iter().find(|panel| panel["title"] == "Time until a disk is full").unwrap();
    let steps = &panel["fieldConfig"]["defaults"]["thresholds"]["steps"];
    assert_eq!(*steps, json!([{"color": "#E69F00", "value": null}, {"color": "#0072B2", "value": 0.5}]));
    let help = text(&panel["description"]);
    assert!(help.ends_with(" DiskWillFillSoon fires below 12h for 1h."), "{help}");
}

/// Alerts whose threshold is not on a panel, with the reason.
const WITHOUT_A_LINE: [(&str, &str); 2] = [
    ("PrometheusRestarted", "it counts starts within its window; `Prometheus' memory` falls at each of them"),
    ("WorkersRestarting", "it counts within its window; `Workers replaced` shows each one when it happened"),
];

#[test]
fn every_alert_with_a_threshold_is_on_a_panel() {
    let dashboards: Vec<Value> = all().into_iter().map(|(_, dashboard)| dashboard).collect();
    let shown: BTreeSet<String> = dashboards.iter().flat_map(panels).flat_map(rules::alerts_of).collect();
    let catalogue = Catalogue::default();
    let has_line = |name: &str| catalogue.alert(name).is_some_and(|alert| alert.above.is_some());
    for name in catalogue.names().filter(|name| has_line(name)) {
        let excepted = WITHOUT_A_LINE.iter().any(|(without, _)| *without == name);
        assert_eq!(shown.contains(name), !excepted, "{name}");
    }
}

/// What people look for, with the dashboard and a metric that shows it.
const LOOKED_FOR: [(&str, &str, &str); 49] = [
    ("overview", "is the application up", "monctl_workers"),
    ("overview", "are the hosts up", "up"),
    ("overview", "is it slow", "django_http_requests_latency_seconds_by_view_method_bucket"),
    ("overview", "is it failing", "django_http_responses_total_by_status_view_method_total"),
    ("overview", "is the disk full", "node_filesystem_avail_bytes"),
    ("overview", "is the memory full", "node_memory_MemAvailable_bytes"),
    ("overview", "firing alerts", "ALERTS"),
    ("hosts", "CPU by mode", "node_cpu_seconds_total"),
    ("hosts", "load", "node_load5"),
    ("hosts", "pressure on CPUs", "node_pressure_cpu_waiting_seconds_total"),
    ("hosts", "pressure on memory", "node_pressure_memory_waiting_seconds_total"),
    ("hosts", "pressure on disks", "node_pressure_io_waiting_seconds_total"),
    ("hosts", "available memory", "node_memory_MemAvailable_bytes"),
    ("hosts", "swap", "node_memory_SwapFree_bytes"),
    ("hosts", "disk space", "node_filesystem_avail_bytes"),
    ("hosts", "inodes", "node_filesystem_files_free"),
    ("hosts", "disk I/O", "node_disk_read_bytes_total"),
    ("hosts", "disk latency", "node_disk_read_time_seconds_total"),
    ("hosts", "network", "node_network_receive_bytes_total"),
    ("hosts", "network errors", "node_network_receive_errs_total"),
    ("hosts", "disk operations", "node_disk_reads_completed_total"),
    ("hosts", "size of file systems", "node_filesystem_size_bytes"),
    ("hosts", "open connections", "node_netstat_Tcp_CurrEstab"),
    ("hosts", "clock", "node_time_seconds"),
    ("hosts", "failed units", "node_systemd_unit_state"),
    ("hosts", "names", "node_uname_info"),
    ("django", "requests and status classes", "django_http_responses_total_by_status_view_method_total"),
    ("django", "latency by view", "django_http_requests_latency_seconds_by_view_method_bucket"),
    ("django", "exceptions by type", "django_http_exceptions_total_by_type_total"),
    ("django", "sizes of requests", "django_http_requests_body_total_bytes_bucket"),
    ("django", "sizes of responses", "django_http_responses_body_total_bytes_bucket"),
    ("django", "database", "django_db_execute_total"),
    ("django", "errors of the database", "django_db_errors_total"),
    ("django", "latency of the database", "django_db_query_duration_seconds_bucket"),
    ("django", "connections to the database", "django_db_new_connections_total"),
    ("django", "cache", "django_cache_get_hits_total"),
    ("django", "Gunicorn workers", "monctl_workers"),
    ("django", "slots", "monctl_request_slots"),
    ("django", "requests in progress", "monctl_requests_in_progress"),
    ("django", "workers replaced", "monctl_worker_replacements_total"),
    ("django", "migrations not applied", "django_migrations_unapplied_total"),
    ("monitoring", "targets", "up"),
    ("monitoring", "scrape time", "scrape_duration_seconds"),
    ("monitoring", "samples", "scrape_samples_scraped"),
    ("monitoring", "rule evaluation", "prometheus_rule_evaluation_failures_total"),
    ("monitoring", "notifications sent", "alertmanager_notifications_total"),
    ("monitoring", "notifications failed", "alertmanager_notifications_failed_total"),
    ("monitoring", "last proof of each alert", "monctl_alert_last_proven_timestamp_seconds"),
    ("monitoring", "storage and how long it lasts", "prometheus_tsdb_retention_limit_seconds"),
];

#[test]
fn the_dashboards_show_everything_that_people_look_for() {
    let mut queried = BTreeSet::new();
    for (_, spec) in specs() {
        for (name, dashboard) in render::dashboards(&spec).unwrap() {
            for query in queries(&dashboard) {
                let selectors = Parsed::new(&query.expression).unwrap().selectors();
                queried.extend(selectors.into_iter().map(|selector| (name.clone(), selector.metric)));
            }
        }
    }
    for (dashboard, what, metric) in LOOKED_FOR {
        assert!(
            queried.contains(&(dashboard.to_owned(), metric.to_owned())),
            "{dashboard}: {what}: {metric}"
        );
    }
}

/// A query of a dashboard.
struct DashboardQuery {
    dashboard: String,
    query: Query,
}

impl DashboardQuery {
    fn place(&self) -> String {
        format!("{}: {}", self.dashboard, self.query.panel)
    }
}

/// All queries of dashboards; the metrics of an application depend on how it is measured.
fn dashboard_queries(counted: Counted) -> Vec<DashboardQuery> {
    let [builtin, _, _, exporter, _] = specs();
    let spec = if counted == Counted::Builtin { builtin.1 } else { exporter.1 };
    let of = |(dashboard, document): (String, Value)| {
        let every =
            queries(&document).into_iter().chain(of_variables(&document)).chain(of_annotations(&document));
        every.map(|query| DashboardQuery { dashboard: dashboard.clone(), query }).collect::<Vec<_>>()
    };
    render::dashboards(&spec).unwrap().into_iter().flat_map(of).collect()
}

fn expressions(queried: &[DashboardQuery]) -> Vec<&str> {
    queried.iter().map(|one| one.query.expression.as_str()).collect()
}

/// The places of panels none of whose queries returns data in a world.
fn empty_panels(world: &World, queried: &[DashboardQuery]) -> BTreeSet<String> {
    let empty = world.without_data(&expressions(queried));
    let shown = queried.iter().enumerate().filter(|(index, _)| !empty.contains(index));
    let shown: BTreeSet<String> = shown.map(|(_, one)| one.place()).collect();
    queried.iter().map(DashboardQuery::place).filter(|place| !shown.contains(place)).collect()
}

/// The panel of a place; `None` for a variable or an annotation.
fn panel_at(place: &str, counted: Counted) -> Option<Value> {
    let (dashboard, title) = place.split_once(": ").unwrap();
    let [builtin, _, _, exporter, _] = specs();
    let spec = if counted == Counted::Builtin { builtin.1 } else { exporter.1 };
    let document = render::dashboards(&spec).unwrap().remove(dashboard).unwrap();
    panels(&document).into_iter().find(|panel| panel["title"] == title).cloned()
}

#[test]
fn every_query_returns_data_from_recorded_metrics() {
    if program("promtool").is_none() {
        return;
    }
    for counted in Counted::BOTH {
        let queried = dashboard_queries(counted);
        let empty = World::busy(counted).without_data(&expressions(&queried));
        let empty: Vec<_> =
            empty.iter().map(|index| (queried[*index].place(), expressions(&queried)[*index])).collect();
        assert!(empty.is_empty(), "{counted:?}: {empty:#?}");
    }
}

#[test]
fn every_metric_in_a_query_was_recorded() {
    if program("promtool").is_none() {
        return;
    }
    // Placeholders for missing data hide a misspelt metric from the other tests.
    let metrics = Counted::BOTH.into_iter().flat_map(dashboard_queries).flat_map(|one| {
        Parsed::new(&one.query.expression).unwrap().selectors().into_iter().map(|selector| selector.metric)
    });
    let metrics: BTreeSet<String> = metrics.collect();
    let names: Vec<&str> = metrics.iter().map(String::as_str).collect();
    let unknown = Counted::BOTH.map(|counted| World::busy(counted).without_data(&names));
    let nowhere: Vec<&str> =
        unknown[0].iter().filter(|index| unknown[1].contains(index)).map(|index| names[*index]).collect();
    // It exists only after a connection was refused.
    assert_eq!(nowhere, ["django_db_new_connection_errors_total"]);
}

#[test]
fn without_requests_to_the_application_no_panel_is_empty() {
    if program("promtool").is_none() {
        return;
    }
    for counted in Counted::BOTH {
        let mut empty = empty_panels(&World::quiet(counted), &dashboard_queries(counted));
        // There is no view to choose, and a panel for an optional part of a project says that it may be empty.
        empty.retain(|place| {
            let panel = panel_at(place, counted);
            panel.is_some_and(|panel| !text(&panel["description"]).contains(" May be empty: "))
        });
        assert!(empty.is_empty(), "{counted:?}: {empty:#?}");
    }
}

#[test]
fn prometheus_own_scrapes_do_not_count_as_traffic() {
    if program("promtool").is_none() {
        return;
    }
    let of = |title: &str| {
        let found = dashboard_queries(Counted::Builtin).into_iter().find(|one| one.query.panel == title);
        format!("({})", found.unwrap().query.expression)
    };
    let (requests, failing, latency) = (of("Requests"), of("5xx responses"), of("Slowest p95"));
    let not_a_number = |expression: &str| format!("{expression} != {expression}");
    let claims = [format!("{requests} == 0"), not_a_number(&failing), not_a_number(&latency)];
    let claims = claims.each_ref().map(String::as_str);
    assert_eq!(World::quiet(Counted::Builtin).without_data(&claims), [0; 0]);
    assert_eq!(World::busy(Counted::Builtin).without_data(&claims), [0, 1, 2], "with requests of people");
}

#[test]
fn an_unscraped_application_is_distinguished_from_one_without_requests() {
    if program("promtool").is_none() {
        return;
    }
    // Known without scrapes: whether targets answer, firing alerts, and the names of hosts that reported one.
    let known = ["up", "monctl_workers", "ALERTS", "node_uname_info"];
    for counted in Counted::BOTH {
        let mut queried = dashboard_queries(counted);
        queried.retain(|one| one.dashboard != "monitoring");
        let empty = World::unscraped().without_data(&expressions(&queried));
        let shown =
            queried.iter().enumerate().filter(|(index, _)| !empty.contains(index)).map(|(_, one)| one);
        let is_known = |one: &DashboardQuery| {
            let selectors = Parsed::new(&one.query.expression).unwrap().selectors();
            selectors.iter().all(|selector| known.contains(&selector.metric.as_str()))
        };
        let (founded, unfounded): (Vec<_>, Vec<_>) = shown.partition(|one| is_known(one));
        let unfounded: Vec<_> = unfounded.iter().map(|one| (one.place(), &one.query.expression)).collect();
        assert!(unfounded.is_empty(), "{counted:?}: {unfounded:#?}");
        assert!(!founded.is_empty(), "{counted:?}: no panel shows that they do not answer");
    }
}

#[test]
fn an_application_that_is_down_is_counted_whatever_the_cause() {
    if program("promtool").is_none() {
        return;
    }
    let all = dashboard_queries(Counted::Exporter);
    let down: Vec<&DashboardQuery> = all.iter().filter(|one| one.query.panel == "Apps down").collect();
    assert_eq!(down.len(), 2);
    let claim = |count: u8| {
        down.iter().map(|one| format!("({}) == {count}", one.query.expression)).collect::<Vec<_>>()
    };
    let untrue = |world: &World, count: u8| {
        let claims = claim(count);
        world.without_data(&claims.iter().map(String::as_str).collect::<Vec<_>>())
    };
    assert_eq!(untrue(&World::dead(), 2), [0; 0], "Gunicorn has stopped, its metrics endpoint answers");
    assert_eq!(untrue(&World::unscraped(), 2), [0; 0], "its metrics endpoint does not answer");
    for counted in Counted::BOTH {
        assert_eq!(untrue(&World::busy(counted), 0), [0; 0], "it is up");
    }
    assert_eq!(untrue(&World::quiet(Counted::Exporter), 0), [0; 0], "it is up without requests");
}

/// The expression of the first query of a panel.
fn expression_of(title: &str, counted: Counted) -> String {
    let found = dashboard_queries(counted).into_iter().find(|one| one.query.panel == title);
    format!("({})", found.unwrap_or_else(|| panic!("{title}")).query.expression)
}

/// Returns data if some series of the expression has this label value.
fn with_label(expression: &str, label: &str, value: &str) -> String {
    format!(r#"{expression} and on ({label}) label_replace(vector(1), "{label}", "{value}", "", "")"#)
}

#[test]
fn alerts_and_instances_show_the_names_of_their_hosts() {
    if program("promtool").is_none() {
        return;
    }
    let busy = World::busy(Counted::Exporter);
    for title in ["Alerts that fire", "annotation Firing alerts", "Latency by instance, p95", "CPU used"] {
        let named = with_label(&expression_of(title, Counted::Exporter), "nodename", "app");
        assert_eq!(busy.without_data(&[&named]), [0; 0], "{title}");
    }
    let named =
        with_label(&expression_of("Latency by instance, p95", Counted::Exporter), "nodename", "10.0.0.1");
    assert_eq!(busy.without_data(&[&named]), [0], "only hosts without a name show an address");
    assert_eq!(World::nameless().without_data(&[&named]), [0; 0]);
}

#[test]
fn a_placeholder_for_series_disappears_once_there_is_one() {
    if program("promtool").is_none() {
        return;
    }
    let panels = [
        ("Requests by method", "method", "no request yet"),
        ("Responses by view", "view", "no request yet"),
        ("Latency by view, p95", "view", "no request yet"),
        ("Exceptions by type", "type", "none so far"),
    ];
    let claims =
        panels.map(|(title, label, name)| with_label(&expression_of(title, Counted::Exporter), label, name));
    let claims = claims.each_ref().map(String::as_str);
    assert_eq!(World::quiet(Counted::Exporter).without_data(&claims), [0; 0]);
    assert_eq!(World::busy(Counted::Exporter).without_data(&claims), [0, 1, 2, 3]);
}

#[test]
fn the_first_six_series_have_their_own_colours_and_the_rest_is_grey() {
    if program("promtool").is_none() {
        return;
    }
    let fifty = render::dashboards(&changed(|spec| spec["app"]["count"] = json!(HOSTS))).unwrap();
    let query = queries(&fifty["hosts"]).into_iter().find(|query| query.panel == "CPU used").unwrap();
    let expression = format!("({})", query.expression);
    let mut claims: Vec<String> = (1..=6)
        .map(|rank| with_label(&expression, "rank", &rank.to_string()))
        .map(|one| format!("count({one}) == 1"))
        .collect();
    claims.push(format!("count({}) == {}", with_label(&expression, "rank", "0"), HOSTS + 1 - 6));
    let claims: Vec<&str> = claims.iter().map(String::as_str).collect();
    assert_eq!(World::of_hosts(HOSTS, Counted::Exporter).without_data(&claims), [0; 0]);
}

#[test]
fn the_monitoring_host_is_among_the_hosts() {
    if program("promtool").is_none() {
        return;
    }
    let shown = ["Hosts", "variable host", "File systems", "Memory used", "Up since"];
    let claims = shown
        .map(|title| with_label(&expression_of(title, Counted::Exporter), "instance", "monitoring:9100"));
    let claims = claims.each_ref().map(String::as_str);
    assert_eq!(World::nameless().without_data(&claims), [0, 1, 2, 3, 4]);
    assert_eq!(World::busy(Counted::Exporter).without_data(&claims), [0; 0]);
}

#[test]
fn a_table_is_as_high_as_what_it_shows() {
    let heights = |hosts: usize| {
        let dashboards = render::dashboards(&changed(|spec| spec["app"]["count"] = json!(hosts))).unwrap();
        let height = |dashboard: &str, title: &str| {
            let found = panels(&dashboards[dashboard]).into_iter().find(|panel| panel["title"] == title);
            found.unwrap()["gridPos"]["h"].as_u64().unwrap()
        };
        [height("hosts", "Hosts"), height("overview", "Alerts that fire"), height("monitoring", "Targets")]
    };
    // An application host and the monitoring host; five targets.
    assert_eq!(heights(1), [5, 5, 8]);
    assert_eq!(heights(HOSTS), [13, 13, 13], "one table does not fill a screen");
}

const HOSTS: usize = 50;

#[test]
fn with_fifty_hosts_everything_is_shown_once_for_each() {
    if program("promtool").is_none() {
        return;
    }
    let world = World::of_hosts(HOSTS, Counted::Exporter);
    let all = dashboard_queries(Counted::Exporter);
    let empty = world.without_data(&expressions(&all));
    assert_eq!(empty, [0; 0], "{:?}", empty.iter().map(|index| all[*index].place()).collect::<Vec<_>>());
    let mut graphs = all;
    graphs.retain(|one| !one.query.instant);
    // Plus the monitoring host.
    let crowded = world.with_more_than(HOSTS + 1, &expressions(&graphs));
    let crowded: Vec<_> = crowded.iter().map(|index| graphs[*index].place()).collect();
    assert!(crowded.is_empty(), "{crowded:#?}");
    let names = format!("count(sum by (nodename) (node_uname_info)) == {}", HOSTS + 1);
    assert_eq!(world.without_data(&[&names]), [0; 0], "each host has a name");
}

#[test]
fn a_misspelt_metric_and_a_missing_label_return_no_data() {
    if program("promtool").is_none() {
        return;
    }
    let world = World::busy(Counted::Exporter);
    let judge = |expression: &str| world.without_data(&[expression]);
    assert_eq!(judge(r#"node_load1{job="node-exporter"}"#), [0; 0]);
    assert_eq!(judge(r#"node_laod1{job="node-exporter"}"#), [0]);
    assert_eq!(judge(r#"node_load1{job="node_exporter"}"#), [0]);
    assert_eq!(judge(r#"sum by (le) (node_load1{mode="idle"})"#), [0]);
}

#[test]
fn node_exporter_sees_the_root_of_every_kind_of_machine() {
    let unit = include_str!("../../../templates/integrations/node/systemd/monctl-node-exporter.service");
    let option = |name: &str| {
        let found = unit.split_whitespace().find_map(|word| word.strip_prefix(name)).unwrap();
        Regex::new(&found.replace("$$", "$")).unwrap()
    };
    let types = option("--collector.filesystem.fs-types-exclude=");
    assert!(!["ext4", "xfs", "btrfs", "overlay"].iter().any(|kind| types.is_match(kind)));
    assert!(["tmpfs", "proc", "cgroup", "cgroup2"].iter().all(|kind| types.is_match(kind)));
    let places = option("--collector.filesystem.mount-points-exclude=");
    assert!(!["/", "/srv", "/var/lib/docker", "/runner"].iter().any(|place| places.is_match(place)));
    assert!(
        ["/run", "/run/host/incoming", "/var/lib/docker/overlay2/x"]
            .iter()
            .all(|place| places.is_match(place))
    );
}
