//! The selectors of an expression: its metrics and the conditions on their labels. Pure.

use std::convert::Infallible;
use std::fmt;

use crate::promql::token::T_LUNLESS;
use crate::promql::{
    AggregateExpr, BinaryExpr, Expr, ExprVisitor, MatchOp, Matcher, ParenExpr, VectorSelector, parse,
    walk_expr,
};

/// A selector: a metric, if it is named, and conditions on its labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Selector {
    pub metric: Option<String>,
    pub conditions: Vec<Condition>,
}

/// A condition on a label, such as `job="django"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Condition {
    pub label: String,
    operator: &'static str,
    pub value: String,
}

impl Selector {
    /// The selectors of an expression, in order; none if it is not a valid expression.
    pub(super) fn of(expr: &str) -> Vec<Self> {
        let mut found = Found(Vec::new());
        if let Ok(expr) = parse(expr) {
            let Ok(_) = walk_expr(&mut found, &expr);
        }
        found.0
    }

    /// The same selector with the first conditions only.
    pub(super) fn with(&self, conditions: usize) -> Self {
        let conditions = self.conditions.iter().take(conditions).cloned().collect();
        Self { metric: self.metric.clone(), conditions }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.metric.as_deref().unwrap_or_default())?;
        if self.conditions.is_empty() {
            return Ok(());
        }
        let conditions: Vec<String> = self.conditions.iter().map(ToString::to_string).collect();
        write!(f, "{{{}}}", conditions.join(", "))
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.value.replace('\\', "\\\\").replace('"', "\\\"");
        write!(f, "{}{}\"{value}\"", self.label, self.operator)
    }
}

/// The expression without filtering comparisons and without `unless`; `None` if it has neither.
pub(super) fn unfiltered(expr: &str) -> Option<String> {
    let before = parse(expr).ok()?;
    let after = without_filters(before.clone());
    (after != before).then(|| after.to_string())
}

fn without_filters(expr: Expr) -> Expr {
    match expr {
        Expr::Binary(binary) => {
            let is_bool = binary.modifier.as_ref().is_some_and(|modifier| modifier.return_bool);
            let filters = (binary.op.is_comparison_operator() && !is_bool) || binary.op.id() == T_LUNLESS;
            let is_number = matches!(*binary.lhs, Expr::NumberLiteral(_));
            match (filters, is_number) {
                (true, true) => without_filters(*binary.rhs),
                (true, false) => without_filters(*binary.lhs),
                (false, _) => Expr::Binary(BinaryExpr {
                    lhs: Box::new(without_filters(*binary.lhs)),
                    rhs: Box::new(without_filters(*binary.rhs)),
                    ..binary
                }),
            }
        }
        Expr::Paren(paren) => Expr::Paren(ParenExpr { expr: Box::new(without_filters(*paren.expr)) }),
        Expr::Aggregate(aggregate) => {
            Expr::Aggregate(AggregateExpr { expr: Box::new(without_filters(*aggregate.expr)), ..aggregate })
        }
        Expr::Call(mut call) => {
            let args = std::mem::take(&mut call.args.args).into_iter();
            call.args.args = args.map(|arg| Box::new(without_filters(*arg))).collect();
            Expr::Call(call)
        }
        other => other,
    }
}

struct Found(Vec<Selector>);

impl ExprVisitor for Found {
    type Error = Infallible;

    fn pre_visit(&mut self, expr: &Expr) -> Result<bool, Infallible> {
        match expr {
            Expr::VectorSelector(selector) => self.add(selector),
            Expr::MatrixSelector(matrix) => self.add(&matrix.vs),
            _ => {}
        }
        Ok(true)
    }
}

impl Found {
    fn add(&mut self, selector: &VectorSelector) {
        let mut conditions: Vec<Condition> = selector.matchers.matchers.iter().map(condition).collect();
        let named = conditions.iter().position(|it| it.label == "__name__" && it.operator == "=");
        let metric = selector.name.clone().or_else(|| named.map(|at| conditions[at].value.clone()));
        conditions.retain(|it| it.label != "__name__" || metric.is_none());
        let selector = Selector { metric, conditions };
        if !self.0.contains(&selector) {
            self.0.push(selector);
        }
    }
}

fn condition(matcher: &Matcher) -> Condition {
    let operator = match matcher.op {
        MatchOp::Equal => "=",
        MatchOp::NotEqual => "!=",
        MatchOp::Re(_) => "=~",
        MatchOp::NotRe(_) => "!~",
    };
    Condition { label: matcher.name.clone(), operator, value: matcher.value.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_are_found_everywhere_in_an_expression() {
        let found = |expr: &str| Selector::of(expr).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            found(
                r#"sum by (job) (rate(a_total{job="x", code=~"5.."}[5m])) / (b offset 5m) > 0.5 or vector(1)"#
            ),
            [r#"a_total{job="x", code=~"5.."}"#, "b"]
        );
        assert_eq!(found(r#"{__name__="c", x!="y"} or c{x!="y"}"#), [r#"c{x!="y"}"#]);
        assert_eq!(found("max_over_time(d[1h:5m])"), ["d"]);
        assert!(found("sum(up").is_empty());
        let selector = &Selector::of(r#"up{a="1", b="2"}"#)[0];
        assert_eq!(selector.with(1).to_string(), r#"up{a="1"}"#);
    }

    #[test]
    fn filtering_comparisons_are_removed() {
        for (expr, without) in [
            ("up == 7", Some("up")),
            ("7 < up", Some("up")),
            ("sum(rate(a[5m])) > 5 or b", Some("sum(rate(a[5m])) or b")),
            ("count(up == 0)", Some("count(up)")),
            ("a unless b", Some("a")),
            ("up == bool 7", None),
            ("a / b", None),
        ] {
            assert_eq!(unfiltered(expr).as_deref(), without, "{expr}");
        }
    }
}
