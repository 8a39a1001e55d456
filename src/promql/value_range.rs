//! The bounds of an expression's value, as far as they follow from its form and its metrics.
//!
//! The end of a name is not evidence: a clock's offset in `_seconds` is negative half of the time, a compression's
//! `_ratio` is above 1. The metrics listed below are known, and what is available, free or used is a part of its total
//! or size. For all other metrics nothing is assumed.

use promql_parser::parser::token::{
    T_ADD, T_AVG, T_COUNT, T_DIV, T_GROUP, T_LAND, T_LOR, T_LUNLESS, T_MAX, T_MIN, T_MUL, T_QUANTILE,
    T_STDDEV, T_STDVAR, T_SUB, T_SUM, T_TOPK,
};
use promql_parser::parser::{AggregateExpr, BinaryExpr, Call, Expr, VectorSelector};

use super::ast::{name_of, number, selectors};

/// The values that an expression can have, both ends included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// The lowest.
    pub low: f64,
    /// The highest.
    pub high: f64,
}

const ANY: Bounds = Bounds { low: f64::NEG_INFINITY, high: f64::INFINITY };
const POSITIVE: Bounds = Bounds { low: 0.0, high: f64::INFINITY };
/// 0 to 1.
pub const SHARE: Bounds = Bounds { low: 0.0, high: 1.0 };
/// 0 to 100.
pub const PERCENT: Bounds = Bounds { low: 0.0, high: 100.0 };

/// Words in the names of totals, and in the names of parts.
const WHOLES: [&str; 5] = ["total", "size", "limit", "max", "capacity"];
const PARTS: [&str; 6] = ["avail", "free", "used", "available", "cached", "in_use"];
/// Metrics of node exporter that are never below zero, by the beginning and the end of their names.
const NEVER_NEGATIVE: [(&str, &str); 7] = [
    ("node_cpu_", "_total"),
    ("node_disk_", "_total"),
    ("node_filesystem_", "_bytes"),
    ("node_filesystem_files", ""),
    ("node_load", ""),
    ("node_memory_", "_bytes"),
    ("node_network_", "_total"),
];
/// Metrics that are 0 or 1.
const SWITCHES: [&str; 3] = ["up", "node_systemd_unit_state", "node_filesystem_readonly"];

impl Bounds {
    const fn of(value: f64) -> Self {
        Self { low: value, high: value }
    }

    /// The value, if only one is possible.
    pub fn only(self) -> Option<f64> {
        (self.high - self.low).abs().lt(&f64::EPSILON).then_some(self.low)
    }

    fn hull(self, other: Self) -> Self {
        Self { low: self.low.min(other.low), high: self.high.max(other.high) }
    }

    /// The bounds of an operation, from its results at the four corners.
    fn corners(self, other: Self, operation: fn(f64, f64) -> f64) -> Self {
        let corners =
            [(self.low, other.low), (self.low, other.high), (self.high, other.low), (self.high, other.high)];
        let values = corners.map(|(left, right)| {
            let value = operation(left, right);
            // Infinity times zero: zero, because neither side is really infinite.
            if value.is_nan() { 0.0 } else { value }
        });
        Self {
            low: values.into_iter().fold(f64::INFINITY, f64::min),
            high: values.into_iter().fold(f64::NEG_INFINITY, f64::max),
        }
    }
}

/// The bounds of an expression.
pub fn bounds(expression: &Expr) -> Bounds {
    if let Some(value) = number(expression) {
        return Bounds::of(value);
    }
    match expression {
        Expr::Paren(paren) => bounds(&paren.expr),
        Expr::Unary(unary) => {
            let Bounds { low, high } = bounds(&unary.expr);
            Bounds { low: -high, high: -low }
        }
        Expr::Aggregate(aggregate) => of_aggregate(aggregate),
        Expr::Binary(binary) => of_binary(binary),
        Expr::Call(call) => of_call(call),
        Expr::Subquery(subquery) => bounds(&subquery.expr),
        Expr::VectorSelector(selector) => of_selector(selector),
        Expr::MatrixSelector(matrix) => of_selector(&matrix.vs),
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => ANY,
    }
}

fn of_selector(selector: &VectorSelector) -> Bounds {
    let Some(name) = name_of(selector) else { return ANY };
    if SWITCHES.contains(&&*name) {
        SHARE
    } else if NEVER_NEGATIVE.iter().any(|(start, end)| name.starts_with(start) && name.ends_with(end)) {
        POSITIVE
    } else {
        ANY
    }
}

fn of_aggregate(aggregate: &AggregateExpr) -> Bounds {
    let inner = bounds(&aggregate.expr);
    match aggregate.op.id() {
        T_AVG | T_MIN | T_MAX | T_QUANTILE | T_TOPK => inner,
        T_SUM if inner.low >= 0.0 => POSITIVE,
        T_COUNT => Bounds { low: 1.0, high: f64::INFINITY },
        T_GROUP => Bounds::of(1.0),
        T_STDDEV | T_STDVAR => POSITIVE,
        _ => ANY,
    }
}

