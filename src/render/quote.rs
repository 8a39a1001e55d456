//! Quoting: any text survives as itself in YAML, Go templates, systemd units and environment files.
//! Templates reach these functions as filters of the same purpose (`templates.rs`).

use crate::spec::fits_environment;

/// A double-quoted YAML scalar, the same text to every YAML reader. Characters that YAML does not allow
/// unescaped, and those that readers treat as line breaks, are escaped.
pub fn yaml(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            ' '..='~' => quoted.push(c),
            '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..
                if !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') =>
            {
                quoted.push(c);
            }
            _ => push_escape(&mut quoted, c),
        }
    }
    quoted.push('"');
    quoted
}

fn push_escape(quoted: &mut String, c: char) {
    quoted.push_str(&match u32::from(c) {
        code @ ..=0xffff => format!("\\u{code:04x}"),
        code => format!("\\U{code:08x}"),
    });
}

/// A Go template that yields the text. `{` begins an action, so each one becomes an action that prints it; no brace can
/// then join a brace of the template around it.
pub(super) fn go_text(text: &str) -> String {
    text.replace('{', r#"{{"{"}}"#)
}

/// A text that Slack shows as it is: `&`, `<` and `>` are markup there. Existing markup is kept: entities, links and
/// mentions such as `<!here>`.
pub(super) fn slack_text(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let taken = markup(rest);
        match c {
            _ if taken > 0 => shown.push_str(&rest[..taken]),
            '&' => shown.push_str("&amp;"),
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            c => shown.push(c),
        }
        rest = &rest[taken.max(c.len_utf8())..];
    }
    shown
}

/// The length of Slack's markup at the beginning of a text.
fn markup(text: &str) -> usize {
    const ENTITIES: [&str; 3] = ["&amp;", "&lt;", "&gt;"];
    const LINKS: [&str; 6] = ["<!", "<@", "<#", "<https://", "<http://", "<mailto:"];
    if let Some(entity) = ENTITIES.iter().find(|entity| text.starts_with(**entity)) {
        return entity.len();
    }
    let is_link = LINKS.iter().any(|link| text.starts_with(link));
    let end = text.find(['>', '\n']).filter(|&end| is_link && text[end..].starts_with('>'));
    end.map_or(0, |end| end + 1)
}

/// A value in a systemd unit: `%` begins a specifier there.
pub(super) fn systemd(text: &str) -> String {
    text.replace('%', "%%")
}

/// One argument on an `Exec…=` line of a systemd unit: quoted, without specifiers and variables.
pub(super) fn systemd_argument(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '%' => quoted.push_str("%%"),
            '$' => quoted.push_str("$$"),
            c if c.is_ascii_control() => {
                quoted.push_str(&format!("\\x{:02x}", u32::from(c)));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A value in a file that systemd reads by `EnvironmentFile=`; none if the text contains characters that it
/// rejects (control characters other than tabs and line breaks).
pub(super) fn environment(text: &str) -> Option<String> {
    if !fits_environment(text) {
        return None;
    }
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\' | '$' | '`') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    Some(quoted)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn yaml_keeps_what_json_readers_expect_of_plain_text() {
        assert_eq!(yaml("a \"b\"\n\\"), r#""a \"b\"\n\\""#);
        assert_eq!(yaml("\u{0}\u{85}\u{2028}\u{feff}"), r#""\u0000\u0085\u2028\ufeff""#);
        assert_eq!(yaml("Überlast 🔥"), "\"Überlast 🔥\"");
    }

    #[test]
    fn go_templates_escape_only_braces() {
        assert_eq!(go_text("CPU 80% $x }}"), "CPU 80% $x }}");
        assert_eq!(go_text("{{ x }}"), r#"{{"{"}}{{"{"}} x }}"#);
    }

    #[test]
    fn slack_text_is_escaped_except_for_existing_markup() {
        for (text, expected) in [
            ("R&D <nightly> load", "R&amp;D &lt;nightly&gt; load"),
            ("a < b > c && d", "a &lt; b &gt; c &amp;&amp; d"),
            (
                "<!here> see <https://wiki.example.org/x|the page> & <@U1>",
                "<!here> see <https://wiki.example.org/x|the page> &amp; <@U1>",
            ),
            ("&lt;done&gt; &amp; &copy;", "&lt;done&gt; &amp; &amp;copy;"),
            ("<https://never.closed", "&lt;https://never.closed"),
            ("Überlast <ß>", "Überlast &lt;ß&gt;"),
        ] {
            assert_eq!(slack_text(text), expected);
        }
    }

    #[test]
    fn unit_files_see_neither_specifiers_nor_variables() {
        assert_eq!(systemd("100%"), "100%%");
        assert_eq!(systemd_argument("a \"$b\" %c\\\n"), r#""a \"$$b\" %%c\\\x0a""#);
    }

    #[test]
    fn environment_files_keep_lines_and_refuse_other_control_characters() {
        assert_eq!(environment("a\n\"$`\\").as_deref(), Some("\"a\n\\\"\\$\\`\\\\\""));
        assert_eq!(environment("a\rb"), None);
        assert_eq!(environment("\0"), None);
    }

    proptest! {
        #[test]
        fn any_text_survives_yaml(text in any::<String>()) {
            let read: String = serde_saphyr::from_str(&yaml(&text)).unwrap();
            prop_assert_eq!(read, text);
        }
    }
}
