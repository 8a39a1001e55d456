//! Expressions that read recorded series: each such selector is replaced by the expression that a recording rule
//! records, if both mean the same.

use promql_parser::parser::{AggregateExpr, BinaryExpr, Expr, ParenExpr, UnaryExpr, VectorSelector};

use super::ast::{name_of, selectors};
use super::syntax::parse;

/// What a metric's name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recording<'a> {
    /// A series that Prometheus scrapes.
    Scraped,
    /// The result of one recording rule: its expression.
    Of(&'a str),
    /// The result of recording rules that an expression cannot replace.
    Unclear,
}

/// How many recording rules may read one another.
const DEEPEST: usize = 8;

/// An expression with the recorded expressions in place of the recorded series that it reads; unchanged if it reads
/// none. `None` if it reads one in a way for which no expression stands: with matchers, an offset or a range, or one
/// that several rules record. `lookup` returns what a name stands for; it gets `None` for a selector without a name.
pub fn with_recorded<'a>(
    expression: &str,
    lookup: &impl Fn(Option<&str>) -> Recording<'a>,
) -> Option<String> {
    // An expression that monctl cannot parse is reported elsewhere.
    let Ok(parsed) = parse(expression) else { return Some(expression.to_owned()) };
    let reads_recorded =
        selectors(&parsed).iter().any(|(it, _)| lookup(name_of(it).as_deref()) != Recording::Scraped);
    if !reads_recorded {
        return Some(expression.to_owned());
    }
    Some(replaced(parsed, lookup, 0)?.to_string())
}

fn replaced<'a>(
    expression: Expr,
    lookup: &impl Fn(Option<&str>) -> Recording<'a>,
    depth: usize,
) -> Option<Expr> {
    let inner = |expression: Box<Expr>| replaced(*expression, lookup, depth).map(Box::new);
    let is_scraped = |selector: &VectorSelector| lookup(name_of(selector).as_deref()) == Recording::Scraped;
    Some(match expression {
        Expr::VectorSelector(selector) => match lookup(name_of(&selector).as_deref()) {
            Recording::Scraped => Expr::VectorSelector(selector),
            Recording::Of(recorded) if is_bare(&selector) && depth < DEEPEST => {
                // Loading rejects a recording rule that is not valid PromQL.
                let recorded = replaced(parse(recorded).ok()?, lookup, depth + 1)?;
                Expr::Paren(ParenExpr { expr: Box::new(recorded) })
            }
            Recording::Of(_) | Recording::Unclear => return None,
        },
        Expr::MatrixSelector(matrix) if is_scraped(&matrix.vs) => Expr::MatrixSelector(matrix),
        Expr::MatrixSelector(_) => return None,
        // Recorded series have a sample for each evaluation, other than what a subquery computes.
        Expr::Subquery(subquery) => {
            let is_plain = selectors(&subquery.expr).iter().all(|(selector, _)| is_scraped(selector));
            return is_plain.then_some(Expr::Subquery(subquery));
        }
        Expr::Aggregate(aggregate) => Expr::Aggregate(AggregateExpr {
            expr: inner(aggregate.expr)?,
            param: match aggregate.param {
                Some(parameter) => Some(inner(parameter)?),
                None => None,
            },
            ..aggregate
        }),
        Expr::Unary(unary) => Expr::Unary(UnaryExpr { expr: inner(unary.expr)? }),
        Expr::Paren(paren) => Expr::Paren(ParenExpr { expr: inner(paren.expr)? }),
        Expr::Binary(binary) => {
            Expr::Binary(BinaryExpr { lhs: inner(binary.lhs)?, rhs: inner(binary.rhs)?, ..binary })
        }
        Expr::Call(mut call) => {
            let arguments = std::mem::take(&mut call.args.args).into_iter().map(inner);
            call.args.args = arguments.collect::<Option<Vec<_>>>()?;
            Expr::Call(call)
        }
        other @ (Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_)) => other,
    })
}

/// Whether the selector takes all series of its name, as they are now.
fn is_bare(selector: &VectorSelector) -> bool {
    let matchers = &selector.matchers;
    matchers.matchers.iter().all(|matcher| matcher.name == "__name__")
        && matchers.or_matchers.is_empty()
        && selector.offset.is_none()
        && selector.at.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(expression: &str) -> Option<String> {
        with_recorded(expression, &|name| match name {
            Some("shop:errors:ratio") => {
                Recording::Of("sum(rate(errors[5m])) / sum by (job) (shop:requests:rate)")
            }
            Some("shop:requests:rate") => Recording::Of("rate(requests[5m])"),
            Some("circle:a") => Recording::Of("circle:a + 1"),
            Some("twice") | None => Recording::Unclear,
            Some(_) => Recording::Scraped,
        })
    }

    #[test]
    fn a_recorded_series_is_replaced_by_its_expression() {
        for (expression, expected) in [
            ("up   == 0", "up   == 0"),
            ("shop:requests:rate > 1", "(rate(requests[5m])) > 1"),
            (
                "100 * shop:errors:ratio > 5 and up == 1",
                "100 * (sum(rate(errors[5m])) / sum by (job) ((rate(requests[5m])))) > 5 and up == 1",
            ),
            ("max(shop:requests:rate) > 1", "max((rate(requests[5m]))) > 1"),
            ("abs(-shop:requests:rate) > 1", "abs(-(rate(requests[5m]))) > 1"),
        ] {
            assert_eq!(of(expression).as_deref(), Some(expected), "{expression}");
        }
    }

    #[test]
    fn an_expression_that_would_mean_something_else_is_not_replaced() {
        for expression in [
            "shop:requests:rate{job=\"a\"} > 1",
            "shop:requests:rate offset 5m > 1",
            "shop:requests:rate @ end() > 1",
            "max_over_time(shop:requests:rate[1h]) > 1",
            "max_over_time(shop:requests:rate[1h:1m]) > 1",
            "twice > 1",
            "circle:a > 1",
            "{job=\"a\"} > 1",
        ] {
            assert_eq!(of(expression), None, "{expression}");
        }
    }
}
