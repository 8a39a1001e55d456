//! A silence of Alertmanager as people and programs see it.

use serde::Serialize;

use super::alertmanager::Silence;

/// A silence that has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ActiveSilence {
    /// The id, by which it can be ended.
    pub id: String,
    /// Its matchers, in Alertmanager's notation.
    matchers: String,
    ends_at: String,
    created_by: String,
    reason: String,
}

impl ActiveSilence {
    /// What is shown of a silence.
    pub fn of(silence: Silence) -> Self {
        let matchers: Vec<String> = silence.matchers.iter().map(ToString::to_string).collect();
        let Silence { id, ends_at, created_by, comment, .. } = silence;
        Self { id, matchers: matchers.join(", "), ends_at, created_by, reason: comment }
    }

    /// One line.
    pub fn line(&self) -> String {
        let Self { id, matchers, ends_at, created_by, reason } = self;
        format!("{id}: {matchers} until {ends_at} by {created_by}: {reason}")
    }
}
