//! A dashboard's variables: which values they have, and how a browser fills them into an expression. Pure: the query
//! that a variable sends to Prometheus is returned as data.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::dashboard::may_be_empty;
use super::timing::{length, step};
use crate::duration::PromDuration;
use crate::promql::{Expr, parse};

/// The chosen values of each variable: several if it stands for all of them.
pub(super) type Chosen = BTreeMap<String, VariableValues>;

/// The chosen value or values of a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum VariableValues {
    /// One text, inserted as it is.
    One(String),
    /// Any of these: a regular expression unless the reference has another format.
    Any(Vec<String>),
    /// All of these, for which the dashboard defines a text.
    All { text: String, values: Vec<String> },
}

/// A variable as the dashboard defines it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Variable {
    pub name: String,
    source: Source,
    /// The text for all values, if the dashboard defines one.
    all_value: Option<String>,
    include_all: bool,
    /// The values that were chosen when the dashboard was saved.
    current: Vec<String>,
    /// The data source that it queries, as the dashboard names it.
    pub data_source: Value,
    /// The sentence that says why it may have no values.
    pub may_be_empty: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    /// A query to the data source, and the pattern that picks values out of its answer.
    Query { query: String, pattern: String },
    /// Values that the dashboard lists.
    Listed(Vec<String>),
    /// A type of variable that monctl does not support.
    Unknown(String),
}

/// The query of a variable to Prometheus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum VariableQuery {
    /// `label_values(label)` or `label_values(selector, label)`.
    LabelValues { label: String, selector: Option<String> },
    /// `metrics(pattern)`.
    Metrics { pattern: String },
    /// `label_names()`.
    LabelNames,
    /// `query_result(expression)`.
    Result { expr: String },
    /// A selector alone: the series that it matches.
    Series { selector: String },
}

impl Variable {
    /// The variables of a dashboard in order, without data sources and ad-hoc filters.
    pub(super) fn of(dashboard: &Value) -> Vec<Self> {
        let list = dashboard["templating"]["list"].as_array();
        let text = |key: &str, other: &str| dashboard["time"][key].as_str().unwrap_or(other).to_owned();
        let range = length(&text("from", "now-1h"), &text("to", "now"));
        list.into_iter().flatten().filter_map(|one| Self::read(one, range)).collect()
    }

