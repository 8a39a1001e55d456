//! Checks the file against the JSON Schema: keys, types, ranges, patterns. Finds every problem and puts a placeholder
//! in its place, so that the spec's meaning can be checked in the same run.
//!
//! The schema is the only description of the format: editors and monctl report the same problems.

use std::collections::BTreeSet;
use std::net::IpAddr;

use regex::Regex;
use serde_json::{Map, Value as Json};

use super::app_names::ProcessName;
use super::ec2_names::TagKey;
use super::excerpt::Excerpt;
use super::names::{AlertName, Cidr, Destination, EnvName, JobName, LabelName, SeverityName};
use super::place::Place;
use super::problem::Problem;
use super::suggest::suggestion;
use super::tree::{Key, KeyPath, Node, Value};
use crate::host::Role;

/// The content of a file, with its problems.
pub(super) struct Repaired {
    /// The file's values; valid placeholders where one is missing or wrong.
    pub json: Json,
    /// Paths (`app.port`) with placeholders instead of the user's values: findings below them are dropped.
    pub faulty: BTreeSet<KeyPath>,
    pub problems: Vec<Problem>,
}

/// Walks the tree along the schema.
pub(super) fn check(schema: &Json, root: &Node, text: &str, excerpt: fn(&str, Place) -> Excerpt) -> Repaired {
    let mut walk = Walk { schema, text, excerpt, faulty: BTreeSet::new(), problems: Vec::new() };
    let json = walk.value(schema, root, &KeyPath::default()).unwrap_or_else(|| walk.stand_in(schema));
    Repaired { json, faulty: walk.faulty, problems: walk.problems }
}

struct Walk<'a> {
    schema: &'a Json,
    text: &'a str,
    excerpt: fn(&str, Place) -> Excerpt,
    faulty: BTreeSet<KeyPath>,
    problems: Vec<Problem>,
}

/// A value, or the message about a problem with it; problems of nested values are recorded where they are found.
type Read = Result<Json, String>;

impl<'a> Walk<'a> {
    /// The value as JSON; none if it is wrong, with the problem recorded.
    fn value(&mut self, schema: &'a Json, node: &Node, path: &KeyPath) -> Option<Json> {
        self.read(schema, node, path)
            .map_err(|message| {
                self.problems.push(Problem::new(node.place, message));
                self.faulty.insert(path.clone());
            })
            // The problem is recorded above.
            .ok()
    }

    fn read(&mut self, schema: &'a Json, node: &Node, path: &KeyPath) -> Read {
        let leaves = self.leaves(schema);
        let mut fitting: Vec<&Json> = leaves.iter().copied().filter(|leaf| fits(leaf, &node.value)).collect();
        if fitting.is_empty() && is_plain(&node.value) {
            // What looks like a number is text where text is expected, as in YAML's own schema.
            fitting = leaves.iter().copied().filter(|leaf| leaf["type"] == "string").collect();
        }
        match (fitting.as_slice(), &node.value) {
            ([], Value::Null) => {
                let expected = expectation(&leaves);
                Err(format!("expected {expected}, found nothing; leave the key out to use its default"))
            }
            ([], value) => Err(format!("expected {}, found {}", expectation(&leaves), value.kind())),
            ([leaf], _) if leaf.get("const").is_none() => self.leaf(leaf, node, path),
            (forms, Value::Map(entries)) => match (tag(forms), form(forms, entries)) {
                (Some(tag), _) => self.tagged(tag, forms, entries, node, path),
                (None, Some(leaf)) => self.leaf(leaf, node, path),
                (None, None) => Err(format!("expected {}", expectation(forms))),
            },
            (words, _) => self.word(words, &leaves, node),
        }
    }

