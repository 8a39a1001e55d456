//! The spec's file as a tree with the place of every key and value. Serde stops at the first problem of a file; with a
//! tree, all problems can be found.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, Location, Spanned};

use super::place::Place;
use super::problem::Problem;

/// The keys, and numbers in lists, from the root to a value. A key may hold any text.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct KeyPath(Vec<String>);

impl KeyPath {
    /// The path of a value below this one.
    pub fn and(&self, key: impl fmt::Display) -> Self {
        Self(self.0.iter().cloned().chain([key.to_string()]).collect())
    }

    /// Whether it is the other path or below it.
    pub fn is_at_or_below(&self, above: &Self) -> bool {
        self.0.starts_with(&above.0)
    }

    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// From keys with dots between them: `app.port`.
impl From<&str> for KeyPath {
    fn from(keys: &str) -> Self {
        Self(keys.split('.').filter(|key| !key.is_empty()).map(str::to_owned).collect())
    }
}

impl From<String> for KeyPath {
    fn from(keys: String) -> Self {
        Self::from(keys.as_str())
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

/// A value of the file.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub value: Value,
    pub place: Place,
    /// The value's text in the file: offset and length in bytes.
    span: (usize, usize),
}

/// What a value is.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Integer(serde_json::Number),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// A key of a mapping. Duplicates are kept.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub text: String,
    pub place: Place,
}

/// How deep lists and mappings may be nested. A spec needs a quarter of it; the parser uses stack space for each level.
const DEEPEST: usize = 32;

impl Node {
    /// Reads a file.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let options = serde_saphyr::options! {
            duplicate_keys: DuplicateKeyPolicy::PassThrough,
            strict_booleans: true,
            // Its excerpts would show lines that may hold secrets.
            with_snippet: false,
            budget: serde_saphyr::budget! { max_depth: DEEPEST },
        };
        let mut root: Self = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
            let place = error.location().map(|location| place(location, 1));
            if is_too_deep(&error) {
                let message = format!("lists and mappings are nested more than {DEEPEST} levels deep");
                return Problem::new(place, message);
            }
            match place.and_then(|place| unquoted_template(text, place.line)) {
                Some(begin) => {
                    Problem::new(begin, "quote a text with `{{` in YAML: `summary: '{{ … }} is down'`")
                }
                None => Problem::new(place, format!("not valid YAML: {}", reason(&error))),
            }
        })?;
        root.measure(text);
        Ok(root)
    }

    /// The text of a plain number, as it was written.
    pub fn source<'a>(&self, text: &'a str) -> &'a str {
        let (start, length) = self.span;
        text.get(start..start + length).unwrap_or_default()
    }

    /// Whether it is a mapping with this key.
    pub fn has(&self, key: &str) -> bool {
        matches!(&self.value, Value::Map(entries) if entries.iter().any(|(found, _)| found.text == key))
    }

    /// The place of the value at a path of keys and numbers, or of the last existing key on the way.
    pub fn locate<'a>(&self, path: impl IntoIterator<Item = &'a str>) -> Place {
        let (mut node, mut found) = (self, self.place);
        for step in path {
            if let Value::List(items) = &node.value {
                // A missing item is shown by the last existing place on the way.
                let Some(item) = step.parse().ok().and_then(|index: usize| items.get(index)) else { break };
                (node, found) = (item, item.place);
                continue;
            }
            let Value::Map(entries) = &node.value else { break };
            let Some((key, value)) = entries.iter().find(|(key, _)| key.text == step) else { break };
            found =
                if matches!(value.value, Value::Map(_) | Value::List(_)) { key.place } else { value.place };
            node = value;
        }
        found
    }

    /// The value at a path of keys and numbers.
    pub fn get<'a>(&self, path: impl IntoIterator<Item = &'a str>) -> Option<&Self> {
        path.into_iter().try_fold(self, |node, step| match &node.value {
            // What is not a number names no item.
            Value::List(items) => step.parse().ok().and_then(|index: usize| items.get(index)),
            Value::Map(entries) => entries.iter().find(|(key, _)| key.text == step).map(|(_, value)| value),
            _ => None,
        })
    }

    /// The place in the file of a part of a template, such as a function: `at` is an offset in bytes of the value.
    /// Quotes and folds make value and file differ, but both have the same `{{`, so that the part is found from the one
    /// before it.
    pub fn place_of_action(&self, file: &str, at: usize, width: usize) -> Option<Place> {
        let Value::Text(value) = &self.value else { return None };
        let begin = value.get(..at + 2).or(value.get(..at))?.rfind("{{")?;
        let number = value.match_indices("{{").take_while(|(index, _)| *index < begin).count();
        let (start, length) = self.span;
        let source = file.get(start..start + length)?;
        let (action, _) = source.match_indices("{{").nth(number)?;
        let inside =
            value.get(begin..at).filter(|before| source[action..].starts_with(before)).map_or(0, str::len);
        let before = &file[..start + action + inside];
        let line_begin = before.rfind('\n').map_or(0, |end| end + 1);
        let line = before.matches('\n').count() + 1;
        Some(Place { line, column: before[line_begin..].chars().count() + 1, width })
    }

    /// Gives plain values the width of their first line.
    fn measure(&mut self, text: &str) {
        let first_line = self.source(text).lines().next().unwrap_or_default().trim_end();
        self.place.width = first_line.chars().count().max(1);
        match &mut self.value {
            Value::List(items) => items.iter_mut().for_each(|item| item.measure(text)),
            Value::Map(entries) => entries.iter_mut().for_each(|(_, value)| value.measure(text)),
            Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) | Value::Text(_) => {}
        }
    }
}

