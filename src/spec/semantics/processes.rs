//! Whether each process can have a unit of its own and stops in time.

use std::time::Duration;

use super::super::app::App;
use super::super::finding::SpecFinding;
use super::super::process::Process;
use super::super::tree::KeyPath;

/// Names of monctl's own units, `monctl-app-NAME.service`.
const RESERVED: [&str; 1] = ["metrics"];

/// Limits of `stop_within`: a deploy waits as long.
const STOP_WITHIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_hours(1));

pub(super) fn check(app: &App, findings: &mut Vec<SpecFinding>) {
    for (name, process) in &app.processes {
        let path = KeyPath::from("app.processes").and(name);
        if RESERVED.contains(&name.as_str()) {
            let message = format!("`{}` is a unit of monctl's own; choose another name", name.unit());
            findings.push(SpecFinding::new(path.clone(), message));
        }
        if let Process::With(settings) = process
            && !(STOP_WITHIN.0..=STOP_WITHIN.1).contains(&settings.stop_within.get())
        {
            let message = "it must be between 1s and 1h: a deploy waits as long";
            findings.push(SpecFinding::new(path.and("stop_within"), message));
        }
    }
}
