//! Sanitises text from hosts, services and files for a terminal: nothing in it moves the cursor, changes colours or
//! reorders the text around it. Applied here, at the edge, to everything that is shown.

/// Replaces a control character.
const REPLACEMENT: char = '\u{fffd}';

/// Text of several lines.
pub fn harmless(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    text.chars().map(|c| if is_harmful(c) && c != '\n' { REPLACEMENT } else { c }).collect()
}

/// Text of one line: a line break in it is replaced, too.
pub(super) fn harmless_line(line: &str) -> String {
    line.chars().map(|c| if is_harmful(c) { REPLACEMENT } else { c }).collect()
}

/// JSON with the same meaning: control characters occur only in its strings, and are escaped there.
pub fn harmless_json(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if is_harmful(c) && c != '\n' {
            // All of them are below U+10000, so that one escape is enough.
            text.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            text.push(c);
        }
    }
    text
}

fn is_harmful(c: char) -> bool {
    (c.is_control() && c != '\t') || is_directional(c)
}

/// Characters that reorder the text around them or end a line invisibly.
const fn is_directional(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a\u{1b}[2Jb\rc\u{9b}31md\u{202e}e\u{2066}f\u{7}\tg";

    #[test]
    fn no_control_characters_are_left() {
        let shown = harmless(&format!("{HOSTILE}\r\nnext\n"));
        assert_eq!(shown, "a\u{fffd}[2Jb\u{fffd}c\u{fffd}31md\u{fffd}e\u{fffd}f\u{fffd}\tg\nnext\n");
        assert_eq!(harmless_line("a\nb"), "a\u{fffd}b");
    }

    #[test]
    fn json_keeps_its_meaning_and_cannot_control_a_terminal() {
        let value = serde_json::json!({ "text": HOSTILE, "emoji": "\u{1f468}\u{200d}\u{1f4bb}" });
        for json in [value.to_string(), format!("{value:#}")] {
            let shown = harmless_json(&json);
            assert!(!shown.chars().any(|c| is_harmful(c) && c != '\n'), "{shown:?}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
        }
    }
}
