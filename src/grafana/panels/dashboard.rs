//! The panels of a dashboard and their queries, read from its JSON. Pure.

use std::time::Duration;

use serde_json::Value;

use super::source::{QuerySource, Sources};
use super::timing::{QueryOptions, Timing};
use crate::duration::PromDuration;

/// Beginning of the sentence in a description that says that the panel may show no data.
const MAY_BE_EMPTY: &str = "May be empty: ";

/// A panel with its queries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Panel {
    pub title: String,
    pub queries: Vec<Result<PanelTarget, NotQueried>>,
    /// The variables for each of whose values the panel is repeated: its row's, then its own.
    pub repeats: Vec<String>,
    pub settings: QueryOptions,
    /// The sentence that says why it may be empty.
    pub may_be_empty: Option<String>,
}

/// A query of a panel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PanelTarget {
    /// `A`, `B` …
    pub id: String,
    pub expr: String,
    pub instant: bool,
    /// The data source's uid.
    pub data_source: String,
    /// The query's own minimum step.
    pub min_step: Option<String>,
    /// How many steps are merged into one.
    pub factor: u64,
}

/// A query that is not sent, with the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NotQueried {
    pub id: String,
    pub expr: String,
    pub why: String,
}

/// A panel, and the variable by which its row is repeated.
type Placed<'a> = (&'a Value, Option<String>);

/// The uid of a panel's library panel, if it uses one.
pub(super) fn library_uid(panel: &Value) -> Option<&str> {
    panel["libraryPanel"]["uid"].as_str()
}

/// The uids of the library panels in a dashboard.
pub(super) fn library_uids(dashboard: &Value) -> Vec<String> {
    placed(dashboard).iter().filter_map(|(panel, _)| library_uid(panel).map(str::to_owned)).collect()
}

/// The panels with queries. `library` returns a library panel by its uid, or why it is not available.
pub(super) fn panels<'a>(
    dashboard: &Value,
    sources: &Sources,
    library: impl Fn(&str) -> Option<&'a Result<Value, String>>,
) -> Vec<Panel> {
    let read = |(panel, of_row): Placed| match library_uid(panel).and_then(&library) {
        Some(Ok(inside)) => Panel::read(panel, inside, of_row, sources),
        _ => Panel::read(panel, panel, of_row, sources),
    };
    placed(dashboard).into_iter().map(read).filter(|panel| !panel.queries.is_empty()).collect()
}

/// The longest time between two points of the dashboards' curves, at least the scrape interval. After that time, a
/// current event is drawn everywhere. A narrow panel has fewer points than one of the page's full width.
pub fn longest_step(dashboards: &[Value], scrape_interval: PromDuration) -> Duration {
    let steps = dashboards.iter().flat_map(|dashboard| {
        let panels = placed(dashboard).into_iter().map(|(panel, _)| QueryOptions::of(panel));
        let as_wide_as_the_page = [QueryOptions::default()];
        as_wide_as_the_page.into_iter().chain(panels).filter_map(|settings| {
            // A panel whose minimum step is rejected draws nothing.
            let least = settings.least_step(None, str::to_owned).ok()?.unwrap_or(scrape_interval);
            Some(Timing::of(dashboard, &settings, least, str::to_owned).step)
        })
    });
    Duration::from_millis(steps.max().unwrap_or(scrape_interval.as_millis()))
}

/// Title and reason of each panel whose library panel is not available.
pub(super) fn missing<'a>(
    dashboard: &Value,
    library: impl Fn(&str) -> Option<&'a Result<Value, String>>,
) -> Vec<(String, String)> {
    let why = |panel: &Value| {
        let uid = library_uid(panel)?;
        let why = library(uid)?.as_ref().err()?;
        let named = [&panel["title"], &panel["libraryPanel"]["name"]];
        let title = named.into_iter().find_map(Value::as_str).unwrap_or(uid);
        Some((title.to_owned(), why.clone()))
    };
    placed(dashboard).into_iter().filter_map(|(panel, _)| why(panel)).collect()
}

