//! A dashboard's variables: which values they have, and how a browser fills them into an expression. Pure, but
//! for the question that a variable asks of Prometheus, which is told as data.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::dashboard::may_be_empty;

/// The values of each variable that are chosen: several where it stands for all of them.
pub(super) type Chosen = BTreeMap<String, Values>;

/// What a variable stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Values {
    /// One text, put in as it is.
    One(String),
    /// Any of these: a regular expression where nothing else is asked for.
    Any(Vec<String>),
    /// All of these, for which the dashboard has a text of its own.
    All { text: String, values: Vec<String> },
}

/// A variable as the dashboard defines it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Variable {
    pub name: String,
    source: Source,
    /// The text for all values, where the dashboard gives one.
    all_value: Option<String>,
    include_all: bool,
    /// What was chosen when the dashboard was saved.
    current: Vec<String>,
    /// The data source that it asks, as the dashboard names it.
    pub data_source: Value,
    /// The sentence that says why it may have no values.
    pub may_be_empty: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    /// A question to the data source, and the pattern that picks values out of its answer.
    Query { query: String, pattern: String },
    /// Values that the dashboard lists.
    Listed(Vec<String>),
    /// A kind of variable that is not known here.
    Unknown(String),
}

/// What a variable asks of Prometheus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Question {
    /// `label_values(label)` or `label_values(selector, label)`.
    LabelValues { label: String, selector: Option<String> },
    /// `metrics(pattern)`.
    Metrics { pattern: String },
    /// `label_names()`.
    LabelNames,
    /// `query_result(expression)`.
    Result { expr: String },
}

impl Variable {
    /// The variables of a dashboard in their order. Data sources and ad-hoc filters are none of ours.
    pub(super) fn of(dashboard: &Value) -> Vec<Self> {
        let list = dashboard["templating"]["list"].as_array();
        list.into_iter().flatten().filter_map(Self::read).collect()
    }

    fn read(one: &Value) -> Option<Self> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let options = || {
            let options = one["options"].as_array().into_iter().flatten();
            let values: Vec<String> =
                options.map(|it| text(&it["value"])).filter(|it| it != "$__all").collect();
            if values.is_empty() { split(&text(&one["query"])) } else { values }
        };
        let source = match one["type"].as_str()? {
            "query" => {
                let query = &one["query"];
                let query = if query.is_string() { text(query) } else { text(&query["query"]) };
                Source::Query { query, pattern: text(&one["regex"]) }
            }
            "custom" | "interval" => Source::Listed(options()),
            "constant" | "textbox" => Source::Listed(vec![text(&one["query"])]),
            "datasource" | "adhoc" | "groupby" => return None,
            other => Source::Unknown(other.to_owned()),
        };
        let current = match &one["current"]["value"] {
            Value::Array(values) => values.iter().map(text).collect(),
            value => vec![text(value)],
        };
        Some(Self {
            name: text(&one["name"]),
            source,
            all_value: one["allValue"].as_str().filter(|it| !it.is_empty()).map(str::to_owned),
            include_all: one["includeAll"].as_bool().unwrap_or(false),
            current,
            data_source: one["datasource"].clone(),
            may_be_empty: may_be_empty(one),
        })
    }

    /// The kind of variable, if it is none that is known here.
    pub(super) fn unknown_kind(&self) -> Option<&str> {
        if let Source::Unknown(kind) = &self.source { Some(kind) } else { None }
    }

    /// The variables that stand in its question.
    pub(super) fn references(&self) -> BTreeSet<String> {
        if let Source::Query { query, .. } = &self.source { references(query) } else { BTreeSet::new() }
    }

    /// The pattern that picks values out of an answer, where it leaves not all of them as they are.
    pub(super) fn pattern(&self) -> Option<&str> {
        if let Source::Query { pattern, .. } = &self.source {
            Some(pattern).filter(|it| !it.is_empty()).map(String::as_str)
        } else {
            None
        }
    }

    /// Whether all its values are chosen.
    pub(super) fn has_all(&self) -> bool {
        self.include_all
    }

    /// What it asks, with the variables before it filled in; none where its values are listed.
    pub(super) fn question(&self, chosen: &Chosen) -> Option<Result<Question, String>> {
        match &self.source {
            Source::Query { query, .. } => Some(Question::parse(&fill(query, chosen))),
            Source::Listed(_) | Source::Unknown(_) => None,
        }
    }

    /// All its values, given what Prometheus answered.
    pub(super) fn options(&self, answer: &[String]) -> Vec<String> {
        match &self.source {
            Source::Listed(values) => values.clone(),
            Source::Query { pattern, .. } => picked(answer, pattern),
            Source::Unknown(_) => vec![],
        }
    }

    /// What a browser that opens the dashboard chooses: all where that can be chosen, so that every value counts;
    /// else what was saved, else the first one.
    pub(super) fn choose(&self, options: &[String]) -> Values {
        if self.include_all {
            return match &self.all_value {
                Some(text) => Values::All { text: text.clone(), values: options.to_vec() },
                None => Values::Any(options.to_vec()),
            };
        }
        let saved: Vec<String> = self.current.iter().filter(|it| options.contains(it)).cloned().collect();
        match saved.as_slice() {
            [] => Values::One(options.first().cloned().unwrap_or_default()),
            [one] => Values::One(one.clone()),
            _ => Values::Any(saved),
        }
    }
}

