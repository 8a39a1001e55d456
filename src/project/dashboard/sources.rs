//! Which data source a dashboard asks: where it meant the Prometheus of another Grafana, it gets ours.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// Sources that every Grafana has in itself.
const BUILT_IN: [&str; 4] = ["-- Grafana --", "-- Mixed --", "-- Dashboard --", "grafana"];

/// Whether the file says that it needs no data source but Prometheus. One that says nothing needs no other.
pub(super) fn needs_only_prometheus(dashboard: &Map<String, Value>) -> bool {
    let needed = dashboard.get("__requires").and_then(Value::as_array).into_iter().flatten();
    needed.filter(|one| one["type"] == "datasource").all(|one| one["id"] == "prometheus")
}

/// Where questions to a Prometheus go.
pub(super) struct Pointer<'a> {
    /// The uid of our data source.
    pub uid: &'a str,
    /// Whether a source without a type, or with a name only, is a Prometheus.
    pub only_prometheus: bool,
    /// The uids and names that the spec gave, which are meant as they are.
    pub given: &'a BTreeMap<String, String>,
}

impl Pointer<'_> {
    /// Sends every question to a Prometheus to our data source.
    pub(super) fn point(&self, value: &mut Value) {
        match value {
            Value::Array(values) => values.iter_mut().for_each(|value| self.point(value)),
            Value::Object(keys) => {
                if keys.get("type") == Some(&json!("datasource"))
                    && keys.get("query") == Some(&json!("prometheus"))
                {
                    keys.insert("current".into(), json!({"text": self.uid, "value": self.uid}));
                }
                for (key, value) in keys {
                    if key == "datasource" {
                        if let Some(ours) = self.replacement(value) {
                            *value = ours;
                        }
                    } else {
                        self.point(value);
                    }
                }
            }
            _ => {}
        }
    }

    /// What stands for a data source; `None` where it stays.
    fn replacement(&self, source: &Value) -> Option<Value> {
        let ours = json!({"type": "prometheus", "uid": self.uid});
        let named = source.as_str().or_else(|| source["uid"].as_str());
        match (named, source["type"].as_str()) {
            // A variable or the spec chooses it.
            (Some(name), _) if name.starts_with('$') || self.given.values().any(|given| given == name) => {
                None
            }
            (Some(name), _) if BUILT_IN.contains(&name) => {
                source.is_string().then(|| json!({"type": "datasource", "uid": name}))
            }
            (_, Some("prometheus")) => Some(ours),
            (_, Some(_)) => None,
            (Some(name), None) if name == self.uid => Some(ours),
            (_, None) => self.only_prometheus.then_some(ours),
        }
    }
}

/// The same in schema v2, where a query names its kind in `group` and its source beside it.
pub(super) fn point_v2_to(value: &mut Value, uid: &str) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(|value| point_v2_to(value, uid)),
        Value::Object(keys) => {
            let names_variable = keys.get("datasource").and_then(|source| source["name"].as_str());
            let is_variable = names_variable.is_some_and(|name| name.starts_with('$'));
            if keys.get("group") == Some(&json!("prometheus")) && !is_variable {
                keys.insert("datasource".into(), json!({"name": uid}));
            }
            keys.values_mut().for_each(|value| point_v2_to(value, uid));
        }
        _ => {}
    }
}
