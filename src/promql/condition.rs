//! Extracts from a rule's `PromQL` what the model needs: how it looks back, and the condition on its value.
//!
//! Of several conditions (`and`, `unless`, `or`) the first one is read; [`conditions`] describes the others.

use std::time::Duration;

use promql_parser::parser::token::{
    T_ADD, T_AVG, T_EQLC, T_GTE, T_GTR, T_LSS, T_LTE, T_MAX, T_MIN, T_NEQ, T_SUB, T_SUM, TokenId,
};
use promql_parser::parser::{BinaryExpr, Call, Expr};

use serde::Serialize;

use super::ast::{alternatives, number};
use super::query_shape::Signal;
use super::syntax::parse;
use super::threshold::{Comparison, Threshold};
use super::value_range::{Bounds, bounds};

/// An expression that was understood.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// How it looks back.
    pub signal: Signal,
    /// How its value is compared.
    pub comparison: Comparison,
    /// The number that it is compared with.
    pub value: f64,
    /// The compared side as an expression of its own.
    pub left: String,
    /// The lowest and the highest value that it can have.
    pub bounds: Bounds,
    /// Whether it is an amount of bytes.
    pub is_bytes: bool,
}

/// The conditions beside the one that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Conditions {
    /// The number of conditions of which each makes the expression true (`or`), including the one that is read.
    pub alternatives: usize,
    /// Whether the first of them has further parts that are not read (`and`, `unless`).
    pub asks_more: bool,
}

/// The conditions of an expression; `None` if it is not valid `PromQL`.
pub fn conditions(expression: &str) -> Option<Conditions> {
    let parsed = parse(expression).ok()?;
    let alternatives = alternatives(&parsed);
    let asks_more = matches!(alternatives.first(), Some(Expr::Binary(first)) if first.op.is_set_operator());
    Some(Conditions { alternatives: alternatives.len(), asks_more })
}

/// Reads an expression; `None` if it is not valid `PromQL` or does not compare a value with a number.
pub fn read(expression: &str, scrape_interval: Duration) -> Option<Reading> {
    condition(&parse(expression).ok()?, scrape_interval)
}

/// The sides of an expression that are compared with its number, each as an expression of its own: one, or several
/// if `or` joins the same comparison of other sides. Empty if the expression is not understood.
pub fn compared_sides(expression: &str, scrape_interval: Duration) -> Vec<String> {
    let Ok(parsed) = parse(expression) else { return Vec::new() };
    let readings = alternatives(&parsed).into_iter().filter_map(|one| condition(one, scrape_interval));
    let mut readings = readings.peekable();
    let Some(first) = readings.peek().map(|reading| (reading.comparison, reading.value)) else {
        return Vec::new();
    };
    readings.filter(|it| (it.comparison, it.value) == first).map(|it| it.left).collect()
}

fn condition(expression: &Expr, scrape_interval: Duration) -> Option<Reading> {
    match expression {
        Expr::Paren(paren) => condition(&paren.expr, scrape_interval),
        Expr::Aggregate(aggregate) => condition(&aggregate.expr, scrape_interval),
        Expr::Binary(binary) if binary.op.is_set_operator() => condition(&binary.lhs, scrape_interval),
        Expr::Binary(binary) if binary.op.is_comparison_operator() => compared(binary, scrape_interval),
        Expr::Call(call) if call.func.name.starts_with("absent") => Some(Reading {
            signal: signal(expression, scrape_interval)?,
            comparison: Comparison::Equal,
            value: 1.0,
            left: expression.to_string(),
            bounds: bounds(expression),
            is_bytes: false,
        }),
        _ => None,
    }
}

fn compared(binary: &BinaryExpr, scrape_interval: Duration) -> Option<Reading> {
    let comparison = comparison(binary.op.id())?;
    let (left, comparison, value) = match (number(&binary.lhs), number(&binary.rhs)) {
        (None, Some(value)) => (&binary.lhs, comparison, value),
        (Some(value), None) => (&binary.rhs, comparison.turned(), value),
        _ => return None,
    };
    let signal = match signal(left, scrape_interval)? {
        Signal::Count { range } if !is_rare(comparison, value, range, scrape_interval) => {
            Signal::Rate { range }
        }
        signal => signal,
    };
    let is_bytes = is_bytes(left);
    Some(Reading { signal, comparison, value, left: left.to_string(), bounds: bounds(left), is_bytes })
}

/// Whether the rule needs so few events that each of them counts: the range has a scrape for each, and one to spare.
/// More frequent events are a continuous rate, and a rule that requires few events does not wait for a first one.
fn is_rare(comparison: Comparison, value: f64, range: Duration, scrape_interval: Duration) -> bool {
    let least = Threshold { comparison, value, unit: "" }.least_count();
    let is_upward = matches!(comparison, Comparison::More | Comparison::AtLeast);
    is_upward && least >= 1.0 && (least + 1.0) * scrape_interval.as_secs_f64() <= range.as_secs_f64()
}

