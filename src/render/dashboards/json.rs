//! Helpers for JSON documents.

use serde_json::{Map, Value, json};

/// The object under a key, created if missing.
pub(super) fn child<'a>(
    keys: &'a mut Map<String, Value>,
    key: &str,
) -> Result<&'a mut Map<String, Value>, String> {
    let below = keys.entry(key).or_insert_with(|| json!({}));
    below.as_object_mut().ok_or_else(|| format!("`{key}` is not an object"))
}
