//! Parses Slack's markup, mrkdwn, into spans. A marker without its partner is text. The run time of each function
//! depends on the length of the text alone, not on its content.

/// A piece of a line with one style.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    /// The text to show, without markers and entities.
    pub text: String,
    pub kind: Kind,
    /// The innermost first.
    pub emphasis: Vec<Emphasis>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Code,
    /// To this address, which begins with `http://` or `https://`.
    Link(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Emphasis {
    Bold,
    Italic,
    Strike,
}

const FENCE: &str = "```";
/// Characters that can begin markup within a line.
const SIGNS: [char; 5] = ['`', '<', '*', '_', '~'];
/// Characters allowed before an opening marker, besides white space. A marker within a word or a path is text.
const BEFORE: &str = "([{\"'-–—*_~";
/// Beginnings of a link or mention between `<` and `>`; anything else is text.
const TARGETS: [&str; 6] = ["http://", "https://", "mailto:", "!", "@", "#"];

/// The lines of a text, each as spans. Fenced code has its own lines.
pub(super) fn parse(text: &str) -> Vec<Vec<Span>> {
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some((before, code, behind)) = fenced(rest) {
        lines.extend(before.lines().map(line));
        lines.extend(code.lines().map(|line| joined(vec![Span::new(Kind::Code, plain(line))])));
        rest = behind;
    }
    lines.extend(rest.lines().map(line));
    lines
}

/// A text in which Slack interprets only links and entities, such as a title: links by their label, entities decoded.
pub(super) fn plain(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        shown.push_str(&decoded(&rest[..at]));
        rest = &rest[at..];
        if let Some(link) = bracketed(rest) {
            shown.push_str(&label(link));
            rest = &rest[link.len() + 2..];
        } else {
            shown.push('<');
            rest = &rest[1..];
        }
    }
    shown + &decoded(rest)
}

impl Span {
    fn new(kind: Kind, text: String) -> Self {
        Self { text, kind, emphasis: Vec::new() }
    }

    fn link(content: &str) -> Self {
        let target = content.split_once('|').map_or(content, |(target, _)| target);
        let kind = if target.starts_with("http") { Kind::Link(decoded(target)) } else { Kind::Text };
        Self::new(kind, label(content))
    }
}

/// The text before the first fenced code, the code, and the text after it.
fn fenced(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once(FENCE)?;
    let (code, behind) = rest.split_once(FENCE)?;
    let without_break = |text| str::strip_prefix(text, '\n').unwrap_or(text);
    Some((before, without_break(code), without_break(behind)))
}

/// The spans of a line.
fn line(text: &str) -> Vec<Span> {
    let mut spans = Vec::new();
    // Markers that wait for their partner, each with the number of its span: they are text until it comes.
    let mut open: Vec<(Emphasis, usize)> = Vec::new();
    let last_backquote = text.rfind('`').unwrap_or(0);
    let mut at = 0;
    while let Some(sign) = text[at..].chars().next() {
        let (before, rest) = text.split_at(at);
        let (span, length) = match sign {
            '`' if at < last_backquote
                && let Some(code) = backquoted(rest) =>
            {
                (Span::new(Kind::Code, plain(code)), code.len() + 2)
            }
            '<' if let Some(link) = bracketed(rest) => (Span::link(link), link.len() + 2),
            _ => run(rest, sign),
        };
        at += length;
        if let Some(emphasis) = emphasis(sign) {
            let (before, behind) = (before.chars().next_back(), text[at..].chars().next());
            match open.iter().position(|(other, _)| *other == emphasis) {
                None if opens(sign, before, behind) => open.push((emphasis, spans.len())),
                Some(nth) if closes(sign, before, behind) => {
                    close(&mut spans, open[nth]);
                    open.truncate(nth);
                    continue;
                }
                _ => {}
            }
        }
        spans.push(span);
    }
    joined(spans)
}

/// The plain text at the beginning, up to the next special character, and its length. A special character is returned
/// alone.
fn run(text: &str, first: char) -> (Span, usize) {
    let is_sign = |c: char| SIGNS.contains(&c);
    let length = if is_sign(first) { first.len_utf8() } else { text.find(is_sign).unwrap_or(text.len()) };
    (Span::new(Kind::Text, decoded(&text[..length])), length)
}

