//! A world of recorded metrics, in which promtool checks whether a query returns data.
//!
//! `tests/fixtures/metrics/` holds reduced answers of real exporters. Hosts report them for ten minutes. Counters grow
//! at every scrape by the recorded value, which preserves the shape of histograms; other metrics are constant.

use std::fmt::Write as _;
use std::process::Command;

use regex::Regex;
use serde_json::{Value, json};

use crate::support::tools::program;

/// Scrapes before the queries are evaluated, one every 15 s.
const SCRAPES: u32 = 40;
const EVALUATED_AT: &str = "10m";

const NODE: &str = include_str!("../../fixtures/metrics/node-exporter.txt");

/// Series in promtool's notation.
pub struct World {
    series: Vec<Value>,
}

/// How the application is measured: by monctl's exporter, or by itself with django-prometheus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    Exporter,
    Builtin,
}

impl Counted {
    pub const BOTH: [Self; 2] = [Self::Exporter, Self::Builtin];
}

impl World {
    /// Everything reports, and the application is used.
    pub fn busy(counted: Counted) -> Self {
        Self::of_hosts(2, counted)
    }

    /// The same with this number of hosts.
    pub fn of_hosts(hosts: usize, counted: Counted) -> Self {
        let application = match counted {
            Counted::Exporter => include_str!("../../fixtures/metrics/exporter.txt"),
            Counted::Builtin => include_str!("../../fixtures/metrics/builtin.txt"),
        };
        Self::with(hosts, Some(NODE), Some(application))
    }

    /// Everything reports, and the application has had no requests except Prometheus' scrapes.
    pub fn quiet(counted: Counted) -> Self {
        let application = match counted {
            Counted::Exporter => include_str!("../../fixtures/metrics/exporter-quiet.txt"),
            Counted::Builtin => include_str!("../../fixtures/metrics/builtin-quiet.txt"),
        };
        Self::with(2, Some(NODE), Some(application))
    }

    /// Gunicorn has stopped; the process that serves the metrics still runs.
    pub fn dead() -> Self {
        Self::with(2, Some(NODE), Some(include_str!("../../fixtures/metrics/exporter-dead.txt")))
    }

    /// Neither hosts nor applications answer a scrape.
    pub fn unscraped() -> Self {
        Self::with(2, None, None)
    }

    /// The application answers, but no node exporter reports the names of the hosts.
    pub fn nameless() -> Self {
        Self::with(2, None, Some(include_str!("../../fixtures/metrics/exporter.txt")))
    }

