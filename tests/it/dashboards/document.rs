//! Walking through a dashboard: its panels, its queries, every value in it.

use serde_json::Value;

/// A query and its place.
pub struct Query {
    /// The title of its panel, or its purpose.
    pub panel: String,
    pub expression: String,
    /// Whether only its newest value is shown.
    pub instant: bool,
}

/// Every panel except rows, including those in closed rows.
pub fn panels(dashboard: &Value) -> Vec<&Value> {
    everything(dashboard).into_iter().filter(|panel| panel["type"] != "row").collect()
}

/// Every panel, including rows.
pub fn everything(dashboard: &Value) -> Vec<&Value> {
    list(&dashboard["panels"])
        .flat_map(|panel| std::iter::once(panel).chain(list(&panel["panels"])))
        .collect()
}

/// The items of an array; none for any other value.
pub fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Every query of a panel.
pub fn queries(dashboard: &Value) -> Vec<Query> {
    let mut found = Vec::new();
    for panel in panels(dashboard) {
        for target in list(&panel["targets"]) {
            found.push(Query {
                panel: text(&panel["title"]),
                expression: text(&target["expr"]),
                instant: target["instant"] == true,
            });
        }
    }
    found
}

/// The expressions from which variables get their values.
pub fn of_variables(dashboard: &Value) -> Vec<Query> {
    let selector = |variable: &Value| {
        let query = text(&variable["query"]["query"]);
        let result = || query.strip_prefix("query_result(")?.strip_suffix(')');
        let values = || Some(query.strip_prefix("label_values(")?.rsplit_once(',')?.0);
        let inside = result().or_else(values)?.to_owned();
        Some(Query {
            panel: format!("variable {}", text(&variable["name"])),
            expression: inside,
            instant: true,
        })
    };
    list(&dashboard["templating"]["list"]).filter_map(selector).collect()
}

/// The queries of annotations.
pub fn of_annotations(dashboard: &Value) -> Vec<Query> {
    let query = |one: &Value| {
        let expression = one["target"]["expr"].as_str()?.to_owned();
        Some(Query { panel: format!("annotation {}", text(&one["name"])), expression, instant: false })
    };
    list(&dashboard["annotations"]["list"]).filter_map(query).collect()
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Every object in a document.
pub fn objects<'a>(value: &'a Value, found: &mut Vec<&'a serde_json::Map<String, Value>>) {
    match value {
        Value::Object(keys) => {
            found.push(keys);
            keys.values().for_each(|value| objects(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| objects(value, found)),
        _ => {}
    }
}
