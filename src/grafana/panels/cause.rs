//! Why a query came back without data: what Prometheus itself says of the expression and of what it selects,
//! asked through Grafana, from the first thing that can be wrong to the last.

use std::collections::BTreeSet;

use super::super::client::GrafanaClient;
use super::selectors::{Condition, Selector, unfiltered};
use crate::error::Result;

/// How far back a series is looked for that the dashboard's own range no longer holds.
const LONG_AGO: &str = "30d";

/// What the name of a metric ends in that people forget, or write too much.
const ENDINGS: [&str; 8] =
    ["_total", "_sum", "_count", "_bucket", "_seconds", "_bytes", "_seconds_total", "_bytes_total"];

/// Why there is no data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoDataReason {
    /// Prometheus refuses the expression.
    Refused(String),
    /// Something that it selects is not there.
    Missing(String),
    /// Of what it selects nothing meets the condition on this label.
    Unmet { label: String, why: String },
    /// All that it selects is there, and what it compares with leaves nothing of it, now.
    Filtered,
    /// All that it selects is there, and it gives nothing.
    Nothing,
}

impl NoDataReason {
    /// What people are told.
    pub(super) fn text(self) -> String {
        match self {
            Self::Refused(why) | Self::Missing(why) | Self::Unmet { why, .. } => why,
            Self::Filtered => "there are values, and none that meets the comparison now".into(),
            Self::Nothing => {
                "all that it selects is there, but the expression gives nothing: `rate` needs two scrapes \
                              in its range, and what is put together needs the same labels on both sides"
                    .into()
            }
        }
    }
}

/// Someone who looks for causes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Detective<'a> {
    pub grafana: &'a GrafanaClient,
    /// The data source's uid.
    pub data_source: &'a str,
    /// The names that Prometheus knows.
    pub metrics: &'a BTreeSet<String>,
    /// The beginning of the range as Grafana writes it.
    pub from: &'a str,
}

impl Detective<'_> {
    /// Looks for the cause. In `expr` Grafana's own variables are filled in, too.
    pub(super) async fn cause(&self, expr: &str) -> Result<NoDataReason> {
        if let Err(error) = self.ask(expr).await {
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

    /// Why a selector selects nothing now, if that is so.
    async fn missing(&self, selector: &Selector) -> Result<Option<NoDataReason>> {
        if let Some(metric) = selector.metric.as_ref().filter(|metric| !self.metrics.contains(*metric)) {
            let meant = near(metric, self.metrics).map(|name| format!("; did you mean `{name}`?"));
            let meant = meant.as_deref().unwrap_or_default();
            return Ok(Some(NoDataReason::Missing(format!("there is no metric `{metric}`{meant}"))));
        }
        if self.has(format!("count({selector})")).await? {
            return Ok(None);
        }
        if self.has(format!("count(last_over_time({selector}[{LONG_AGO}]))")).await? {
            let from = self.from;
            return Ok(Some(NoDataReason::Missing(format!(
                "`{selector}` has no values any more: what was before `{from}` needs a longer range"
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
        Ok(Some(NoDataReason::Missing(format!("nothing is or was selected by `{selector}`"))))
    }

    /// Says of a condition that none of what was selected before meets it.
    async fn unmet(&self, condition: &Condition, before: &Selector) -> Result<String> {
        let metric = before.metric.as_deref().unwrap_or("a series");
        let known = self.values(&condition.label, before).await?;
        Ok(format!("no `{metric}` has `{condition}`{known}"))
    }

    /// Some values that the label has, as a hint.
    async fn values(&self, label: &str, of: &Selector) -> Result<String> {
        const SHOWN: usize = 5;
        let path = format!("label/{label}/values");
        let selector = of.to_string();
        let answer =
            self.grafana.resource(self.data_source, &path, &[("match[]", selector.as_str())]).await?;
        let values = answer.as_array().into_iter().flatten();
        let values: Vec<String> = values.filter_map(|it| Some(format!("`{}`", it.as_str()?))).collect();
        Ok(match values.len() {
            0 => format!("; it has no label `{label}`"),
            count if count > SHOWN => {
                format!("; `{label}` has {count} values, such as {}", values[..SHOWN].join(", "))
            }
            _ => format!("; `{label}` is {}", values.join(" or ")),
        })
    }

    async fn ask(&self, expr: &str) -> Result<serde_json::Value> {
        self.grafana.resource(self.data_source, "query", &[("query", expr)]).await
    }

    async fn has(&self, expr: String) -> Result<bool> {
        Ok(self.ask(&expr).await?["result"].as_array().is_some_and(|result| !result.is_empty()))
    }
}

/// The metric that somebody who writes `name` means, if one is near: a slip of the keyboard away, or with another ending. That
/// many names of one exporter begin alike makes none of them near.
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
    fn a_metric_is_suggested_only_where_it_is_near() {
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
