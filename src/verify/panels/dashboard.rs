//! The panels of a dashboard and what each asks for, read from its JSON. Pure.

use serde_json::Value;

/// A panel with its queries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Panel {
    pub title: String,
    pub queries: Vec<Asked>,
    /// The variables for each of whose values the panel is repeated: its row's, then its own.
    pub repeats: Vec<String>,
}

/// A query of a panel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    /// `A`, `B` …
    pub id: String,
    pub expr: String,
    pub instant: bool,
    /// The data source's uid; a variable's name, or empty for the default one.
    pub data_source: String,
}

/// What stands for a library's panel in a dashboard.
pub(super) fn library_uids(dashboard: &Value) -> Vec<String> {
    all_panels(dashboard)
        .iter()
        .filter_map(|panel| panel["libraryPanel"]["uid"].as_str().map(str::to_owned))
        .collect()
}

/// The panels that ask Prometheus for something. `library` gives the panels of the library by their uids.
pub(super) fn panels(dashboard: &Value, library: impl Fn(&str) -> Option<Value>) -> Vec<Panel> {
    let whole = |panel: &Value| {
        let inside = panel["libraryPanel"]["uid"].as_str().and_then(&library);
        inside.unwrap_or_else(|| panel.clone())
    };
    let repeats = repeats(dashboard);
    all_panels(dashboard)
        .into_iter()
        .zip(repeats)
        .map(|(panel, of_row)| Panel::read(panel, &whole(panel), of_row))
        .filter(|panel| !panel.queries.is_empty())
        .collect()
}

/// All panels, those inside of rows included.
fn all_panels(dashboard: &Value) -> Vec<&Value> {
    let top = dashboard["panels"].as_array().into_iter().flatten();
    top.flat_map(|panel| match panel["panels"].as_array() {
        Some(inside) if panel["type"] == "row" => inside.iter().collect(),
        _ => vec![panel],
    })
    .collect()
}

/// The variable by which the row of each panel is repeated. An open row's panels follow it.
fn repeats(dashboard: &Value) -> Vec<Option<String>> {
    let mut current = None;
    let mut found = Vec::new();
    for panel in dashboard["panels"].as_array().into_iter().flatten() {
        let row = (panel["type"] == "row").then(|| repeat_of(panel));
        if let Some(row) = &row {
            current.clone_from(row);
        }
        match panel["panels"].as_array() {
            Some(inside) if row.is_some() => found.extend(inside.iter().map(|_| current.clone())),
            _ => found.push(current.clone()),
        }
    }
    found
}

impl Panel {
    fn read(placed: &Value, panel: &Value, of_row: Option<String>) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let query = |target: &Value| {
            let expr = text(&target["expr"]);
            let own = &target["datasource"];
            let source = if uid(own).is_empty() { &panel["datasource"] } else { own };
            let data_source = uid(source);
            // Loki's queries are in `expr` as well. Services that are compatible have the name in their type.
            let is_prometheus = !expr.is_empty()
                && !data_source.starts_with("--")
                && source["type"].as_str().is_none_or(|kind| kind.contains("prometheus"));
            let shown = !target["hide"].as_bool().unwrap_or(false);
            (is_prometheus && shown).then(|| Asked {
                id: text(&target["refId"]),
                expr,
                instant: target["instant"].as_bool().unwrap_or(false)
                    && !target["range"].as_bool().unwrap_or(false),
                data_source,
            })
        };
        Self {
            title: text(if placed["title"].is_string() { &placed["title"] } else { &panel["title"] }),
            queries: panel["targets"].as_array().into_iter().flatten().filter_map(query).collect(),
            repeats: of_row.into_iter().chain(repeat_of(placed)).collect(),
        }
    }
}

/// The variable by which a panel or a row is repeated.
fn repeat_of(panel: &Value) -> Option<String> {
    panel["repeat"].as_str().filter(|it| !it.is_empty()).map(str::to_owned)
}

/// A data source by its uid; old dashboards name it by its name.
fn uid(value: &Value) -> String {
    value["uid"].as_str().or_else(|| value.as_str()).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_query_of_every_panel_is_found_and_nothing_else() {
        let target = |id: &str, expr: &str| json!({"refId": id, "expr": expr});
        let dashboard = json!({"panels": [
            {"title": "one", "type": "timeseries", "datasource": {"uid": "p"}, "targets": [
                target("A", "up"),
                {"refId": "B", "expr": "hidden", "hide": true},
                {"refId": "C", "type": "math", "expression": "$A", "datasource": {"uid": "__expr__"}},
            ]},
            {"type": "row", "title": "closed", "repeat": "host", "panels": [
                {"title": "two", "repeat": "cpu", "targets": [{"refId": "A", "expr": "x", "instant": true}]},
            ]},
            {"type": "row", "title": "open", "panels": []},
            {"title": "mixed", "datasource": {"uid": "-- Mixed --"}, "repeat": "job", "targets": [
                {"refId": "A", "expr": "y", "datasource": {"uid": "q"}},
                {"refId": "B", "expr": "z", "datasource": {"uid": "-- Dashboard --"}},
                {"refId": "C", "expr": "{app=\"x\"}", "datasource": {"type": "loki", "uid": "logs"}},
            ]},
            {"title": "words", "type": "text"},
            {"libraryPanel": {"uid": "lib"}, "title": "placed"},
        ]});
        let library =
            |uid: &str| (uid == "lib").then(|| json!({"title": "kept", "targets": [target("A", "l")]}));
        let panels = panels(&dashboard, library);
        let told = panels.iter().map(|panel| {
            let queries: Vec<String> = panel
                .queries
                .iter()
                .map(|it| {
                    format!("{}:{}:{}{}", it.id, it.data_source, it.expr, if it.instant { "!" } else { "" })
                })
                .collect();
            format!("{} {} {}", panel.title, panel.repeats.join("/"), queries.join(" "))
        });
        let expected = ["one  A:p:up", "two host/cpu A::x!", "mixed job A:q:y", "placed  A::l"];
        assert_eq!(told.collect::<Vec<_>>(), expected);
        assert_eq!(library_uids(&dashboard), ["lib"]);
    }
}
