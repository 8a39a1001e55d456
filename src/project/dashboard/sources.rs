//! The data sources of a dashboard: the Prometheus of another Grafana is replaced by ours.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::Fault;

/// Built-in sources of every Grafana.
const BUILT_IN: [&str; 4] = ["-- Grafana --", "-- Mixed --", "-- Dashboard --", "grafana"];
/// The source of expressions, which Grafana computes from other queries.
pub(super) const EXPRESSIONS: &str = "__expr__";

/// Whether the file requires no data source but Prometheus. One without requirements needs no other.
pub(super) fn needs_only_prometheus(dashboard: &Map<String, Value>) -> bool {
    let needed = dashboard.get("__requires").and_then(Value::as_array).into_iter().flatten();
    needed.filter(|one| one["type"] == "datasource").all(|one| one["id"] == "prometheus")
}

/// The names of a dashboard's variables.
pub(super) fn variables(dashboard: &Map<String, Value>) -> BTreeSet<String> {
    let list = dashboard.get("templating").and_then(|it| it["list"].as_array()).into_iter().flatten();
    list.filter_map(|one| one["name"].as_str().map(str::to_owned)).collect()
}

/// The target of Prometheus queries.
pub(super) struct Pointer<'a> {
    /// The uid of our data source.
    pub uid: &'a str,
    /// Whether the file names no other kind of source.
    pub only_prometheus: bool,
    /// The dashboard's variables.
    pub variables: BTreeSet<String>,
    /// The uids and names from the spec, by inputs or by kinds of sources; they are kept as they are.
    pub given: &'a BTreeMap<String, String>,
}