    /// A mapping whose form is chosen by the word of one of its keys, the tag.
    fn tagged(
        &mut self,
        tag: &str,
        forms: &[&'a Json],
        entries: &[(Key, Node)],
        node: &Node,
        path: &KeyPath,
    ) -> Read {
        let words: Vec<&Json> = forms.iter().map(|form| &form["properties"][tag]).collect();
        let Some((_, chosen)) = entries.iter().find(|(key, _)| key.text == tag) else {
            return Err(format!("`{tag}` is missing; expected {}", expectation(&words)));
        };
        match self.word(&words, &words, chosen) {
            Ok(word) => match forms.iter().find(|form| form["properties"][tag]["const"] == word) {
                Some(form) => self.leaf(form, node, path),
                None => Err(format!("expected {}", expectation(&words))),
            },
            Err(message) => {
                self.problem(chosen.place, message);
                self.faulty.insert(path.clone());
                Ok(self.stand_in(forms[0]))
            }
        }
    }

    fn leaf(&mut self, leaf: &'a Json, node: &Node, path: &KeyPath) -> Read {
        match &node.value {
            Value::Null => Ok(Json::Null),
            Value::Bool(_) | Value::Integer(_) | Value::Float(_) if leaf["type"] == "string" => {
                self.string(leaf, node.source(self.text), node.place)
            }
            Value::Bool(value) => Ok((*value).into()),
            Value::Integer(value) => in_range(leaf, value.as_f64()).map(|()| value.clone().into()),
            Value::Float(value) => in_range(leaf, Some(*value)).map(|()| (*value).into()),
            Value::Text(text) => self.string(leaf, text, node.place),
            Value::List(items) => Ok(self.list(leaf, items, path)),
            Value::Map(entries) => Ok(self.map(leaf, entries, node.place, path)),
        }
    }

    fn string(&self, leaf: &Json, text: &str, place: Place) -> Read {
        let matches = |pattern: &str| Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(text));
        let rule = if !leaf["pattern"].as_str().is_none_or(matches) {
            leaf["patternErrorMessage"].as_str().unwrap_or("it has another format").to_owned()
        } else if let Err(rule) = has_format(leaf, text) {
            rule
        } else {
            return Ok(text.into());
        };
        Err(format!("{} is not valid: {rule}", self.quoted(text, place)))
    }

    /// One of some words. `leaves` are all alternatives, including mappings.
    fn word(&self, words: &[&Json], leaves: &[&Json], node: &Node) -> Read {
        let text = node.source(self.text);
        let text = if let Value::Text(text) = &node.value { text } else { text };
        let known = || words.iter().filter_map(|word| word["const"].as_str());
        if known().any(|word| word == text) {
            return Ok(text.into());
        }
        let quoted = self.quoted(text, node.place);
        if leaves.iter().any(|leaf| leaf["properties"].get(text).is_some()) {
            return Err(format!("{quoted} has settings: write `{{{text}: {{…}}}}`"));
        }
        Err(format!("{quoted} is not known; expected {}{}", expectation(leaves), suggestion(text, known())))
    }

    fn list(&mut self, leaf: &'a Json, items: &[Node], path: &KeyPath) -> Json {
        let values = items.iter().enumerate().map(|(index, item)| {
            let path = path.and(index);
            self.value(&leaf["items"], item, &path).unwrap_or_else(|| self.stand_in(&leaf["items"]))
        });
        Json::Array(values.collect())
    }

    fn map(&mut self, leaf: &'a Json, entries: &[(Key, Node)], place: Place, path: &KeyPath) -> Json {
        let mut values = Map::new();
        let mut seen: Vec<&Key> = Vec::new();
        for (key, node) in entries {
            if let Some(first) = seen.iter().find(|first| first.text == key.text) {
                let line = first.place.line;
                self.problem(key.place, format!("{} is a duplicate; first on line {line}", named(key)));
                continue;
            }
            seen.push(key);
            let path = path.and(&key.text);
            match schema_of(leaf, &key.text) {
                Some(schema) => match self.value(schema, node, &path) {
                    Some(value) => drop(values.insert(key.text.clone(), value)),
                    None if is_required(leaf, &key.text) => {
                        drop(values.insert(key.text.clone(), self.stand_in(schema)));
                    }
                    None => {}
                },
                None => self.unknown(leaf, key),
            }
        }
        self.missing(leaf, &mut values, place, path);
        Json::Object(values)
    }

    fn unknown(&mut self, leaf: &Json, key: &Key) {
        let named = named(key);
        let message = match leaf["properties"].as_object() {
            Some(known) => {
                let near = suggestion(&key.text, known.keys().map(String::as_str));
                let rule = || format!("; for your own, {}", rule_of_keys(leaf));
                let own = leaf.get("patternProperties").map_or(String::new(), |_| rule());
                format!("{named} is not known here{near}{own}")
            }
            None => format!("{named} is not valid: {}", rule_of_keys(leaf)),
        };
        self.problem(key.place, message);
    }

