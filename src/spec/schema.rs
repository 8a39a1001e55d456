//! The JSON Schema of the spec: for editors, and for `shape.rs`, which validates files with it.

use std::sync::LazyLock;

use serde_json::Value;

use super::model::Spec;

static SCHEMA: LazyLock<Value> = LazyLock::new(|| schemars::schema_for!(Spec).to_value());

/// The JSON Schema of a spec's file.
pub fn json_schema() -> &'static Value {
    &SCHEMA
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The keywords that `shape.rs` supports. A type that adds another one needs code there.
    const KEYWORDS: [&str; 21] = [
        "$defs",
        "$ref",
        "$schema",
        "additionalProperties",
        "anyOf",
        "const",
        "default",
        "description",
        "examples",
        "format",
        "items",
        "maximum",
        "minimum",
        "oneOf",
        "pattern",
        "patternErrorMessage",
        "patternProperties",
        "properties",
        "required",
        "title",
        "type",
    ];

    fn keywords(schema: &Value, found: &mut Vec<String>) {
        let Value::Object(members) = schema else { return };
        for (name, member) in members {
            match (name.as_str(), member) {
                ("properties" | "patternProperties" | "$defs", Value::Object(schemas)) => {
                    schemas.values().for_each(|schema| keywords(schema, found));
                }
                ("anyOf" | "oneOf", Value::Array(schemas)) => {
                    for schema in schemas {
                        keywords(schema, found);
                    }
                }
                ("items" | "additionalProperties", schema) => keywords(schema, found),
                _ => {}
            }
            found.push(name.clone());
        }
    }

    #[test]
    fn the_schema_uses_no_keyword_that_loading_ignores() {
        let mut found = Vec::new();
        keywords(json_schema(), &mut found);
        found.retain(|name| !KEYWORDS.contains(&name.as_str()));
        assert!(found.is_empty(), "{found:?}");
    }
}