impl Pointer<'_> {
    /// Sends every Prometheus query to our data source.
    ///
    /// # Errors
    /// Where a placeholder stands for an unknown source.
    pub(super) fn point(&self, value: &mut Value) -> Result<(), Fault> {
        self.point_at(value, &mut Vec::new())
    }

    fn point_at(&self, value: &mut Value, path: &mut Vec<String>) -> Result<(), Fault> {
        match value {
            Value::Array(values) => {
                for (index, value) in values.iter_mut().enumerate() {
                    path.push(index.to_string());
                    self.point_at(value, path)?;
                    path.pop();
                }
            }
            Value::Object(keys) => {
                if keys.get("type") == Some(&json!("datasource"))
                    && keys.get("query") == Some(&json!("prometheus"))
                {
                    keys.insert("current".into(), json!({"text": self.uid, "value": self.uid}));
                }
                let queries_prometheus = is_prometheus(keys);
                for (key, value) in keys {
                    path.push(key.clone());
                    if key == "datasource" {
                        if let Some(ours) = self.replacement(value, queries_prometheus, path)? {
                            *value = ours;
                        }
                    } else {
                        self.point_at(value, path)?;
                    }
                    path.pop();
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The replacement of a data source; `None` where it stays. `queries_prometheus` is whether its query is one to
    /// Prometheus, where that is known.
    fn replacement(
        &self,
        source: &Value,
        queries_prometheus: Option<bool>,
        path: &[String],
    ) -> Result<Option<Value>, Fault> {
        let ours = json!({"type": "prometheus", "uid": self.uid});
        let named = source.as_str().or_else(|| source["uid"].as_str());
        let is_ours = queries_prometheus.unwrap_or(self.only_prometheus);
        let replacement = match (named, source["type"].as_str()) {
            (Some(name), _) if self.given.values().any(|given| given == name) => None,
            (Some(EXPRESSIONS), _) => Some(json!({"type": EXPRESSIONS, "uid": EXPRESSIONS})),
            (Some(name), _) if BUILT_IN.contains(&name) => {
                source.is_string().then(|| json!({"type": "datasource", "uid": name}))
            }
            // A variable chooses it.
            (Some(name), _) if variable(name).is_some_and(|it| self.variables.contains(it)) => None,
            (_, Some("prometheus")) => Some(ours),
            (_, Some(kind)) if self.given.contains_key(kind) => {
                Some(json!({"type": kind, "uid": self.given[kind]}))
            }
            (Some(name), kind) if variable(name).is_some() => match kind {
                None if is_ours => Some(ours),
                _ => return Err(unknown(name, kind, path)),
            },
            (_, Some(_)) => None,
            (Some(name), None) if name == self.uid => Some(ours),
            (_, None) => is_ours.then_some(ours),
        };
        Ok(replacement)
    }
}

/// The error about a placeholder for an unknown source.
fn unknown(name: &str, kind: Option<&str>, path: &[String]) -> Fault {
    let of = kind.map_or_else(String::new, |kind| format!(" of type `{kind}`"));
    let reason = format!("the placeholder `{name}` stands for a data source{of}, but has no value");
    let remedy = "add `inputs: {NAME: UID}` next to the dashboard's `path`, with the placeholder's name or the source's type";
    Fault { path: path.to_vec(), reason, remedy }
}

/// The name in `$name`, `${name}` or `[[name]]`; that of a placeholder may contain a hyphen.
fn variable(text: &str) -> Option<&str> {
    let braced = |open, close| text.strip_prefix(open)?.strip_suffix(close);
    braced("${", "}").or_else(|| braced("[[", "]]")).or_else(|| text.strip_prefix('$'))
}

/// Whether the owner of a source queries Prometheus, judged by a panel's queries, or by the query or variable itself;
/// `None` where that is unknown.
fn is_prometheus(owner: &Map<String, Value>) -> Option<bool> {
    let targets = owner.get("targets").and_then(Value::as_array);
    let of_targets = || targets.into_iter().flatten().filter_map(Value::as_object).find_map(is_prometheus);
    let is_logs = matches!(owner.get("type").and_then(Value::as_str), Some("logs" | "traces" | "nodeGraph"));
    let expr = owner.get("expr").and_then(Value::as_str).map(str::trim).filter(|expr| !expr.is_empty());
    let query = owner.get("query");
    let query = query.and_then(|query| query.as_str().or_else(|| query["query"].as_str()));
    match (expr, query) {
        _ if is_logs => Some(false),
        // LogQL: a stream selector has no metric, and pipes filter lines.
        (Some(expr), _) => {
            let is_selector_of_streams = expr.starts_with('{') && !expr.contains("__name__");
            Some(!is_selector_of_streams && !expr.contains("} |"))
        }
        (None, Some(query)) => {
            let functions = ["label_values(", "query_result(", "metrics(", "label_names("];
            functions.iter().any(|name| query.trim_start().starts_with(name)).then_some(true)
        }
        (None, None) => of_targets(),
    }
}

/// The same in the schema v2.
pub(super) struct PointerV2<'a> {
    /// The uid of our data source.
    pub uid: &'a str,
    /// The uids from the spec: by names of inputs, or by the labels that an export has in place of sources.
    pub given: &'a BTreeMap<String, String>,
}

impl PointerV2<'_> {
    /// Sends every Prometheus query to our data source.
    pub(super) fn point(&self, value: &mut Value) {
        match value {
            Value::Array(values) => values.iter_mut().for_each(|value| self.point(value)),
            Value::Object(keys) => {
                if keys.get("pluginId") == Some(&json!("prometheus")) && keys.contains_key("current") {
                    keys.insert("current".into(), json!({"text": self.uid, "value": self.uid}));
                }
                self.point_query(keys);
                keys.values_mut().for_each(|value| self.point(value));
            }
            _ => {}
        }
    }

    /// From v2beta1 on, a query names its kind in `group` and its source in `name`; in v2alpha1 it names its kind only,
    /// and its source is next to it, with type and uid.
    fn point_query(&self, keys: &mut Map<String, Value>) {
        let label = keys.get("labels").and_then(|labels| labels["grafana.app/export-label"].as_str());
        let by_label = label.and_then(|label| self.given.get(label)).cloned();
        let is_prometheus = keys.get("group") == Some(&json!("prometheus"));
        if by_label.is_some() || (is_prometheus && self.is_elsewhere(keys, "name")) {
            let uid = by_label.unwrap_or_else(|| self.uid.to_owned());
            keys.insert("datasource".into(), json!({"name": uid}));
        }
        let is_alpha = keys.get("query").is_some_and(|query| query["kind"] == "prometheus");
        if is_alpha && self.is_elsewhere(keys, "uid") {
            keys.insert("datasource".into(), json!({"type": "prometheus", "uid": self.uid}));
        }
    }

    /// Whether the source is that of another Grafana: neither a variable nor the spec chose it.
    fn is_elsewhere(&self, keys: &Map<String, Value>, key: &str) -> bool {
        let name = keys.get("datasource").and_then(|source| source[key].as_str()).unwrap_or_default();
        !name.starts_with('$') && !self.given.values().any(|given| given == name)
    }
}