/// All panels including those in rows, each with the variable by which its row is repeated. The panels of an open row
/// follow it; dashboards from before Grafana 5 have panels inside rows.
fn placed(dashboard: &Value) -> Vec<Placed<'_>> {
    let old = list(&dashboard["rows"]).iter();
    let mut found: Vec<Placed> =
        old.flat_map(|row| list(&row["panels"]).iter().map(move |panel| (panel, repeat_of(row)))).collect();
    let mut current = None;
    for panel in list(&dashboard["panels"]) {
        if panel["type"] == "row" {
            current = repeat_of(panel);
            found.extend(list(&panel["panels"]).iter().map(|inside| (inside, current.clone())));
        } else {
            found.push((panel, current.clone()));
        }
    }
    found
}

impl Panel {
    fn read(placed: &Value, panel: &Value, of_row: Option<String>, sources: &Sources) -> Self {
        let targets = list(&panel["targets"]);
        let title = if placed["title"].is_string() { &placed["title"] } else { &panel["title"] };
        let queries = targets.iter().map(|target| read(target, targets, &panel["datasource"], sources));
        Self {
            title: text(title),
            queries: queries.collect(),
            repeats: of_row.into_iter().chain(repeat_of(placed)).collect(),
            settings: QueryOptions::placed(panel, placed),
            may_be_empty: may_be_empty(panel),
        }
    }
}

/// A query among those of its panel.
fn read(
    target: &Value,
    all: &[Value],
    of_panel: &Value,
    sources: &Sources,
) -> Result<PanelTarget, NotQueried> {
    let (id, expr) = (text(&target["refId"]), text(&target["expr"]));
    let not_queried = |why: &str| NotQueried { id: id.clone(), expr: expr.clone(), why: why.to_owned() };
    let data_source = match sources.source(&target["datasource"], of_panel) {
        QuerySource::Prometheus(uid) => uid,
        QuerySource::Other(why) => return Err(not_queried(&why)),
    };
    let is = |key: &str| target[key].as_bool().unwrap_or(false);
    if is("hide") && !is_computed_with(&id, all) {
        return Err(not_queried("it is hidden"));
    }
    if expr.trim().is_empty() {
        return Err(not_queried("it has no expression"));
    }
    let min_step = target["interval"].as_str().filter(|it| !it.is_empty()).map(str::to_owned);
    let instant = is("instant") && !is("range");
    let factor = target["intervalFactor"].as_u64().unwrap_or(1).max(1);
    Ok(PanelTarget { id, expr, instant, data_source, min_step, factor })
}

/// Whether another query of the panel is computed from this one, which may be hidden then.
fn is_computed_with(id: &str, all: &[Value]) -> bool {
    let names =
        |text: &str| text.contains(&format!("${id}")) || text.contains(&format!("${{{id}}}")) || text == id;
    let computed = all.iter().filter(|target| target["datasource"]["uid"] == "__expr__");
    computed
        .filter(|target| target["hide"] != true)
        .any(|target| target["expression"].as_str().is_some_and(names))
}

/// The variable by which a panel or a row is repeated.
fn repeat_of(panel: &Value) -> Option<String> {
    panel["repeat"].as_str().filter(|it| !it.is_empty()).map(str::to_owned)
}

