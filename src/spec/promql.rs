//! Checks that the user's own rule is valid `PromQL`. `verify/check` compares it with a live Prometheus' series.

use super::suggest::suggestion;
pub(crate) use crate::promql::metrics_of;
use crate::promql::{parse, without_texts};

/// What is wrong with an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PromqlFault {
    /// No Prometheus accepts it.
    Wrong(String),
    /// A Prometheus newer than monctl's parser may accept it.
    Unknown(String),
}

/// The fault of an expression, if any.
pub(crate) fn fault(expression: &str) -> Option<PromqlFault> {
    if expression.trim().is_empty() {
        return Some(PromqlFault::Wrong("the expression is empty".to_owned()));
    }
    let reason = parse(expression).err()?;
    if let Some(function) = reason.strip_prefix(UNKNOWN_FUNCTION) {
        let function = function.trim_matches(['\'', '"']);
        let near = suggestion(function, FUNCTIONS);
        return Some(PromqlFault::Unknown(format!("unknown PromQL function `{function}`{near}")));
    }
    // Prometheus uses Go's regular expressions, which differ from Rust's.
    if reason.starts_with(ILLEGAL_REGEX) {
        return Some(PromqlFault::Unknown(reason));
    }
    if let Some(mark) = unclosed(expression) {
        return Some(PromqlFault::Wrong(format!("not valid PromQL: `{mark}` is never closed")));
    }
    if let Some(what) = newer(expression) {
        return Some(PromqlFault::Unknown(what));
    }
    Some(PromqlFault::Wrong(if reason == NO_REASON {
        "not valid PromQL: unexpected end or token".to_owned()
    } else {
        format!("not valid PromQL: {reason}")
    }))
}

/// Prefixes of the parser's messages about an unknown function and an unsupported regular expression, and its message
/// without a reason.
const UNKNOWN_FUNCTION: &str = "unknown function with name ";
const ILLEGAL_REGEX: &str = "illegal regex";
const NO_REASON: &str = "invalid promql query";

/// Functions that rules use, for suggestions.
const FUNCTIONS: [&str; 20] = [
    "rate",
    "irate",
    "increase",
    "delta",
    "deriv",
    "changes",
    "resets",
    "absent",
    "absent_over_time",
    "avg_over_time",
    "max_over_time",
    "min_over_time",
    "last_over_time",
    "sum_over_time",
    "count_over_time",
    "predict_linear",
    "histogram_quantile",
    "label_replace",
    "clamp_min",
    "clamp_max",
];

/// A feature of newer versions of the language that an expression uses and monctl cannot parse.
fn newer(expression: &str) -> Option<String> {
    let code = without_texts(expression);
    if ranges(&code).any(|range| range.contains(['*', '+', '/', '-', '('])) || reckons_with_offsets(&code) {
        return Some("monctl does not support arithmetic in `[…]` or after `offset`".to_owned());
    }
    let word = words(&code).find(|word| NEWER_WORDS.contains(word))?;
    Some(format!("monctl does not support `{word}` of newer versions of Prometheus"))
}

/// Modifiers that came after the version that the parser follows.
const NEWER_WORDS: [&str; 2] = ["anchored", "smoothed"];

/// The texts in brackets.
fn ranges(code: &str) -> impl Iterator<Item = &str> {
    code.split('[').skip(1).filter_map(|rest| rest.split(']').next())
}

/// Whether an offset is not a plain duration with its sign: in brackets, or a number without a unit.
fn reckons_with_offsets(code: &str) -> bool {
    code.split("offset ").skip(1).any(|rest| {
        let rest = rest.trim_start().trim_start_matches('-').trim_start();
        let unit = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        rest.starts_with('(') || unit.len() < rest.len() && !unit.starts_with(char::is_alphabetic)
    })
}

fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':').filter(|word| !word.is_empty())
}

/// The bracket or quotation mark that is never closed.
fn unclosed(expression: &str) -> Option<char> {
    let mut open = Vec::new();
    for c in without_texts(expression).chars() {
        match c {
            '"' | '\'' | '`' => return Some(c),
            '(' | '[' | '{' => open.push(c),
            ')' | ']' | '}' => drop(open.pop()),
            _ => {}
        }
    }
    open.pop()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_expressions_have_no_fault() {
        for expression in [
            "up == 0",
            "sum by (a) (rate(x{b=~\"c(d|e)\"}[5m])) / 2 > 1 and on (a) y offset 5m",
            "max_over_time(rate(x[5m])[1h:1m]) > 1",
            "limitk(3, x)",
            "# a comment (\nup",
        ] {
            assert_eq!(fault(expression), None, "{expression}");
        }
    }

    #[test]
    fn invalid_expressions_are_wrong() {
        for (expression, words) in [
            ("", "is empty"),
            (" \n", "is empty"),
            ("up ==", "unexpected end or token"),
            ("up{job=\"x\" == 0", "`{` is never closed"),
            ("sum(rate(x[5m]) > 1", "`(` is never closed"),
            ("up{job=\"x} == 0", "`\"` is never closed"),
            ("rate(x) > 1", "not valid PromQL: "),
            ("up = 0", "not valid PromQL: "),
            ("increase(x[5m] backwards) > 0", "not valid PromQL: "),
            ("x{a=\"anchored\"} >> 0", "not valid PromQL: "),
            ("x{a=`\\d} == 0", "``` is never closed"),
        ] {
            let Some(PromqlFault::Wrong(message)) = fault(expression) else {
                panic!("{expression}: {:?}", fault(expression))
            };
            assert!(message.contains(words), "{expression}: {message}");
        }
    }

    #[test]
    fn features_of_a_newer_prometheus_are_unknown() {
        for (expression, words) in [
            ("raet(x[5m]) > 1", "unknown PromQL function `raet`; did you mean `rate`?"),
            ("forecast_of_tomorrow(x[5m]) > 1", "unknown PromQL function `forecast_of_tomorrow`"),
            ("rate(x[5m * 2 + 1s]) > 1", "not support arithmetic in `[…]`"),
            ("rate(x[5m] offset 2 * 1h) > 1", "not support arithmetic in `[…]` or after `offset`"),
            ("x offset -(5m + 1s) > 1", "not support arithmetic in `[…]` or after `offset`"),
            ("increase(x[5m] anchored) > 0", "does not support `anchored`"),
            ("rate(x[5m] smoothed) > 0", "does not support `smoothed`"),
            ("x{a=~\"b(c\"} > 1", "illegal regex"),
        ] {
            let Some(PromqlFault::Unknown(message)) = fault(expression) else {
                panic!("{expression}: {:?}", fault(expression))
            };
            assert!(message.contains(words), "{expression}: {message}");
        }
    }
}