fn of_binary(binary: &BinaryExpr) -> Bounds {
    let (left, right) = (bounds(&binary.lhs), bounds(&binary.rhs));
    match binary.op.id() {
        _ if binary.op.is_comparison_operator() => {
            if binary.return_bool() {
                SHARE
            } else {
                left
            }
        }
        T_LAND | T_LUNLESS => left,
        T_LOR => left.hull(right),
        T_ADD => Bounds { low: left.low + right.low, high: left.high + right.high },
        T_SUB => Bounds { low: left.low - right.high, high: left.high - right.low },
        T_MUL => left.corners(right, |left, right| left * right),
        T_DIV if is_part(&binary.lhs, &binary.rhs) => scaled(&binary.lhs, SHARE),
        T_DIV if right.low > 0.0 => left.corners(right, |left, right| left / right),
        T_DIV if left.low >= 0.0 && right.low >= 0.0 => POSITIVE,
        _ => ANY,
    }
}

/// A share, scaled by the numbers that multiply its numerator: `100 * part / whole` is parsed from the left.
fn scaled(part: &Expr, share: Bounds) -> Bounds {
    match part {
        Expr::Paren(paren) => scaled(&paren.expr, share),
        Expr::Binary(binary) if binary.op.id() == T_MUL => {
            let factor = number(&binary.lhs).or_else(|| number(&binary.rhs));
            factor.map_or(share, |factor| share.corners(Bounds::of(factor), |left, right| left * right))
        }
        _ => share,
    }
}

fn of_call(call: &Call) -> Bounds {
    let arguments = &call.args.args;
    let inner = || arguments.first().map_or(ANY, |argument| bounds(argument));
    match call.func.name {
        "rate" | "irate" => {
            let name = arguments.first().map(|argument| selectors(argument)).unwrap_or_default();
            let is_cpu = name.first().and_then(|(selector, _)| name_of(selector));
            if is_cpu.as_deref() == Some("node_cpu_seconds_total") { SHARE } else { POSITIVE }
        }
        "increase" | "resets" | "changes" | "count_over_time" | "stddev_over_time" | "histogram_quantile"
        | "sqrt" | "timestamp" | "time" | "histogram_count" => POSITIVE,
        "absent" | "absent_over_time" | "present_over_time" => Bounds::of(1.0),
        "avg_over_time" | "min_over_time" | "max_over_time" | "last_over_time" | "ceil" | "floor"
        | "round" | "scalar" | "vector" | "sort" | "sort_desc" | "label_replace" | "label_join" => inner(),
        "quantile_over_time" => arguments.get(1).map_or(ANY, |argument| bounds(argument)),
        "sum_over_time" if inner().low >= 0.0 => POSITIVE,
        "abs" => {
            let Bounds { low, high } = inner();
            let least = if low <= 0.0 && high >= 0.0 { 0.0 } else { low.abs().min(high.abs()) };
            Bounds { low: least, high: low.abs().max(high.abs()) }
        }
        _ => ANY,
    }
}

/// Whether one expression is a part of the other: the same, with more matchers, or a part and its total by name.
fn is_part(part: &Expr, whole: &Expr) -> bool {
    let (parts, wholes) = (present(part), present(whole));
    let ([part_selector], [whole_selector]) = (parts.as_slice(), wholes.as_slice()) else {
        return false;
    };
    if shape(part) != shape(whole) {
        return false;
    }
    let (Some(part_name), Some(whole_name)) = (name_of(part_selector), name_of(whole_selector)) else {
        return false;
    };
    if part_name == whole_name {
        let narrower = &part_selector.matchers.matchers;
        return whole_selector.matchers.matchers.iter().all(|matcher| narrower.contains(matcher));
    }
    is_part_by_name(&part_name, &whole_name)
}

/// The selectors of an expression, without the fallbacks of `a or b` that are earlier values of the same series.
fn present(expression: &Expr) -> Vec<&VectorSelector> {
    match expression {
        Expr::Paren(paren) => present(&paren.expr),
        Expr::Binary(binary) if binary.op.id() == T_LOR && remembers(binary) => present(&binary.lhs),
        Expr::Binary(binary) => [present(&binary.lhs), present(&binary.rhs)].concat(),
        _ => selectors(expression).into_iter().map(|(selector, _)| selector).collect(),
    }
}

/// Whether the fallback is an earlier value of the same series.
fn remembers(binary: &BinaryExpr) -> bool {
    let first = |expression: &Expr| selectors(expression).first().map(|(selector, _)| (*selector).clone());
    matches!((first(&binary.lhs), first(&binary.rhs)), (Some(one), Some(other)) if one == other)
}

