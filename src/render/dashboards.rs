//! The dashboards that monctl brings along, filled from the spec: `templates/dashboards/*.json`.
//!
//! A file is a dashboard in Grafana's own JSON, in which what all share is left out. A few keys of ours say what to
//! fill in: `like` a part, `size` instead of a place, `alerts` for thresholds, `when` for what only some specs have,
//! `optional` for what a host or an application may lack, `named` for series that bear their host's name, `coloured`
//! for colours of their own. Each has a
//! place below; docs/dashboards.md lists them. Called by `commands`, and by tests that hold the results to rules.

mod dress;
mod grid;
mod json;
mod like;
mod series;
mod thresholds;

use std::collections::BTreeMap;

use include_dir::{Dir, File, include_dir};
use serde_json::Value;

use self::dress::Dress;
use self::grid::Rows;
use self::like::Parts;
use self::series::Fleet;
use super::rules::{rules, watches_itself};
use crate::error::{Error, Result};
use crate::spec::Spec;

/// Adding a dashboard is adding a file.
static FILES: Dir = include_dir!("$CARGO_MANIFEST_DIR/templates/dashboards");

/// The uid of the dashboard that is seen first.
pub const OVERVIEW_UID: &str = "monctl_overview";

/// The dashboards of a spec as Grafana gets them, by the names of their files.
///
/// # Errors
/// When a file of ours is broken, which a test excludes.
pub fn dashboards(spec: &Spec) -> Result<BTreeMap<String, Value>> {
    let parts: Parts = FILES
        .get_dir("parts")
        .into_iter()
        .flat_map(Dir::files)
        .map(|file| Ok((name(file), read(file)?)))
        .collect::<Result<_>>()?;
    let rules = rules(spec);
    let hosts = u64::from(spec.app.count);
    // The monitoring host has a line among the hosts, and two targets of its own.
    let rows = [("hosts", hosts + 1), ("disks", 3 * hosts), ("targets", 2 * hosts + 2)];
    let dress = Dress {
        data_source: spec.grafana.data_source(),
        metrics: spec.app.metrics(),
        watches_itself: watches_itself(&rules),
        rules,
        rows: Rows::from(rows),
        fleet: Fleet { hosts: usize::from(spec.app.count), port: spec.app.scraped_port() },
    };
    let build = |file: &File| {
        let document = like::resolve(&read(file)?, &parts).and_then(|document| dress.on(document));
        Ok((name(file), document.map_err(|why| broken(file).because(Error::failed(why)))?))
    };
    FILES.files().map(build).collect()
}

fn read(file: &File) -> Result<Value> {
    serde_json::from_slice(file.contents()).map_err(|error| broken(file).because(error))
}

fn broken(file: &File) -> Error {
    Error::failed(format!("the dashboard template `{}` is broken", file.path().display()))
}

/// `hosts` of `hosts.json`.
fn name(file: &File) -> String {
    file.path().file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
