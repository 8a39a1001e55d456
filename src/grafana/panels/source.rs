//! The data source of a query, and whether it is compatible with Prometheus. Pure.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::query::NamedSource;

/// The data sources to which a dashboard can refer.
#[derive(Debug, Clone, Default)]
pub(super) struct Sources {
    /// The uid used for queries without a data source, and for variables that choose a Prometheus.
    default: String,
    /// Uid and type of Grafana's data sources, by uid and by name.
    known: BTreeMap<String, (String, String)>,
    /// The type that each of the dashboard's data source variables chooses, by the variable's name.
    chosen: BTreeMap<String, String>,
}

/// The data source that answers a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum QuerySource {
    /// A Prometheus, by its uid.
    Prometheus(String),
    /// Another data source, and why it is not queried.
    Other(String),
}

impl Sources {
    pub(super) fn new(default: &str, known: &[NamedSource]) -> Self {
        let by = |key: fn(&NamedSource) -> &String| {
            known.iter().map(move |one| (key(one).clone(), (one.uid.clone(), one.kind.clone())))
        };
        // A uid takes precedence over an equal name.
        let known = by(|one| &one.name).chain(by(|one| &one.uid)).collect();
        Self { default: default.to_owned(), known, chosen: BTreeMap::new() }
    }

    /// The same for one dashboard, whose variables may choose data sources.
    pub(super) fn of(&self, dashboard: &Value) -> Self {
        let list = dashboard["templating"]["list"].as_array().into_iter().flatten();
        let sources = list.filter(|one| one["type"] == "datasource");
        let named = |one: &Value| Some((one["name"].as_str()?.to_owned(), one["query"].as_str()?.to_owned()));
        Self { chosen: sources.filter_map(named).collect(), ..self.clone() }
    }

    /// The data source of a query, given how the query and its panel name theirs.
    pub(super) fn source(&self, query: &Value, panel: &Value) -> QuerySource {
        let names_one = !name(query).is_empty() || query["type"].is_string();
        let value = if names_one { query } else { panel };
        let name = name(value);
        match name.as_str() {
            "__expr__" => return QuerySource::Other("Grafana computes it from other queries".into()),
            "-- Dashboard --" => return QuerySource::Other("it shows another panel's result".into()),
            "-- Grafana --" | "grafana" => {
                return QuerySource::Other("it uses Grafana's built-in data source".into());
            }
            "" | "-- Mixed --" => return self.prometheus(None, value["type"].as_str()),
            _ => {}
        }
        if let Some(variable) = variable(&name) {
            let kind = self.chosen.get(variable).map(String::as_str);
            return self.prometheus(None, kind.or(value["type"].as_str()));
        }
        match self.known.get(&name) {
            Some((uid, kind)) => self.prometheus(Some(uid), Some(kind)),
            None => self.prometheus(Some(&name), value["type"].as_str()),
        }
    }

    /// This data source or else the default one, if its type is compatible with Prometheus. The plugins of compatible
    /// services have `prometheus` in their names.
    fn prometheus(&self, uid: Option<&str>, kind: Option<&str>) -> QuerySource {
        match kind.filter(|kind| !kind.contains("prometheus") && *kind != "datasource") {
            Some(kind) => QuerySource::Other(format!("its data source is of type `{kind}`, not Prometheus")),
            None => QuerySource::Prometheus(uid.unwrap_or(&self.default).to_owned()),
        }
    }
}

/// The uid of a data source, or its name in old dashboards.
fn name(value: &Value) -> String {
    value["uid"].as_str().or_else(|| value.as_str()).unwrap_or_default().to_owned()
}

/// The name of the variable, if the text is a reference to one.
fn variable(name: &str) -> Option<&str> {
    let braced = |open, close| name.strip_prefix(open)?.strip_suffix(close);
    braced("${", "}").or_else(|| braced("[[", "]]")).or_else(|| name.strip_prefix('$'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_way_to_name_a_data_source_is_understood() {
        let known = |uid: &str, name: &str, kind: &str| NamedSource {
            uid: uid.into(),
            name: name.into(),
            kind: kind.into(),
        };
        let known = [known("p", "Main", "prometheus"), known("l", "Logs", "loki")];
        let dashboard = json!({"templating": {"list": [
            {"type": "datasource", "name": "DS", "query": "prometheus"},
            {"type": "datasource", "name": "LOGS", "query": "loki"},
        ]}});
        let sources = Sources::new("default", &known).of(&dashboard);
        let source = |value: Value| sources.source(&value, &Value::Null);
        let prometheus = |uid: &str| QuerySource::Prometheus(uid.into());
        for (value, uid) in [
            (json!(null), "default"),
            (json!({"uid": "-- Mixed --", "type": "datasource"}), "default"),
            (json!("Main"), "p"),
            (json!({"uid": "p"}), "p"),
            (json!({"uid": "elsewhere", "type": "prometheus"}), "elsewhere"),
            (json!({"uid": "amp", "type": "grafana-amazonprometheus-datasource"}), "amp"),
            (json!({"uid": "${DS}", "type": "prometheus"}), "default"),
            (json!("$DS"), "default"),
            (json!("[[DS]]"), "default"),
        ] {
            assert_eq!(source(value.clone()), prometheus(uid), "{value}");
        }
        let not_loki = "its data source is of type `loki`, not Prometheus";
        for (value, why) in [
            (json!({"uid": "l"}), not_loki),
            (json!("Logs"), not_loki),
            (json!({"uid": "gone", "type": "loki"}), not_loki),
            (json!("${LOGS}"), not_loki),
            (json!({"type": "loki"}), not_loki),
            (json!({"uid": "__expr__", "type": "__expr__"}), "Grafana computes it from other queries"),
            (json!({"uid": "-- Dashboard --"}), "it shows another panel's result"),
        ] {
            assert_eq!(source(value.clone()), QuerySource::Other(why.into()), "{value}");
        }
        let of_panel = sources.source(&json!(null), &json!({"type": "loki", "uid": "l"}));
        assert_eq!(of_panel, QuerySource::Other(not_loki.into()), "a query without one uses its panel's");
    }
}
