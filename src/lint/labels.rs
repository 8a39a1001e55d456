//! Labels that do not exist: in matchers, in `by` and `on`, and in the templates of annotations.

use std::collections::BTreeSet;

use super::finding::{Finding, FindingKind};
use super::matches::is_match;
use super::snapshot::{CheckedRule, Snapshot};
use crate::promql::token::{
    T_BOTTOMK, T_COUNT_VALUES, T_LAND, T_LIMIT_RATIO, T_LIMITK, T_LOR, T_LUNLESS, T_TOPK,
};
use crate::promql::{AggregateExpr, BinaryExpr, Call, Expr, LabelModifier, VectorSelector};
use crate::promql::{each, name_of, number};
use crate::spec::suggestion;

type Names = BTreeSet<String>;

pub(super) fn findings(snapshot: &Snapshot, rule: &CheckedRule, expression: &Expr) -> Vec<Finding> {
    let mut findings = Vec::new();
    each(expression, &mut |part, around| match part {
        Expr::VectorSelector(selector) if !around.absent => {
            findings.extend(in_matchers(snapshot, rule, selector));
        }
        Expr::MatrixSelector(matrix) if !around.absent => {
            findings.extend(in_matchers(snapshot, rule, &matrix.vs));
        }
        Expr::Aggregate(aggregate) => findings.extend(in_by(snapshot, rule, aggregate)),
        Expr::Binary(binary) => findings.extend(in_matching(snapshot, rule, binary)),
        _ => {}
    });
    findings.extend(in_templates(snapshot, rule, expression));
    findings
}

fn in_matchers(snapshot: &Snapshot, rule: &CheckedRule, selector: &VectorSelector) -> Vec<Finding> {
    let Some((name, series)) = name_of(selector)
        .and_then(|name| Some((snapshot.series.get(&name)?, name)))
        .map(|(series, name)| (name, series))
    else {
        return vec![];
    };
    let known: Names = series.iter().flat_map(|labels| labels.keys().cloned()).collect();
    let matchers = selector.matchers.matchers.iter().chain(selector.matchers.or_matchers.iter().flatten());
    matchers
        // `{label=""}` selects series without it.
        .filter(|matcher| !known.contains(&matcher.name) && !matcher.value.is_empty())
        .map(|matcher| {
            let evidence = format!(
                "`{matcher}`: none of the {} series of `{name}` has a label `{}`",
                series.len(),
                matcher.name
            );
            Finding::of(rule, FindingKind::NoSuchLabel, "expr", evidence, remedy(&matcher.name, &known))
        })
        .collect()
}

fn in_by(snapshot: &Snapshot, rule: &CheckedRule, aggregate: &AggregateExpr) -> Vec<Finding> {
    let Some(LabelModifier::Include(listed)) = &aggregate.modifier else { return vec![] };
    let Some(known) = labels(snapshot, &aggregate.expr) else { return vec![] };
    let missing = listed.labels.iter().filter(|label| !known.contains(*label));
    missing
        .map(|label| {
            let evidence =
                format!("`{} by ({label})`: the aggregated series have no label `{label}`", aggregate.op);
            Finding::of(rule, FindingKind::NoSuchLabel, "expr", evidence, remedy(label, &known))
        })
        .collect()
}

fn in_matching(snapshot: &Snapshot, rule: &CheckedRule, binary: &BinaryExpr) -> Vec<Finding> {
    let matching = binary.modifier.as_ref().and_then(|modifier| modifier.matching.as_ref());
    let Some(LabelModifier::Include(listed)) = matching else { return vec![] };
    let sides = [("left", &binary.lhs), ("right", &binary.rhs)];
    let of_side = |(side, expression): (&str, &Expr)| {
        let known = labels(snapshot, expression)?;
        let label = listed.labels.iter().find(|label| !known.contains(*label))?;
        let evidence = format!("`on ({label})`: the {side} side of `{}` has no label `{label}`", binary.op);
        Some(Finding::of(rule, FindingKind::NoSuchLabel, "expr", evidence, remedy(label, &known)))
    };
    sides.into_iter().filter_map(|(side, expression)| of_side((side, expression))).collect()
}

fn in_templates(snapshot: &Snapshot, rule: &CheckedRule, expression: &Expr) -> Vec<Finding> {
    let Some(mut known) = labels(snapshot, expression) else { return vec![] };
    known.extend(rule.labels.keys().cloned());
    known.insert("alertname".into());
    let mut findings = Vec::new();
    for (annotation, template) in &rule.annotations {
        for label in named_in(template).difference(&known) {
            let evidence = format!(
                "`{annotation}` uses `$labels.{label}`, but the result of the expression has no such label"
            );
            let remedy = remedy(label, &known);
            let key = if annotation == "summary" { "summary" } else { "description" };
            findings.push(Finding::of(rule, FindingKind::NoSuchLabel, key, evidence, remedy));
        }
    }
    findings
}

