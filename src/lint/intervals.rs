//! Durations that do not fit together: `for` and evaluation interval, range and scrape interval.

use std::time::Duration;

use super::finding::{Finding, FindingKind};
use super::matches::is_match;
use super::snapshot::{CheckedRule, Snapshot};
use crate::duration::PromDuration;
use crate::promql::{Expr, VectorSelector};
use crate::promql::{each, name_of};
use crate::timing::phrases::seconds;

/// Minimum number of scrapes in a range: with fewer, one missed scrape makes a `rate` unreliable.
pub const SCRAPES: u32 = 4;
/// Minimum number of evaluations in a `for`: with fewer, it has no effect.
pub const EVALUATIONS: u32 = 2;

pub(super) fn short_hold(rule: &CheckedRule) -> Option<Finding> {
    let least = EVALUATIONS * rule.interval;
    if rule.hold.is_zero() || rule.hold >= least {
        return None;
    }
    let evidence = format!(
        "`for` is {}, and the rule is evaluated every {}: a spike seen by two evaluations makes the alert fire",
        seconds(rule.hold),
        seconds(rule.interval)
    );
    let remedy = format!("set it to at least {}, or remove it", prom(least));
    Some(Finding::of(rule, FindingKind::ShortHold, "for", evidence, remedy))
}

pub(super) fn short_ranges(snapshot: &Snapshot, rule: &CheckedRule, expression: &Expr) -> Vec<Finding> {
    let mut findings = Vec::new();
    each(expression, &mut |part, _| {
        let Expr::MatrixSelector(matrix) = part else { return };
        let Some(scrape) = scrape_interval(snapshot, &matrix.vs) else { return };
        if matrix.range >= SCRAPES * scrape {
            return;
        }
        let count = matrix.range.as_millis() / scrape.as_millis().max(1);
        let consequence = if count < 2 { "it is often empty" } else { "one failed scrape hides much of it" };
        let evidence =
            format!("`{part}` covers {count} scrapes (one every {}): {consequence}", seconds(scrape));
        let remedy = format!("make the range at least {}", prom(SCRAPES * scrape));
        let key = if rule.entry.is_some() { "window" } else { "expr" };
        findings.push(Finding::of(rule, FindingKind::ShortRange, key, evidence, remedy));
    });
    findings
}

/// The scrape interval of a selector's series: the longest of its jobs, or the shortest of all jobs if none is known.
fn scrape_interval(snapshot: &Snapshot, selector: &VectorSelector) -> Option<Duration> {
    let series = name_of(selector).and_then(|name| snapshot.series.get(&name));
    let jobs = series.into_iter().flatten().filter(|labels| is_match(selector, labels));
    let intervals = jobs.filter_map(|labels| snapshot.scrape_intervals.get(labels.get("job")?));
    intervals.max().or_else(|| snapshot.scrape_intervals.values().min()).copied().filter(|it| !it.is_zero())
}

fn prom(duration: Duration) -> PromDuration {
    PromDuration::millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}
