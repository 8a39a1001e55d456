//! Selectors that match nothing.
//!
//! A missing series can be correct: a counter of failures begins with the first failure. If the metric and the label
//! exist but no series has the value, the finding is only doubtful, unless another value differs by a typing error.
//! Rule tests prove the catalogue's expressions; for them this only checks whether the metrics can exist at all.

use std::collections::BTreeSet;

use super::finding::{Finding, FindingKind, Weight};
use super::snapshot::{CheckedRule, Snapshot};
use crate::http::prometheus::Labels;
use crate::promql::{Expr, Matcher, VectorSelector};
use crate::promql::{Surrounding, alternatives, name_of, selectors};
use crate::spec::{CatalogueAlert, nearest};

pub(super) fn findings(snapshot: &Snapshot, rule: &CheckedRule, expression: &Expr) -> Vec<Finding> {
    let of_each: Vec<Vec<Finding>> = alternatives(expression)
        .into_iter()
        .map(|alternative| of_alternative(snapshot, rule, alternative))
        .collect();
    // If another alternative can make the rule true, one that cannot is only doubtful.
    let is_alive = of_each.iter().any(|findings| findings.iter().all(|it| it.weight == Weight::Doubtful));
    if !is_alive {
        return of_each.concat();
    }
    if rule.entry.is_some() {
        return vec![];
    }
    of_each.concat().into_iter().map(Finding::doubtful).collect()
}

fn of_alternative(snapshot: &Snapshot, rule: &CheckedRule, expression: &Expr) -> Vec<Finding> {
    let counts = |(_, around): &(&VectorSelector, Surrounding)| !around.absent && !around.exception;
    let selectors = selectors(expression).into_iter().filter(counts);
    selectors.filter_map(|(selector, _)| of_selector(snapshot, rule, selector)).collect()
}

fn of_selector(snapshot: &Snapshot, rule: &CheckedRule, selector: &VectorSelector) -> Option<Finding> {
    let name = name_of(selector)?;
    let Some(series) = snapshot.series.get(&name) else {
        return no_metric(snapshot, rule, &name);
    };
    if rule.entry.is_some() || series.iter().any(|labels| is_match(selector, labels)) {
        return None;
    }
    Some(no_series(rule, selector, &name, series))
}

fn no_metric(snapshot: &Snapshot, rule: &CheckedRule, name: &str) -> Option<Finding> {
    let family = |name: &str| name.split('_').next().unwrap_or_default().to_owned();
    let has_family = snapshot.metrics.iter().any(|other| family(other) == family(name));
    let entry = rule.entry.as_ref();
    let begins_later = |entry: &CatalogueAlert| entry.begins.iter().any(|metric| metric == name);
    if has_family && entry.is_some_and(begins_later) {
        return None;
    }
    let near = nearest(name, snapshot.metrics.iter().map(String::as_str));
    let evidence = if has_family {
        format!("no target has a metric `{name}`")
    } else {
        format!("no target has a metric `{name}`, nor any other that begins with `{}_`", family(name))
    };
    let setting = entry.and_then(|entry| entry.builtin_setting.as_deref());
    let remedy = match (near, setting) {
        (Some(near), _) if rule.entry.is_none() => format!("did you mean `{near}`?"),
        (_, Some(setting)) => format!(
            "with `app.metrics: builtin`, set `{setting} = True` in the project's settings; otherwise \
             `monctl status` shows whether the application is scraped"
        ),
        _ => "find out which target should export it; `monctl status` shows whether it is scraped".into(),
    };
    let finding = Finding::of(rule, FindingKind::MatchesNothing, "expr", evidence, remedy);
    Some(Finding { family: (!has_family).then(|| family(name)), ..finding })
}

/// The metric exists, but none of its series matches.
fn no_series(rule: &CheckedRule, selector: &VectorSelector, name: &str, series: &[Labels]) -> Finding {
    let count = series.len();
    let alone = |matcher: &&Matcher| !series.iter().any(|labels| matches(matcher, labels));
    let Some(matcher) = selector.matchers.matchers.iter().find(alone) else {
        let evidence = format!("none of the {count} series of `{name}` matches all of `{selector}`");
        let remedy = "correct if such a series appears only with a failure; otherwise look at its series in Prometheus";
        return Finding::of(rule, FindingKind::MatchesNothing, "expr", evidence, remedy).doubtful();
    };
    let values: BTreeSet<&str> =
        series.iter().filter_map(|labels| labels.get(&matcher.name)).map(String::as_str).collect();
    let some = values.iter().take(5).map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ");
    let evidence = format!("none of the {count} series of `{name}` matches `{matcher}`");
    if values.is_empty() {
        // `labels` reports the missing label; that nothing matches is the consequence.
        let remedy = format!("no series of `{name}` has a label `{}`", matcher.name);
        return Finding::of(rule, FindingKind::MatchesNothing, "expr", evidence, remedy);
    }
    let is_plain = matcher.op.to_string() == "=";
    if let Some(near) = nearest(&matcher.value, values.iter().copied()).filter(|_| is_plain) {
        let remedy = format!("did you mean `{}=\"{near}\"`?", matcher.name);
        return Finding::of(rule, FindingKind::MatchesNothing, "expr", evidence, remedy);
    }
    let evidence = format!("{evidence}; existing values: {some}");
    let remedy = "correct if such a series appears only with a failure; otherwise change the value";
    Finding::of(rule, FindingKind::MatchesNothing, "expr", evidence, remedy).doubtful()
}

/// Whether a series matches all matchers of a selector.
pub(super) fn is_match(selector: &VectorSelector, labels: &Labels) -> bool {
    let all = |matchers: &[Matcher]| matchers.iter().all(|matcher| matches(matcher, labels));
    let either = &selector.matchers.or_matchers;
    all(&selector.matchers.matchers) && (either.is_empty() || either.iter().any(|matchers| all(matchers)))
}

fn matches(matcher: &Matcher, labels: &Labels) -> bool {
    // A missing label counts as empty.
    matcher.is_match(labels.get(&matcher.name).map_or("", String::as_str))
}
