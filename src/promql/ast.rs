//! Traversals of an expression: its selectors with their surroundings, its alternatives, its comparisons.

use promql_parser::parser::token::{T_ADD, T_DIV, T_LAND, T_LOR, T_LUNLESS, T_MUL, T_SUB};
use promql_parser::parser::{BinaryExpr, Expr, VectorSelector};

use super::syntax::parse;

/// The surroundings of a part of an expression.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Surrounding {
    /// Inside `absent` or `absent_over_time`, where a selector is meant to match nothing.
    pub absent: bool,
    /// On the right of `unless`, where a selector that matches nothing has no effect.
    pub exception: bool,
}

/// Calls `visit` for each part of an expression, outer parts first.
pub fn each<'a>(expression: &'a Expr, visit: &mut impl FnMut(&'a Expr, Surrounding)) {
    walk(expression, Surrounding::default(), visit);
}

fn walk<'a>(expression: &'a Expr, around: Surrounding, visit: &mut impl FnMut(&'a Expr, Surrounding)) {
    visit(expression, around);
    match expression {
        Expr::Aggregate(aggregate) => {
            walk(&aggregate.expr, around, visit);
            if let Some(parameter) = &aggregate.param {
                walk(parameter, around, visit);
            }
        }
        Expr::Unary(unary) => walk(&unary.expr, around, visit),
        Expr::Paren(paren) => walk(&paren.expr, around, visit),
        Expr::Subquery(subquery) => walk(&subquery.expr, around, visit),
        Expr::Binary(binary) => {
            walk(&binary.lhs, around, visit);
            let exception = around.exception || binary.op.id() == T_LUNLESS;
            walk(&binary.rhs, Surrounding { exception, ..around }, visit);
        }
        Expr::Call(call) => {
            let absent = around.absent || call.func.name.starts_with("absent");
            for argument in &call.args.args {
                walk(argument, Surrounding { absent, ..around }, visit);
            }
        }
        Expr::NumberLiteral(_)
        | Expr::StringLiteral(_)
        | Expr::VectorSelector(_)
        | Expr::MatrixSelector(_)
        | Expr::Extension(_) => {}
    }
}

/// The selectors of an expression, including those with a range.
pub fn selectors(expression: &Expr) -> Vec<(&VectorSelector, Surrounding)> {
    let mut found = Vec::new();
    each(expression, &mut |part, around| match part {
        Expr::VectorSelector(selector) => found.push((selector, around)),
        Expr::MatrixSelector(matrix) => found.push((&matrix.vs, around)),
        _ => {}
    });
    found
}

/// The parts between the outermost `or`s: each alone can make the rule true.
pub fn alternatives(expression: &Expr) -> Vec<&Expr> {
    match expression {
        Expr::Paren(paren) => alternatives(&paren.expr),
        Expr::Binary(binary) if binary.op.id() == T_LOR => {
            [alternatives(&binary.lhs), alternatives(&binary.rhs)].concat()
        }
        _ => vec![expression],
    }
}

/// The comparisons of which at least one has to be true for the rule to be true.
pub fn comparisons(expression: &Expr) -> Vec<&BinaryExpr> {
    match expression {
        Expr::Paren(paren) => comparisons(&paren.expr),
        Expr::Aggregate(aggregate) => comparisons(&aggregate.expr),
        Expr::Binary(binary) if binary.op.id() == T_LUNLESS => comparisons(&binary.lhs),
        Expr::Binary(binary) if matches!(binary.op.id(), T_LAND | T_LOR) => {
            [comparisons(&binary.lhs), comparisons(&binary.rhs)].concat()
        }
        Expr::Binary(binary) if binary.op.is_comparison_operator() && !binary.return_bool() => vec![binary],
        _ => vec![],
    }
}

/// The names of the metrics in an expression.
pub fn metrics_of(expression: &str) -> Vec<String> {
    let Ok(expression) = parse(expression) else { return vec![] };
    selectors(&expression).into_iter().filter_map(|(selector, _)| name_of(selector)).collect()
}

/// The metric that a selector names; `None` if it may select several.
pub fn name_of(selector: &VectorSelector) -> Option<String> {
    selector.name.clone().or_else(|| {
        let mut named = selector.matchers.find_matchers("__name__").into_iter();
        named.find(|matcher| matcher.op.to_string() == "=").map(|matcher| matcher.value)
    })
}

/// The sides of an expression's comparisons that are compared with a number, each as an expression of its own.
pub fn sides_with_number(expression: &str) -> Vec<String> {
    let Ok(expression) = parse(expression) else { return vec![] };
    let sides = comparisons(&expression).into_iter().flat_map(|binary| [&binary.lhs, &binary.rhs]);
    sides.filter(|side| number(side).is_none()).map(ToString::to_string).collect()
}

/// The value of an expression of numbers.
pub fn number(expression: &Expr) -> Option<f64> {
    match expression {
        Expr::NumberLiteral(literal) => Some(literal.val),
        Expr::Paren(paren) => number(&paren.expr),
        Expr::Unary(unary) => number(&unary.expr).map(|value| -value),
        Expr::Binary(binary) => {
            let (left, right) = (number(&binary.lhs)?, number(&binary.rhs)?);
            Some(match binary.op.id() {
                T_ADD => left + right,
                T_SUB => left - right,
                T_MUL => left * right,
                T_DIV => left / right,
                _ => return None,
            })
        }
        _ => None,
    }
}