/// The labels that a template names as `$labels.NAME` or `.Labels.NAME`.
fn named_in(template: &str) -> Names {
    let word =
        |rest: &str| rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>();
    let after = |prefix: &'static str| template.split(prefix).skip(1).map(word);
    after("$labels.").chain(after(".Labels.")).filter(|name| !name.is_empty()).collect()
}

fn remedy(label: &str, known: &Names) -> String {
    let near = suggestion(label, known.iter().map(String::as_str).filter(|name| *name != "__name__"));
    if let Some(near) = near.strip_prefix("; ") {
        return near.to_owned();
    }
    let names: Vec<String> =
        known.iter().filter(|name| *name != "__name__").map(|name| format!("`{name}`")).collect();
    if names.is_empty() {
        "the series have no labels".into()
    } else {
        format!("the labels are {}", names.join(", "))
    }
}

/// The labels that the result of an expression can have; `None` if they are unknown.
fn labels(snapshot: &Snapshot, expression: &Expr) -> Option<Names> {
    match expression {
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) => Some(Names::new()),
        Expr::Extension(_) => None,
        Expr::Paren(paren) => labels(snapshot, &paren.expr),
        Expr::Unary(unary) => labels(snapshot, &unary.expr),
        Expr::Subquery(subquery) => labels(snapshot, &subquery.expr),
        Expr::VectorSelector(selector) => of_selector(snapshot, selector),
        Expr::MatrixSelector(matrix) => of_selector(snapshot, &matrix.vs),
        Expr::Aggregate(aggregate) => of_aggregate(snapshot, aggregate),
        Expr::Binary(binary) => of_binary(snapshot, binary),
        Expr::Call(call) => of_call(snapshot, call),
    }
}

fn of_selector(snapshot: &Snapshot, selector: &VectorSelector) -> Option<Names> {
    let series = snapshot.series.get(&name_of(selector)?)?;
    let is_matched = series.iter().any(|labels| is_match(selector, labels));
    let seen = series.iter().filter(|labels| !is_matched || is_match(selector, labels));
    Some(seen.flat_map(|labels| labels.keys().cloned()).collect())
}

fn of_aggregate(snapshot: &Snapshot, aggregate: &AggregateExpr) -> Option<Names> {
    let inner = labels(snapshot, &aggregate.expr)?;
    if matches!(aggregate.op.id(), T_TOPK | T_BOTTOMK | T_LIMITK | T_LIMIT_RATIO) {
        return Some(inner);
    }
    let mut names = match &aggregate.modifier {
        Some(LabelModifier::Include(listed)) => listed.labels.iter().cloned().collect(),
        Some(LabelModifier::Exclude(listed)) => {
            inner.into_iter().filter(|name| !listed.labels.contains(name) && name != "__name__").collect()
        }
        None => Names::new(),
    };
    if let (T_COUNT_VALUES, Some(Expr::StringLiteral(label))) =
        (aggregate.op.id(), aggregate.param.as_deref())
    {
        names.insert(label.val.clone());
    }
    Some(names)
}

fn of_binary(snapshot: &Snapshot, binary: &BinaryExpr) -> Option<Names> {
    match binary.op.id() {
        T_LOR => {
            let (left, right) = (labels(snapshot, &binary.lhs)?, labels(snapshot, &binary.rhs)?);
            return Some(&left | &right);
        }
        T_LAND | T_LUNLESS => return labels(snapshot, &binary.lhs),
        _ if number(&binary.lhs).is_some() => return labels(snapshot, &binary.rhs),
        _ if number(&binary.rhs).is_some() => return labels(snapshot, &binary.lhs),
        _ => {}
    }
    // The result of two vectors has at most the labels of both sides.
    let (left, right) = (labels(snapshot, &binary.lhs)?, labels(snapshot, &binary.rhs)?);
    Some(&left | &right)
}

fn of_call(snapshot: &Snapshot, call: &Call) -> Option<Names> {
    let arguments = &call.args.args;
    let text = |index: usize| match arguments.get(index).map(|argument| &**argument) {
        Some(Expr::StringLiteral(text)) => Some(text.val.clone()),
        _ => None,
    };
    match call.func.name {
        "absent" | "absent_over_time" => Some(of_absent(arguments.first()?)),
        "vector" | "time" | "scalar" | "pi" => Some(Names::new()),
        "info" => None,
        "label_replace" | "label_join" => {
            let mut names = labels(snapshot, arguments.first()?)?;
            names.extend(text(1));
            Some(names)
        }
        _ => {
            // The first argument with labels: quantiles and clamps take numbers, too.
            let vector = arguments.iter().find(|argument| number(argument).is_none());
            vector.map_or(Some(Names::new()), |vector| labels(snapshot, vector))
        }
    }
}

/// The result of `absent` has the labels that its selector sets with `=`.
fn of_absent(argument: &Expr) -> Names {
    let selector = match argument {
        Expr::VectorSelector(selector) => selector,
        Expr::MatrixSelector(matrix) => &matrix.vs,
        _ => return Names::new(),
    };
    let pinned = selector.matchers.matchers.iter().filter(|matcher| matcher.op.to_string() == "=");
    pinned.map(|matcher| matcher.name.clone()).collect()
}