fn is_part_by_name(part: &str, whole: &str) -> bool {
    let words = |name: &str| {
        let mut text = String::new();
        for c in name.chars() {
            if c.is_uppercase() && text.chars().last().is_some_and(char::is_lowercase) {
                text.push('_');
            }
            text.extend(c.to_lowercase());
        }
        text
    };
    let (part, whole) = (words(part), words(whole));
    let has = |name: &str, known: &[&str]| name.split('_').any(|word| known.contains(&word));
    let beginning = |name: &str| name.split('_').take(2).map(str::to_owned).collect::<Vec<_>>();
    let is_whole = has(&whole, &WHOLES) || part.strip_suffix("_free").is_some_and(|rest| rest == whole);
    beginning(&part) == beginning(&whole) && has(&part, &PARTS) && is_whole
}

/// The form of an expression without its selectors and factors: its aggregations and functions, with their labels.
fn shape(expression: &Expr) -> String {
    match expression {
        Expr::Paren(paren) => shape(&paren.expr),
        Expr::Binary(binary) if binary.op.id() == T_MUL && number(&binary.lhs).is_some() => {
            shape(&binary.rhs)
        }
        Expr::Binary(binary) if binary.op.id() == T_MUL && number(&binary.rhs).is_some() => {
            shape(&binary.lhs)
        }
        Expr::Aggregate(aggregate) => {
            format!("{} {:?} ({})", aggregate.op, aggregate.modifier, shape(&aggregate.expr))
        }
        Expr::Binary(binary) if binary.op.id() == T_LOR && remembers(binary) => shape(&binary.lhs),
        // The last value counts like any other.
        Expr::Call(call) if call.func.name == "last_over_time" => "_".into(),
        Expr::Call(call) => {
            let arguments: Vec<String> = call.args.args.iter().map(|argument| shape(argument)).collect();
            format!("{}({})", call.func.name, arguments.join(", "))
        }
        Expr::MatrixSelector(matrix) => format!("[{:?}]", matrix.range),
        Expr::VectorSelector(_) => "_".into(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promql::parse;

    #[test]
    fn the_bounds_of_an_expression_follow_from_its_form_and_names() {
        const IDLE: &str = "rate(node_cpu_seconds_total{mode=\"idle\"}[1m])";
        let memory = "node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes";
        for (expression, expected) in [
            (&*format!("100 - avg by (instance) ({IDLE}) * 100"), PERCENT),
            (&*format!("1 - avg({IDLE})"), SHARE),
            (memory, SHARE),
            (&*format!("100 - 100 * {memory}"), PERCENT),
            (&*format!("(1 - {memory}) * 100"), PERCENT),
            ("100 * node_filesystem_files_free{a=\"b\"} / node_filesystem_files", PERCENT),
            (
                "100 * last_over_time(a_x_avail_bytes[1m]) / last_over_time(a_x_size_bytes{a=\"b\"}[1m])",
                PERCENT,
            ),
            (
                "100 * (a_x_avail_bytes or last_over_time(a_x_avail_bytes[1m]) and on (a) up == 0) / last_over_time(a_x_size_bytes[1m])",
                PERCENT,
            ),
            ("(a_x_free_bytes or a_y_free_bytes) / a_x_size_bytes", ANY),
            (
                "(node_memory_MemFree_bytes or node_memory_Cached_bytes) / node_memory_MemTotal_bytes",
                POSITIVE,
            ),
            ("sum(rate(x_total{status=~\"5..\"}[5m])) / sum(rate(x_total[5m]))", SHARE),
            ("100 * sum by (a) (rate(x_total{s=\"5\"}[5m])) / sum by (a) (rate(x_total[5m]))", PERCENT),
            ("sum(rate(x_total{s=\"5\"}[5m])) / sum by (a) (rate(x_total[5m]))", POSITIVE),
            ("sum(rate(x_total[5m])) / sum(rate(x_total{s=\"5\"}[5m]))", POSITIVE),
            ("up", SHARE),
            ("avg_over_time(up[5m])", SHARE),
            ("sum(up)", POSITIVE),
            ("count(up)", Bounds { low: 1.0, high: f64::INFINITY }),
            ("rate(x_total[5m])", POSITIVE),
            ("sum(rate(node_cpu_seconds_total[1m]))", POSITIVE),
            ("node_load5 / count(node_cpu_seconds_total)", POSITIVE),
            ("backlog / count(node_cpu_seconds_total)", ANY),
            ("delta(x[5m])", ANY),
            ("predict_linear(x_bytes[1h], 60)", ANY),
            ("abs(x - y)", POSITIVE),
            ("absent(up)", Bounds { low: 1.0, high: 1.0 }),
            ("2 * 3", Bounds { low: 6.0, high: 6.0 }),
            ("a > bool 3", SHARE),
            ("-up", Bounds { low: -1.0, high: 0.0 }),
            ("node_load5", POSITIVE),
            ("node_filesystem_avail_bytes", POSITIVE),
            // The end of a name is not evidence.
            ("node_timex_offset_seconds", ANY),
            ("node_hwmon_temp_celsius", ANY),
            ("ntp_drift_seconds", ANY),
            ("account_balance_total", ANY),
            ("zfs_compress_ratio * 100", ANY),
            ("jvm_memory_max_bytes", ANY),
        ] {
            assert_eq!(bounds(&parse(expression).unwrap()), expected, "{expression}");
        }
    }
}
