//! Checks whether each panel of a dashboard shows data: sends its queries to Grafana as a browser would, and looks for
//! the cause if one returns no data. `commands` calls [`panels`]; nothing here prints.
//!
//! `dashboard`, `source`, `selectors`, `timing` and most of `variables` and `verdict` are pure. `panel_checker` sends the queries; `cause` and
//! `per_value_check` send further ones if data are missing.

mod cause;
mod dashboard;
mod panel_checker;
mod per_value_check;
mod selectors;
mod source;
mod timing;
mod variables;
mod verdict;

use futures_util::{StreamExt, stream};
use serde::Serialize;
use serde_json::Value;

pub use self::dashboard::longest_step;
use self::panel_checker::PanelChecker;
pub use self::verdict::{PanelVerdict, verdict};
use super::client::GrafanaClient;
use crate::duration::PromDuration;
use crate::error::Result;

/// Maximum number of concurrent requests: the highest number with which Grafana never failed.
const AT_ONCE: usize = 8;

/// The results for some dashboards.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PanelFindings {
    /// The result of each query of each panel.
    pub queries: Vec<Checked>,
    /// The result of each variable of each dashboard.
    pub variables: Vec<CheckedVariable>,
}

/// The result of one query of a panel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// The dashboard's title.
    pub dashboard: String,
    /// The panel's title, and the value for which it is repeated.
    pub panel: String,
    /// `A`, `B` …; empty if the panel itself is not available.
    pub query: String,
    /// The expression with its variables filled in.
    pub expr: String,
    /// Prometheus' notices about it, such as that a metric might not be a counter.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<String>,
    /// What a person sees there.
    #[serde(flatten)]
    pub shown: Shown,
}

/// The result of a variable of a dashboard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckedVariable {
    /// The dashboard's title.
    pub dashboard: String,
    /// The variable's name.
    pub variable: String,
    /// Number of its values.
    pub values: usize,
    /// Number of values that were queried one by one: those behind `All`, up to a limit.
    pub alone: usize,
    /// What a person sees in its list; `Data` if it has values.
    #[serde(flatten)]
    pub shown: Shown,
}

/// What a person sees for a query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "shown", content = "cause", rename_all = "snake_case")]
pub enum Shown {
    /// Numbers.
    Data,
    /// Numbers, but none for some values of a variable; names these values and the likely cause.
    Partial(String),
    /// Nothing, with the likely cause.
    Empty(String),
    /// An error, even one that Grafana does not show.
    Error(String),
    /// Nothing, as the panel's description allows; holds its sentence and the likely cause.
    NotApplicable(String),
    /// Not queried, with the reason.
    NotQueried(String),
}

impl Shown {
    /// Whether data are missing or an error is shown.
    pub fn is_lacking(&self) -> bool {
        matches!(self, Self::Partial(_) | Self::Empty(_) | Self::Error(_))
    }

    /// The same if a sentence says that there may be no data. An error remains an error.
    fn unless(self, may_be_empty: Option<&String>) -> Self {
        match (may_be_empty, self) {
            (Some(sentence), Self::Empty(why)) => Self::NotApplicable(format!("{sentence} ({why})")),
            (Some(_), Self::Partial(_)) => Self::Data,
            (_, shown) => shown,
        }
    }
}

/// Sends every query of every panel of these dashboards, several at a time.
///
/// # Errors
/// When Grafana or the data source `default_source` does not answer at all. The refusal of a single query, variable or
/// panel is part of its result.
pub async fn panels(
    grafana: &GrafanaClient,
    dashboards: &[Value],
    default_source: &str,
    scrape_interval: PromDuration,
) -> Result<PanelFindings> {
    let asker = PanelChecker::new(grafana, default_source, scrape_interval).await?;
    let boards = stream::iter(dashboards.iter().map(|one| asker.board(one))).buffered(AT_ONCE);
    let boards: Vec<_> = boards.collect().await;
    let jobs = boards.iter().flat_map(|board| &board.jobs);
    let queries = stream::iter(jobs.map(|job| asker.check(job))).buffered(AT_ONCE).collect().await;
    Ok(PanelFindings { queries, variables: boards.into_iter().flat_map(|board| board.variables).collect() })
}

fn strings(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|it| it.as_str().map(str::to_owned)).collect()
}

/// Each series of an instant query as `query_result` writes it: `name{label="value"} value milliseconds`.
fn series(data: &Value) -> Vec<String> {
    let written = |one: &Value| {
        let labels = one["metric"].as_object().into_iter().flatten();
        let (name, labels): (Vec<_>, Vec<_>) = labels.partition(|(name, _)| *name == "__name__");
        let name = name.first().and_then(|(_, value)| value.as_str()).unwrap_or_default().to_owned();
        let value = one["value"][1].as_str().unwrap_or_default();
        let at = one["value"][0].as_f64().unwrap_or_default() * 1_000.0;
        format!("{name}{} {value} {at}", braced(labels.into_iter()))
    };
    match data["resultType"].as_str() {
        Some("scalar" | "string") => data["result"][1].as_str().map(str::to_owned).into_iter().collect(),
        _ => data["result"].as_array().into_iter().flatten().map(written).collect(),
    }
}

/// Each series that a selector matches, as a variable with only a selector lists it: `name{label="value"}`.
fn names(found: &Value) -> Vec<String> {
    let written = |one: &Value| {
        let labels = one.as_object().into_iter().flatten().filter(|(name, _)| *name != "__name__");
        format!("{}{}", one["__name__"].as_str().unwrap_or_default(), braced(labels))
    };
    found.as_array().into_iter().flatten().map(written).collect()
}

fn braced<'a>(labels: impl Iterator<Item = (&'a String, &'a Value)>) -> String {
    let labels: Vec<String> = labels.map(|(name, value)| format!("{name}={value}")).collect();
    format!("{{{}}}", labels.join(","))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn series_are_read_as_grafana_writes_them() {
        let data = json!({"resultType": "vector",
            "result": [{"metric": {"__name__": "up", "job": "x", "a": "b"}, "value": [17.5, "1"]}]});
        assert_eq!(series(&data), [r#"up{job="x",a="b"} 1 17500"#]);
        assert_eq!(series(&json!({"resultType": "scalar", "result": [17, "3"]})), ["3"]);
        assert_eq!(names(&json!([{"__name__": "up", "job": "x"}])), [r#"up{job="x"}"#]);
    }

    #[test]
    fn only_emptiness_is_excused_by_a_sentence() {
        let sentence = "May be empty: no swap.".to_owned();
        let with = |shown: Shown| shown.unless(Some(&sentence));
        let why = || "no metric".to_owned();
        let excused = Shown::NotApplicable("May be empty: no swap. (no metric)".into());
        assert_eq!(with(Shown::Empty(why())), excused);
        assert_eq!(with(Shown::Partial(why())), Shown::Data);
        assert_eq!(with(Shown::Error(why())), Shown::Error(why()));
        assert_eq!(Shown::Empty(why()).unless(None), Shown::Empty(why()));
    }
}
