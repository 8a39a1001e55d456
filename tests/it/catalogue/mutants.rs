//! Small changes of a rule: each operator, number, range and label matcher of its expression, and its `for`.

use monctl::duration::PromDuration;
use monctl::render::Rule;

/// What is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Operator,
    /// A number, thresholds among them.
    Number,
    Hold,
    /// A range or an offset.
    Range,
    /// A matcher, or a label in `by` and `on`.
    Label,
}

impl Kind {
    pub const ALL: [Self; 5] = [Self::Operator, Self::Number, Self::Hold, Self::Range, Self::Label];
}

/// A rule with one change.
pub struct Mutant {
    pub kind: Kind,
    /// The change, as text.
    pub change: String,
    pub rule: Rule,
}

/// All mutants of a rule.
pub fn mutants(rule: &Rule, evaluation: PromDuration) -> Vec<Mutant> {
    let tokens = tokens(&rule.expr);
    let mut found: Vec<Mutant> = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        let place = context(&tokens, index);
        for other in others(token, place) {
            let before: String = tokens[..index].concat();
            let after: String = tokens[index + 1..].concat();
            found.push(Mutant {
                kind: kind(token, place),
                change: format!("`{}` → `{}` in {}", token.trim(), other.trim(), excerpt(&before, &after)),
                rule: Rule { expr: format!("{before}{other}{after}"), ..rule.clone() },
            });
        }
    }
    for (from, to, expr) in without_matchers(&tokens) {
        let change = format!("`{from}` → `{to}`");
        found.push(Mutant { kind: Kind::Label, change, rule: Rule { expr, ..rule.clone() } });
    }
    found.extend(holds(rule, evaluation));
    found
}

/// One evaluation more or less.
fn holds(rule: &Rule, evaluation: PromDuration) -> Vec<Mutant> {
    let (hold, step) = (rule.hold.unwrap().as_millis(), evaluation.as_millis());
    let others = [Some(hold + step), hold.checked_sub(step), Some(hold * 2)];
    let different = others.into_iter().flatten().filter(|other| *other != hold);
    different
        .map(|other| {
            let other = PromDuration::millis(other);
            let change = format!("`for: {}` → `for: {other}`", rule.hold.unwrap());
            Mutant { kind: Kind::Hold, change, rule: Rule { hold: Some(other), ..rule.clone() } }
        })
        .collect()
}

/// The context of a token.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Braces,
    Brackets,
    Offset,
    Labels,
    /// In `vector(…)`, whose value is irrelevant: an alert fires with any.
    Vector,
    Open,
}

fn context(tokens: &[String], index: usize) -> Place {
    let before = &tokens[..index];
    let open = |begin: &str, end: &str| {
        let last = |mark: &str| before.iter().rposition(|token| token == mark);
        last(begin) > last(end)
    };
    let words: Vec<&String> = before.iter().filter(|token| !token.trim().is_empty()).collect();
    if open("{", "}") {
        Place::Braces
    } else if open("[", "]") {
        Place::Brackets
    } else if words.last().is_some_and(|word| *word == "offset") {
        Place::Offset
    } else if let [.., word, bracket] = words.as_slice()
        && *bracket == "("
        && (*word == "by" || *word == "on")
    {
        Place::Labels
    } else if let [.., word, bracket] = words.as_slice()
        && *bracket == "("
        && *word == "vector"
    {
        Place::Vector
    } else {
        Place::Open
    }
}

const fn kind_of_place(place: Place) -> Option<Kind> {
    match place {
        Place::Braces | Place::Labels => Some(Kind::Label),
        Place::Brackets | Place::Offset => Some(Kind::Range),
        Place::Vector | Place::Open => None,
    }
}

fn kind(token: &str, place: Place) -> Kind {
    let is_number = token.starts_with(|c: char| c.is_ascii_digit());
    kind_of_place(place).unwrap_or(if is_number { Kind::Number } else { Kind::Operator })
}

