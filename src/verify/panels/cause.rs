//! Why a query came back without data: what Prometheus itself says of the expression and of what it selects,
//! asked through Grafana, from the first thing that can be wrong to the last.

use std::collections::BTreeSet;

use super::selectors::{Condition, Selector};
use crate::error::Result;
use crate::http::grafana::GrafanaClient;
use crate::spec::suggestion;

/// How far back a series is looked for that the dashboard's own range no longer holds.
const LONG_AGO: &str = "30d";

/// Why there is no data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cause {
    /// Prometheus refuses the expression.
    Refused(String),
    /// Something that it selects is not there.
    Missing(String),
    /// All that it selects is there, and it gives nothing.
    Nothing,
}

impl Cause {
    /// What people are told.
    pub(super) fn text(self) -> String {
        match self {
            Self::Refused(why) | Self::Missing(why) => why,
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
    pub(super) async fn cause(&self, expr: &str) -> Result<Cause> {
        if let Err(error) = self.ask(expr).await {
            return Ok(Cause::Refused(error.message().to_owned()));
        }
        for selector in Selector::of(expr) {
            if let Some(why) = self.missing(&selector).await? {
                return Ok(Cause::Missing(why));
            }
        }
        Ok(Cause::Nothing)
    }

    /// Why a selector selects nothing now, if that is so.
    async fn missing(&self, selector: &Selector) -> Result<Option<String>> {
        if let Some(metric) = selector.metric.as_ref().filter(|metric| !self.metrics.contains(*metric)) {
            let known = self.metrics.iter().map(String::as_str);
            return Ok(Some(format!("there is no metric `{metric}`{}", suggestion(metric, known))));
        }
        if self.has(format!("count({selector})")).await? {
            return Ok(None);
        }
        if self.has(format!("count(last_over_time({selector}[{LONG_AGO}]))")).await? {
            let from = self.from;
            return Ok(Some(format!(
                "`{selector}` has no values any more: what was before `{from}` needs a longer range"
            )));
        }
        for (index, condition) in selector.conditions.iter().enumerate() {
            let before = selector.with(index);
            if self.has(format!("count({before})")).await?
                && !self.has(format!("count({})", selector.with(index + 1))).await?
            {
                return Ok(Some(self.unmet(condition, &before).await?));
            }
        }
        Ok(Some(format!("nothing is or was selected by `{selector}`")))
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
