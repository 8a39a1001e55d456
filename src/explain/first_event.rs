//! Counters that appear only with their first event: `increase` compares scrapes and misses that event, because no
//! earlier scrape contains the counter.

use crate::promql::token::T_LUNLESS;
use crate::promql::{Expr, Offset, VectorSelector};
use serde::Serialize;

use crate::duration::PromDuration;
use crate::promql::{Comparison, Signal, name_of, parse, selectors};
use crate::render::Rule;
use crate::spec::Catalogue;
use crate::timing::TimingSettings;

/// A rule that may miss the first event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FirstEvent {
    /// The function that compares scrapes.
    pub function: String,
    /// The counter that may appear only with the event.
    pub counter: String,
    /// The text to append to the expression so that it sees a new counter.
    pub remedy: String,
}

/// Labels that every series of a target has, from the first scrape on.
const OF_TARGETS: [&str; 2] = ["job", "instance"];
/// Prefixes of metrics that exist from the start with all their labels, because the kernel or the runtime counts them.
const EXIST_AT_START: [&str; 4] = ["node_", "process_", "go_", "container_"];

impl FirstEvent {
    /// The finding, if a single event makes this rule true and its counter may not exist before that event.
    pub(super) fn of(settings: &TimingSettings, rule: &Rule, catalogue: &Catalogue) -> Option<Self> {
        let is_upward = matches!(settings.threshold.comparison, Comparison::More | Comparison::AtLeast);
        let single = match settings.signal {
            Signal::Count { .. } => true,
            Signal::Rate { .. } => settings.threshold.value <= 0.0,
            _ => false,
        };
        // The spec rejects expressions that are not valid PromQL.
        let expression = parse(rule.meaning.known()?).ok().filter(|_| is_upward && single)?;
        if looks_for_new(&expression) {
            return None;
        }
        let (function, selector) =
            counted(&expression).into_iter().find(|(_, it)| may_appear_late(it, catalogue))?;
        let counter = selector.to_string();
        let range = PromDuration::millis(u64::try_from(settings.range().as_millis()).unwrap_or(u64::MAX));
        let remedy = format!("or ({counter} unless {counter} offset {range}) > 0");
        Some(Self { function, counter, remedy })
    }
}

/// The functions that compare scrapes of a counter, with their selectors.
fn counted(expression: &Expr) -> Vec<(String, &VectorSelector)> {
    match expression {
        Expr::Call(call) if matches!(call.func.name, "increase" | "rate" | "irate") => {
            let first = call.args.args.first().map(|argument| selectors(argument)).unwrap_or_default();
            first.into_iter().map(|(selector, _)| (call.func.name.to_owned(), selector)).collect()
        }
        Expr::Call(call) => call.args.args.iter().flat_map(|argument| counted(argument)).collect(),
        Expr::Aggregate(aggregate) => counted(&aggregate.expr),
        Expr::Unary(unary) => counted(&unary.expr),
        Expr::Paren(paren) => counted(&paren.expr),
        Expr::Subquery(subquery) => counted(&subquery.expr),
        Expr::Binary(binary) => [counted(&binary.lhs), counted(&binary.rhs)].concat(),
        _ => Vec::new(),
    }
}

fn may_appear_late(selector: &VectorSelector, catalogue: &Catalogue) -> bool {
    let Some(name) = name_of(selector) else { return true };
    if EXIST_AT_START.iter().any(|start| name.starts_with(start)) {
        return false;
    }
    let is_plain =
        selector.matchers.matchers.iter().all(|matcher| OF_TARGETS.contains(&matcher.name.as_str()));
    let is_known = |alert: &str| {
        catalogue
            .alert(alert)
            .is_some_and(|entry| entry.needs.contains(&name) && !entry.begins.contains(&name))
    };
    let is_ours = ["prometheus_", "alertmanager_"].iter().any(|start| name.starts_with(start));
    !(is_plain && (is_ours || catalogue.names().any(is_known)))
}

/// Whether the expression selects series that did not exist some time ago: `x unless x offset 15m`.
fn looks_for_new(expression: &Expr) -> bool {
    match expression {
        Expr::Binary(binary) if binary.op.id() == T_LUNLESS => {
            let earlier = |selector: &VectorSelector| matches!(selector.offset, Some(Offset::Pos(_)));
            selectors(&binary.rhs).iter().any(|(selector, _)| earlier(selector))
        }
        Expr::Binary(binary) => looks_for_new(&binary.lhs) || looks_for_new(&binary.rhs),
        Expr::Paren(paren) => looks_for_new(&paren.expr),
        Expr::Aggregate(aggregate) => looks_for_new(&aggregate.expr),
        _ => false,
    }
}
