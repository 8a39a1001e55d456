//! The place of a value in a JSON text by its path. serde reports places of invalid JSON only.

/// Line and column, from 1, of the value at a path of keys and numbers, or of the last existing one on the way.
/// The text is valid JSON.
pub(super) fn of<'a>(text: &str, path: impl IntoIterator<Item = &'a str>) -> (usize, usize) {
    let mut at = blank(text, 0);
    for step in path {
        match child(text, at, step) {
            Some(found) => at = found,
            None => break,
        }
    }
    let before = &text[..at];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

/// Where the member of a key or the item of a number begins.
fn child(text: &str, at: usize, step: &str) -> Option<usize> {
    let is_object = text.as_bytes().get(at)? == &b'{';
    if !is_object && text.as_bytes()[at] != b'[' {
        return None;
    }
    let mut at = blank(text, at + 1);
    let mut number = 0_usize;
    while !matches!(text.as_bytes().get(at)?, b'}' | b']') {
        let mut key = number.to_string();
        if is_object {
            let end = value_end(text, at);
            key = serde_json::from_str(&text[at..end]).ok()?;
            // A colon follows the key.
            at = blank(text, blank(text, end) + 1);
        }
        if key == step {
            return Some(at);
        }
        at = blank(text, value_end(text, at));
        if text.as_bytes().get(at)? == &b',' {
            at = blank(text, at + 1);
        }
        number += 1;
    }
    None
}

/// The first byte from `at` on that is not blank.
fn blank(text: &str, at: usize) -> usize {
    text[at..].find(|letter: char| !letter.is_ascii_whitespace()).map_or(text.len(), |more| at + more)
}

/// The end of the value that begins at `at`.
fn value_end(text: &str, at: usize) -> usize {
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut escaped = false;
    for (index, byte) in text.bytes().enumerate().skip(at) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => continue,
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth > 0 => depth -= 1,
            b'}' | b']' | b',' if depth == 0 => return index,
            byte if depth == 0 && byte.is_ascii_whitespace() => return index,
            _ => continue,
        }
        // A text, a list or an object ends with its last letter, anything else before the next one.
        if depth == 0 && !in_string && !escaped && matches!(byte, b'"' | b'}' | b']') {
            return index + 1;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_found_at_its_place() {
        let text = "{\n  \"a\\\"}\": [1, {\"ü\": \"x]\", \"b\" : true}, \"last\"],\n  \"c\":null }";
        let at = |path: &[&str]| of(text, path.iter().copied());
        assert_eq!(at(&[]), (1, 1));
        assert_eq!(at(&["a\"}"]), (2, 11));
        assert_eq!(at(&["a\"}", "1", "b"]), (2, 33));
        assert_eq!(at(&["a\"}", "2"]), (2, 40));
        assert_eq!(at(&["c"]), (3, 7));
        assert_eq!(at(&["c", "deeper"]), (3, 7), "the last existing one");
        assert_eq!(at(&["missing"]), (1, 1));
    }
}
