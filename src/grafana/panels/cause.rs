//! Finds out why a query returned no data: queries Prometheus through Grafana for the expression and its selectors, and
//! checks the possible causes in order.

use std::collections::BTreeSet;

use super::super::client::GrafanaClient;
use super::selectors::{Condition, Selector, unfiltered};
use crate::error::Result;

/// How far back to look for a series that has no values in the dashboard's range.
const LONG_AGO: &str = "30d";

/// Suffixes of metric names that people often omit or add.
const ENDINGS: [&str; 8] =
    ["_total", "_sum", "_count", "_bucket", "_seconds", "_bytes", "_seconds_total", "_bytes_total"];

/// Why there is no data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoDataReason {
    /// Prometheus refuses the expression.
    Refused(String),
    /// A series that it selects does not exist.
    Missing(String),
    /// No selected series meets the condition on this label.
    Unmet { label: String, why: String },
    /// All selected series exist, but a comparison currently filters out every value.
    Filtered,
    /// All selected series exist, but the expression returns nothing.
    Nothing,
}

impl NoDataReason {
    /// The message for people.
    pub(super) fn text(self) -> String {
        match self {
            Self::Refused(why) | Self::Missing(why) | Self::Unmet { why, .. } => why,
            Self::Filtered => "there are values, but none meets the comparison now".into(),
            Self::Nothing => {
                "all selected series exist, but the expression returns nothing: `rate` needs two scrapes \
                              in its range, and an operator needs the same labels on both sides"
                    .into()
            }
        }
    }
}

/// Looks for the cause of missing data.
#[derive(Debug, Clone, Copy)]
pub(super) struct Detective<'a> {
    pub grafana: &'a GrafanaClient,
    /// The data source's uid.
    pub data_source: &'a str,
    /// The metric names that Prometheus knows.
    pub metrics: &'a BTreeSet<String>,
    /// The beginning of the range in Grafana's notation.
    pub from: &'a str,
}

impl Detective<'_> {
    /// Looks for the cause. Grafana's own variables must be filled in in `expr`, too.
    pub(super) async fn cause(&self, expr: &str) -> Result<NoDataReason> {
        if let Err(error) = self.query(expr).await {
            return Ok(NoDataReason::Refused(error.message().to_owned()));
        }
        for selector in Selector::of(expr) {
            if let Some(cause) = self.missing(&selector).await? {
                return Ok(cause);
            }
        }
        if let Some(all) = unfiltered(expr)
            && self.has(all).await?
        {
            return Ok(NoDataReason::Filtered);
        }
        Ok(NoDataReason::Nothing)
    }

    /// Why a selector currently matches nothing; `None` if it matches something.
    async fn missing(&self, selector: &Selector) -> Result<Option<NoDataReason>> {
        if let Some(metric) = selector.metric.as_ref().filter(|metric| !self.metrics.contains(*metric)) {
            let hint = near(metric, self.metrics).map(|name| format!("; did you mean `{name}`?"));
            let hint = hint.as_deref().unwrap_or_default();
            return Ok(Some(NoDataReason::Missing(format!("there is no metric `{metric}`{hint}"))));
        }
        if self.has(format!("count({selector})")).await? {
            return Ok(None);
        }
        if self.has(format!("count(last_over_time({selector}[{LONG_AGO}]))")).await? {
            let from = self.from;
            return Ok(Some(NoDataReason::Missing(format!(
                "`{selector}` has no values since `{from}`, only older ones: choose a longer range"
            ))));
        }
        for (index, condition) in selector.conditions.iter().enumerate() {
            let before = selector.with(index);
            if self.has(format!("count({before})")).await?
                && !self.has(format!("count({})", selector.with(index + 1))).await?
            {
                let why = self.unmet(condition, &before).await?;
                return Ok(Some(NoDataReason::Unmet { label: condition.label.clone(), why }));
            }
        }
        Ok(Some(NoDataReason::Missing(format!(
            "`{selector}` matches no series, neither now nor in the last {LONG_AGO}"
        ))))
    }

    /// The message that no series selected so far meets a condition.
    async fn unmet(&self, condition: &Condition, before: &Selector) -> Result<String> {
        let metric = before.metric.as_ref().map(|metric| format!(" of `{metric}`")).unwrap_or_default();
        let known = self.values(&condition.label, before).await?;
        Ok(format!("no series{metric} has `{condition}`{known}"))
    }

    /// Some values of the label, as a hint.
    async fn values(&self, label: &str, of: &Selector) -> Result<String> {
        const SHOWN: usize = 5;
        let path = format!("label/{label}/values");
        let selector = of.to_string();
        let answer =
            self.grafana.resource(self.data_source, &path, &[("match[]", selector.as_str())]).await?;
        let values = answer.as_array().into_iter().flatten();
        let values: Vec<String> = values.filter_map(|it| Some(format!("`{}`", it.as_str()?))).collect();
        Ok(match values.len() {
            0 => format!("; none has a label `{label}`"),
            count if count > SHOWN => {
                format!("; `{label}` has {count} values, such as {}", values[..SHOWN].join(", "))
            }
            _ => format!("; `{label}` is {}", values.join(" or ")),
        })
    }

    async fn query(&self, expr: &str) -> Result<serde_json::Value> {
        self.grafana.resource(self.data_source, "query", &[("query", expr)]).await
    }

    async fn has(&self, expr: String) -> Result<bool> {
        Ok(self.query(&expr).await?["result"].as_array().is_some_and(|result| !result.is_empty()))
    }
}

/// The known metric that `name` probably means: one that differs by a typing error or by its suffix. A common prefix is
/// not enough, since many metrics of an exporter share one.
fn near<'a>(name: &str, known: &'a BTreeSet<String>) -> Option<&'a str> {
    let allowed = (name.len() / 10).clamp(1, 3);
    let distance = |other: &str| strsim::damerau_levenshtein(name, other);
    let ends_otherwise = |other: &str| {
        let differs_by =
            |one: &str, other: &str| one.strip_prefix(other).is_some_and(|end| ENDINGS.contains(&end));
        differs_by(name, other) || differs_by(other, name)
    };
    let candidates = known.iter().map(|other| (distance(other), other.as_str()));
    let near = candidates.filter(|(distance, other)| *distance <= allowed || ends_otherwise(other));
    near.min().map(|(_, other)| other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_similar_metric_is_suggested() {
        let known =
            ["node_load1", "node_load15", "node_memory_MemFree_bytes", "django_http_requests_total", "up"];
        let known: BTreeSet<String> = known.map(str::to_owned).into();
        for (name, meant) in [
            ("node_laod1", Some("node_load1")),
            ("node_memory_MemFre_bytes", Some("node_memory_MemFree_bytes")),
            ("django_http_requests", Some("django_http_requests_total")),
            ("upp", Some("up")),
            ("node_hwmon_temp_celsius", None),
            ("node_memory_SwapFree_bytes", None),
            ("redis_up", None),
        ] {
            assert_eq!(near(name, &known), meant, "{name}");
        }
    }
}
