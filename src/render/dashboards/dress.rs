//! What a dashboard is given beside its parts: places, ids, names of queries, the data source, thresholds.

use serde_json::{Map, Value, json};

use super::grid::Grid;
use super::thresholds;
use crate::render::Rule;
use crate::spec::Metrics;

/// What is given comes from here.
pub(super) struct Dress<'a> {
    /// The uid of the data source.
    pub data_source: &'a str,
    pub metrics: Metrics,
    pub rules: Vec<Rule>,
}

impl Dress<'_> {
    /// The document as Grafana gets it.
    pub(super) fn on(&self, mut document: Value) -> Result<Value, String> {
        let mut number = 0;
        if let Some(panels) = document.get_mut("panels").and_then(Value::as_array_mut) {
            self.panels(panels, &mut Grid::default(), &mut number)?;
        }
        for list in ["/templating/list", "/annotations/list"] {
            for one in document.pointer_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
                self.ask_prometheus(one);
            }
        }
        Ok(document)
    }

    fn panels(&self, panels: &mut Vec<Value>, grid: &mut Grid, number: &mut u64) -> Result<(), String> {
        panels.retain(|panel| self.belongs(panel));
        for panel in panels.iter_mut().filter_map(Value::as_object_mut) {
            panel.shift_remove("when");
            *number += 1;
            panel.entry("id").or_insert_with(|| (*number).into());
            grid.place(panel)?;
            // A row that is closed holds its panels.
            if let Some(Value::Array(below)) = panel.get_mut("panels") {
                self.panels(below, &mut grid.below(), number)?;
            }
            self.queries(panel);
            self.thresholds(panel)?;
        }
        Ok(())
    }

    /// `"when": "builtin"` or `"exporter"`: only where the application is counted so.
    fn belongs(&self, panel: &Value) -> bool {
        panel.get("when").is_none_or(|when| json!(self.metrics) == *when)
    }

    fn queries(&self, panel: &mut Map<String, Value>) {
        let Some(Value::Array(targets)) = panel.get_mut("targets") else { return };
        for (letter, target) in ('A'..='Z').zip(targets) {
            self.ask_prometheus(target);
            if let Value::Object(target) = target {
                target.entry("refId").or_insert_with(|| letter.to_string().into());
                target.entry("editorMode").or_insert_with(|| "code".into());
                if !target.contains_key("instant") {
                    target.insert("instant".into(), false.into());
                    target.insert("range".into(), true.into());
                }
            }
        }
        panel.entry("datasource").or_insert_with(|| self.prometheus());
    }

    fn ask_prometheus(&self, asking: &mut Value) {
        if let Value::Object(asking) = asking {
            asking.entry("datasource").or_insert_with(|| self.prometheus());
        }
    }

    fn prometheus(&self) -> Value {
        json!({"type": "prometheus", "uid": self.data_source})
    }

    /// Those of the whole panel, and those of single columns or series in its overrides.
    fn thresholds(&self, panel: &mut Map<String, Value>) -> Result<(), String> {
        let mut said = String::new();
        if let Some(names) = panel.shift_remove("alerts") {
            let names = words(&names)?;
            let found = thresholds::of(&names, &self.rules);
            let config = child(child(panel, "fieldConfig")?, "defaults")?;
            config.insert("thresholds".into(), thresholds::steps(&found));
            if let Some(Value::Object(custom)) = config.get_mut("custom") {
                let mode = if found.is_empty() { "off" } else { "dashed" };
                custom.insert("thresholdsStyle".into(), json!({"mode": mode}));
            }
            said += &thresholds::sentence(&names, &found);
        }
        let overrides = panel.get_mut("fieldConfig").and_then(|config| config.get_mut("overrides"));
        for one in overrides.and_then(Value::as_array_mut).into_iter().flatten() {
            let Some(names) = one.as_object_mut().and_then(|keys| keys.shift_remove("alerts")) else {
                continue;
            };
            let names = words(&names)?;
            let found = thresholds::of(&names, &self.rules);
            if let Some(Value::Array(properties)) = one.get_mut("properties") {
                properties.push(json!({"id": "thresholds", "value": thresholds::steps(&found)}));
            }
            said += &thresholds::sentence(&names, &found);
        }
        if let Some(Value::String(help)) = panel.get_mut("description") {
            help.push_str(&said);
        }
        Ok(())
    }
}

fn words(names: &Value) -> Result<Vec<&str>, String> {
    let words = names.as_array().map(|names| names.iter().filter_map(Value::as_str).collect());
    words.ok_or_else(|| format!("{names} is no list of alerts"))
}

/// The object under a key, made where there is none.
fn child<'a>(keys: &'a mut Map<String, Value>, key: &str) -> Result<&'a mut Map<String, Value>, String> {
    let below = keys.entry(key).or_insert_with(|| json!({}));
    below.as_object_mut().ok_or_else(|| format!("`{key}` is no object"))
}
