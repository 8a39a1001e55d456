//! A group of a test file: series, and the expected alerts at some times.

use super::clock::shown;
use super::texts::Texts;
use super::time::TestMillis;
use crate::render::yaml_scalar;

/// One case for promtool.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TestGroup {
    /// What it tests: a phrase that follows the alert's name.
    pub name: String,
    /// Series by name, in promtool's notation.
    pub series: Vec<(String, String)>,
    pub checks: Vec<Check>,
}

/// The expected alerts.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Check {
    /// Nothing fires.
    Quiet(TestMillis),
    /// Nothing fires or is pending.
    Calm(TestMillis),
    /// This number of alerts fires.
    Firing(TestMillis, usize),
    /// Exactly these alerts fire, with these labels and annotations.
    Alerts(TestMillis, Vec<(Texts, Texts)>),
}

impl Check {
    pub const fn at(&self) -> TestMillis {
        match self {
            Self::Quiet(at) | Self::Calm(at) | Self::Firing(at, _) | Self::Alerts(at, _) => *at,
        }
    }
}

impl TestGroup {
    /// The time of the last check.
    pub fn until(checks: &[Check]) -> TestMillis {
        checks.iter().map(Check::at).max().unwrap_or_default()
    }

    /// Whether it expects the alert to fire.
    pub fn fires(&self) -> bool {
        self.checks.iter().any(|check| !matches!(check, Check::Quiet(_) | Check::Calm(_)))
    }

    /// The group as YAML, an item of `tests`.
    pub fn written(&self, alert: &str, interval: TestMillis) -> String {
        let mut lines = vec![
            format!("  - name: {}", scalar(&format!("{alert} {}", self.name))),
            format!("    interval: {}", shown(interval)),
        ];
        if self.series.is_empty() {
            lines.push("    input_series: []".to_owned());
        } else {
            lines.push("    input_series:".to_owned());
            for (name, values) in &self.series {
                lines.push(format!("      - series: {}", scalar(name)));
                lines.push(format!("        values: {}", scalar(values)));
            }
        }
        let (counts, alerts): (Vec<_>, Vec<_>) =
            self.checks.iter().partition(|check| matches!(check, Check::Firing(..) | Check::Calm(_)));
        if !alerts.is_empty() {
            lines.push("    alert_rule_test:".to_owned());
            for check in alerts {
                check.write(alert, &mut lines);
            }
        }
        if !counts.is_empty() {
            lines.push("    promql_expr_test:".to_owned());
            for check in counts {
                check.write(alert, &mut lines);
            }
        }
        lines.join("\n")
    }
}

impl Check {
    fn write(&self, alert: &str, lines: &mut Vec<String>) {
        match self {
            Self::Quiet(at) => {
                lines.push(format!(
                    "      - {{eval_time: {}, alertname: {alert}, exp_alerts: []}}",
                    shown(*at)
                ));
            }
            Self::Calm(at) => {
                let any = format!("count(ALERTS{{alertname=\"{alert}\"}})");
                lines.push(format!("      - expr: {}", scalar(&any)));
                lines.push(format!("        eval_time: {}", shown(*at)));
                lines.push("        exp_samples: []".to_owned());
            }
            Self::Firing(at, count) => {
                let firing = format!("count(ALERTS{{alertname=\"{alert}\",alertstate=\"firing\"}})");
                lines.push(format!("      - expr: {}", scalar(&firing)));
                lines.push(format!("        eval_time: {}", shown(*at)));
                lines.push(format!("        exp_samples: [{{labels: \"{{}}\", value: {count}}}]"));
            }
            Self::Alerts(at, alerts) => {
                lines.push(format!("      - eval_time: {}", shown(*at)));
                lines.push(format!("        alertname: {alert}"));
                lines.push("        exp_alerts:".to_owned());
                for (labels, annotations) in alerts {
                    lines.push("          - exp_labels:".to_owned());
                    lines.extend(texts(labels));
                    lines.push("            exp_annotations:".to_owned());
                    lines.extend(texts(annotations));
                }
            }
        }
    }
}

fn texts(texts: &Texts) -> impl Iterator<Item = String> {
    texts.iter().map(|(name, text)| format!("              {}: {}", scalar(name), scalar(text)))
}

/// A YAML scalar: plain if that is safe, else in single quotes if possible, since series contain many double ones.
fn scalar(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_graphic() || c == ' ';
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(is_name) && !is_word(text) {
        return text.to_owned();
    }
    if text.chars().all(|c| is_plain(c) && c != '\'') {
        return format!("'{text}'");
    }
    yaml_scalar(text)
}

/// Words that some YAML parsers do not take for text.
fn is_word(text: &str) -> bool {
    let words = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    words.iter().any(|word| word.eq_ignore_ascii_case(text))
}
