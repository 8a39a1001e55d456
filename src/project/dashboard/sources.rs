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

/// The same in the schema v2.
pub(super) struct PointerV2<'a> {
    /// The uid of our data source.
    pub uid: &'a str,
    /// The uids that the spec gave: by names of inputs, or by the labels that an export leaves in the place of sources.
    pub given: &'a BTreeMap<String, String>,
}

impl PointerV2<'_> {
    /// Sends every question to a Prometheus to our data source.
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

    /// From v2beta1 on a query names its kind in `group` and its source by `name`; in v2alpha1 its kind is all that it
    /// names, and its source stands beside it, with type and uid.
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
