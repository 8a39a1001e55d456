//! The line that a problem is on, with carets below, unless it may hold a secret.
//!
//! The rule is conservative and looks at the text alone, so that it also works where the file is not valid YAML: a
//! line is shown if each key on it, and each key above it, is a known key without secrets or a typo of one. An
//! unknown key is shown without its value.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::LazyLock;

use super::place::Place;
use super::schema::json_schema;

/// What a message shows of the file around a problem.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Excerpt {
    line: ShownLine,
    place: Place,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ShownLine {
    /// The whole line.
    Line(String),
    /// The line up to its first key.
    Key(String),
    /// Nothing.
    Hidden,
}

/// Keys whose values may be secrets, at any depth.
const SECRET: [&str; 10] =
    ["env", "webhook_url", "bot_token", "token", "file", "command", "auth", "basic", "bearer", "password"];

/// Parts of an unknown key's name that suggest a secret.
const SUSPICIOUS: [&str; 8] = ["secret", "token", "pass", "pwd", "key", "cred", "auth", "webhook"];

/// Keys below which the user chooses the keys, none of which hold secrets.
const FREE: [&str; 4] = ["alerts", "annotations", "labels", "versions"];

/// Keys below which the user chooses the keys, each of which has known keys below it.
const NAMED: [&str; 1] = ["targets"];

static KNOWN: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let mut known = BTreeSet::new();
    collect(json_schema(), &mut known);
    known
});

fn collect(schema: &serde_json::Value, known: &mut BTreeSet<String>) {
    match schema {
        serde_json::Value::Object(members) => {
            if let Some(serde_json::Value::Object(properties)) = members.get("properties") {
                known.extend(properties.keys().cloned());
            }
            members.values().for_each(|member| collect(member, known));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| collect(item, known)),
        _ => {}
    }
}

impl Excerpt {
    pub fn of(text: &str, place: Place) -> Self {
        let lines: Vec<&str> = text.lines().collect();
        Self { line: shown(&lines, place.line.saturating_sub(1)), place }
    }

    /// The same of a file that holds no secrets.
    pub fn of_public(text: &str, place: Place) -> Self {
        let line = text.lines().nth(place.line.saturating_sub(1));
        let line = line.map_or(ShownLine::Hidden, |line| ShownLine::Line(printable(line.trim_end())));
        Self { line, place }
    }

    /// Whether a message may quote the text at this place.
    pub fn is_quotable(&self) -> bool {
        matches!(self.line, ShownLine::Line(_))
    }
}

fn shown(lines: &[&str], index: usize) -> ShownLine {
    let Some(line) = lines.get(index) else { return ShownLine::Hidden };
    let above = lines_above(lines, index);
    let Some(way) = way_is_open(above.iter().copied(), Way::default()) else { return ShownLine::Hidden };
    let first = keys(line).next();
    if line.contains("://") || above.is_empty() && first.is_none() {
        return ShownLine::Hidden;
    }
    if way_is_open([*line], way).is_some() {
        return ShownLine::Line(printable(line.trim_end()));
    }
    match first.filter(|key| block(line).starts_with(key)) {
        Some(key) => {
            let end = line.find(key).unwrap_or_default() + key.len();
            ShownLine::Key(printable(&line[..end]))
        }
        None => ShownLine::Hidden,
    }
}

/// The text with each control character replaced by one column, to align the carets and protect the terminal.
fn printable(line: &str) -> String {
    line.chars()
        .map(|c| {
            if c == '\t' {
                ' '
            } else if c.is_control() {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

/// What the keys above a line say about it.
#[derive(Debug, Clone, Copy, Default)]
struct Way {
    /// The user chooses the keys.
    is_free: bool,
    /// The user chooses the first key.
    is_named: bool,
}

/// Checks lines, each nested in the one before: none if one may hold a secret.
fn way_is_open<'a>(lines: impl IntoIterator<Item = &'a str>, mut way: Way) -> Option<Way> {
    for line in lines {
        // In a mapping in braces, what follows a key need not be nested in it.
        let first = keys(line).next().filter(|key| block(line).starts_with(key));
        way.is_free |= first.is_some_and(|key| FREE.contains(&key));
        let is_name = |key: &str| way.is_named && first == Some(key) && !is_suspicious(key);
        let open = |key: &str| !SECRET.contains(&key) && (way.is_free || is_open(key) || is_name(key));
        if !keys(line).all(open) {
            return None;
        }
        way.is_named = first.is_some_and(|key| NAMED.contains(&key)) && line.trim_end().ends_with(':');
    }
    Some(way)
}

fn is_suspicious(key: &str) -> bool {
    let lower = key.to_lowercase();
    SUSPICIOUS.iter().any(|part| lower.contains(part))
}

/// A line without its indentation and the dash of a list's item.
fn block(line: &str) -> &str {
    line.trim_start().trim_start_matches("- ")
}

/// The parent lines of a line, by indentation, outermost first.
fn lines_above<'a>(lines: &[&'a str], index: usize) -> Vec<&'a str> {
    let mut depth = indentation(lines[index]);
    let mut item = is_item(lines[index]);
    let mut found = Vec::new();
    for line in lines[..index].iter().rev().filter(|line| !is_blank(line)) {
        // A list may stand at the same depth as its key.
        if indentation(line) < depth || item && indentation(line) == depth && !is_item(line) {
            depth = indentation(line);
            item = is_item(line);
            found.push(*line);
        }
    }
    found.reverse();
    found
}

fn is_item(line: &str) -> bool {
    line.trim_start().starts_with('-')
}

fn is_blank(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with('#')
}

fn indentation(line: &str) -> usize {
    line.chars().take_while(|c| c.is_whitespace()).count()
}

