//! Open parts of an exported dashboard: `__inputs` with their placeholders `${NAME}`, and library panels, which it
//! includes in `__elements`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::Fault;
use super::sources::EXPRESSIONS;

/// The remedy for a library panel that is not in the file.
const SHARE_EXTERNALLY: &str = "export the dashboard \"for sharing externally\", which includes it";

/// The values of all inputs by name: Prometheus is our data source, constants have a value, the rest is from the spec.
pub(super) fn values(
    dashboard: &Map<String, Value>,
    data_source: &str,
    given: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, Fault> {
    let mut values = self::given(data_source, given);
    for (index, input) in
        dashboard.get("__inputs").and_then(Value::as_array).into_iter().flatten().enumerate()
    {
        let word = |key: &str| input[key].as_str().unwrap_or_default();
        let name = word("name");
        if given.contains_key(name) {
            continue;
        }
        let value = match (word("type"), word("pluginId")) {
            ("datasource", kind) if given.contains_key(kind) => given[kind].clone(),
            ("datasource", EXPRESSIONS) => EXPRESSIONS.to_owned(),
            ("datasource", "mixed") => "-- Mixed --".to_owned(),
            ("datasource", "grafana" | "datasource") => "-- Grafana --".to_owned(),
            ("datasource", kind) if kind.contains("prometheus") => data_source.to_owned(),
            ("constant", _) if input["value"].is_string() => word("value").to_owned(),
            (kind, plugin) => {
                let of = if kind == "datasource" {
                    format!("a data source of type `{plugin}`")
                } else {
                    "a value".into()
                };
                return Err(Fault::new(
                    &["__inputs", &index.to_string()],
                    format!("the input `{name}` needs {of}, but has no value"),
                    "add `inputs: {NAME: VALUE}` next to the dashboard's `path`; for a data source, map its name or type to its uid",
                ));
            }
        };
        values.insert(name.to_owned(), value);
    }
    Ok(values)
}

/// Values independent of the dashboard: Grafana's usual name of an input for Prometheus, and the spec's inputs.
pub(super) fn given(data_source: &str, given: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let usual = ("DS_PROMETHEUS".to_owned(), data_source.to_owned());
    [usual].into_iter().chain(given.iter().map(|(name, value)| (name.clone(), value.clone()))).collect()
}

/// Removes the `>` before the minimum intervals of panels (`>30s`): earlier releases of Grafana ignore it, later ones
/// reject it and show no data.
pub(super) fn drop_comparisons(panels_in: &mut Value) {
    for key in ["rows", "panels"] {
        for one in panels_in.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(interval) =
                one.get("interval").and_then(Value::as_str).and_then(|it| it.strip_prefix('>'))
            {
                one["interval"] = interval.to_owned().into();
            }
            drop_comparisons(one);
        }
    }
}

/// Replaces each `${NAME}` of an input in all texts.
pub(super) fn fill(value: &mut Value, inputs: &BTreeMap<String, String>) {
    match value {
        Value::String(text) if text.contains("${") => {
            for (name, value) in inputs {
                *text = text.replace(&format!("${{{name}}}"), value);
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| fill(value, inputs)),
        Value::Object(keys) => {
            for (key, value) in keys {
                // The declaration itself is removed later.
                if key != "__inputs" {
                    fill(value, inputs);
                }
            }
        }
        _ => {}
    }
}

/// An export of the schema v2 normally inlines library panels; one that still refers to a library is refused.
pub(super) fn refuse_library_panels(spec: &Map<String, Value>) -> Result<(), Fault> {
    let elements = spec.get("elements").and_then(Value::as_object).into_iter().flatten();
    let Some((key, panel)) = elements.into_iter().find(|(_, element)| element["kind"] == "LibraryPanel")
    else {
        return Ok(());
    };
    let panel = &panel["spec"]["libraryPanel"];
    let name = panel["name"].as_str().or_else(|| panel["uid"].as_str()).unwrap_or(key);
    Err(Fault::new(
        &["elements", key],
        format!("the library panel `{name}` is not in the file"),
        SHARE_EXTERNALLY,
    ))
}

/// Inlines the library panels that the file includes, since our Grafana does not have the other one's library.
pub(super) fn put_elements_in_place(document: &mut Value) -> Result<(), Fault> {
    let elements = document["__elements"].clone();
    if let Some(panels) = document.get_mut("panels").and_then(Value::as_array_mut) {
        in_panels(panels, &elements, &mut vec!["panels".to_owned()])?;
    }
    Ok(())
}

fn in_panels(panels: &mut [Value], elements: &Value, path: &mut Vec<String>) -> Result<(), Fault> {
    for (index, panel) in panels.iter_mut().enumerate() {
        path.push(index.to_string());
        if let Some(uid) = panel["libraryPanel"]["uid"].as_str() {
            let found = elements.as_array().into_iter().flatten().find(|one| one["uid"] == uid);
            let element = elements.get(uid).or(found);
            let Some(Value::Object(model)) = element.map(|element| &element["model"]) else {
                let reason = format!(
                    "the library panel `{}` is not in the file",
                    panel["libraryPanel"]["name"].as_str().unwrap_or(uid)
                );
                let mut fault = Fault::new(&[], reason, SHARE_EXTERNALLY);
                fault.path = path.iter().cloned().chain(["libraryPanel".to_owned()]).collect();
                return Err(fault);
            };
            *panel = placed(model.clone(), panel);
        }
        if let Some(below) = panel.get_mut("panels").and_then(Value::as_array_mut) {
            path.push("panels".to_owned());
            in_panels(below, elements, path)?;
            path.pop();
        }
        path.pop();
    }
    Ok(())
}

/// A library panel's model at the place of the panel that refers to it.
fn placed(mut model: Map<String, Value>, panel: &Value) -> Value {
    model.shift_remove("libraryPanel");
    for key in ["id", "gridPos", "title", "repeat", "repeatDirection", "maxPerRow"] {
        if let Some(value) = panel.get(key) {
            model.insert(key.to_owned(), value.clone());
        }
    }
    Value::Object(model)
}
