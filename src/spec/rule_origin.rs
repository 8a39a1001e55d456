//! Rules of the user's own rule files as the rest of the program sees them: where they stand, and what a series that
//! a recording rule records means.

use super::model::Spec;
use crate::duration::PromDuration;
use crate::promql::{Recording, with_recorded};

/// A Prometheus rule file of the user's own. It goes to the monitoring host as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleFile {
    /// Its name without folders, which is also its name on the monitoring host.
    pub name: String,
    /// Its text.
    pub text: String,
    /// Its recording rules.
    pub records: Vec<RecordingRule>,
}

/// A recording rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingRule {
    /// The series that it records.
    pub record: String,
    /// Its expression.
    pub expr: String,
    /// Whether it adds labels to the series.
    pub has_labels: bool,
    /// Where it stands.
    pub origin: RuleOrigin,
}

/// Where a rule stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleOrigin {
    /// The name of the rule file.
    pub file: String,
    /// The name of the group.
    pub group: String,
    /// The numbers of the group in the file and of the rule in the group, from 0.
    pub at: (usize, usize),
    /// The interval of the group, if it is not `monitoring.evaluation_interval`.
    pub interval: Option<PromDuration>,
    /// Whether the group evaluates at an earlier time (`query_offset`).
    pub is_late: bool,
}

impl RuleOrigin {
    /// Whether Prometheus evaluates the rule before the other one, in the same round.
    fn is_just_before(&self, other: &Self) -> bool {
        self.file == other.file && self.at.0 == other.at.0 && self.at.1 < other.at.1
    }
}

/// What an expression of a rule comes down to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// An expression of scraped series only.
    Known(String),
    /// Not known, with the reason as a sentence.
    Unknown(&'static str),
}

impl Meaning {
    /// The expression, if it is known.
    pub fn known(&self) -> Option<&str> {
        match self {
            Self::Known(expression) => Some(expression),
            Self::Unknown(_) => None,
        }
    }
}

impl Spec {
    /// What an expression of an alert at this place comes down to, at the moment of its evaluation. A series that another
    /// group records may be older than that, so that nothing is known of its timing.
    pub fn meaning(&self, expression: &str, origin: Option<&RuleOrigin>) -> Meaning {
        if origin.is_some_and(|origin| origin.is_late) {
            return Meaning::Unknown("the rule's group has a `query_offset`");
        }
        let is_fresh = |rule: &RecordingRule| origin.is_some_and(|origin| rule.origin.is_just_before(origin));
        match self.inlined(expression, is_fresh) {
            Some(known) => Meaning::Known(known),
            None => Meaning::Unknown(
                "the expression reads recorded series in a way that monctl does not follow: it follows a recording rule \
                 that stands before the alert in the same group, adds no labels, and is read without matchers, \
                 `offset` or range",
            ),
        }
    }

    /// An expression without recorded series, whatever the age of their samples; unchanged if that is not possible.
    pub fn without_recorded(&self, expression: &str) -> String {
        self.inlined(expression, |_| true).unwrap_or_else(|| expression.to_owned())
    }

    fn inlined(&self, expression: &str, is_usable: impl Fn(&RecordingRule) -> bool) -> Option<String> {
        let records: Vec<&RecordingRule> = self.rule_files.iter().flat_map(|file| &file.records).collect();
        if records.is_empty() {
            return Some(expression.to_owned());
        }
        with_recorded(expression, &|name| {
            // A selector without a name may take recorded series as well.
            let Some(name) = name else { return Recording::Unclear };
            let mut of_name = records.iter().filter(|rule| rule.record == name);
            match (of_name.next(), of_name.next()) {
                (None, _) => Recording::Scraped,
                (Some(rule), None) if !rule.has_labels && is_usable(rule) => Recording::Of(&rule.expr),
                (Some(_), _) => Recording::Unclear,
            }
        })
    }
}
