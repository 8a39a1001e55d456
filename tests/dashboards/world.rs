//! A world of recorded metrics, in which promtool says whether a query brings data.
//!
//! `tests/fixtures/metrics/` holds what real exporters answered, reduced. Two hosts report it for ten minutes: what is
//! counted grows at every scrape by what was recorded, so that histograms stay what they are; the rest stands still.

use std::fmt::Write as _;
use std::process::Command;

use monctl::render::Tool;
use regex::Regex;
use serde_json::{Value, json};

/// Scrapes before the queries are asked, one each 15 s.
const SCRAPES: u32 = 40;
const ASKED_AT: &str = "10m";

/// Series in promtool's notation.
pub struct World {
    series: Vec<Value>,
}

impl World {
    /// Everything reports, and the application is used; `builtin`: it counts itself by django-prometheus.
    pub fn busy(builtin: bool) -> Self {
        Self::with_application(if builtin {
            include_str!("../fixtures/metrics/builtin.txt")
        } else {
            include_str!("../fixtures/metrics/exporter.txt")
        })
    }

    /// Everything reports, and nobody has asked the application for anything yet.
    pub fn quiet() -> Self {
        Self::with_application("")
    }

    fn with_application(application: &str) -> Self {
        let node_exporter = include_str!("../fixtures/metrics/node-exporter.txt");
        let mut world = Self { series: Vec::new() };
        for (job, port, text) in
            [("node-exporter", 9100, node_exporter), ("django-instance", 9101, application)]
        {
            world.report(job, &format!("10.0.0.1:{port}"), text);
            world.report(job, &format!("10.0.0.2:{port}"), text);
        }
        world.report("prometheus", "localhost:9090", include_str!("../fixtures/metrics/prometheus.txt"));
        world.report("alertmanager", "localhost:9093", include_str!("../fixtures/metrics/alertmanager.txt"));
        let alert = r#"ALERTS{alertname="HighCPUUsage",alertstate="firing",instance="10.0.0.1:9100",severity="warning"}"#;
        world.add(alert, "1", false);
        world
    }

    /// What one target answers, and what Prometheus notes about each scrape.
    fn report(&mut self, job: &str, instance: &str, exposition: &str) {
        let target = format!(r#"job="{job}",instance="{instance}""#);
        for (name, value) in
            [("up", "1"), ("scrape_duration_seconds", "0.01"), ("scrape_samples_scraped", "250")]
        {
            self.add(&format!("{name}{{{target}}}"), value, false);
        }
        let sample = Regex::new(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$").unwrap();
        let mut counted = false;
        for line in exposition.lines() {
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
        // promtool reads no exponents.
        let value = value.parse::<f64>().unwrap();
        let values = if grows { format!("0+{value}x{SCRAPES}") } else { format!("{value}+0x{SCRAPES}") };
        self.series.push(json!({"series": series, "values": values}));
    }

    /// Which of the expressions bring no data at all, by their number. Variables are filled as for all hosts.
    pub fn without_data(&self, expressions: &[&str]) -> Vec<usize> {
        let filled: Vec<String> = expressions.iter().map(|expression| filled(expression)).collect();
        let cases: Vec<Value> = filled
            .iter()
            .map(|expression| {
                json!({
                    "expr": format!("count({expression}) > bool 0"),
                    "eval_time": ASKED_AT,
                    "exp_samples": [{"labels": "{}", "value": 1}],
                })
            })
            .collect();
        let test = json!({"interval": "15s", "input_series": self.series, "promql_expr_test": cases});
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("test.yml");
        std::fs::write(&file, json!({"evaluation_interval": "15s", "tests": [test]}).to_string()).unwrap();
        let judged =
            Command::new(Tool::Promtool.find().unwrap()).args(["test", "rules"]).arg(&file).output().unwrap();
        let said =
            format!("{}{}", String::from_utf8_lossy(&judged.stdout), String::from_utf8_lossy(&judged.stderr));
        if judged.status.success() {
            return Vec::new();
        }
        let empty: Vec<usize> = (0..filled.len())
            .filter(|index| {
                let mut named = String::new();
                write!(named, "expr: {:?}", format!("count({}) > bool 0", filled[*index])).unwrap();
                said.contains(&named)
            })
            .collect();
        assert!(!empty.is_empty(), "promtool refused the test itself:\n{said}");
        empty
    }
}

/// An expression as a browser asks it, with all values of each variable.
fn filled(expression: &str) -> String {
    let text = expression.replace("$__rate_interval", "1m").replace("$__range", "5m");
    Regex::new(r"\$\{?\w+\}?").unwrap().replace_all(&text, ".+").into_owned()
}