/// Whether an expression is an amount of bytes, judged by the names of its metrics.
fn is_bytes(expression: &Expr) -> bool {
    let of_selector = |name: &Option<String>| name.as_deref().is_some_and(|name| name.ends_with("_bytes"));
    match expression {
        Expr::VectorSelector(selector) => of_selector(&selector.name),
        Expr::MatrixSelector(matrix) => of_selector(&matrix.vs.name),
        Expr::Paren(paren) => is_bytes(&paren.expr),
        Expr::Unary(unary) => is_bytes(&unary.expr),
        Expr::Aggregate(aggregate) => {
            matches!(aggregate.op.id(), T_AVG | T_MAX | T_MIN | T_SUM) && is_bytes(&aggregate.expr)
        }
        Expr::Binary(binary) => {
            matches!(binary.op.id(), T_ADD | T_SUB) && is_bytes(&binary.lhs) && is_bytes(&binary.rhs)
        }
        Expr::Call(call) => {
            let keeps = call.func.name == "predict_linear" || call.func.name.ends_with("_over_time");
            let counts =
                matches!(call.func.name, "count_over_time" | "present_over_time" | "absent_over_time");
            keeps && !counts && call.args.args.first().is_some_and(|argument| is_bytes(argument))
        }
        _ => false,
    }
}

/// The comparison of an operator; `None` for other operators.
pub fn comparison(operator: TokenId) -> Option<Comparison> {
    Some(match operator {
        T_GTR => Comparison::More,
        T_GTE => Comparison::AtLeast,
        T_LSS => Comparison::Less,
        T_LTE => Comparison::AtMost,
        T_EQLC => Comparison::Equal,
        T_NEQ => Comparison::Unequal,
        _ => return None,
    })
}

/// How an expression looks back: the selector with the longest range decides.
fn signal(expression: &Expr, scrape_interval: Duration) -> Option<Signal> {
    match expression {
        Expr::VectorSelector(_) => Some(Signal::Latest),
        Expr::MatrixSelector(_) | Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => {
            None
        }
        Expr::Paren(paren) => signal(&paren.expr, scrape_interval),
        Expr::Unary(unary) => signal(&unary.expr, scrape_interval),
        Expr::Aggregate(aggregate) => signal(&aggregate.expr, scrape_interval),
        Expr::Subquery(subquery) => {
            let inner = signal(&subquery.expr, scrape_interval)?.range();
            Some(Signal::Mean { range: subquery.range + inner })
        }
        Expr::Binary(binary) => {
            let sides = [signal(&binary.lhs, scrape_interval), signal(&binary.rhs, scrape_interval)];
            // A share or a multiple of a count is not a number of events.
            longest(sides).map(|signal| match signal {
                Signal::Count { range } => Signal::Rate { range },
                signal => signal,
            })
        }
        Expr::Call(call) => called(call, scrape_interval),
    }
}

/// The signal with the longest range, the first of several.
fn longest(signals: impl IntoIterator<Item = Option<Signal>>) -> Option<Signal> {
    signals.into_iter().flatten().reduce(|one, other| if other.range() > one.range() { other } else { one })
}

