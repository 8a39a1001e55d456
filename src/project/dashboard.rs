//! Adapts an exported dashboard to the project's Grafana: fills in inputs, inlines library panels, sends every
//! Prometheus query to our data source, and drops what belonged to the other Grafana.
//!
//! Pure: the caller reads the text. Dashboards that cannot be adapted are refused with line and column.

mod inputs;
mod place;
mod sources;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::error::{Error, Result};
use crate::spec::GrafanaUid;

/// An exported dashboard, with its settings from the spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// Its name in errors: a path, or the URL of the download.
    pub name: String,
    /// Its JSON.
    pub text: String,
    /// Its uid if it has none.
    pub uid: String,
    /// A uid to replace its own.
    pub given_uid: Option<String>,
    /// A title to replace its own.
    pub title: Option<String>,
    /// Values of its inputs.
    pub inputs: BTreeMap<String, String>,
}

/// A fault of a dashboard, with its path of keys and numbers.
#[derive(Debug, PartialEq, Eq)]
struct Fault {
    path: Vec<String>,
    reason: String,
    remedy: &'static str,
}

impl Fault {
    fn new(path: &[&str], reason: impl Into<String>, remedy: &'static str) -> Self {
        Self { path: path.iter().map(|step| (*step).to_owned()).collect(), reason: reason.into(), remedy }
    }
}

impl Exported {
    /// The dashboard as this project's Grafana gets it: classic JSON with a `uid`, or a resource of schema v2.
    ///
    /// # Errors
    /// Where it is not a dashboard, or needs inputs or panels that it lacks; with file, line, column and remedy.
    pub fn adopt(&self, data_source: &str) -> Result<Value> {
        let text = self.text.trim_start_matches('\u{feff}');
        let document: Value = serde_json::from_str(text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            let reason = error.to_string();
            let reason = reason.split(" at line ").next().unwrap_or_default();
            self.refused(line, column, format!("not valid JSON: {reason}"))
                .remedy("export the dashboard again, or correct the file")
        })?;
        let (at, kind) = kind_of(&document);
        let refused = |at: &[&str], fault: Fault| {
            let steps = at.iter().copied().chain(fault.path.iter().map(String::as_str));
            let (line, column) = place::of(text, steps);
            self.refused(line, column, fault.reason).remedy(fault.remedy)
        };
        // A resource has its uid outside of the dashboard.
        let name = document.pointer("/metadata/name");
        let name = self.uid_of(name, &["metadata", "name"]).map_err(|fault| refused(&[], fault));
        let adopted = match kind {
            Kind::Classic { dashboard, is_resource: true } => self.classic(dashboard, &name?, data_source),
            Kind::Classic { dashboard, is_resource: false } => self
                .uid_of(dashboard.get("uid"), &["uid"])
                .and_then(|uid| self.classic(dashboard, &uid, data_source)),
            Kind::V2 { api, spec } => self.v2(&name?, api, spec, data_source),
            Kind::Unknown => Err(Fault::new(
                &[],
                "not a dashboard: it has neither `panels` nor `elements`",
                "export it as JSON in Grafana (Share or Export)",
            )),
        };
        adopted.map_err(|fault| refused(at, fault))
    }

    fn refused(&self, line: usize, column: usize, reason: String) -> Error {
        Error::invalid(reason).at(format!("{}:{line}:{column}", self.name))
    }

    fn classic(&self, dashboard: &Map<String, Value>, uid: &str, data_source: &str) -> Result<Value, Fault> {
        if !dashboard.get("panels").is_none_or(Value::is_array) {
            return Err(Fault::new(&["panels"], "`panels` is not a list", "export the dashboard again"));
        }
        let title = self.title_of(dashboard)?;
        check_tags(dashboard)?;
        let inputs = inputs::values(dashboard, data_source, &self.inputs)?;
        let mut document = Value::Object(dashboard.clone());
        document["title"] = title.into();
        inputs::put_elements_in_place(&mut document)?;
        inputs::fill(&mut document, &inputs);
        inputs::drop_comparisons(&mut document);
        let only_prometheus = sources::needs_only_prometheus(dashboard);
        let variables = sources::variables(dashboard);
        let pointer = sources::Pointer { uid: data_source, only_prometheus, variables, given: &self.inputs };
        pointer.point(&mut document)?;
        if let Value::Object(keys) = &mut document {
            keys.retain(|key, _| {
                !["id", "version", "iteration"].contains(&key.as_str()) && !key.starts_with("__")
            });
            keys.insert("uid".into(), uid.into());
        }
        Ok(document)
    }

    fn v2(&self, uid: &str, api: &str, spec: &Map<String, Value>, data_source: &str) -> Result<Value, Fault> {
        let title = self.title_of(spec)?;
        check_tags(spec)?;
        inputs::refuse_library_panels(spec)?;
        let mut spec = Value::Object(spec.clone());
        spec["title"] = title.into();
        inputs::fill(&mut spec, &inputs::given(data_source, &self.inputs));
        sources::PointerV2 { uid: data_source, given: &self.inputs }.point(&mut spec);
        Ok(json!({"apiVersion": api, "kind": "Dashboard", "metadata": {"name": uid}, "spec": spec}))
    }

    /// The spec's title, or its own.
    fn title_of(&self, dashboard: &Map<String, Value>) -> Result<String, Fault> {
        let own = dashboard.get("title").and_then(Value::as_str).unwrap_or_default();
        match self.title.as_deref().unwrap_or(own) {
            title if title.trim().is_empty() => {
                let remedy = "add a `title` in the file or next to its `path`";
                Err(Fault::new(&["title"], "the dashboard has no title", remedy))
            }
            title => Ok(title.to_owned()),
        }
    }

    fn uid_of(&self, own: Option<&Value>, path: &[&str]) -> Result<String, Fault> {
        let own = own.and_then(Value::as_str).filter(|uid| !uid.is_empty());
        let uid = self.given_uid.as_deref().or(own).unwrap_or(&self.uid);
        match uid.parse::<GrafanaUid>() {
            Ok(uid) => Ok(uid.as_str().to_owned()),
            Err(rule) => {
                Err(Fault::new(path, format!("the uid `{uid}` is not valid: {rule}"), "choose another uid"))
            }
        }
    }
}

