//! `monctl verify-alert --list`: which alerts have a drill, what it does to a host, and why others have none.

use serde::Serialize;

use super::{Outcome, drill_of, drillable};
use crate::drill::{LEASE, Safety, UNDOING, safety};
use crate::error::{Error, Result};
use crate::render::{Rule, rules};
use crate::spec::{DrillKind, Spec};

/// An alert and its drill.
#[derive(Debug, Serialize)]
struct Line {
    alert: String,
    /// Absent if there is no drill.
    #[serde(skip_serializing_if = "Option::is_none")]
    drill: Option<String>,
    #[serde(flatten)]
    safety: Option<Safety>,
    /// Why there is no drill.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule_tested_only: Option<String>,
}

/// # Errors
/// None in practice: the list can be serialized.
pub(super) fn print(spec: &Spec) -> Result<Outcome> {
    let lines: Vec<Line> = rules(spec).into_iter().map(|rule| line(spec, rule)).collect();
    let json = serde_json::to_value(&lines)
        .map_err(|error| Error::failed("cannot write the list as JSON").because(error))?;
    let text: Vec<String> = lines.iter().map(Line::text).collect();
    let always = format!(
        "every drill ends once its alert is delivered, at its time limit, or within {} s after monctl ends; its undo \
         takes at most {} s, and nothing of it survives a reboot",
        LEASE.as_secs(),
        UNDOING.as_secs()
    );
    Ok(Outcome::success(format!("{}\n{always}", text.join("\n")), json))
}

fn line(spec: &Spec, rule: Rule) -> Line {
    let kind = drill_of(spec, &rule);
    let alert = rule.name.clone();
    match (safety(&kind), drillable(spec, rule)) {
        (Some(safety), Ok(_)) => {
            Line { alert, drill: Some(what(&kind)), safety: Some(safety), rule_tested_only: None }
        }
        (_, drillable) => {
            let because = match kind {
                DrillKind::None { because } => because,
                _ => drillable.err().map(|error| error.message().to_owned()).unwrap_or_default(),
            };
            Line { alert, drill: None, safety: None, rule_tested_only: Some(because) }
        }
    }
}

/// What the drill does, in a few words.
fn what(kind: &DrillKind) -> String {
    match kind {
        DrillKind::Cpu => "stress-ng keeps every CPU busy".into(),
        DrillKind::Memory => "stress-ng takes memory".into(),
        DrillKind::Disk => "a small file system is filled".into(),
        DrillKind::Inodes => "the inodes of a small file system are used up".into(),
        DrillKind::Stop { units, .. } => format!("stops {}", units.join(", ")),
        DrillKind::FailingUnit => "a unit fails on purpose".into(),
        DrillKind::Requests { status } => format!("real requests are answered with {status}"),
        DrillKind::SlowRequests => "real requests are answered late".into(),
        DrillKind::ReplacedWorkers => "workers are terminated one at a time, and are replaced".into(),
        DrillKind::Run { run, .. } => format!("runs {}", run.join(" ")),
        DrillKind::None { .. } => String::new(),
    }
}

impl Line {
    fn text(&self) -> String {
        let Self { alert, drill, safety, rule_tested_only } = self;
        if let (Some(drill), Some(Safety { danger, guard, undo, .. })) = (drill, safety) {
            return format!("{alert}: {drill}\n  danger: {danger}\n  guard: {guard}\n  undo: {undo}");
        }
        let because = rule_tested_only.as_deref().unwrap_or_default();
        format!("{alert}: no drill, only rule tests\n  because: {because}")
    }
}