    fn with(hosts: usize, node: Option<&str>, application: Option<&str>) -> Self {
        let mut world = Self { series: Vec::new() };
        for number in 1..=hosts {
            let name = if number == 1 { "app".to_owned() } else { format!("app-{number}") };
            let node = node.map(|text| text.replace(r#"nodename="app""#, &format!(r#"nodename="{name}""#)));
            world.report("node-exporter", &format!("10.0.0.{number}:9100"), node.as_deref());
            world.report("django-instance", &format!("10.0.0.{number}:9101"), application);
        }
        let [prometheus, alertmanager] = [
            include_str!("../../fixtures/metrics/prometheus.txt"),
            include_str!("../../fixtures/metrics/alertmanager.txt"),
        ];
        let node = node.map(|text| text.replace(r#"nodename="app""#, r#"nodename="monitoring""#));
        world.report("node-exporter", "monitoring:9100", node.as_deref());
        world.report("prometheus", "monitoring:9090", Some(prometheus));
        world.report("alertmanager", "monitoring:9093", Some(alertmanager));
        let alert = r#"ALERTS{alertname="HighCPUUsage",alertstate="firing",instance="10.0.0.1:9100",severity="warning"}"#;
        world.add(alert, "1", false);
        world.add(r#"monctl_alert_last_proven_timestamp_seconds{alert="HighCPUUsage"}"#, "0", false);
        world
    }

    /// Adds the answers of one target, if it answers, and Prometheus' own metrics of each scrape.
    fn report(&mut self, job: &str, instance: &str, exposition: Option<&str>) {
        let target = format!(r#"job="{job}",instance="{instance}""#);
        let up = if exposition.is_some() { "1" } else { "0" };
        for (name, value) in
            [("up", up), ("scrape_duration_seconds", "0.01"), ("scrape_samples_scraped", "250")]
        {
            self.add(&format!("{name}{{{target}}}"), value, false);
        }
        let sample = Regex::new(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$").unwrap();
        let mut counted = false;
        for line in exposition.unwrap_or_default().lines() {
            if let Some(kind) = line.strip_prefix("# TYPE ") {
                counted =
                    ["counter", "histogram", "summary", "untyped"].iter().any(|word| kind.ends_with(word));
                continue;
            }
            let found = sample.captures(line).unwrap_or_else(|| panic!("{line}"));
            let labels = found.get(2).map(|labels| format!(",{}", labels.as_str())).unwrap_or_default();
            let quantile = labels.contains("quantile=");
            self.add(&format!("{}{{{target}{labels}}}", &found[1]), &found[3], counted && !quantile);
        }
    }

    fn add(&mut self, series: &str, value: &str, grows: bool) {
        // promtool does not accept exponents.
        let value = value.parse::<f64>().unwrap();
        let values = if grows { format!("0+{value}x{SCRAPES}") } else { format!("{value}+0x{SCRAPES}") };
        self.series.push(json!({"series": series, "values": values}));
    }

    /// The indexes of the expressions that return no data.
    pub fn without_data(&self, expressions: &[&str]) -> Vec<usize> {
        self.untrue(expressions, |expression| format!("count({expression}) > bool 0"))
    }

    /// The indexes of the expressions that return more than `most` series.
    pub fn with_more_than(&self, most: usize, expressions: &[&str]) -> Vec<usize> {
        self.untrue(expressions, |expression| format!("(count({expression}) or vector(0)) <= bool {most}"))
    }

    /// The indexes of the expressions whose claim does not evaluate to 1. Variables are filled in for all hosts.
    fn untrue(&self, expressions: &[&str], claim: impl Fn(&str) -> String) -> Vec<usize> {
        let claims: Vec<String> = expressions.iter().map(|expression| claim(&filled(expression))).collect();
        let case = |claim: &String| {
            json!({
                "expr": claim,
                "eval_time": EVALUATED_AT,
                "exp_samples": [{"labels": "{}", "value": 1}],
            })
        };
        let cases: Vec<Value> = claims.iter().map(case).collect();
        // Drops unused series: with fifty hosts, promtool needs a minute to read them.
        let queries = claims.join(" ");
        let is_used = |series: &&Value| {
            series["series"]
                .as_str()
                .and_then(|it| it.split('{').next())
                .is_some_and(|name| queries.contains(name))
        };
        let series: Vec<&Value> = self.series.iter().filter(is_used).collect();
        let test = json!({"interval": "15s", "input_series": series, "promql_expr_test": cases});
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("test.yml");
        std::fs::write(&file, json!({"evaluation_interval": "15s", "tests": [test]}).to_string()).unwrap();
        let judged =
            Command::new(program("promtool").unwrap()).args(["test", "rules"]).arg(&file).output().unwrap();
        let output =
            format!("{}{}", String::from_utf8_lossy(&judged.stdout), String::from_utf8_lossy(&judged.stderr));
        if judged.status.success() {
            return Vec::new();
        }
        // A rejected query does not count as a query without data.
        assert!(!output.contains("err:"), "promtool rejected a query:\n{output}");
        let named = |index: &usize| {
            let mut named = String::new();
            write!(named, "expr: {:?}", claims[*index]).unwrap();
            output.contains(&named)
        };
        let found: Vec<usize> = (0..claims.len()).filter(named).collect();
        assert!(!found.is_empty(), "promtool rejected the test itself:\n{output}");
        found
    }
}

/// An expression as a browser sends it, with all values of each variable.
fn filled(expression: &str) -> String {
    let text = expression.replace("$__rate_interval", "1m").replace("$__range", "5m");
    Regex::new(r"\$\{?[a-z]\w*\}?").unwrap().replace_all(&text, ".+").into_owned()
}
