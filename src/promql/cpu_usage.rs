//! Whether a rule watches the usage of all CPUs of a host, in percent: only such a rule reacts to a CPU load as
//! predicted. Rules on pressure, load averages, single CPUs or modes watch something else.

use promql_parser::label::MatchOp;
use promql_parser::parser::token::{T_ADD, T_AVG, T_DIV, T_GTE, T_GTR, T_LSS, T_LTE, T_MUL, T_SUB};
use promql_parser::parser::{AggregateExpr, BinaryExpr, Expr, LabelModifier};

use super::ast::number;
use super::syntax::parse;

/// An expression as `base + factor × idle`, where idle is the share of time in which the CPUs of each host are idle.
#[derive(Debug, Clone, Copy)]
struct Idle {
    base: f64,
    factor: f64,
}

/// Whether an expression is true if the CPUs of a host are busier than some percentage.
pub fn is_cpu_usage(expression: &str) -> bool {
    let Ok(parsed) = parse(expression) else { return false };
    let Expr::Binary(binary) = bare(&parsed) else { return false };
    let side = match (binary.op.id(), number(&binary.lhs), number(&binary.rhs)) {
        (T_GTR | T_GTE, None, Some(_)) => &binary.lhs,
        (T_LSS | T_LTE, Some(_), None) => &binary.rhs,
        _ => return false,
    };
    let near = |value: f64, wanted: f64| (value - wanted).abs() < 1e-9;
    idle(side).is_some_and(|Idle { base, factor }| near(base, 100.0) && near(factor, -100.0))
}

fn bare(expression: &Expr) -> &Expr {
    match expression {
        Expr::Paren(paren) => bare(&paren.expr),
        other => other,
    }
}

fn idle(expression: &Expr) -> Option<Idle> {
    match bare(expression) {
        Expr::Binary(binary) => combined(binary),
        Expr::Aggregate(aggregate) => is_mean_of_idle(aggregate).then_some(Idle { base: 0.0, factor: 1.0 }),
        _ => None,
    }
}

fn combined(binary: &BinaryExpr) -> Option<Idle> {
    let scaled = |Idle { base, factor }, by: f64| Idle { base: base * by, factor: factor * by };
    let moved = |Idle { base, factor }, by: f64| Idle { base: base + by, factor };
    match (number(&binary.lhs), number(&binary.rhs)) {
        (Some(left), None) => {
            let right = idle(&binary.rhs)?;
            match binary.op.id() {
                T_ADD => Some(moved(right, left)),
                T_SUB => Some(moved(scaled(right, -1.0), left)),
                T_MUL => Some(scaled(right, left)),
                _ => None,
            }
        }
        (None, Some(right)) => {
            let left = idle(&binary.lhs)?;
            match binary.op.id() {
                T_ADD => Some(moved(left, right)),
                T_SUB => Some(moved(left, -right)),
                T_MUL => Some(scaled(left, right)),
                T_DIV => Some(scaled(left, 1.0 / right)),
                _ => None,
            }
        }
        _ => None,
    }
}

/// `avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[1m]))`
fn is_mean_of_idle(aggregate: &AggregateExpr) -> bool {
    let names = |labels: &[String], name: &str| labels.iter().any(|label| label == name);
    let keeps_hosts_apart = match &aggregate.modifier {
        Some(LabelModifier::Include(by)) => names(&by.labels, "instance") && !names(&by.labels, "cpu"),
        Some(LabelModifier::Exclude(without)) => {
            names(&without.labels, "cpu") && !names(&without.labels, "instance")
        }
        None => false,
    };
    aggregate.op.id() == T_AVG && keeps_hosts_apart && is_rate_of_idle(&aggregate.expr)
}

fn is_rate_of_idle(expression: &Expr) -> bool {
    let Expr::Call(call) = bare(expression) else { return false };
    let Some(Expr::MatrixSelector(matrix)) = call.args.args.first().map(|argument| &**argument) else {
        return false;
    };
    let is_idle = matrix
        .vs
        .matchers
        .find_matchers("mode")
        .iter()
        .any(|it| it.op == MatchOp::Equal && it.value == "idle");
    matches!(call.func.name, "rate" | "irate")
        && matrix.vs.name.as_deref() == Some("node_cpu_seconds_total")
        && is_idle
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_usage_of_all_cpus_in_percent_is_what_a_cpu_load_moves() {
        const IDLE: &str = "rate(node_cpu_seconds_total{mode=\"idle\"}[1m])";
        for (expression, expected) in [
            (format!("100 - (avg by (instance) ({IDLE}) * 100) > 80"), true),
            (format!("100 * (1 - avg by (instance, job) ({IDLE})) >= 80"), true),
            (format!("(1 - avg without (cpu, mode) ({IDLE})) * 100 > 80"), true),
            (format!("80 < 100 - 100 * avg by (instance) ({IDLE})"), true),
            (format!("avg by (instance) ({IDLE}) * 100 > 80"), false),
            (format!("100 - avg by (instance) ({IDLE}) * 100 < 20"), false),
            (format!("1 - avg by (instance) ({IDLE}) > 0.8"), false),
            (format!("100 - avg by (instance, cpu) ({IDLE}) * 100 > 80"), false),
            (format!("100 - avg({IDLE}) * 100 > 80"), false),
            (format!("100 - sum by (instance) ({IDLE}) * 100 > 80"), false),
            (
                "100 * avg by (instance) (rate(node_cpu_seconds_total{mode=\"iowait\"}[1m])) > 20".into(),
                false,
            ),
            (
                "100 - avg by (instance) (rate(node_cpu_seconds_total{mode!=\"idle\"}[1m])) * 100 > 80"
                    .into(),
                false,
            ),
            (
                "100 - 100 * count by (instance) (node_cpu_seconds_total{mode=\"idle\"}) / node_load5 > 80"
                    .into(),
                false,
            ),
            ("absent(node_cpu_seconds_total)".into(), false),
        ] {
            assert_eq!(is_cpu_usage(&expression), expected, "{expression}");
        }
    }
}