/// Values that a dashboard writes in one line: `a, b, label : c`.
fn split(text: &str) -> Vec<String> {
    let value = |part: &str| part.split_once(" : ").map_or(part, |(_, value)| value).trim().to_owned();
    text.split(',').map(value).filter(|it| !it.is_empty()).collect()
}

/// What a pattern leaves of the values: those that match, or what its group `value` or its first one holds.
fn picked(values: &[String], pattern: &str) -> Vec<String> {
    let inner =
        pattern.strip_prefix('/').and_then(|rest| rest.rsplit_once('/')).map_or(pattern, |(it, _)| it);
    let mut found: Vec<String> = match Regex::new(inner) {
        Ok(regex) if !inner.is_empty() => values
            .iter()
            .filter_map(|value| {
                let captures = regex.captures(value)?;
                let group = captures.name("value").or_else(|| captures.get(1));
                Some(group.map_or_else(|| value.clone(), |group| group.as_str().to_owned()))
            })
            .collect(),
        _ => values.to_vec(),
    };
    let mut seen = std::collections::BTreeSet::new();
    found.retain(|value| seen.insert(value.clone()));
    found
}

impl Question {
    fn parse(query: &str) -> Result<Self, String> {
        let unknown = || format!("the variable's query `{query}` has no form that is known");
        let (function, rest) = query.trim().split_once('(').ok_or_else(unknown)?;
        let inside = rest.trim_end().strip_suffix(')').ok_or_else(unknown)?.trim();
        match function.trim() {
            "label_values" => Ok(match inside.rsplit_once(',') {
                // A comma inside of a selector is none between arguments.
                Some((selector, label)) if !label.contains(['}', '"']) => Self::LabelValues {
                    label: label.trim().to_owned(),
                    selector: Some(selector.trim().to_owned()),
                },
                _ => Self::LabelValues { label: inside.to_owned(), selector: None },
            }),
            "metrics" => Ok(Self::Metrics { pattern: inside.to_owned() }),
            "label_names" => Ok(Self::LabelNames),
            "query_result" => Ok(Self::Result { expr: inside.to_owned() }),
            _ => Err(unknown()),
        }
    }
}

/// `$name`, `${name}`, `${name:format}` and `[[name]]`. Those of Grafana itself (`$__…`) its server fills in.
#[expect(clippy::expect_used, reason = "the pattern is a constant, and every test uses it")]
static REFERENCE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\$(\w+)|\$\{(\w+)(?:\.\w+)?(?::(\w+))?\}|\[\[(\w+)(?::(\w+))?\]\]").expect("it is a pattern")
});

/// The names of the variables that stand in a text.
pub(super) fn references(text: &str) -> BTreeSet<String> {
    REFERENCE.captures_iter(text).map(|captures| named(&captures).to_owned()).collect()
}

fn named<'a>(captures: &regex::Captures<'a>) -> &'a str {
    [1, 2, 4].into_iter().find_map(|group| captures.get(group)).map_or("", |it| it.as_str())
}

/// The text with what is chosen in the place of each variable.
pub(super) fn fill(text: &str, chosen: &Chosen) -> String {
    let replace = |captures: &regex::Captures| {
        let group = |number| captures.get(number).map(|it: regex::Match| it.as_str());
        let format = group(3).or_else(|| group(5)).unwrap_or_default();
        match chosen.get(named(captures)) {
            Some(values) => values.written(format),
            None => captures[0].to_owned(),
        }
    };
    REFERENCE.replace_all(text, replace).into_owned()
}

impl Values {
    /// Those for which a panel is repeated; none where it is one text.
    pub(super) fn each(&self) -> &[String] {
        match self {
            Self::One(_) => &[],
            Self::Any(values) | Self::All { values, .. } => values,
        }
    }

    /// As Grafana writes it for Prometheus: one value as it is, several as a regular expression.
    fn written(&self, format: &str) -> String {
        let values = match self {
            Self::One(text) | Self::All { text, .. } => return text.clone(),
            Self::Any(values) => values,
        };
        match format {
            "csv" | "raw" | "text" => values.join(","),
            "pipe" => values.join("|"),
            _ => {
                let escaped: Vec<String> = values.iter().map(|value| escaped(value)).collect();
                if let [one] = escaped.as_slice() { one.clone() } else { format!("({})", escaped.join("|")) }
            }
        }
    }
}