    /// Reports missing required keys, and adds placeholders.
    fn missing(&mut self, leaf: &'a Json, values: &mut Map<String, Json>, place: Place, path: &KeyPath) {
        for name in leaf["required"].as_array().into_iter().flatten().filter_map(Json::as_str) {
            if !values.contains_key(name) {
                let of = if *path == KeyPath::default() { String::new() } else { format!(" in `{path}`") };
                self.problem(place, format!("`{name}` is missing{of}"));
                self.faulty.insert(path.and(name));
                values.insert(name.to_owned(), self.stand_in(&leaf["properties"][name]));
            }
        }
    }

    /// A placeholder that the schema accepts.
    fn stand_in(&self, schema: &Json) -> Json {
        let Some(leaf) = self.leaves(schema).first().copied() else { return Json::Null };
        let given = leaf.get("const").or_else(|| leaf["examples"].get(0));
        given.cloned().unwrap_or_else(|| match leaf["type"].as_str() {
            Some("string") => "".into(),
            Some("integer" | "number") => leaf.get("minimum").cloned().unwrap_or_else(|| 0.into()),
            Some("boolean") => false.into(),
            Some("array") => Json::Array(Vec::new()),
            Some("object") => {
                let required = leaf["required"].as_array().into_iter().flatten().filter_map(Json::as_str);
                let member = |name: &str| (name.to_owned(), self.stand_in(&leaf["properties"][name]));
                required.map(member).collect::<Map<_, _>>().into()
            }
            _ => Json::Null,
        })
    }

    fn problem(&mut self, place: Place, message: String) {
        self.problems.push(Problem::new(place, message));
    }

    /// A value as a message may show it.
    fn quoted(&self, text: &str, place: Place) -> String {
        let fits = text.chars().count() <= 60 && !text.contains(char::is_control);
        if fits && (self.excerpt)(self.text, place).is_quotable() {
            format!("`{text}`")
        } else {
            "the value".to_owned()
        }
    }

    fn resolve(&self, schema: &'a Json) -> &'a Json {
        match schema["$ref"].as_str().and_then(|target| target.strip_prefix("#/$defs/")) {
            Some(name) => self.resolve(&self.schema["$defs"][name]),
            None => schema,
        }
    }

    /// The schema's alternatives, those of alternatives included.
    fn leaves(&self, schema: &'a Json) -> Vec<&'a Json> {
        let schema = self.resolve(schema);
        match schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Json::as_array) {
            Some(alternatives) => alternatives.iter().flat_map(|schema| self.leaves(schema)).collect(),
            None => vec![schema],
        }
    }
}

/// The schema of a key's value.
fn schema_of<'a>(leaf: &'a Json, key: &str) -> Option<&'a Json> {
    let by_pattern = || {
        let patterns = leaf["patternProperties"].as_object()?;
        let fits = |pattern: &str| Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(key));
        patterns.iter().find(|(pattern, _)| fits(pattern)).map(|(_, schema)| schema)
    };
    let other = || leaf.get("additionalProperties").filter(|schema| schema.is_object());
    leaf["properties"].get(key).or_else(by_pattern).or_else(other)
}

/// The rule for the keys of a mapping that the user chooses.
fn rule_of_keys(leaf: &Json) -> &'static str {
    let is_meant = |pattern: &str| leaf["patternProperties"].get(pattern).is_some();
    let rules = [
        AlertName::RULE,
        EnvName::RULE,
        JobName::RULE,
        LabelName::RULE,
        ProcessName::RULE,
        SeverityName::RULE,
        TagKey::RULE,
        Role::RULE,
    ];
    rules.into_iter().find(|(pattern, _)| is_meant(pattern)).map_or("it has another format", |(_, hint)| hint)
}

/// A key as a message may show it: only if it is a word, since pasted text may be a secret.
fn named(key: &Key) -> String {
    let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ');
    if key.text.chars().count() <= 40 && key.text.chars().all(word) {
        format!("the key `{}`", key.text)
    } else {
        "the key".to_owned()
    }
}