/// Every word before a colon: all of YAML's keys, and possibly more.
fn keys(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices(':').filter_map(move |(colon, _)| {
        let before = line[..colon].trim_end_matches(['"', '\'', ' ']);
        let start = before
            .rfind(|c: char| !is_word(c))
            .map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
        Some(&before[start..]).filter(|word| !word.is_empty())
    })
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.')
}

/// Whether the key is known to hold no secrets, or is a typo of such a key.
fn is_open(key: &str) -> bool {
    let lower = key.to_lowercase();
    if KNOWN.contains(key) {
        return !SECRET.contains(&key);
    }
    if is_suspicious(key) {
        return false;
    }
    let slips = match key.chars().count() {
        ..4 => 0,
        4..6 => 1,
        _ => 2,
    };
    let distance = |known: &&String| strsim::damerau_levenshtein(&lower, known);
    let nearest = KNOWN.iter().min_by_key(distance);
    nearest.is_some_and(|known| distance(&known) <= slips && !SECRET.contains(&known.as_str()))
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { line, column, width } = self.place;
        let number = format!("{line:>5}");
        // A problem at the end of a line has its caret behind it; one in a value left out, below the ellipsis.
        let (text, last) = match &self.line {
            ShownLine::Line(text) => (text.clone(), text.chars().count() + 1),
            ShownLine::Key(text) => (format!("{text}: …"), text.chars().count() + 3),
            ShownLine::Hidden => return write!(f, "{number} | (not shown: the line may hold a secret)"),
        };
        let column = column.clamp(1, last);
        let width = width.clamp(1, (last - column).max(1));
        write!(f, "{number} | {text}\n      | {}{}", " ".repeat(column - 1), "^".repeat(width))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, line: usize) -> ShownLine {
        shown(&text.lines().collect::<Vec<_>>(), line - 1)
    }

    #[test]
    fn lines_of_known_keys_are_shown() {
        let text = "project: A b\napp:\n  port: x\nalerts:\n  HighCPU: {abov: 3}\n  Own:\n    expr: a:b\n";
        for line in [1, 2, 3, 4, 5, 6, 7] {
            assert!(matches!(of(text, line), ShownLine::Line(_)), "{line}");
        }
        let text = "monitoring:\n  targets:\n    db:\n      path: /x\n      labels: {team: a}\n";
        for line in [3, 4, 5] {
            assert!(matches!(of(text, line), ShownLine::Line(_)), "{line}");
        }
    }

    #[test]
    fn a_typo_is_shown_and_an_unknown_key_without_its_value() {
        assert_eq!(of("prot: 80", 1), ShownLine::Line("prot: 80".into()));
        assert_eq!(of("colour: hunter2", 1), ShownLine::Key("colour".into()));
        assert_eq!(of("app:\n  password: hunter2", 2), ShownLine::Key("  password".into()));
        assert_eq!(of("app:\n  SECRET_KEY: hunter2", 2), ShownLine::Key("  SECRET_KEY".into()));
        let target = |line: &str| of(&format!("monitoring:\n  targets:\n    {line}"), 3);
        assert_eq!(target("db: {auth: {bearer: hunter2}}"), ShownLine::Key("    db".into()));
        assert_eq!(of("monitoring:\n  targets: {\n    db: hunter2", 3), ShownLine::Key("    db".into()));
        assert_eq!(target("db_password: hunter2"), ShownLine::Key("    db_password".into()));
    }

    #[test]
    fn nothing_of_a_line_that_may_hold_a_secret_is_shown() {
        for (text, line) in [
            ("hunter2", 1),
            ("channel: https://hooks/hunter2", 1),
            ("app:\n  env:\n    PORT: hunter2", 3),
            ("app:\n  env:\n    port: hunter2", 3),
            ("app:\n  env: {\n    port: hunter2", 3),
            ("app: {env: {\n    port: hunter2", 2),
            ("app:\n  enviroment:\n    port: hunter2", 3),
            ("notify:\n  slack:\n    webhook_url:\n      hunter2", 4),
            ("notify:\n  slack:\n    webhook_url: {command:\n      [hunter2]}", 4),
            ("a:\n  command:\n  - hunter2", 3),
            ("monitoring:\n  targets:\n    db:\n      auth:\n        basic:\n          password: hunter2", 6),
            ("grafana:\n  token:\n    hunter2", 3),
            ("app:\n  env:\n    A: |\n      hunter2: x\n", 4),
        ] {
            assert_eq!(of(text, line), ShownLine::Hidden, "{text}");
        }
    }

    #[test]
    fn no_value_is_shown_next_to_a_key_that_may_hold_a_secret() {
        for text in [
            "webhook_url: hunter2",
            "webhok_url: hunter2",
            "grafana: {token: hunter2}",
            "grafana: {tokn: hunter2}",
            "app: {env: {A: hunter2}}",
            "app: {enviroment: {A: hunter2}}",
            "env: {A: hunter2, B: x: y}",
            "\tenv: hunter2",
            "\"webhook_url\": hunter2",
            "{alerts: {}, enviroment: {A: hunter2}}",
            "{alerts: {}, app: {\n   enviroment: {A: hunter2",
        ] {
            let place = Place { line: text.lines().count(), column: 1, width: 3 };
            assert!(!Excerpt::of(text, place).to_string().contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(of("project: \u{1b}[2J", 1), ShownLine::Line("project: \u{fffd}[2J".into()));
    }

    #[test]
    fn carets_mark_the_value() {
        let excerpt = Excerpt::of("app:\n  port: 99999\n", Place { line: 2, column: 9, width: 5 });
        assert_eq!(excerpt.to_string(), "    2 |   port: 99999\n      |         ^^^^^");
    }
}
