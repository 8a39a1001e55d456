//! What is wrong with a rule, and how bad that is.

use serde::Serialize;

use super::snapshot::CheckedRule;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// The spec has the rule, but Prometheus does not.
    NotLoaded,
    /// Prometheus has the rule but fails to evaluate it.
    CannotBeEvaluated,
    /// A selector matches no series.
    MatchesNothing,
    /// The rule uses a label that no series has.
    NoSuchLabel,
    /// The value can never reach the threshold, or the number is in another unit than the value.
    NeverReached,
    /// The value is always beyond the threshold.
    AlwaysReached,
    /// `for` is shorter than two evaluations.
    ShortHold,
    /// A range is shorter than four scrapes.
    ShortRange,
    /// Every route of the alert ends at a receiver that notifies no one.
    NotDelivered,
    /// A silence without end.
    EndlessSilence,
    /// Prometheus sends alerts to no Alertmanager.
    NoAlertmanager,
}

impl FindingKind {
    /// All kinds.
    pub const ALL: [Self; 11] = [
        Self::NotLoaded,
        Self::CannotBeEvaluated,
        Self::MatchesNothing,
        Self::NoSuchLabel,
        Self::NeverReached,
        Self::AlwaysReached,
        Self::ShortHold,
        Self::ShortRange,
        Self::NotDelivered,
        Self::EndlessSilence,
        Self::NoAlertmanager,
    ];

    /// The word in JSON and in the documentation.
    pub const fn word(self) -> &'static str {
        match self {
            Self::NotLoaded => "not_loaded",
            Self::CannotBeEvaluated => "cannot_be_evaluated",
            Self::MatchesNothing => "matches_nothing",
            Self::NoSuchLabel => "no_such_label",
            Self::NeverReached => "never_reached",
            Self::AlwaysReached => "always_reached",
            Self::ShortHold => "short_hold",
            Self::ShortRange => "short_range",
            Self::NotDelivered => "not_delivered",
            Self::EndlessSilence => "endless_silence",
            Self::NoAlertmanager => "no_alertmanager",
        }
    }
}

/// How sure a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// It is wrong.
    Wrong,
    /// It may be correct, for example if series appear only with the first failure.
    Doubtful,
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What kind of mistake it is.
    pub kind: FindingKind,
    /// How sure it is.
    pub weight: Weight,
    /// The rule that it concerns; `None` if it concerns all of them.
    pub rule: Option<String>,
    /// The key of the rule in the spec that it concerns: `expr`, `for`, `window`, `above`, `labels`.
    pub key: &'static str,
    /// What was seen.
    pub evidence: String,
    /// What to do.
    pub remedy: String,
    /// The first word of a metric's name, if no target has any metric that begins with it: its exporter is missing.
    pub family: Option<String>,
}

impl Finding {
    /// Something that is certainly wrong with a rule.
    pub fn of(
        rule: &CheckedRule,
        kind: FindingKind,
        key: &'static str,
        evidence: String,
        remedy: impl Into<String>,
    ) -> Self {
        let rule = Some(rule.name.clone());
        Self { kind, weight: Weight::Wrong, rule, key, evidence, remedy: remedy.into(), family: None }
    }

    /// The same finding, if it may be intended.
    #[must_use]
    pub fn doubtful(self) -> Self {
        Self { weight: Weight::Doubtful, ..self }
    }
}
