//! Checks whether a query that returns data for all values of a variable also does for each of them: one host of fifty
//! without data is easily overlooked among the others.

use std::collections::{BTreeMap, BTreeSet};

use super::super::query::{Frames, PanelQuery};
use super::cause::{Detective, NoDataReason};
use super::selectors::unfiltered;
use super::variables::{Chosen, VariableValues, fill, references};
use crate::error::Result;
use crate::http::prometheus::Labels;

/// Maximum number of values of a variable that are queried one by one.
pub(super) const MOST: usize = 200;
/// Queries in one request.
const TOGETHER: usize = 25;
/// Maximum number of values that are named.
const NAMED: usize = 3;

/// The values behind `All`, by variable.
pub(super) type Each = BTreeMap<String, EachValue>;

/// The values of a variable that are queried one by one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EachValue {
    /// The label whose values they are, if they are the unmodified values of a label.
    pub label: Option<String>,
    pub values: Vec<String>,
}

/// A query with the values of its variables.
pub(super) struct Open<'a> {
    pub query: &'a PanelQuery,
    /// The expression as the dashboard has it.
    pub expr: &'a str,
    pub chosen: &'a Chosen,
    pub each: &'a Each,
}

impl Open<'_> {
    /// The values without data and the cause, given the `series` that the whole query returned; `None` if every value
    /// has data. `with_intervals` fills in the variables that Grafana's server fills in.
    pub(super) async fn without_data(
        &self,
        series: &[Labels],
        detective: Detective<'_>,
        with_intervals: impl Fn(&str) -> String,
    ) -> Result<Option<String>> {
        let used = references(self.expr);
        for (variable, each) in self.each.iter().filter(|(name, _)| used.contains(*name)) {
            // A repeated panel has a single value already.
            if self.chosen.get(variable).is_none_or(|values| values.each().len() < 2) {
                continue;
            }
            let mut empty = self.empty(variable, self.expr, each.not_in(series), detective).await?;
            // A value that only a comparison filters out has data.
            if let Some(all) = unfiltered(self.expr) {
                empty = self.empty(variable, &all, empty, detective).await?;
            }
            let mut missing = Vec::new();
            for value in empty {
                let cause = detective.cause(&with_intervals(&self.with(variable, self.expr, value))).await?;
                // An expression that returns nothing, for example because of a comparison, does not mean missing data.
                if !matches!(cause, NoDataReason::Nothing | NoDataReason::Filtered) {
                    missing.push((value, cause.text()));
                }
            }
            if let Some((_, why)) = missing.first() {
                let values: Vec<&str> = missing.iter().map(|(value, _)| *value).collect();
                return Ok(Some(format!("no data where `{variable}` is {}: {why}", listed(&values))));
            }
        }
        Ok(None)
    }

    /// The values for which an expression returns nothing to show.
    async fn empty<'v>(
        &self,
        variable: &str,
        expr: &str,
        values: Vec<&'v str>,
        detective: Detective<'_>,
    ) -> Result<Vec<&'v str>> {
        let mut empty = Vec::new();
        for some in values.chunks(TOGETHER) {
            let query =
                |value: &&str| PanelQuery { expr: self.with(variable, expr, value), ..self.query.clone() };
            let queries: Vec<PanelQuery> = some.iter().map(query).collect();
            let answers = detective.grafana.frames_of_each(&queries).await?;
            for (value, frames) in some.iter().zip(answers) {
                if frames?.frames == Frames::Empty {
                    empty.push(*value);
                }
            }
        }
        Ok(empty)
    }

    /// An expression with a single value of a variable.
    fn with(&self, variable: &str, expr: &str, value: &str) -> String {
        let mut chosen = self.chosen.clone();
        chosen.insert(variable.to_owned(), VariableValues::Any(vec![value.to_owned()]));
        fill(expr, &chosen)
    }
}

impl EachValue {
    /// The values that do not occur in these series; all values if the series lack the label.
    fn not_in(&self, series: &[Labels]) -> Vec<&str> {
        let seen: Option<BTreeSet<&str>> = self
            .label
            .as_ref()
            .and_then(|label| series.iter().map(|labels| labels.get(label).map(String::as_str)).collect());
        let seen = seen.unwrap_or_default();
        self.values.iter().map(String::as_str).filter(|value| !seen.contains(value)).collect()
    }
}

fn listed(values: &[&str]) -> String {
    let named: Vec<String> = values.iter().take(NAMED).map(|value| format!("`{value}`")).collect();
    let rest = values.len().saturating_sub(NAMED);
    match (rest, named.split_last()) {
        (0, Some((last, others))) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        (0, _) => named.concat(),
        (rest, _) => format!("{} or one of {rest} more", named.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_in_the_series_are_not_queried_again() {
        let each =
            EachValue { label: Some("host".into()), values: ["a", "b", "c"].map(str::to_owned).into() };
        let series = |label: &str, values: &[&str]| -> Vec<Labels> {
            values.iter().map(|value| [(label.to_owned(), (*value).to_owned())].into()).collect()
        };
        assert_eq!(each.not_in(&series("host", &["a", "c"])), ["b"]);
        assert_eq!(
            each.not_in(&series("mode", &["a", "c"])),
            ["a", "b", "c"],
            "another label does not count"
        );
        let summed = [series("host", &["a"]), vec![Labels::new()]].concat();
        assert_eq!(each.not_in(&summed), ["a", "b", "c"], "a sum hides what is in it");
        assert_eq!(
            EachValue { label: None, ..each.clone() }.not_in(&series("host", &["a"])),
            ["a", "b", "c"]
        );
    }

    #[test]
    fn few_values_are_named_and_many_are_counted() {
        assert_eq!(listed(&["a"]), "`a`");
        assert_eq!(listed(&["a", "b", "c"]), "`a`, `b` or `c`");
        assert_eq!(listed(&["a", "b", "c", "d", "e"]), "`a`, `b`, `c` or one of 2 more");
    }
}