    /// Reads a variable of a dashboard whose range has this length in milliseconds.
    fn read(one: &Value, range: u64) -> Option<Self> {
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
            "interval" if one["auto"] == true => {
                let listed = options().into_iter().filter(|value| !value.starts_with(AUTO));
                Source::Listed([auto(one, range)].into_iter().chain(listed).collect())
            }
            "custom" | "interval" => Source::Listed(options()),
            "constant" | "textbox" => Source::Listed(vec![text(&one["query"])]),
            "datasource" | "adhoc" | "groupby" => return None,
            other => Source::Unknown(other.to_owned()),
        };
        let chosen = |value: &Value| {
            let value = text(value);
            if value.starts_with(AUTO) { auto(one, range) } else { value }
        };
        let current = match &one["current"]["value"] {
            Value::Array(values) => values.iter().map(chosen).collect(),
            value => vec![chosen(value)],
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

    /// Its type, if monctl does not support it.
    pub(super) fn unknown_kind(&self) -> Option<&str> {
        if let Source::Unknown(kind) = &self.source { Some(kind) } else { None }
    }

    /// Its pattern, if monctl cannot evaluate it.
    pub(super) fn strange_pattern(&self) -> Option<&str> {
        self.pattern().filter(|pattern| Pattern::read(pattern).is_none())
    }

    /// The variables in its query.
    pub(super) fn references(&self) -> BTreeSet<String> {
        if let Source::Query { query, .. } = &self.source { references(query) } else { BTreeSet::new() }
    }

    /// The pattern that picks values out of an answer, if it has one.
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

    /// Its query, with the preceding variables filled in; `None` if its values are listed.
    pub(super) fn question(&self, chosen: &Chosen) -> Option<Result<VariableQuery, String>> {
        match &self.source {
            Source::Query { query, .. } => Some(VariableQuery::parse(&fill(query, chosen))),
            Source::Listed(_) | Source::Unknown(_) => None,
        }
    }

    /// All its values, given Prometheus' answer.
    pub(super) fn options(&self, answer: &[String]) -> Vec<String> {
        match &self.source {
            Source::Listed(values) => values.clone(),
            Source::Query { pattern, .. } => picked(answer, pattern),
            Source::Unknown(_) => vec![],
        }
    }

    /// The values that a browser chooses when it opens the dashboard: all if that is an option, so that every value is
    /// checked; else the saved ones, else the first.
    pub(super) fn choose(&self, options: &[String]) -> VariableValues {
        if self.include_all {
            return match &self.all_value {
                Some(text) => VariableValues::All { text: text.clone(), values: options.to_vec() },
                None => VariableValues::Any(options.to_vec()),
            };
        }
        let saved: Vec<String> = self.current.iter().filter(|it| options.contains(it)).cloned().collect();
        match saved.as_slice() {
            [] => VariableValues::One(options.first().cloned().unwrap_or_default()),
            [one] => VariableValues::One(one.clone()),
            _ => VariableValues::Any(saved),
        }
    }
}

/// Values that a dashboard lists in one line: `a, b, label : c`.
fn split(text: &str) -> Vec<String> {
    let value = |part: &str| part.split_once(" : ").map_or(part, |(_, value)| value).trim().to_owned();
    text.split(',').map(value).filter(|it| !it.is_empty()).collect()
}

/// Prefix of a value that the browser computes.
const AUTO: &str = "$__auto";

/// The value of an interval variable that the browser computes: the range divided by the configured number of steps.
fn auto(one: &Value, range: u64) -> String {
    let count = one["auto_count"].as_u64().filter(|count| *count > 0).unwrap_or(30);
    // A text that is not a duration sets no bound.
    let least = one["auto_min"].as_str().and_then(|least| least.parse().ok());
    PromDuration::millis(step(range, count, least.unwrap_or(PromDuration::seconds(10)))).to_string()
}

/// A browser's regular expression, as far as monctl can evaluate it.
struct Pattern {
    /// The pattern of a negative lookahead at its beginning, `(?!…)`.
    not: Option<Regex>,
    regex: Regex,
}

impl Pattern {
    fn read(pattern: &str) -> Option<Self> {
        let inner =
            pattern.strip_prefix('/').and_then(|rest| rest.rsplit_once('/')).map_or(pattern, |(it, _)| it);
        let (not, rest) = match inner.strip_prefix("^(?!") {
            Some(behind) => {
                let end = closing(behind)?;
                (Some(format!("^(?:{})", &behind[..end])), format!("^{}", &behind[end + 1..]))
            }
            None => (None, inner.to_owned()),
        };
        let not = not.map(|not| Regex::new(&not)).transpose().ok()?;
        Some(Self { not, regex: Regex::new(&rest).ok()? })
    }