const fn emphasis(sign: char) -> Option<Emphasis> {
    match sign {
        '*' => Some(Emphasis::Bold),
        '_' => Some(Emphasis::Italic),
        '~' => Some(Emphasis::Strike),
        _ => None,
    }
}

fn opens(marker: char, before: Option<char>, behind: Option<char>) -> bool {
    before.is_none_or(|c| c != marker && (c.is_whitespace() || BEFORE.contains(c)))
        && behind.is_some_and(|c| c != marker && !c.is_whitespace())
}

fn closes(marker: char, before: Option<char>, behind: Option<char>) -> bool {
    before.is_some_and(|c| c != marker && !c.is_whitespace())
        && behind.is_none_or(|c| c != marker && !c.is_alphanumeric())
}

/// Removes the opening marker and applies its emphasis to everything after it.
fn close(spans: &mut [Span], (emphasis, opened): (Emphasis, usize)) {
    spans[opened].text.clear();
    for span in &mut spans[opened + 1..] {
        span.emphasis.push(emphasis);
    }
}

/// Drops empty spans and merges neighbours with the same emphasis.
fn joined(spans: Vec<Span>) -> Vec<Span> {
    let mut joined: Vec<Span> = Vec::new();
    for span in spans.into_iter().filter(|span| !span.text.is_empty()) {
        match joined.last_mut() {
            Some(last)
                if (&last.kind, &last.emphasis) == (&Kind::Text, &span.emphasis)
                    && span.kind == Kind::Text =>
            {
                last.text.push_str(&span.text);
            }
            _ => joined.push(span),
        }
    }
    joined
}

/// The text between two backquotes at the beginning.
fn backquoted(text: &str) -> Option<&str> {
    let (code, _) = text.strip_prefix('`')?.split_once('`')?;
    (!code.is_empty()).then_some(code)
}

/// The text between `<` and `>` at the beginning, if it is a link or a mention.
fn bracketed(text: &str) -> Option<&str> {
    let content = text.strip_prefix('<')?;
    let end = content.find(['<', '>', '\n'])?;
    let is_link = content[end..].starts_with('>') && TARGETS.iter().any(|target| content.starts_with(target));
    is_link.then_some(&content[..end])
}

/// The label of a link or a mention.
fn label(link: &str) -> String {
    let (target, label) = link.split_once('|').unwrap_or((link, ""));
    let shown = match target.chars().next() {
        // `<!here>`
        Some('!') if label.is_empty() => format!("@{}", &target[1..]),
        // `<#C123|ops>`
        Some(sign @ ('@' | '#')) if !label.is_empty() => format!("{sign}{}", label.trim_start_matches(sign)),
        _ if label.is_empty() => target.to_owned(),
        _ => label.to_owned(),
    };
    decoded(&shown)
}

