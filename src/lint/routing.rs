//! The parts of Alertmanager's configuration that decide which receivers an alert reaches.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use serde::Deserialize;
use serde_json::Value;

use crate::error::{Error, Result};

/// Whether an alert takes a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Goes {
    No,
    /// It depends on the labels of the series.
    Maybe,
    Yes,
}

/// The routes and receivers of Alertmanager's configuration.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Routing {
    pub(super) route: LoadedRoute,
    #[serde(default)]
    pub(super) receivers: Vec<LoadedReceiver>,
}

impl Routing {
    /// Reads Alertmanager's configuration, which is YAML.
    ///
    /// # Errors
    /// The configuration is not valid, so its routes are unknown.
    pub fn read(configuration: &str) -> Result<Self> {
        serde_saphyr::from_str(configuration).map_err(|error| {
            Error::failed("Alertmanager's configuration cannot be read").because(error.to_string()).remedy(
                "look at it in `monctl open alertmanager` under `Status`; its routes cannot be checked",
            )
        })
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct LoadedRoute {
    receiver: Option<String>,
    matchers: Vec<String>,
    #[serde(rename = "match")]
    equal: BTreeMap<String, String>,
    match_re: BTreeMap<String, String>,
    #[serde(rename = "continue")]
    goes_on: bool,
    routes: Vec<LoadedRoute>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct LoadedReceiver {
    pub name: String,
    #[serde(flatten)]
    integrations: BTreeMap<String, Value>,
}

impl LoadedReceiver {
    /// Whether it has an integration; without one, it notifies no one.
    pub fn notifies(&self) -> bool {
        let is_list = |(key, value): (&String, &Value)| {
            key.ends_with("_configs") && value.as_array().is_some_and(|list| !list.is_empty())
        };
        self.integrations.iter().any(is_list)
    }
}

impl LoadedRoute {
    /// The receivers that an alert with these labels may reach.
    pub fn receivers<'a>(
        &'a self,
        labels: &BTreeMap<String, String>,
        inherited: Option<&'a str>,
        possible: &mut BTreeSet<&'a str>,
    ) {
        let receiver = self.receiver.as_deref().or(inherited);
        let mut is_taken = false;
        for route in &self.routes {
            let goes = route.goes(labels);
            if goes == Goes::No {
                continue;
            }
            route.receivers(labels, receiver, possible);
            is_taken |= goes == Goes::Yes;
            if goes == Goes::Yes && !route.goes_on {
                return;
            }
        }
        if !is_taken {
            possible.extend(receiver);
        }
    }

    fn goes(&self, labels: &BTreeMap<String, String>) -> Goes {
        let matchers = self.matchers.iter().flat_map(|text| Condition::parse(text));
        let equal = self.equal.iter().map(|(name, value)| Condition::new(name, "=", value));
        let like = self.match_re.iter().map(|(name, value)| Condition::new(name, "=~", value));
        matchers.chain(equal).chain(like).map(|condition| condition.holds(labels)).min().unwrap_or(Goes::Yes)
    }
}

/// One matcher of a route.
#[derive(Debug, PartialEq, Eq)]
struct Condition {
    name: String,
    operator: String,
    value: String,
}

impl Condition {
    fn new(name: &str, operator: &str, value: &str) -> Self {
        Self { name: name.to_owned(), operator: operator.to_owned(), value: value.to_owned() }
    }

    /// Reads `severity="page"`, `{severity=~"a|b", team != x}`.
    fn parse(text: &str) -> Vec<Self> {
        let Ok(form) = Regex::new(r#"([\w.:-]+)\s*(=~|!~|!=|=)\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,}]+))"#) else {
            return vec![];
        };
        let read = |found: regex::Captures| {
            let value = found.get(3).or_else(|| found.get(4)).map_or("", |value| value.as_str());
            Self::new(&found[1], &found[2], &value.replace("\\\"", "\"").replace("\\\\", "\\"))
        };
        form.captures_iter(text).map(read).collect()
    }

    fn holds(&self, labels: &BTreeMap<String, String>) -> Goes {
        // Templates and labels of series are known only once the alert fires.
        let Some(value) = labels.get(&self.name).filter(|value| !value.contains("{{")) else {
            return Goes::Maybe;
        };
        let is_like = || Regex::new(&format!("^(?:{})$", self.value)).map(|regex| regex.is_match(value));
        let holds = match &*self.operator {
            "=" => Ok(*value == self.value),
            "!=" => Ok(*value != self.value),
            "=~" => is_like(),
            _ => is_like().map(|is_like| !is_like),
        };
        match holds {
            Ok(true) => Goes::Yes,
            Ok(false) => Goes::No,
            Err(_) => Goes::Maybe,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_configuration_is_an_error() {
        assert!(Routing::read("route: {receiver: a}\nreceivers: [{name: a}]").is_ok());
        for text in ["", "route: [", "receivers: []"] {
            assert!(Routing::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn matchers_are_read_in_all_their_forms() {
        for (text, expected) in [
            ("severity=\"page\"", vec![("severity", "=", "page")]),
            ("severity = page", vec![("severity", "=", "page")]),
            ("{a=~\"b|c\", d!=\"e\"}", vec![("a", "=~", "b|c"), ("d", "!=", "e")]),
            ("a!~\"\"", vec![("a", "!~", "")]),
        ] {
            let expected: Vec<Condition> = expected
                .into_iter()
                .map(|(name, operator, value)| Condition::new(name, operator, value))
                .collect();
            assert_eq!(Condition::parse(text), expected, "{text}");
        }
    }
}
