//! What a dashboard's JSON holds where, in the classic schema and in the schema v2, and what of it belongs to one Grafana
//! only. Pure.

use serde_json::Value;

/// The version of `/apis` that a document in the schema v2 is written for; `None` for the classic schema.
pub(super) fn version_of(document: &Value) -> Option<&str> {
    let version = document["apiVersion"].as_str()?.strip_prefix("dashboard.grafana.app/")?;
    version.starts_with("v2").then_some(version)
}

/// What a document shows, without what says which it is.
pub(super) fn content(document: &Value) -> &Value {
    if version_of(document).is_some() { &document["spec"] } else { document }
}

pub(super) fn content_mut(document: &mut Value) -> &mut Value {
    if version_of(document).is_some() { &mut document["spec"] } else { document }
}

pub(super) fn uid_of(document: &Value) -> &Value {
    if version_of(document).is_some() { &document["metadata"]["name"] } else { &document["uid"] }
}

/// Removes what Grafana adds to a document, or what belongs to an export.
pub(super) fn own_parts(document: &mut Value) {
    if let Value::Object(keys) = document {
        keys.retain(|key, _| key != "id" && key != "version" && !key.starts_with("__"));
    }
}
