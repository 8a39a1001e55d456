//! Completes a dashboard: places, ids, names of queries and of hosts, the data source, thresholds, and texts for panels
//! that may be empty.

use std::collections::BTreeSet;

use serde::Deserialize as _;
use serde_json::{Map, Value, json};

use super::super::rules::Rule;
use super::grid::{Grid, Rows};
use super::json::child;
use super::series::Fleet;
use super::thresholds;
use crate::integrations::Flag;

/// The inputs.
pub(super) struct Decoration<'a> {
    /// The uid of the data source.
    pub data_source: &'a str,
    pub flags: BTreeSet<Flag>,
    pub rules: Vec<Rule>,
    /// The number of rows of tables with a row for each host, or the like.
    pub rows: Rows,
    pub fleet: Fleet,
}

impl Decoration<'_> {
    /// The complete document.
    pub(super) fn on(&self, mut document: Value) -> Result<Value, String> {
        let mut number = 0;
        if let Some(panels) = document.get_mut("panels").and_then(Value::as_array_mut) {
            self.panels(panels, &mut Grid::new(&self.rows), &mut number)?;
        }
        for list in ["/templating/list", "/annotations/list"] {
            let Some(list) = document.pointer_mut(list).and_then(Value::as_array_mut) else { continue };
            self.keep_what_belongs(list)?;
            for one in list {
                self.set_source(one);
            }
        }
        Ok(document)
    }

    fn panels(&self, panels: &mut Vec<Value>, grid: &mut Grid, number: &mut u64) -> Result<(), String> {
        self.keep_what_belongs(panels)?;
        for panel in panels.iter_mut().filter_map(Value::as_object_mut) {
            *number += 1;
            panel.entry("id").or_insert_with(|| (*number).into());
            grid.place(panel)?;
            // A closed row contains its panels.
            if let Some(Value::Array(below)) = panel.get_mut("panels") {
                self.panels(below, &mut grid.below(), number)?;
            }
            self.queries(panel);
            self.fleet.finish(panel)?;
            self.thresholds(panel)?;
            room_above_zero(panel)?;
            optional(panel)?;
        }
        Ok(())
    }

    fn keep_what_belongs(&self, list: &mut Vec<Value>) -> Result<(), String> {
        let belong = list.iter().map(|one| self.belongs(one)).collect::<Result<Vec<_>, _>>()?;
        let mut belong = belong.into_iter();
        list.retain(|_| belong.next().unwrap_or(true));
        for one in list.iter_mut().filter_map(Value::as_object_mut) {
            one.shift_remove("when");
        }
        Ok(())
    }

    /// `"when": "builtin"`: only if the spec has this flag; see [`Flag`].
    fn belongs(&self, panel: &Value) -> Result<bool, String> {
        let Some(when) = panel.get("when") else { return Ok(true) };
        let flag = Flag::deserialize(when).map_err(|error| error.to_string())?;
        Ok(self.flags.contains(&flag))
    }

    fn queries(&self, panel: &mut Map<String, Value>) {
        let Some(Value::Array(targets)) = panel.get_mut("targets") else { return };
        for (letter, target) in ('A'..='Z').zip(targets) {
            self.set_source(target);
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

    fn set_source(&self, owner: &mut Value) {
        if let Value::Object(owner) = owner {
            owner.entry("datasource").or_insert_with(|| self.prometheus());
        }
    }

    fn prometheus(&self) -> Value {
        json!({"type": "prometheus", "uid": self.data_source})
    }

    /// Fills in the thresholds of the panel, and those of single columns or series in its overrides.
    fn thresholds(&self, panel: &mut Map<String, Value>) -> Result<(), String> {
        let mut sentences = String::new();
        if let Some(names) = panel.shift_remove("alerts") {
            let names = words(&names)?;
            let found = thresholds::of(&names, &self.rules);
            let config = child(child(panel, "fieldConfig")?, "defaults")?;
            let unit = config.get("unit").and_then(Value::as_str).unwrap_or_default();
            config.insert("thresholds".into(), thresholds::steps(&found, unit));
            if let Some(Value::Object(custom)) = config.get_mut("custom") {
                let mode = if found.is_empty() { "off" } else { "dashed" };
                custom.insert("thresholdsStyle".into(), json!({"mode": mode}));
            }
            sentences += &thresholds::sentence(&names, &found);
        }
        let overrides = panel.get_mut("fieldConfig").and_then(|config| config.get_mut("overrides"));
        for one in overrides.and_then(Value::as_array_mut).into_iter().flatten() {
            let Some(names) = one.as_object_mut().and_then(|keys| keys.shift_remove("alerts")) else {
                continue;
            };
            let names = words(&names)?;
            let found = thresholds::of(&names, &self.rules);
            if let Some(Value::Array(properties)) = one.get_mut("properties") {
                properties.push(json!({"id": "thresholds", "value": thresholds::steps(&found, "")}));
            }
            sentences += &thresholds::sentence(&names, &found);
        }
        if let Some(Value::String(help)) = panel.get_mut("description") {
            help.push_str(&sentences);
        }
        Ok(())
    }
}

/// Sets the soft maximum of an axis: with zeros alone it would end at 100, and a threshold above all values would be
/// hidden.
fn room_above_zero(panel: &mut Map<String, Value>) -> Result<(), String> {
    if panel.get("type") != Some(&json!("timeseries")) {
        return Ok(());
    }
    let config = child(child(panel, "fieldConfig")?, "defaults")?;
    if config.contains_key("max") {
        return Ok(());
    }
    let least = match config.get("unit").and_then(Value::as_str) {
        Some("bytes") => 1_048_576.0,
        Some("Bps") => 1_000.0,
        Some("s") => 0.01,
        _ => 1.0,
    };
    let steps = config.get("thresholds").and_then(|thresholds| thresholds["steps"].as_array());
    let line = steps.and_then(|steps| steps.last()?["value"].as_f64());
    let custom = child(config, "custom")?;
    custom.entry("axisSoftMax").or_insert_with(|| line.map_or(least, |line| line * 1.25).into());
    Ok(())
}

/// `"optional": "the kernel does not report pressure"`: why a panel may stay empty. It is shown in place of the data,
/// and as the last sentence of the help, where `verify-dashboards` finds it.
fn optional(panel: &mut Map<String, Value>) -> Result<(), String> {
    let Some(why) = panel.shift_remove("optional") else { return Ok(()) };
    let why = why.as_str().ok_or_else(|| format!("{why} is not a text"))?;
    let config = child(child(panel, "fieldConfig")?, "defaults")?;
    config.insert("noValue".into(), format!("not scraped, or {why}").into());
    if let Some(Value::String(help)) = panel.get_mut("description") {
        *help = format!("{help} May be empty: {why}.");
    }
    Ok(())
}

fn words(names: &Value) -> Result<Vec<&str>, String> {
    let words = names.as_array().map(|names| names.iter().filter_map(Value::as_str).collect());
    words.ok_or_else(|| format!("{names} is not a list of alerts"))
}
