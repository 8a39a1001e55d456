//! Calls in Python code, as far as reading variables of the environment needs them: the arguments as text.

/// The arguments of a call; `text` begins after its opening parenthesis. `None` where the call does not end.
pub(super) fn arguments(text: &str) -> Option<Vec<&str>> {
    let mut arguments = Vec::new();
    let (mut depth, mut begin, mut quote) = (0_usize, 0, None);
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match (quote, letter) {
            (Some(_), '\\') => drop(letters.next()),
            (Some(open), _) if letter == open => quote = None,
            (None, '\'' | '"') => quote = Some(letter),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')') if depth == 0 => {
                arguments.push(text[begin..at].trim());
                arguments.retain(|argument| !argument.is_empty());
                return Some(arguments);
            }
            (None, ')' | ']' | '}') => depth = depth.checked_sub(1)?,
            (None, ',') if depth == 0 => {
                arguments.push(text[begin..at].trim());
                begin = at + 1;
            }
            _ => {}
        }
    }
    None
}

/// The value of a keyword argument.
pub(super) fn keyword<'a>(arguments: &[&'a str], name: &str) -> Option<&'a str> {
    arguments.iter().find_map(|argument| {
        let value = argument.strip_prefix(name)?.trim_start().strip_prefix('=')?;
        (!value.starts_with('=')).then(|| value.trim())
    })
}

/// The text of a literal string.
pub(super) fn literal(argument: &str) -> Option<&str> {
    let quote = argument.chars().next().filter(|letter| matches!(letter, '\'' | '"'))?;
    let text = argument.strip_prefix(quote)?.strip_suffix(quote)?;
    (!text.contains([quote, '\\', '\n'])).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_split_at_their_own_commas() {
        for (text, expected) in [
            ("'A')", &["'A'"][..]),
            ("'A', default=[1, 2], cast=f(\"),\", x)) + 1", &["'A'", "default=[1, 2]", "cast=f(\"),\", x)"]),
            ("\n  'A',\n  'b\\',c',\n)", &["'A'", "'b\\',c'"]),
            (")", &[]),
        ] {
            assert_eq!(arguments(text).unwrap(), expected, "{text}");
        }
        for unfinished in ["'A', (1", "'A", "'A'])"] {
            assert_eq!(arguments(unfinished), None, "{unfinished}");
        }
    }

    #[test]
    fn keywords_and_literals_are_read() {
        let arguments = ["'A'", "default = None", "cast==1"];
        assert_eq!(keyword(&arguments, "default"), Some("None"));
        assert_eq!(keyword(&arguments, "cast"), None);
        assert_eq!(
            [literal("'a b'"), literal("\"\""), literal("'a\\n'"), literal("f'a'")],
            [Some("a b"), Some(""), None, None]
        );
    }
}
