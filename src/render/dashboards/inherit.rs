//! `"like": "graph"`: an object inherits from the part of that name; its own keys are added or win.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// The parts by name: `templates/dashboards/parts/*.json`.
pub(super) type Parts = BTreeMap<String, Value>;

const KEY: &str = "like";
/// A part may inherit from another one; more levels than this mean a cycle.
const DEEPEST: usize = 8;

/// The document with all parts in place.
///
/// # Errors
/// Where a part is unknown, or parts inherit from each other.
pub(super) fn resolve(document: &Value, parts: &Parts) -> Result<Value, String> {
    at_depth(document, parts, 0)
}

fn at_depth(value: &Value, parts: &Parts, depth: usize) -> Result<Value, String> {
    match value {
        Value::Array(values) => values.iter().map(|value| at_depth(value, parts, depth)).collect(),
        Value::Object(keys) => {
            let mut whole = base(keys, parts, depth)?;
            for (key, value) in keys.iter().filter(|(key, _)| *key != KEY) {
                put(&mut whole, key, at_depth(value, parts, depth)?);
            }
            Ok(Value::Object(whole))
        }
        plain => Ok(plain.clone()),
    }
}

/// The content of the part that an object inherits from; empty without `like`.
fn base(keys: &Map<String, Value>, parts: &Parts, depth: usize) -> Result<Map<String, Value>, String> {
    let Some(name) = keys.get(KEY) else { return Ok(Map::new()) };
    let part =
        name.as_str().and_then(|name| parts.get(name)).ok_or_else(|| format!("unknown part {name}"))?;
    if depth == DEEPEST {
        return Err(format!("the part {name} inherits from itself"));
    }
    match at_depth(part, parts, depth + 1)? {
        Value::Object(whole) => Ok(whole),
        _ => Err(format!("the part {name} is not an object")),
    }
}

/// Merges objects, removes a key for null, and replaces everything else.
fn put(whole: &mut Map<String, Value>, key: &str, value: Value) {
    match (whole.get_mut(key), value) {
        (Some(_), Value::Null) => drop(whole.shift_remove(key)),
        (Some(Value::Object(below)), Value::Object(keys)) => {
            for (key, value) in keys {
                put(below, &key, value);
            }
        }
        (_, value) => drop(whole.insert(key.to_owned(), value)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn resolved(document: &Value) -> Result<Value, String> {
        let parts = [
            ("panel", json!({"type": "stat", "options": {"a": 1, "b": [1, 2]}})),
            ("big", json!({"like": "panel", "options": {"a": 2}})),
            ("snake", json!({"like": "snake"})),
        ];
        resolve(document, &parts.map(|(name, part)| (name.to_owned(), part)).into())
    }

    #[test]
    fn an_objects_own_keys_win_over_its_part() {
        let panel = json!({"panels": [{"title": "A", "like": "big", "options": {"b": [3], "c": null}}]});
        let whole =
            json!({"panels": [{"type": "stat", "options": {"a": 2, "b": [3], "c": null}, "title": "A"}]});
        assert_eq!(resolved(&panel).unwrap(), whole);
    }

    #[test]
    fn null_removes_a_key_of_the_part() {
        let whole = json!({"type": "stat", "options": {"a": 2}});
        assert_eq!(resolved(&json!({"like": "big", "options": {"b": null}})).unwrap(), whole);
    }

    #[test]
    fn a_part_that_is_missing_or_circular_is_reported() {
        assert_eq!(resolved(&json!({"like": "grpah"})).unwrap_err(), r#"unknown part "grpah""#);
        assert_eq!(
            resolved(&json!([{"like": "snake"}])).unwrap_err(),
            r#"the part "snake" inherits from itself"#
        );
    }
}
