//! `monctl verify-alert --list`: which alerts have a drill, what it does to a host, and why others have none.

use serde::Serialize;
use serde_json::{Map, Value};

use super::{Outcome, drill_of, drillable, key};
use crate::drill::{LEASE, Safety, UNDOING, safety};
use crate::error::{Error, Result};
use crate::promql::metrics_of;
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
    /// The drills of catalogue alerts about the same metrics, as the spec declares them; below `alerts`, if the rule is
    /// of a rule file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    proposals: Vec<String>,
    /// Whether the rule is of a rule file, so that its drill is declared apart from it.
    #[serde(skip)]
    is_of_file: bool,
}

/// # Errors
/// None in practice: the list can be serialized.
pub(super) fn print(spec: &Spec) -> Result<Outcome> {
    let lines = rules(spec).iter().map(|rule| line(spec, rule)).collect::<Result<Vec<Line>>>()?;
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

fn line(spec: &Spec, rule: &Rule) -> Result<Line> {
    let kind = drill_of(spec, rule);
    let (alert, is_of_file) = (rule.name.clone(), rule.origin.is_some());
    let because = match (&kind, drillable(spec, rule.clone())) {
        (DrillKind::None { because }, _) => because.clone(),
        (_, Err(error)) => error.message().to_owned(),
        (kind, Ok(_)) => {
            return Ok(Line {
                alert,
                drill: Some(what(kind)),
                safety: safety(kind),
                rule_tested_only: None,
                proposals: vec![],
                is_of_file,
            });
        }
    };
    let declared = spec.alerts.get(alert.as_str()).filter(|alert| alert.expr.is_some());
    // A drill that is declared, or cannot be, needs no proposal.
    let lacks_one = declared.is_some_and(|declared| declared.drill.is_none() && declared.others.is_empty());
    let proposals = if lacks_one { proposals(spec, rule)? } else { vec![] };
    Ok(Line { alert, drill: None, safety: None, rule_tested_only: Some(because), proposals, is_of_file })
}

/// The drills of catalogue alerts that move the metrics of an expression. `up` alone does not tell what it is about.
fn proposals(spec: &Spec, rule: &Rule) -> Result<Vec<String>> {
    let metrics = metrics_of(rule.meaning.known().unwrap_or(&rule.expr));
    let mut proposals = Vec::new();
    for entry in spec.catalogue.names().filter_map(|name| spec.catalogue.alert(name)) {
        let is_about = entry.needs.iter().all(|metric| metrics.contains(metric));
        let is_specific = entry.needs.iter().any(|metric| metric != "up");
        let is_general = !matches!(entry.drill, DrillKind::None { .. } | DrillKind::Run { .. });
        if is_about && is_specific && is_general {
            let text = as_in_spec(&entry.drill, rule)?;
            if !proposals.contains(&text) {
                proposals.push(text);
            }
        }
    }
    Ok(proposals)
}

/// A drill of a rule as the spec declares it.
fn as_in_spec(kind: &DrillKind, rule: &Rule) -> Result<String> {
    let shown = |key: &str, value: &Value| match value {
        Value::Null => None,
        Value::String(text) => Some(format!("{key}: {text}")),
        other => Some(format!("{key}: {other}")),
    };
    let settings: Map<String, Value> = serde_json::to_value(kind)
        .and_then(serde_json::from_value)
        .map_err(|error| Error::failed("cannot write a drill as YAML").because(error))?;
    let of_kind = settings.get("kind").and_then(|kind| shown("kind", kind));
    let others =
        settings.iter().filter(|(key, _)| *key != "kind").filter_map(|(key, value)| shown(key, value));
    let drill = format!("drill: {{{}}}", of_kind.into_iter().chain(others).collect::<Vec<_>>().join(", "));
    Ok(if rule.origin.is_some() { format!("{}: {{{drill}}}", key(&rule.name)) } else { drill })
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
        let Self { alert, drill, safety, rule_tested_only, proposals, is_of_file } = self;
        if let (Some(drill), Some(Safety { danger, guard, undo, .. })) = (drill, safety) {
            return format!("{alert}: {drill}\n  danger: {danger}\n  guard: {guard}\n  undo: {undo}");
        }
        let because = rule_tested_only.as_deref().unwrap_or_default();
        let proposals = proposals.iter().map(|proposal| {
            let whole = if *is_of_file { "`alerts` of the spec" } else { "it" };
            format!("\n  help: a drill of the catalogue moves the same metrics: add `{proposal}` to {whole}")
        });
        format!("{alert}: no drill, only rule tests\n  because: {because}{}", proposals.collect::<String>())
    }
}
