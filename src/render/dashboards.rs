//! The built-in dashboards, filled from the spec: `templates/dashboards/*.json`, and those of integrations.
//!
//! A file is a dashboard in Grafana's JSON without the common parts. Extra keys fill them in: `like` copies a part,
//! `size` sets the place, `alerts` the thresholds, `when` the specs that have it, `optional` why it may be empty,
//! `named` names series after their host, `coloured` sets colours. Each has a module below; docs/dashboards.md lists
//! them. Called by `commands`, and by tests that check the results.

mod decorate;
mod grid;
mod inherit;
mod json;
mod series;
mod thresholds;

use std::collections::BTreeMap;

use include_dir::{Dir, File, include_dir};
use serde_json::Value;

use self::decorate::Decoration;
use self::grid::Rows;
use self::inherit::Parts;
use self::series::Fleet;
use super::rules::rules;
use crate::error::{Error, Result};
use crate::spec::Spec;

/// Adding a dashboard is adding a file.
static FILES: Dir = include_dir!("$CARGO_MANIFEST_DIR/templates/dashboards");

/// The uid of the home dashboard.
pub const OVERVIEW_UID: &str = "monctl_overview";

/// The complete dashboards of a spec, by the names of their files.
///
/// # Errors
/// When an embedded file is broken, which a test excludes.
pub fn dashboards(spec: &Spec) -> Result<BTreeMap<String, Value>> {
    let parts: Parts = FILES
        .get_dir("parts")
        .into_iter()
        .flat_map(Dir::files)
        .map(|file| Ok((name(file), read(file)?)))
        .collect::<Result<_>>()?;
    let rules = rules(spec);
    let hosts = spec.hosts().len();
    // Each host has a node exporter; other targets are the applications, Prometheus and Alertmanager.
    let targets = hosts + usize::from(spec.app.count) + 2;
    let rows = [("hosts", hosts), ("disks", 3 * hosts), ("targets", targets)];
    let dress = Decoration {
        data_source: spec.grafana.data_source(),
        flags: spec.flags(),
        rules,
        rows: Rows::from(rows.map(|(name, rows)| (name, rows as u64))),
        fleet: Fleet { hosts, port: spec.app.scraped_port() },
    };
    let build = |name: &str, place: &str, document: &Value| {
        let document = inherit::resolve(document, &parts).and_then(|document| dress.on(document));
        Ok((name.to_owned(), document.map_err(|why| broken(place).because(Error::failed(why)))?))
    };
    let frames = FILES.files().map(|file| {
        let mut document = read(file)?;
        if document["uid"] == OVERVIEW_UID {
            extend_overview(&mut document, spec)?;
        }
        build(&name(file), &place(file), &document)
    });
    let with_data = spec.catalogue.integrations().iter().filter(|it| spec.has_metrics_of(it));
    let of_integrations = with_data.flat_map(|integration| {
        integration.folder("dashboards").map(|(file, text)| {
            let place = integration.place(&format!("dashboards/{file}"));
            let document: Value =
                serde_json::from_str(text).map_err(|error| broken(&place).because(error))?;
            build(file.trim_end_matches(".json"), &place, &document)
        })
    });
    frames.chain(of_integrations).collect()
}

/// Adds the integrations' panels for the overview: the lists in their `overview.json`.
fn extend_overview(overview: &mut Value, spec: &Spec) -> Result<()> {
    let Some(panels) = overview.get_mut("panels").and_then(Value::as_array_mut) else { return Ok(()) };
    for integration in spec.catalogue.integrations().iter().filter(|it| spec.has_metrics_of(it)) {
        let Some(text) = integration.file("overview.json") else { continue };
        let more: Vec<Value> = serde_json::from_str(text)
            .map_err(|error| broken(&integration.place("overview.json")).because(error))?;
        panels.extend(more);
    }
    Ok(())
}

fn read(file: &File) -> Result<Value> {
    serde_json::from_slice(file.contents()).map_err(|error| broken(&place(file)).because(error))
}

fn broken(place: &str) -> Error {
    Error::failed(format!("the dashboard template `{place}` is broken"))
}

fn place(file: &File) -> String {
    file.path().display().to_string()
}

/// `overview` of `overview.json`.
fn name(file: &File) -> String {
    file.path().file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
