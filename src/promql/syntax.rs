//! Parses an expression into its syntax tree.

use std::str::Chars;

use promql_parser::parser::Expr;
use promql_parser::util::escape_string;

/// Parses an expression as Prometheus does.
///
/// # Errors
/// The parser's message, which may not name a reason.
pub(crate) fn parse(expression: &str) -> Result<Expr, String> {
    promql_parser::parser::parse(&with_escapes(expression))
}

/// The expression with its backtick strings rewritten as escaped strings: they have no escapes, but the parser looks
/// for escapes in them.
fn with_escapes(expression: &str) -> String {
    let mut rewritten = String::with_capacity(expression.len());
    each_part(expression, |part| match part {
        Part::Code(c) => rewritten.push(c),
        Part::Text { quote: '`', inner, is_closed: true } => {
            rewritten.push('"');
            rewritten.push_str(&escape_string(inner));
            rewritten.push('"');
        }
        Part::Text { quote, inner, is_closed } => {
            rewritten.push(quote);
            rewritten.push_str(inner);
            rewritten.extend(is_closed.then_some(quote));
        }
        Part::Comment(comment) => rewritten.push_str(comment),
    });
    rewritten
}

/// The expression without strings and comments. A quotation mark that is never closed is kept.
pub(crate) fn without_texts(expression: &str) -> String {
    let mut code = String::with_capacity(expression.len());
    each_part(expression, |part| match part {
        Part::Code(c) => code.push(c),
        Part::Text { quote, is_closed: false, .. } => code.push(quote),
        Part::Text { .. } | Part::Comment(_) => code.push(' '),
    });
    code
}

enum Part<'a> {
    Code(char),
    Text { quote: char, inner: &'a str, is_closed: bool },
    Comment(&'a str),
}

fn each_part<'a>(expression: &'a str, mut visit: impl FnMut(Part<'a>)) {
    let mut rest = expression.chars();
    while let Some(c) = rest.next() {
        match c {
            '"' | '\'' | '`' => {
                let (inner, is_closed) = text(c, &mut rest);
                visit(Part::Text { quote: c, inner, is_closed });
            }
            '#' => {
                let line = rest.as_str().split('\n').next().unwrap_or("");
                let start = expression.len() - rest.as_str().len() - 1;
                visit(Part::Comment(&expression[start..=start + line.len()]));
                rest = rest.as_str()[line.len()..].chars();
            }
            c => visit(Part::Code(c)),
        }
    }
}

/// The text before the closing mark, and whether there is one; `rest` continues after it.
fn text<'a>(quote: char, rest: &mut Chars<'a>) -> (&'a str, bool) {
    let inner = rest.as_str();
    while let Some(c) = rest.next() {
        match c {
            '\\' if quote != '`' => drop(rest.next()),
            c if c == quote => return (&inner[..inner.len() - rest.as_str().len() - 1], true),
            _ => {}
        }
    }
    (inner, false)
}

#[cfg(test)]
mod tests {
    use promql_parser::parser::VectorSelector;

    use super::*;

    fn selector(expression: &str) -> VectorSelector {
        match parse(expression) {
            Ok(Expr::VectorSelector(selector)) => selector,
            other => panic!("{expression}: {other:?}"),
        }
    }

    #[test]
    fn a_text_in_backticks_has_no_escapes() {
        for (expression, pattern) in [
            (r"x{queue=~`mail\.(in|out)\d?`}", r"mail\.(in|out)\d?"),
            (r#"x{queue="mail\\.out"}"#, r"mail\.out"),
            (r#"x{queue=`a "quoted" word`}"#, r#"a "quoted" word"#),
            (r"x{queue=`C:\`}", r"C:\"),
            ("x{queue=`two\nlines`}", "two\nlines"),
            (r#"x{queue="a ` alone"}"#, "a ` alone"),
            (r"x{queue='it\'s `raw`'}", "it's `raw`"),
        ] {
            assert_eq!(selector(expression).matchers.matchers[0].value, pattern, "{expression}");
        }
    }

    #[test]
    fn a_backtick_in_a_comment_opens_nothing() {
        assert_eq!(selector("x{a=\"b\"} # `left open").matchers.matchers.len(), 1);
        assert_eq!(selector("# `\nx{a=`\\d`}").matchers.matchers[0].value, r"\d");
    }

    #[test]
    fn backticks_in_arguments_are_read_too() {
        let expression = r"label_replace(up, `host`, `$1`, `instance`, `([^:]+):\d+`) == 0";
        assert!(parse(expression).is_ok(), "{:?}", parse(expression));
        assert!(parse("x{a=`b}").is_err(), "never closed");
    }

    #[test]
    fn code_is_separated_from_strings_and_comments() {
        assert_eq!(without_texts("x{a=\"[1m * 2]\"} # ["), "x{a= }  ");
        assert_eq!(without_texts("x{a=\"b"), "x{a=\"");
    }
}
