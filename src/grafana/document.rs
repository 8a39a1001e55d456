//! The structure of a dashboard's JSON in the classic schema and in schema v2, and the parts of it that belong to one
//! Grafana only. Pure.

use serde_json::Value;

/// The API version of a document in schema v2; `None` for the classic schema.
pub(super) fn version_of(document: &Value) -> Option<&str> {
    let version = document["apiVersion"].as_str()?.strip_prefix("dashboard.grafana.app/")?;
    version.starts_with("v2").then_some(version)
}

/// The content of a document, without its identity.
pub(super) fn content(document: &Value) -> &Value {
    if version_of(document).is_some() { &document["spec"] } else { document }
}

pub(super) fn content_mut(document: &mut Value) -> &mut Value {
    if version_of(document).is_some() { &mut document["spec"] } else { document }
}

pub(super) fn uid_of(document: &Value) -> &Value {
    if version_of(document).is_some() { &document["metadata"]["name"] } else { &document["uid"] }
}

/// Removes the keys that Grafana or an export adds to a document.
pub(super) fn own_parts(document: &mut Value) {
    if let Value::Object(keys) = document {
        keys.retain(|key, _| key != "id" && key != "version" && !key.starts_with("__"));
    }
}