fn called(call: &Call, scrape_interval: Duration) -> Option<Signal> {
    let arguments = &call.args.args;
    let inner = longest(arguments.iter().map(|argument| signal(argument, scrape_interval)));
    let Some(range) = arguments.iter().find_map(|argument| match &**argument {
        Expr::MatrixSelector(matrix) => Some(matrix.range),
        Expr::Subquery(_) => inner.map(Signal::range),
        _ => None,
    }) else {
        return match (call.func.name, inner) {
            ("absent", _) => Some(Signal::Missing { range: Duration::ZERO }),
            ("histogram_quantile", Some(Signal::Rate { range })) => {
                let quantile = arguments.first().and_then(|argument| number(argument))?;
                Some(Signal::Quantile { range, quantile })
            }
            _ => inner,
        };
    };
    Some(match call.func.name {
        // These look at the last two scrapes of their range.
        "irate" | "idelta" => {
            Signal::Rate { range: range.min((2 * scrape_interval).saturating_sub(Duration::from_millis(1))) }
        }
        "max_over_time" | "present_over_time" => Signal::Highest { range },
        "min_over_time" => Signal::Lowest { range },
        "last_over_time" => Signal::Latest,
        "absent_over_time" => Signal::Missing { range },
        "predict_linear" => {
            let ahead = arguments.get(1).and_then(|argument| number(argument))?;
            Signal::Trend { range, ahead: Duration::try_from_secs_f64(ahead).ok()? }
        }
        "increase" | "changes" | "resets" => Signal::Count { range },
        name if name.ends_with("_over_time") => Signal::Mean { range },
        _ => Signal::Rate { range },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn expressions_are_read_by_shape_and_condition() {
        let minutes = |count: u64| seconds(count * 60);
        for (expression, signal, comparison, value) in [
            (
                "100 - (avg by (instance) (rate(node_cpu_seconds_total{mode=\"idle\"}[1m])) * 100) > 80",
                Signal::Rate { range: minutes(1) },
                Comparison::More,
                80.0,
            ),
            ("up == 0", Signal::Latest, Comparison::Equal, 0.0),
            ("0.1 > a / b", Signal::Latest, Comparison::Less, 0.1),
            ("absent(up{job=\"x\"})", Signal::Missing { range: Duration::ZERO }, Comparison::Equal, 1.0),
            (
                "absent_over_time(up{job=\"x\"}[5m])",
                Signal::Missing { range: minutes(5) },
                Comparison::Equal,
                1.0,
            ),
            (
                "histogram_quantile(0.95, sum by (le) (rate(x_bucket[5m]))) >= 1",
                Signal::Quantile { range: minutes(5), quantile: 0.95 },
                Comparison::AtLeast,
                1.0,
            ),
            (
                "predict_linear(free[6h], 24 * 3600) < 0 and free / size < 0.4",
                Signal::Trend { range: minutes(360), ahead: minutes(24 * 60) },
                Comparison::Less,
                0.0,
            ),
            ("avg_over_time(up[5m]) < 0.9", Signal::Mean { range: minutes(5) }, Comparison::Less, 0.9),
            ("max_over_time(x[5m]) > 1", Signal::Highest { range: minutes(5) }, Comparison::More, 1.0),
            (
                "avg_over_time(rate(x[5m])[10m:1m]) > 1",
                Signal::Mean { range: minutes(15) },
                Comparison::More,
                1.0,
            ),
            (
                "irate(x[5m]) > 1",
                Signal::Rate { range: Duration::from_millis(29_999) },
                Comparison::More,
                1.0,
            ),
            ("changes(x[1h]) > 1", Signal::Count { range: minutes(60) }, Comparison::More, 1.0),
            (
                "round(sum by (job) (increase(x[15m]))) > 3",
                Signal::Count { range: minutes(15) },
                Comparison::More,
                3.0,
            ),
            ("increase(x[1m]) > 2", Signal::Count { range: minutes(1) }, Comparison::More, 2.0),
            ("increase(x[1m]) > 3", Signal::Rate { range: minutes(1) }, Comparison::More, 3.0),
            ("increase(x[5m]) == 0", Signal::Rate { range: minutes(5) }, Comparison::Equal, 0.0),
            ("increase(x[5m]) * 2 > 3", Signal::Rate { range: minutes(5) }, Comparison::More, 3.0),
            (
                "sum by (job) (increase(x[10m])) / rate(y[5m]) > -1",
                Signal::Rate { range: minutes(10) },
                Comparison::More,
                -1.0,
            ),
        ] {
            let reading = read(expression, seconds(15)).unwrap_or_else(|| panic!("not read: {expression}"));
            assert_eq!((reading.signal, reading.comparison, reading.value), (signal, comparison, value));
        }
    }

    #[test]
    fn alternatives_and_further_parts_are_recognised() {
        for (expression, alternatives, asks_more) in [
            ("a > 1", 1, false),
            ("(a > 1 and b > 2)", 1, true),
            ("a > 1 or b > 2 unless c", 2, false),
            ("a > 1 and c or (b > 2 or d == 1)", 3, true),
        ] {
            assert_eq!(conditions(expression), Some(Conditions { alternatives, asks_more }), "{expression}");
        }
    }

    #[test]
    fn an_amount_of_bytes_is_known_by_its_name() {
        for (expression, expected) in [
            ("predict_linear(node_filesystem_avail_bytes[6h], 86400) < 0", true),
            ("sum by (x) (a_bytes - b_bytes) > 1", true),
            ("a_bytes / b_bytes < 0.1", false),
            ("rate(a_bytes[5m]) > 1", false),
            ("count_over_time(a_bytes[5m]) > 1", false),
            ("a > 1", false),
        ] {
            assert_eq!(read(expression, seconds(15)).unwrap().is_bytes, expected, "{expression}");
        }
    }

    #[test]
    fn an_expression_that_compares_nothing_with_a_number_is_not_read() {
        for expression in ["vector(1)", "a > b", "a", "a >", "1 > 2"] {
            assert_eq!(read(expression, seconds(15)), None, "{expression}");
        }
    }

    #[test]
    fn the_compared_sides_are_expressions_of_their_own() {
        for (expression, sides) in [
            ("(a / b) > 2 and c > 1", vec!["(a / b)"]),
            ("2 < a", vec!["a"]),
            ("up == 0 or (workers == 0 or c == 1)", vec!["up", "workers"]),
            ("a + b", vec![]),
        ] {
            assert_eq!(compared_sides(expression, seconds(15)), sides, "{expression}");
        }
    }
}