impl Value {
    /// What it is, in words.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a truth value",
            Self::Integer(_) => "a whole number",
            Self::Float(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }
}

/// The place of an unquoted text with `{{`, on the line of an error or just above it. YAML takes `{{` for nested
/// mappings and `: ` for the end of a key.
fn unquoted_template(text: &str, line: usize) -> Option<Place> {
    let around = text.lines().enumerate().take(line).skip(line.saturating_sub(2));
    around.filter_map(|(index, line)| Some((index, line, bare_value(line)?))).last().map(
        |(index, line, begin)| {
            let value = line[begin..].trim_end().chars().count();
            Place { line: index + 1, column: line[..begin].chars().count() + 1, width: value }
        },
    )
}

/// The start of a line's value, if it contains `{{` and neither it nor its context is quoted.
fn bare_value(line: &str) -> Option<usize> {
    let action = line.find("{{")?;
    let key = line[..action].find(": ").map(|colon| colon + 2);
    let begin = key.or_else(|| {
        line[..action].trim_start().starts_with("- ").then(|| line.find("- ").map_or(0, |at| at + 2))
    })?;
    let begin = begin + line[begin..].len() - line[begin..].trim_start().len();
    // In a mapping in braces the value belongs to the last key before it.
    let before = &line[begin..action];
    let is_quoted = line[begin..].starts_with(['"', '\'', '|', '>', '#', '&', '*', '!']);
    (!is_quoted && before.matches(['"', '\'']).count().is_multiple_of(2)).then_some(begin)
}

/// Whether the file is nested too deep. In brackets and braces the parser, which looks ahead, may report it first.
fn is_too_deep(error: &serde_saphyr::Error) -> bool {
    use serde_saphyr::budget::BudgetBreach;

    match error.without_snippet() {
        serde_saphyr::Error::Budget { breach, .. } => matches!(breach, BudgetBreach::Depth { .. }),
        other => other.to_string().contains("recursion limit exceeded"),
    }
}

/// The parser's message without the place, which is shown separately. It contains no text of the file.
fn reason(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    text.split(" at line ").next().unwrap_or_default().to_owned()
}

