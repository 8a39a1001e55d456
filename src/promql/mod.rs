//! The query language of Prometheus: expressions as syntax trees, what they select, and which values they have. Pure.
//! The only module that uses the parser; other modules import its syntax trees from here.

mod ast;
mod condition;
mod cpu_usage;
mod query_shape;
mod recorded;
mod syntax;
mod threshold;
mod value_range;

pub(crate) use promql_parser::label::{MatchOp, Matcher};
pub(crate) use promql_parser::parser::{
    AggregateExpr, BinaryExpr, Call, Expr, LabelModifier, Offset, ParenExpr, VectorSelector, token,
};
pub(crate) use promql_parser::util::{ExprVisitor, walk_expr};

pub use ast::{
    Surrounding, alternatives, comparisons, each, metrics_of, name_of, number, selectors, sides_with_number,
};
pub use condition::{Conditions, Reading, compared_sides, comparison, conditions, read};
pub use cpu_usage::is_cpu_usage;
pub use query_shape::Signal;
pub use recorded::{Recording, with_recorded};
pub(crate) use syntax::{parse, without_texts};
pub use threshold::{Comparison, Threshold};
pub use value_range::{Bounds, PERCENT, SHARE, bounds};
