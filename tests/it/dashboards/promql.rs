//! Analyses a query with a real parser: its selectors, the ranges of its rates, and its aggregations. Unlike regular
//! expressions, a parser handles strings with brackets.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::time::Duration;

use promql_parser::parser::token::{T_BOTTOMK, T_SUM, T_TOPK};
use promql_parser::parser::{self, AggregateExpr, AtModifier, Call, Expr, LabelModifier, VectorSelector};

/// Grafana's duration variables, each with an unusual number of seconds that identifies it after parsing.
const FILLED: [(&str, u64); 2] = [("$__rate_interval", 11_111), ("$__range", 22_222)];

/// A parsed query.
pub struct Parsed(Rc<Expr>);

/// A metric and the conditions on its labels in PromQL: `mode="idle"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    pub metric: String,
    pub conditions: BTreeSet<String>,
}

/// A function over a range of time.
#[derive(Debug, PartialEq, Eq)]
pub struct Ranged {
    pub function: &'static str,
    /// `$__rate_interval` and `$__range` by their names, other ranges in seconds.
    pub range: String,
    /// Whether the range is at the end of the dashboard's range (`@ end()`).
    pub at_end: bool,
}

impl Parsed {
    /// # Errors
    /// Why it is not a valid query.
    pub fn new(query: &str) -> Result<Self, String> {
        // Every rule parses the same queries, which is slow without optimization.
        thread_local!(static KNOWN: RefCell<HashMap<String, Result<Rc<Expr>, String>>> = RefCell::default());
        let read = || {
            let fill =
                |text: String, (name, seconds): (&str, u64)| text.replace(name, &format!("{seconds}s"));
            parser::parse(&FILLED.into_iter().fold(query.to_owned(), fill)).map(Rc::new)
        };
        KNOWN.with_borrow_mut(|known| known.entry(query.to_owned()).or_insert_with(read).clone()).map(Self)
    }

    pub fn selectors(&self) -> Vec<Selector> {
        let of = |part: &Expr| match part {
            Expr::VectorSelector(vector) => Some(selector(vector)),
            Expr::MatrixSelector(matrix) => Some(selector(&matrix.vs)),
            _ => None,
        };
        parts(&self.0).into_iter().filter_map(of).collect()
    }

    pub fn ranged(&self) -> Vec<Ranged> {
        calls(&self.0).iter().flat_map(|call| ranges_of(call)).collect()
    }

    /// Whether a quantile is computed from buckets that were not summed by `le` first.
    pub fn has_quantile_of_parts(&self) -> bool {
        let sums = |call: &&Call| matches!(call.args.args.last().map(|it| plain(it)), Some(Expr::Aggregate(sum)) if adds_up_buckets(sum));
        calls(&self.0).iter().filter(|call| call.func.name == "histogram_quantile").any(|call| !sums(call))
    }

    /// Whether it chooses the largest or smallest series again at each step.
    pub fn has_restless_choice(&self) -> bool {
        let restless = |part: &Expr| {
            let Expr::Aggregate(choice) = part else { return false };
            let chooses = [T_TOPK, T_BOTTOMK].contains(&choice.op.id());
            let ranges: Vec<Ranged> = calls(&choice.expr).iter().flat_map(|call| ranges_of(call)).collect();
            chooses && (ranges.is_empty() || ranges.iter().any(|ranged| !ranged.at_end))
        };
        parts(&self.0).into_iter().any(restless)
    }
}

fn adds_up_buckets(sum: &AggregateExpr) -> bool {
    let by_bucket = matches!(&sum.modifier, Some(LabelModifier::Include(by)) if by.labels.iter().any(|label| label == "le"));
    let rate = matches!(plain(&sum.expr), Expr::Call(call) if call.func.name == "rate");
    sum.op.id() == T_SUM && by_bucket && rate
}

/// Without the parentheses around it.
fn plain(expression: &Expr) -> &Expr {
    match expression {
        Expr::Paren(paren) => plain(&paren.expr),
        other => other,
    }
}

fn ranges_of(call: &Call) -> Vec<Ranged> {
    let of = |argument: &Expr| {
        let (range, at) = match plain(argument) {
            Expr::MatrixSelector(matrix) => (matrix.range, &matrix.vs.at),
            Expr::Subquery(subquery) => (subquery.range, &subquery.at),
            _ => return None,
        };
        let at_end = *at == Some(AtModifier::End);
        Some(Ranged { function: call.func.name, range: name(range), at_end })
    };
    call.args.args.iter().filter_map(|argument| of(argument)).collect()
}

fn name(range: Duration) -> String {
    let filled = FILLED.iter().find(|(_, seconds)| *seconds == range.as_secs());
    filled.map_or_else(|| format!("{}s", range.as_secs()), |(name, _)| (*name).to_owned())
}

fn selector(vector: &VectorSelector) -> Selector {
    let written = |it: &promql_parser::label::Matcher| format!("{}{}{:?}", it.name, it.op, it.value);
    let conditions = vector.matchers.matchers.iter().map(written).collect();
    Selector { metric: vector.name.clone().unwrap_or_default(), conditions }
}

fn calls(expression: &Expr) -> Vec<&Call> {
    let all = parts(expression).into_iter();
    all.filter_map(|part| match part {
        Expr::Call(call) => Some(call),
        _ => None,
    })
    .collect()
}

/// The expression and all its subexpressions.
fn parts(expression: &Expr) -> Vec<&Expr> {
    let below: Vec<&Expr> = match expression {
        Expr::Aggregate(it) => std::iter::once(&*it.expr).chain(it.param.as_deref()).collect(),
        Expr::Unary(it) => vec![&it.expr],
        Expr::Binary(it) => vec![&it.lhs, &it.rhs],
        Expr::Paren(it) => vec![&it.expr],
        Expr::Subquery(it) => vec![&it.expr],
        Expr::Call(it) => it.args.args.iter().map(|argument| &**argument).collect(),
        _ => Vec::new(),
    };
    std::iter::once(expression).chain(below.into_iter().flat_map(parts)).collect()
}

#[test]
fn a_query_is_parsed_whatever_its_strings_contain() {
    let parsed = Parsed::new(
        r#"sum by (a) (rate(x{m=~"(a|b)[c]{1}", n!="$v"}[$__rate_interval])) / y or deriv(z[6h])"#,
    )
    .unwrap();
    let selectors = parsed.selectors();
    assert_eq!(selectors.iter().map(|it| it.metric.as_str()).collect::<Vec<_>>(), ["x", "y", "z"]);
    assert_eq!(selectors[0].conditions, [r#"m=~"(a|b)[c]{1}""#, r#"n!="$v""#].map(str::to_owned).into());
    let ranged: Vec<_> = parsed.ranged().into_iter().map(|it| (it.function, it.range)).collect();
    assert_eq!(ranged, [("rate", "$__rate_interval".to_owned()), ("deriv", "21600s".to_owned())]);
    assert!(Parsed::new("rate(x[5m)").is_err());
}
