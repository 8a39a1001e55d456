//! Rules of the user's own rule files as the rest of the program sees them, and where they stand.

use crate::duration::PromDuration;

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
    pub(super) fn is_just_before(&self, other: &Self) -> bool {
        self.file == other.file && self.at.0 == other.at.0 && self.at.1 < other.at.1
    }
}

/// What an expression of a rule comes down to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleMeaning {
    /// An expression of scraped series only.
    Known(String),
    /// Not known, with the reason as a sentence.
    Unknown(&'static str),
}

impl RuleMeaning {
    /// The expression, if it is known.
    pub fn known(&self) -> Option<&str> {
        match self {
            Self::Known(expression) => Some(expression),
            Self::Unknown(_) => None,
        }
    }
}