/// The last sentence of a description, if it says that the panel may be empty.
pub(super) fn may_be_empty(described: &Value) -> Option<String> {
    let description = described["description"].as_str()?.trim();
    let at = description.rfind(MAY_BE_EMPTY)?;
    let (before, sentence) = (description[..at].trim_end(), &description[at..]);
    let begins = before.is_empty()
        || before.ends_with(['.', '!', '?', ':', '\n'])
        || description[..at].ends_with('\n');
    let is_last = !sentence.trim_end_matches('.').contains(". ");
    (begins && is_last).then(|| sentence.to_owned())
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(dashboard: &Value) -> Vec<Panel> {
        let kept = Ok(json!({"title": "kept", "targets": [{"refId": "A", "expr": "l"}]}));
        panels(dashboard, &Sources::new("d", &[]).of(dashboard), |uid| (uid == "lib").then_some(&kept))
    }

    #[test]
    fn the_longest_step_is_that_of_the_narrowest_panel() {
        let dashboards = ["now-1h", "now-6h"].map(|from| json!({"time": {"from": from}}));
        let step = |scrape: &str| longest_step(&dashboards, scrape.parse().unwrap()).as_millis();
        assert_eq!((step("1s"), step("15s"), step("30s")), (15_000, 15_000, 30_000));
        let narrow = json!({"time": {"from": "now-30m"}, "panels": [
            {"gridPos": {"w": 24}},
            {"type": "row", "panels": [{"gridPos": {"w": 6}}]},
        ]});
        assert_eq!(longest_step(&[narrow], PromDuration::seconds(2)), Duration::from_secs(5));
        assert_eq!(longest_step(&[], PromDuration::seconds(2)), Duration::from_secs(2));
    }

    fn summaries(panels: &[Panel]) -> Vec<String> {
        let query = |query: &Result<PanelTarget, NotQueried>| match query {
            Ok(it) => {
                format!("{}:{}:{}{}", it.id, it.data_source, it.expr, if it.instant { "!" } else { "" })
            }
            Err(it) => format!("{}: {}", it.id, it.why),
        };
        let summary = |panel: &Panel| {
            let queries: Vec<String> = panel.queries.iter().map(query).collect();
            format!("{} [{}] {}", panel.title, panel.repeats.join("/"), queries.join(", "))
        };
        panels.iter().map(summary).collect()
    }

    #[test]
    fn every_query_of_every_panel_is_found_or_skipped_with_a_reason() {
        let target = |id: &str, expr: &str| json!({"refId": id, "expr": expr});
        let dashboard = json!({"panels": [
            {"title": "one", "type": "timeseries", "datasource": {"uid": "p"}, "targets": [
                target("A", "up"),
                {"refId": "B", "expr": "hidden", "hide": true},
                {"refId": "C", "expr": "half", "hide": true},
                {"refId": "D", "type": "math", "expression": "$C / 2", "datasource": {"uid": "__expr__"}},
                target("E", " "),
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
        assert_eq!(
            summaries(&read(&dashboard)),
            [
                "one [] A:p:up, B: it is hidden, C:p:half, D: Grafana computes it from other queries, \
                 E: it has no expression",
                "two [host/cpu] A:d:x!",
                "mixed [job] A:q:y, B: it shows another panel's result, \
                 C: its data source is of type `loki`, not Prometheus",
                "placed [] A:d:l",
            ]
        );
        assert_eq!(library_uids(&dashboard), ["lib"]);
    }

    #[test]
    fn the_rows_of_old_dashboards_are_read() {
        let dashboard = json!({"rows": [
            {"title": "Row", "repeat": "host", "panels": [
                {"title": "old", "type": "singlestat", "targets": [{"refId": "A", "expr": "up"}]},
            ]},
            {"title": "Row", "panels": [{"title": "older", "targets": [{"expr": "down"}]}]},
        ]});
        assert_eq!(summaries(&read(&dashboard)), ["old [host] A:d:up", "older [] :d:down"]);
    }

    #[test]
    fn a_missing_library_panel_is_named() {
        let dashboard = json!({"panels": [
            {"title": "here", "libraryPanel": {"uid": "gone", "name": "Kept"}},
            {"libraryPanel": {"uid": "gone", "name": "Kept"}},
        ]});
        let gone = Err("not found".to_owned());
        let missing = missing(&dashboard, |_| Some(&gone));
        let named = |title: &str| (title.to_owned(), "not found".to_owned());
        assert_eq!(missing, [named("here"), named("Kept")]);
    }

    #[test]
    fn only_the_last_sentence_may_excuse_an_empty_panel() {
        let excuse = |description: &str| may_be_empty(&json!({ "description": description }));
        let sentence = "May be empty: the host has no swap.";
        assert_eq!(excuse("Swap in use. May be empty: the host has no swap.").as_deref(), Some(sentence));
        assert_eq!(excuse(sentence).as_deref(), Some(sentence));
        assert_eq!(
            excuse("Swap in use.\n\nMay be empty: the host has no swap.\n").as_deref(),
            Some(sentence)
        );
        assert_eq!(excuse("May be empty: no swap. Look at the host."), None, "it is not the last sentence");
        assert_eq!(excuse("It May be empty: no swap."), None, "no sentence begins there");
        assert_eq!(excuse("Swap in use."), None);
    }
}