/// Slack's three entities as their characters.
fn decoded(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use proptest::prelude::*;

    use super::*;

    /// The spans as text: `b(…)`, `i(…)`, `s(…)`, `code(…)`, `link(address, …)`; lines as they are.
    fn written(text: &str) -> String {
        let span = |span: &Span| {
            let inner = match &span.kind {
                Kind::Text => span.text.clone(),
                Kind::Code => format!("code({})", span.text),
                Kind::Link(address) => format!("link({address}, {})", span.text),
            };
            span.emphasis.iter().fold(inner, |inner, emphasis| match emphasis {
                Emphasis::Bold => format!("b({inner})"),
                Emphasis::Italic => format!("i({inner})"),
                Emphasis::Strike => format!("s({inner})"),
            })
        };
        let lines: Vec<String> = parse(text).iter().map(|line| line.iter().map(span).collect()).collect();
        lines.join("\n")
    }

    #[test]
    fn markup_becomes_spans_and_a_marker_without_its_partner_stays_text() {
        for (text, expected) in [
            ("", ""),
            ("plain", "plain"),
            ("since 04:05:06 UTC, now *93.2%*", "since 04:05:06 UTC, now b(93.2%)"),
            ("*What to do:* kill &lt;pid&gt;", "b(What to do:) kill <pid>"),
            ("_a_, ~b~ (*c*) \"*d*\"", "i(a), s(b) (b(c)) \"b(d)\""),
            ("*Überlast* 🔥_ß_ _ß_🔥", "b(Überlast) 🔥_ß_ i(ß)🔥"),
            // Code.
            ("severity `warning`, `a*b*c`", "severity code(warning), code(a*b*c)"),
            ("`&lt;a&gt; <https://x.example|y>`", "code(<a> y)"),
            ("`a` `b", "code(a) `b"),
            ("``", "``"),
            ("``a``", "`code(a)`"),
            ("a ```\nb *c*\n\nd\n``` e\n``` f", "a \ncode(b *c*)\n\ncode(d)\n e\n``` f"),
            // Links and mentions.
            (
                "<https://x.example/a?b=1&amp;c|More about R&amp;D>",
                "link(https://x.example/a?b=1&c, More about R&D)",
            ),
            ("see <http://x.example>.", "see link(http://x.example, http://x.example)."),
            ("<http://x.example|>", "link(http://x.example, http://x.example)"),
            ("<mailto:a@x.example|a@x.example>", "a@x.example"),
            ("<javascript:alert(1)|x> <b> <>", "<javascript:alert(1)|x> <b> <>"),
            ("<!here> <!subteam^S1|@ops> <@U1> <@U1|ann> <#C1|ops>", "@here @ops @U1 @ann #ops"),
            ("<https://never.closed", "<https://never.closed"),
            ("<https://a <https://b>", "<https://a link(https://b, https://b)"),
            ("<https://a\nb>", "<https://a\nb>"),
            // Nested.
            ("*a _b_ c*", "b(a )b(i(b))b( c)"),
            ("_*a*_ ~_*b*_~", "i(b(a)) s(i(b(b)))"),
            ("*`a` <https://x.example|b>*", "b(code(a))b( )b(link(https://x.example, b))"),
            ("`*a` b*", "code(*a) b*"),
            // Unbalanced or crossed.
            ("*a", "*a"),
            ("a*", "a*"),
            ("*a _b* c_", "b(a _b) c_"),
            ("*a *b*", "b(a *b)"),
            ("*a\nb*", "*a\nb*"),
            // No markers: within words and paths, beside white space, doubled.
            (
                "node_cpu_seconds_total __init__ 2*3*4 a * b * c",
                "node_cpu_seconds_total __init__ 2*3*4 a * b * c",
            ),
            ("/srv/*.log and /tmp/* **a** ~~~ _", "/srv/*.log and /tmp/* **a** ~~~ _"),
            ("*a*b* *", "b(a*b) *"),
            // Entities are text, also of entities.
            ("&lt;https://x.example|y&gt; &amp;lt; &copy; &", "<https://x.example|y> &lt; &copy; &"),
            // Lines.
            ("a\r\n\n*b*", "a\n\nb(b)"),
        ] {
            assert_eq!(written(text), expected, "{text:?}");
        }
    }

    #[test]
    fn plain_text_interprets_only_links_and_entities() {
        for (text, expected) in [
            ("[FIRING] R&amp;D *a* `b`", "[FIRING] R&D *a* `b`"),
            ("<https://x.example|&lt;page&gt;> <", "<page> <"),
            ("<<<!here>>", "<<@here>"),
        ] {
            assert_eq!(plain(text), expected);
        }
    }

    #[test]
    fn a_huge_text_of_markers_is_parsed_quickly() {
        for text in
            ["*", " *a", "_*~", "<", "<!", "<https://", "`", "``", "` ", "```", "*a* ", " *_~a~_*", "&lt;"]
        {
            let mut huge = String::new();
            for _ in 0..300_000 / text.len() {
                write!(huge, "{text}").unwrap();
            }
            let spans: usize = parse(&huge).iter().map(Vec::len).sum();
            assert!(spans <= huge.len() && plain(&huge).len() <= huge.len());
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_fail_and_links_lead_only_to_the_web(text in "[*_~`<>|!@#&;a \n]{0,40}(<https?://[a|>*]{0,6})?.{0,9}") {
            for span in parse(&text).iter().flatten() {
                prop_assert!(!span.text.is_empty());
                if let Kind::Link(address) = &span.kind {
                    prop_assert!(address.starts_with("http://") || address.starts_with("https://"));
                }
            }
        }
    }
}
