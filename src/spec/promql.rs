//! Whether a rule of the user's own is `PromQL` at all. What is said of a live Prometheus' series is `verify/check`'s part.

use super::suggest::suggestion;
use crate::promql::{parse, without_texts};

/// What is wrong with an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PromqlFault {
    /// No Prometheus reads it.
    Wrong(String),
    /// A newer Prometheus than monctl knows may read it.
    Unknown(String),
}

/// What is wrong with an expression, if anything is.
pub(crate) fn fault(expression: &str) -> Option<PromqlFault> {
    if expression.trim().is_empty() {
        return Some(PromqlFault::Wrong("the expression is empty".to_owned()));
    }
    let said = parse(expression).err()?;
    if let Some(function) = said.strip_prefix(UNKNOWN_FUNCTION) {
        let function = function.trim_matches(['\'', '"']);
        let near = suggestion(function, FUNCTIONS);
        return Some(PromqlFault::Unknown(format!("monctl knows no function `{function}` of PromQL{near}")));
    }
    // Prometheus' dialect of regular expressions is Go's.
    if said.starts_with(ILLEGAL_REGEX) {
        return Some(PromqlFault::Unknown(said));
    }
    if let Some(mark) = unclosed(expression) {
        return Some(PromqlFault::Wrong(format!("this is no PromQL: `{mark}` is never closed")));
    }
    if let Some(what) = newer(expression) {
        return Some(PromqlFault::Unknown(what));
    }
    Some(PromqlFault::Wrong(if said == NO_REASON {
        "this is no PromQL: it ends, or something stands in it, where nothing can".to_owned()
    } else {
        format!("this is no PromQL: {said}")
    }))
}

/// How the parser begins what it says of a function and of a regular expression that it does not know, and what it says
/// where it says nothing.
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

/// What of newer versions of the language stands in an expression that monctl cannot read.
fn newer(expression: &str) -> Option<String> {
    let code = without_texts(expression);
    if ranges(&code).any(|range| range.contains(['*', '+', '/', '-', '('])) || reckons_with_offsets(&code) {
        return Some("monctl reads no arithmetic in `[…]` or behind `offset`".to_owned());
    }
    let word = words(&code).find(|word| NEWER_WORDS.contains(word))?;
    Some(format!("monctl does not know `{word}`, which newer versions of Prometheus have"))
}

/// Modifiers that came after the version that the parser follows.
const NEWER_WORDS: [&str; 2] = ["anchored", "smoothed"];

/// What stands in brackets.
fn ranges(code: &str) -> impl Iterator<Item = &str> {
    code.split('[').skip(1).filter_map(|rest| rest.split(']').next())
}

/// Whether an offset is something else than a duration with its sign: in brackets, or a number without a unit.
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

/// The bracket or quotation mark that has no end.
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
    fn what_prometheus_reads_has_no_fault() {
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
    fn what_no_prometheus_reads_is_wrong() {
        for (expression, words) in [
            ("", "is empty"),
            (" \n", "is empty"),
            ("up ==", "it ends, or something stands in it, where nothing can"),
            ("up{job=\"x\" == 0", "`{` is never closed"),
            ("sum(rate(x[5m]) > 1", "`(` is never closed"),
            ("up{job=\"x} == 0", "`\"` is never closed"),
            ("rate(x) > 1", "this is no PromQL: "),
            ("up = 0", "this is no PromQL: "),
            ("increase(x[5m] backwards) > 0", "this is no PromQL: "),
            ("x{a=\"anchored\"} >> 0", "this is no PromQL: "),
            ("x{a=`\\d} == 0", "``` is never closed"),
        ] {
            let Some(PromqlFault::Wrong(said)) = fault(expression) else {
                panic!("{expression}: {:?}", fault(expression))
            };
            assert!(said.contains(words), "{expression}: {said}");
        }
    }

    #[test]
    fn what_a_newer_prometheus_may_read_is_unknown() {
        for (expression, words) in [
            ("raet(x[5m]) > 1", "no function `raet` of PromQL; did you mean `rate`?"),
            ("forecast_of_tomorrow(x[5m]) > 1", "no function `forecast_of_tomorrow`"),
            ("rate(x[5m * 2 + 1s]) > 1", "no arithmetic in `[…]`"),
            ("rate(x[5m] offset 2 * 1h) > 1", "no arithmetic in `[…]` or behind `offset`"),
            ("x offset -(5m + 1s) > 1", "no arithmetic in `[…]` or behind `offset`"),
            ("increase(x[5m] anchored) > 0", "does not know `anchored`"),
            ("rate(x[5m] smoothed) > 0", "does not know `smoothed`"),
            ("x{a=~\"b(c\"} > 1", "illegal regex"),
        ] {
            let Some(PromqlFault::Unknown(said)) = fault(expression) else {
                panic!("{expression}: {:?}", fault(expression))
            };
            assert!(said.contains(words), "{expression}: {said}");
        }
    }
}