/// Grafana refuses a dashboard with a longer tag; bytes.
const LONGEST_TAG: usize = 50;

fn check_tags(dashboard: &Map<String, Value>) -> Result<(), Fault> {
    let tags = dashboard.get("tags").and_then(Value::as_array).into_iter().flatten();
    for (index, tag) in tags.enumerate() {
        if let Some(tag) = tag.as_str().filter(|tag| tag.len() > LONGEST_TAG) {
            let reason =
                format!("the tag `{tag}` has {} bytes; Grafana allows at most {LONGEST_TAG}", tag.len());
            return Err(Fault::new(&["tags", &index.to_string()], reason, "shorten or remove it"));
        }
    }
    Ok(())
}

/// The kind of a document.
enum Kind<'a> {
    /// The schema of Grafana 5 to 13: panels in a list.
    Classic { dashboard: &'a Map<String, Value>, is_resource: bool },
    /// Grafana 13's own schema: elements and a layout.
    V2 { api: &'a str, spec: &'a Map<String, Value> },
    /// Not a dashboard.
    Unknown,
}

/// The API version of a bare schema export, which does not name one.
const V2_API: &str = "dashboard.grafana.app/v2beta1";

/// The kind of a document, and the path of the dashboard in it: API responses and resources wrap it.
fn kind_of(document: &Value) -> (&'static [&'static str], Kind<'_>) {
    let api = document["apiVersion"].as_str().filter(|api| api.starts_with("dashboard.grafana.app/"));
    let wrapped: (&'static [&'static str], &Value) = match (api, document["dashboard"].is_object()) {
        (Some(_), _) => (&["spec"], &document["spec"]),
        (None, true) => (&["dashboard"], &document["dashboard"]),
        (None, false) => (&[], document),
    };
    let (at, Value::Object(keys)) = wrapped else { return (&[], Kind::Unknown) };
    let kind = if keys.contains_key("elements") && keys.contains_key("layout") {
        Kind::V2 { api: api.filter(|api| api.contains("/v2")).unwrap_or(V2_API), spec: keys }
    } else if keys.contains_key("panels") || keys.contains_key("rows") {
        Kind::Classic { dashboard: keys, is_resource: api.is_some() }
    } else {
        Kind::Unknown
    };
    (at, kind)
}

#[cfg(test)]
mod tests;
