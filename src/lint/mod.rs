//! Checks the live rules and routes for alerts that can never fire, always fire, or can never be delivered.
//! Pure: a [`Snapshot`] in, findings out; only `snapshot` sends requests.
//!
//! One file for each kind of mistake. Called by `commands/check`.

mod exporters;
mod finding;
mod intervals;
mod labels;
mod loading;
mod matches;
mod routes;
mod routing;
mod silences;
mod snapshot;
#[cfg(test)]
mod tests;
mod thresholds;

pub use exporters::exporter;
pub use finding::{Finding, FindingKind, Weight};
pub use intervals::{EVALUATIONS, SCRAPES};
pub use routing::Routing;
pub use snapshot::{CheckedRule, Snapshot, take};

use crate::promql::parse;

/// All findings, in the order of the rules; wrong before doubtful.
pub fn check(snapshot: &Snapshot) -> Vec<Finding> {
    let mut findings = Vec::new();
    if snapshot.alertmanagers == 0 {
        findings.push(loading::no_alertmanager());
    }
    for rule in &snapshot.rules {
        let mut of_rule = rule_findings(snapshot, rule);
        of_rule.sort_by_key(|finding| finding.weight);
        of_rule.dedup();
        findings.extend(of_rule);
    }
    findings.extend(silences::endless(snapshot));
    findings
}

fn rule_findings(snapshot: &Snapshot, rule: &CheckedRule) -> Vec<Finding> {
    if let Some(finding) = loading::fault(rule) {
        return vec![finding];
    }
    let mut findings = Vec::new();
    // An expression that Prometheus parses and monctl does not is newer than monctl: it is not checked.
    if let Ok(expression) = parse(&rule.expression) {
        findings.extend(matches::findings(snapshot, rule, &expression));
        if rule.entry.is_none() {
            findings.extend(labels::findings(snapshot, rule, &expression));
        }
        findings.extend(thresholds::findings(snapshot, rule, &expression));
        findings.extend(intervals::short_ranges(snapshot, rule, &expression));
    }
    findings.extend(intervals::short_hold(rule));
    findings.extend(routes::undelivered(snapshot, rule));
    findings
}