/// A value inside of a regular expression inside of a `PromQL` string: each backslash is written twice.
fn escaped(value: &str) -> String {
    regex::escape(value).replace('\\', "\\\\").replace('"', "\\\"").replace("\\\\-", "-")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn chosen() -> Chosen {
        [
            ("host".to_owned(), Values::Any(vec!["10.0.0.1:9100".into(), "10.0.0.2:9100".into()])),
            ("one".to_owned(), Values::One("a.b".into())),
        ]
        .into()
    }

    #[test]
    fn variables_are_filled_in_as_a_browser_does() {
        let filled = |text: &str| fill(text, &chosen());
        let hosts = r"(10\\.0\\.0\\.1:9100|10\\.0\\.0\\.2:9100)";
        for form in ["$host", "${host}", "[[host]]", "${host:regex}"] {
            assert_eq!(
                filled(&format!("up{{instance=~\"{form}\"}}")),
                format!("up{{instance=~\"{hosts}\"}}")
            );
        }
        assert_eq!(
            filled("${host:csv} ${host:pipe}"),
            "10.0.0.1:9100,10.0.0.2:9100 10.0.0.1:9100|10.0.0.2:9100"
        );
        assert_eq!(filled("$one $other rate(x[$__rate_interval])"), "a.b $other rate(x[$__rate_interval])");
    }

    #[test]
    fn the_variables_of_a_text_are_found_in_all_their_forms() {
        let found = references("a{b=~\"$host\", c=\"${job:csv}\"}[[[step]]] $__interval");
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["__interval", "host", "job", "step"]);
    }

    #[test]
    fn the_questions_of_variables_are_read_in_all_their_forms() {
        let values = |label: &str, selector: Option<&str>| Question::LabelValues {
            label: label.into(),
            selector: selector.map(str::to_owned),
        };
        for (query, question) in [
            ("label_values(job)", values("job", None)),
            ("label_values(up, job)", values("job", Some("up"))),
            (
                r#"label_values(up{job="a", x=~"b,c"}, instance)"#,
                values("instance", Some(r#"up{job="a", x=~"b,c"}"#)),
            ),
            ("metrics(node_.*)", Question::Metrics { pattern: "node_.*".into() }),
            ("label_names()", Question::LabelNames),
            ("query_result(topk(3, up))", Question::Result { expr: "topk(3, up)".into() }),
        ] {
            assert_eq!(Question::parse(query), Ok(question), "{query}");
        }
        assert!(Question::parse("select 1").is_err());
    }

    #[test]
    fn a_pattern_picks_values_and_parts_of_them() {
        let values = ["web-1:9100", "web-2:9100", "db-1:9100", "web-1:9100"].map(str::to_owned);
        assert_eq!(picked(&values, ""), ["web-1:9100", "web-2:9100", "db-1:9100"]);
        assert_eq!(picked(&values, "/^web/"), ["web-1:9100", "web-2:9100"]);
        assert_eq!(picked(&values, "/(.*):/"), ["web-1", "web-2", "db-1"]);
        assert_eq!(picked(&values, "/(?<text>\\w+)-(?<value>\\d):/"), ["1", "2"]);
    }

    #[test]
    fn all_values_count_where_all_can_be_chosen() {
        let variable = |json: Value| Variable::of(&json!({ "templating": { "list": [json] } })).remove(0);
        let query = |more: Value| {
            let mut json =
                json!({"type": "query", "name": "host", "query": {"query": "label_values(up, instance)"}});
            json.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            variable(json)
        };
        let options = ["a", "b"].map(str::to_owned);
        let any = |values: &[&str]| Values::Any(values.iter().map(|it| (*it).to_owned()).collect());
        assert_eq!(query(json!({"includeAll": true})).choose(&options), any(&["a", "b"]));
        assert_eq!(
            query(json!({"includeAll": true, "allValue": ".*"})).choose(&options),
            Values::All { text: ".*".into(), values: options.to_vec() }
        );
        assert_eq!(query(json!({"current": {"value": ["b"]}})).choose(&options), Values::One("b".into()));
        assert_eq!(query(json!({"current": {"value": "gone"}})).choose(&options), Values::One("a".into()));
        let custom = variable(json!({"type": "custom", "name": "q", "query": "0.5, p95 : 0.95"}));
        assert_eq!(custom.options(&[]), ["0.5", "0.95"]);
        assert!(custom.question(&Chosen::new()).is_none());
        assert_eq!(variable(json!({"type": "new", "name": "n"})).unknown_kind(), Some("new"));
    }
}