    /// The part that it picks of a value: its group `value`, `text` or the first group; without groups the whole value.
    fn pick(&self, value: &str) -> Option<String> {
        if self.not.as_ref().is_some_and(|not| not.is_match(value)) {
            return None;
        }
        let captures = self.regex.captures(value)?;
        let named = captures.name("value").or_else(|| captures.name("text"));
        let group = named.or_else(|| captures.get(1));
        Some(group.map_or_else(|| value.to_owned(), |group| group.as_str().to_owned()))
    }
}

/// The position of the bracket that closes one opened before the text.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut is_escaped = false;
    for (at, letter) in text.char_indices() {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '(' => depth += 1,
            ')' if depth == 0 => return Some(at),
            ')' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// The values that a pattern picks, without duplicates.
fn picked(values: &[String], pattern: &str) -> Vec<String> {
    let mut found: Vec<String> = match Pattern::read(pattern).filter(|_| !pattern.is_empty()) {
        Some(pattern) => values.iter().filter_map(|value| pattern.pick(value)).collect(),
        None => values.to_vec(),
    };
    let mut seen = BTreeSet::new();
    found.retain(|value| seen.insert(value.clone()));
    found
}

impl VariableQuery {
    fn parse(query: &str) -> Result<Self, String> {
        let unknown = || format!("monctl does not support the variable query `{query}`");
        if matches!(parse(query), Ok(Expr::VectorSelector(_))) {
            return Ok(Self::Series { selector: query.trim().to_owned() });
        }
        let (function, rest) = query.trim().split_once('(').ok_or_else(unknown)?;
        let inside = rest.trim_end().strip_suffix(')').ok_or_else(unknown)?.trim();
        match function.trim() {
            "label_values" => Ok(match inside.rsplit_once(',') {
                // A comma inside a selector does not separate arguments.
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

/// `$name`, `${name}`, `${name:format}` and `[[name]]`. Grafana's server fills in its own variables (`$__…`).
#[expect(clippy::expect_used, reason = "the pattern is a constant, and every test uses it")]
static REFERENCE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\$(\w+)|\$\{(\w+)(?:\.\w+)?(?::(\w+))?\}|\[\[(\w+)(?::(\w+))?\]\]").expect("a valid pattern")
});

/// The names of the variables in a text.
pub(super) fn references(text: &str) -> BTreeSet<String> {
    REFERENCE.captures_iter(text).map(|captures| named(&captures).to_owned()).collect()
}

fn named<'a>(captures: &regex::Captures<'a>) -> &'a str {
    [1, 2, 4].into_iter().find_map(|group| captures.get(group)).map_or("", |it| it.as_str())
}

/// The text with each variable replaced by its chosen values.
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

impl VariableValues {
    /// The values for which a panel is repeated; none if it is one text.
    pub(super) fn each(&self) -> &[String] {
        match self {
            Self::One(_) => &[],
            Self::Any(values) | Self::All { values, .. } => values,
        }
    }

    /// As Grafana writes it for Prometheus: one value as a text, several as a regular expression.
    fn written(&self, format: &str) -> String {
        let values = match self {
            Self::All { text, .. } => return text.clone(),
            Self::One(text) if format.is_empty() => return text.replace('\\', "\\\\").replace('\'', "\\\\'"),
            Self::One(text) => std::slice::from_ref(text),
            Self::Any(values) => values.as_slice(),
        };
        let each = |of: fn(&str) -> String| values.iter().map(|value| of(value)).collect::<Vec<_>>();
        match format {
            "csv" | "raw" => values.join(","),
            "text" => values.join(" + "),
            "pipe" => values.join("|"),
            "singlequote" => each(|value| format!("'{}'", value.replace('\'', "\\'"))).join(","),
            "doublequote" => each(|value| format!("\"{}\"", value.replace('"', "\\\""))).join(","),
            "glob" => either(values, ('{', ',', '}')),
            "regex" => either(&each(|value| escaped(value, "\\/")), ('(', '|', ')')),
            _ => either(&each(|value| escaped(value, "").replace('\\', "\\\\")), ('(', '|', ')')),
        }
    }
}

/// A single text as it is, several ones in brackets.
fn either(texts: &[String], (open, between, close): (char, char, char)) -> String {
    match texts {
        [one] => one.clone(),
        _ => format!("{open}{}{close}", texts.join(&between.to_string())),
    }
}

/// A value inside a regular expression: escapes special characters and those in `more` with a backslash.
fn escaped(value: &str, more: &str) -> String {
    let is_special = |letter: char| "\\$^*{}[]+?.()|".contains(letter) || more.contains(letter);
    let mut text = String::new();
    for letter in value.chars() {
        if is_special(letter) {
            text.push('\\');
        }
        text.push(letter);
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn chosen() -> Chosen {
        [
            ("host".to_owned(), VariableValues::Any(vec!["10.0.0.1:9100".into(), "10.0.0.2:9100".into()])),
            ("one".to_owned(), VariableValues::One("a.b".into())),
        ]
        .into()
    }

    #[test]
    fn variables_are_filled_in_as_a_browser_does() {
        let filled = |text: &str| fill(text, &chosen());
        let hosts = r"(10\\.0\\.0\\.1:9100|10\\.0\\.0\\.2:9100)";
        for form in ["$host", "${host}", "[[host]]"] {
            assert_eq!(
                filled(&format!("up{{instance=~\"{form}\"}}")),
                format!("up{{instance=~\"{hosts}\"}}")
            );
        }
        assert_eq!(
            filled("${host:csv} ${host:pipe}"),
            "10.0.0.1:9100,10.0.0.2:9100 10.0.0.1:9100|10.0.0.2:9100"
        );
        assert_eq!(filled("${host:regex}"), r"(10\.0\.0\.1:9100|10\.0\.0\.2:9100)");
        assert_eq!(
            filled("${host:glob} ${host:singlequote}"),
            "{10.0.0.1:9100,10.0.0.2:9100} '10.0.0.1:9100','10.0.0.2:9100'"
        );
        let alone = |text: &str| VariableValues::Any(vec![text.into()]).written("");
        assert_eq!((alone("a.b"), alone("a-b/c")), (r"a\\.b".to_owned(), "a-b/c".to_owned()));
        assert_eq!(VariableValues::One(r"C:\x".into()).written(""), r"C:\\x");
        assert_eq!(filled("$one $other rate(x[$__rate_interval])"), "a.b $other rate(x[$__rate_interval])");
    }

    #[test]
    fn the_variables_of_a_text_are_found_in_all_their_forms() {
        let found = references("a{b=~\"$host\", c=\"${job:csv}\"}[[[step]]] $__interval");
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["__interval", "host", "job", "step"]);
    }

    #[test]
    fn the_queries_of_variables_are_read_in_all_their_forms() {
        let values = |label: &str, selector: Option<&str>| VariableQuery::LabelValues {
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
            ("metrics(node_.*)", VariableQuery::Metrics { pattern: "node_.*".into() }),
            ("label_names()", VariableQuery::LabelNames),
            ("up{job=\"a\"}", VariableQuery::Series { selector: "up{job=\"a\"}".into() }),
            ("query_result(topk(3, up))", VariableQuery::Result { expr: "topk(3, up)".into() }),
        ] {
            assert_eq!(VariableQuery::parse(query), Ok(question), "{query}");
        }
        assert!(VariableQuery::parse("select 1").is_err());
    }

    #[test]
    fn a_pattern_picks_values_and_parts_of_them() {
        let values = ["web-1:9100", "web-2:9100", "db-1:9100", "web-1:9100"].map(str::to_owned);
        assert_eq!(picked(&values, ""), ["web-1:9100", "web-2:9100", "db-1:9100"]);
        assert_eq!(picked(&values, "/^web/"), ["web-1:9100", "web-2:9100"]);
        assert_eq!(picked(&values, "/(.*):/"), ["web-1", "web-2", "db-1"]);
        assert_eq!(picked(&values, "/(?<text>\\w+)-(?<value>\\d):/"), ["1", "2"]);
        assert_eq!(picked(&values, "/^(?!web-(1|3)).*/"), ["web-2:9100", "db-1:9100"]);
        let strange = |pattern: &str| Pattern::read(pattern).is_none();
        assert!(strange("/a(?=b)/") && strange("/^(?!a(?=b))/") && !strange("/^(?!a).*/i"));
    }

    #[test]
    fn all_values_are_chosen_if_all_is_an_option() {
        let variable = |json: Value| Variable::of(&json!({ "templating": { "list": [json] } })).remove(0);
        let query = |more: Value| {
            let mut json =
                json!({"type": "query", "name": "host", "query": {"query": "label_values(up, instance)"}});
            json.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            variable(json)
        };
        let options = ["a", "b"].map(str::to_owned);
        let any = |values: &[&str]| VariableValues::Any(values.iter().map(|it| (*it).to_owned()).collect());
        assert_eq!(query(json!({"includeAll": true})).choose(&options), any(&["a", "b"]));
        assert_eq!(
            query(json!({"includeAll": true, "allValue": ".*"})).choose(&options),
            VariableValues::All { text: ".*".into(), values: options.to_vec() }
        );
        assert_eq!(
            query(json!({"current": {"value": ["b"]}})).choose(&options),
            VariableValues::One("b".into())
        );
        assert_eq!(
            query(json!({"current": {"value": "gone"}})).choose(&options),
            VariableValues::One("a".into())
        );
        let custom = variable(json!({"type": "custom", "name": "q", "query": "0.5, p95 : 0.95"}));
        assert_eq!(custom.options(&[]), ["0.5", "0.95"]);
        assert!(custom.question(&Chosen::new()).is_none());
        let steps = json!({"type": "interval", "name": "step", "query": "1m,1h", "auto": true, "auto_count": 30,
            "auto_min": "10s", "options": [{"value": "$__auto_interval_step"}, {"value": "1m"}],
            "current": {"value": "$__auto_interval_step"}});
        let board = json!({"time": {"from": "now-6h", "to": "now"}, "templating": {"list": [steps]}});
        let steps = Variable::of(&board).remove(0);
        assert_eq!(steps.options(&[]), ["10m", "1m"]);
        assert_eq!(steps.choose(&steps.options(&[])), VariableValues::One("10m".into()));
        assert_eq!(variable(json!({"type": "new", "name": "n"})).unknown_kind(), Some("new"));
    }
}