fn place(location: Location, width: usize) -> Place {
    let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    Place { line: number(location.line()), column: number(location.column()), width }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value, referenced, defined } = Spanned::<Value>::deserialize(deserializer)?;
        let span = defined.span();
        // A file is smaller than the memory.
        let bytes = |bytes: Option<u64>| bytes.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(0);
        Ok(Self {
            value,
            place: place(referenced, 1),
            span: (bytes(span.byte_offset()), bytes(span.byte_len())),
        })
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value, referenced, .. } = Spanned::<String>::deserialize(deserializer)?;
        let width = value.chars().count().max(1);
        Ok(Self { text: value, place: place(referenced, width) })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Integer(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Integer(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Value::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_knows_its_place() {
        let root = Node::parse("a:\n  ü: {b: 1.50}\nc: text\n").unwrap();
        let at = |path: &[&str]| {
            let place = root.locate(path.iter().copied());
            (place.line, place.column, place.width)
        };
        assert_eq!(at(&["a", "ü", "b"]), (2, 10, 4));
        assert_eq!(at(&["a", "ü", "missing"]), (2, 3, 1), "the last existing key");
        assert_eq!(at(&["c"]), (3, 4, 4));
        let list = Node::parse("a: [1, {b: 2}]\n").unwrap();
        assert_eq!(list.locate(["a", "1", "b"]).column, 12);
        assert_eq!(list.locate(["a", "9"]).column, 1);
    }

    #[test]
    fn a_part_of_a_template_has_its_place_however_the_text_is_written() {
        for (file, place) in [
            ("a: '{{ x }} {{ bad }}'\n", (1, 16)),
            ("a: {{ x }} {{ bad }} z\n".replace("a: {{", "a: y {{").as_str(), (1, 17)),
            ("a: |\n  {{ x }}\n  and {{ bad }}\n", (3, 10)),
            ("a: >-\n  {{ x }}\n  and\n  {{ bad }}\n", (4, 6)),
            ("a: \"{{ x }} ü {{ bad }}\"\n", (1, 18)),
            // A text with escapes is found by its action.
            ("a: \"{{ x }} {{ print \\\"y\\\" bad }}\"\n", (1, 13)),
        ] {
            let root = Node::parse(file).unwrap();
            let Some(node) = root.get(["a"]) else { panic!("{file}") };
            let Value::Text(text) = &node.value else { panic!("{file}") };
            let found = node.place_of_action(file, text.find("bad").unwrap(), 3).unwrap();
            assert_eq!((found.line, found.column, found.width), (place.0, place.1, 3), "{file}");
        }
    }

    #[test]
    fn duplicate_keys_are_kept() {
        let Value::Map(entries) = Node::parse("a: 1\na: 2\n").unwrap().value else { panic!("not a mapping") };
        assert_eq!(entries.len(), 2);
    }

    #[test]
    fn a_template_without_quotes_gets_a_hint_wherever_yaml_fails() {
        for (text, line, column) in [
            ("a:\n  summary: {{ $labels.instance }} is down\n", 2, 12),
            ("a:\n  summary: {{ $value }}\nb: 1\n", 2, 12),
            ("a:\n  - {{ $value }} of it\n", 2, 5),
            ("a: CPU: {{ $value }}\n", 1, 4),
            ("a: {b: 1, c: {{ $value }} x}\n", 1, 4),
        ] {
            let problem = Node::parse(text).unwrap_err();
            assert!(problem.message.contains("quote a text with `{{` in YAML"), "{text}: {problem:?}");
            let place = problem.place.unwrap();
            assert_eq!((place.line, place.column), (line, column), "{text}");
        }
        for text in ["a: '{{ $value }}'\nb: [\n", "a: {{ x\n\n\n\nb: [1\nc: 2\n", "a: b: c\n"] {
            let problem = Node::parse(text).unwrap_err();
            assert!(problem.message.starts_with("not valid YAML"), "{text}: {problem:?}");
        }
    }

    #[test]
    fn a_file_that_is_too_deep_is_refused_at_its_place_before_the_stack_ends() {
        // Tests run on a stack of 2 MiB, a part of what the command's thread has.
        let nested = [
            format!("a:\n  - {}1{}\n", "[".repeat(5_000), "]".repeat(5_000)),
            format!("a:\n  - {}1{}\n", "{b: ".repeat(50), "}".repeat(50)),
            (0..60).map(|depth| "  ".repeat(depth) + "a:\n").collect(),
        ];
        for text in &nested {
            let problem = Node::parse(text).unwrap_err();
            assert!(problem.message.contains("more than 32 levels deep"), "{problem:?}");
            assert!(problem.place.is_some(), "{problem:?}");
        }
        let deepest = format!("{}1{}\n", "[".repeat(DEEPEST - 1), "]".repeat(DEEPEST - 1));
        assert!(Node::parse(&deepest).is_ok());
    }

    #[test]
    fn invalid_yaml_has_a_place() {
        for (text, line) in [("a: [1\nb: 2\n", 2), ("a: b: c\n", 1), ("a: 1\n---\nb: 2\n", 3)] {
            let problem = Node::parse(text).unwrap_err();
            assert_eq!(problem.place.unwrap().line, line, "{problem:?}");
        }
    }
}