/// Replacements for a token, without those that are equivalent for every possible value.
fn others(token: &str, place: Place) -> Vec<String> {
    let words: &[&str] = match (place, token) {
        (Place::Braces, "=") => &["!="],
        (Place::Braces, "!=") => &["="],
        (Place::Braces, "=~") => &["!~"],
        (Place::Braces, "!~") => &["=~"],
        (Place::Braces, value) if value.starts_with('"') => return values(value),
        (Place::Braces, _) => &[],
        (Place::Brackets | Place::Offset, range) => return ranges(range),
        (_, ">") => &[">=", "<"],
        (_, "<") => &["<=", ">"],
        (_, "==") => &["!=", ">"],
        (_, "+") => &["-"],
        (_, "-") => &["+"],
        (_, "*") => &["/"],
        (_, "/") => &["*"],
        (_, "and") => &["or", "unless"],
        (_, "or") => &["and", "unless"],
        (_, "unless") => &["and", "or"],
        (Place::Vector, _) => &[],
        (_, number) => return numbers(number),
    };
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Another value, and each alternative of a regular expression left out.
fn values(value: &str) -> Vec<String> {
    let inside = value.trim_matches('"');
    let mut others = vec!["\"another\"".to_owned()];
    let (before, list, after) = match (inside.find('('), inside.find(')')) {
        (Some(open), Some(close)) => (&inside[..=open], &inside[open + 1..close], &inside[close..]),
        _ => ("", inside, ""),
    };
    let alternatives: Vec<&str> = list.split('|').collect();
    if alternatives.len() > 1 {
        for index in 0..alternatives.len() {
            let mut rest = alternatives.clone();
            rest.remove(index);
            others.push(format!("\"{before}{}{after}\"", rest.join("|")));
        }
    }
    others
}

fn ranges(range: &str) -> Vec<String> {
    // Of a subquery, which evaluates each scrape once, only the range.
    if let Some((range, step)) = range.split_once(':') {
        return ranges(range).into_iter().map(|range| format!("{range}:{step}")).collect();
    }
    let Ok(range) = range.parse::<PromDuration>() else { return Vec::new() };
    let millis = range.as_millis();
    [millis * 2, millis / 2].map(|other| PromDuration::millis(other).to_string()).into()
}

/// A small whole number plus and minus one; 10 % more and less of any other.
fn numbers(number: &str) -> Vec<String> {
    let Ok(value) = number.parse::<f64>() else { return Vec::new() };
    let small = value.fract() == 0.0 && value <= 100.0;
    let pair = if small { [value + 1.0, value - 1.0] } else { [value * 1.1, value * 0.9] };
    pair.map(|other| if other < 0.0 { format!("({other})") } else { other.to_string() }).into()
}

/// The expression without one of its label matchers, or without one label of `by` and `on`.
fn without_matchers(tokens: &[String]) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    for index in 0..tokens.len() {
        let is_name = tokens[index].starts_with(|c: char| c.is_ascii_alphabetic());
        let (length, whole) = match context(tokens, index) {
            Place::Braces if is_name => (3, tokens[index..index + 3].concat()),
            Place::Labels if is_name => (1, tokens[index].clone()),
            _ => continue,
        };
        let is_comma = |token: Option<&String>| token.is_some_and(|token| token == ",");
        let mut end = index + length;
        while is_comma(tokens.get(end)) || tokens.get(end).is_some_and(|token| token.trim().is_empty()) {
            end += 1;
        }
        let rest = format!("{}{}", tokens[..index].concat(), tokens[end..].concat());
        // A trailing comma is valid in braces but not in brackets, where only the first label is removed.
        found.push((whole, String::new(), rest));
    }
    found
}

/// A few characters on both sides, to find the place.
fn excerpt(before: &str, after: &str) -> String {
    let start = before.char_indices().rev().nth(24).map_or(0, |(at, _)| at);
    let end = after.char_indices().nth(24).map_or(after.len(), |(at, _)| at);
    format!("…{}⋯{}…", &before[start..], &after[..end])
}

/// `PromQL` split into pieces that together are the expression.
pub fn tokens(expr: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = expr;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => 2 + rest[1..].find('"').unwrap(),
            c if c.is_ascii_alphanumeric() || c == '_' => {
                rest.find(|c: char| !(c.is_ascii_alphanumeric() || "_:.".contains(c))).unwrap_or(rest.len())
            }
            c if c.is_whitespace() => rest.find(|c: char| !c.is_whitespace()).unwrap_or(rest.len()),
            _ if ["==", "!=", ">=", "<=", "=~", "!~"].iter().any(|two| rest.starts_with(two)) => 2,
            c => c.len_utf8(),
        };
        let (token, behind) = rest.split_at(length);
        tokens.push(token.to_owned());
        rest = behind;
    }
    tokens
}
