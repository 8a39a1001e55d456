//! Why a query came back without data: what Prometheus itself says of the expression and of what it selects,
//! asked through Grafana, from the first thing that can be wrong to the last.

use std::collections::BTreeSet;

use super::selectors::Selector;
use crate::error::Result;
use crate::http::grafana::{GrafanaClient, PanelQuery};
use crate::spec::suggestion;

/// How far back a series is looked for that the dashboard's own range no longer holds.
const LONG_AGO: &str = "30d";

/// Why there is no data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cause {
    /// Prometheus refuses the expression.
    Refused(String),
    /// It is a good expression without data.
    NoData(String),
}

/// Looks for the cause. `metrics` are the names that Prometheus knows, `expr` the query's expression with
/// Grafana's own variables filled in, too.
pub(super) async fn cause(
    grafana: &GrafanaClient,
    query: &PanelQuery,
    expr: &str,
    metrics: &BTreeSet<String>,
) -> Result<Cause> {
    let ask = async |expr: &str| grafana.resource(&query.data_source, "query", &[("query", expr)]).await;
    if let Err(error) = ask(expr).await {
        return Ok(Cause::Refused(error.message().to_owned()));
    }
    let has = async |expr: String| -> Result<bool> {
        Ok(ask(&expr).await?["result"].as_array().is_some_and(|result| !result.is_empty()))
    };
    for selector in Selector::of(expr) {
        if let Some(metric) = selector.metric.as_ref().filter(|metric| !metrics.contains(*metric)) {
            return Ok(Cause::NoData(unknown(metric, metrics)));
        }
        if has(format!("count({selector})")).await? {
            continue;
        }
        for (index, condition) in selector.conditions.iter().enumerate() {
            if has(format!("count({})", selector.with(index))).await?
                && !has(format!("count({})", selector.with(index + 1))).await?
            {
                let metric = selector.metric.as_deref().unwrap_or("a series");
                let known = values(grafana, query, &condition.label, &selector.with(index)).await?;
                return Ok(Cause::NoData(format!("no `{metric}` has `{condition}`{known}")));
            }
        }
        if has(format!("count(last_over_time({selector}[{LONG_AGO}]))")).await? {
            let range = &query.range.0;
            return Ok(Cause::NoData(format!(
                "`{selector}` had values only before; `{range}` needs a longer range"
            )));
        }
    }
    Ok(Cause::NoData(
        "all that it selects is there, but the expression gives nothing: `rate` needs two scrapes in its range, \
         and what is put together needs the same labels on both sides"
            .into(),
    ))
}

fn unknown(metric: &str, metrics: &BTreeSet<String>) -> String {
    format!("there is no metric `{metric}`{}", suggestion(metric, metrics.iter().map(String::as_str)))
}

/// Some values that the label has, as a hint.
async fn values(grafana: &GrafanaClient, query: &PanelQuery, label: &str, of: &Selector) -> Result<String> {
    const SHOWN: usize = 5;
    let path = format!("label/{label}/values");
    let selector = of.to_string();
    let answer = grafana.resource(&query.data_source, &path, &[("match[]", selector.as_str())]).await?;
    let values: Vec<String> = answer
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|it| Some(format!("`{}`", it.as_str()?)))
        .collect();
    Ok(match values.len() {
        0 => format!("; it has no label `{label}`"),
        count if count > SHOWN => {
            format!("; `{label}` has {count} values, such as {}", values[..SHOWN].join(", "))
        }
        _ => format!("; `{label}` is {}", values.join(" or ")),
    })
}