/// Whether a leaf accepts the value's type. A schema without a type accepts anything.
fn fits(leaf: &Json, value: &Value) -> bool {
    let accepts = |name: &str| match &leaf["type"] {
        Json::String(kind) => kind == name,
        Json::Array(kinds) => kinds.iter().any(|kind| kind == name),
        _ => true,
    };
    match value {
        Value::Null => accepts("null"),
        Value::Bool(_) => accepts("boolean"),
        Value::Integer(_) => accepts("integer") || accepts("number"),
        Value::Float(_) => accepts("number"),
        Value::Text(_) => accepts("string"),
        Value::List(_) => accepts("array"),
        Value::Map(_) => accepts("object"),
    }
}

const fn is_plain(value: &Value) -> bool {
    matches!(value, Value::Bool(_) | Value::Integer(_) | Value::Float(_))
}

/// The key whose word distinguishes the alternatives of a mapping.
fn tag<'a>(forms: &[&'a Json]) -> Option<&'a str> {
    let names = forms.first()?["properties"].as_object()?.keys();
    let distinguishes =
        |name: &&String| forms.iter().all(|form| form["properties"][name.as_str()].get("const").is_some());
    names.into_iter().find(distinguishes).map(String::as_str)
}

/// The alternative of a mapping that its only key selects.
fn form<'a>(forms: &[&'a Json], entries: &[(Key, Node)]) -> Option<&'a Json> {
    let [(key, _)] = entries else { return None };
    forms.iter().copied().find(|form| form["properties"].get(&key.text).is_some())
}

/// What the alternatives accept, in words.
fn expectation(leaves: &[&Json]) -> String {
    let mut keys: Vec<String> = leaves
        .iter()
        .filter(|leaf| leaves.len() > 1 && leaf["type"] == "object")
        .filter_map(|leaf| leaf["required"][0].as_str().map(|key| format!("`{key}`")))
        .collect();
    keys.dedup();
    let mut words: Vec<String> = Vec::new();
    for leaf in leaves {
        let kind = leaf["type"].get(0).unwrap_or(&leaf["type"]).as_str();
        let word = match (leaf["const"].as_str(), kind) {
            (Some(word), _) => format!("`{word}`"),
            (_, Some("string")) => "text".to_owned(),
            (_, Some("integer")) => "a whole number".to_owned(),
            (_, Some("number")) => "a number".to_owned(),
            (_, Some("boolean")) => "`true` or `false`".to_owned(),
            (_, Some("array")) => "a list".to_owned(),
            (_, Some("object")) if !keys.is_empty() => format!("a mapping with {}", any_of(&keys)),
            (_, Some("object")) => "a mapping".to_owned(),
            _ => continue,
        };
        if !words.contains(&word) {
            words.push(word);
        }
    }
    any_of(&words)
}

/// `a, b or c`.
fn any_of(words: &[String]) -> String {
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => words.concat(),
    }
}

/// Checks formats of the schema that a pattern cannot express.
fn has_format(leaf: &Json, text: &str) -> Result<(), String> {
    match leaf["format"].as_str() {
        Some("cidr") => Cidr::try_from(text.to_owned()).map(drop),
        Some("ssh-destination") => text.parse::<Destination>().map(drop),
        Some("ip") => text.parse::<IpAddr>().map(drop).map_err(|_| "write an IP address".to_owned()),
        _ => Ok(()),
    }
}

fn is_required(leaf: &Json, name: &str) -> bool {
    leaf["required"].as_array().is_some_and(|required| required.iter().any(|key| key == name))
}

fn in_range(leaf: &Json, value: Option<f64>) -> Result<(), String> {
    let (Some(value), lowest, highest) = (value, leaf["minimum"].as_f64(), leaf["maximum"].as_f64()) else {
        return Ok(());
    };
    if lowest.is_none_or(|lowest| value >= lowest) && highest.is_none_or(|highest| value <= highest) {
        return Ok(());
    }
    Err(match (lowest, highest) {
        (Some(lowest), _) if leaf["minimum"] == leaf["maximum"] => {
            format!("expected {lowest}, found {value}")
        }
        (Some(lowest), Some(highest)) => format!("{value} is out of range; expected {lowest} to {highest}"),
        (Some(lowest), None) => format!("{value} is out of range; expected {lowest} or more"),
        (None, highest) => {
            format!("{value} is out of range; expected {} or less", highest.unwrap_or(f64::MAX))
        }
    })
}
