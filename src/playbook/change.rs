//! The change that a step makes on a host: reasons for people, commands for the host.

use std::collections::BTreeSet;

use serde::Serialize;

use super::step_id::StepId;
use crate::digest::Sha256;

/// Whether a step's object is new, differs or is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// It does not exist yet.
    Create,
    /// It exists, but differs.
    Change,
    /// It exists, and must be removed.
    Remove,
}

/// One thing that differs, and why it matters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Detail {
    /// The thing: a package, a file, a unit.
    pub what: String,
    /// What is wrong with it, or what is done to it.
    pub why: String,
    /// A unified diff of a file that may be shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
}

impl Detail {
    /// A detail without a diff.
    pub fn new(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { what: what.into(), why: why.into(), diff: None }
    }
}

/// A function of the host library with its arguments. Never contains a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LibraryCall(pub Vec<String>);

impl LibraryCall {
    /// A command from its words.
    pub fn new<T: Into<String>>(words: impl IntoIterator<Item = T>) -> Self {
        Self(words.into_iter().map(Into::into).collect())
    }
}

/// Everything that one step changes on one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepChange {
    /// The step.
    pub step: StepId,
    /// New or different.
    pub kind: ChangeKind,
    /// The differences, in the order in which they are shown.
    pub details: Vec<Detail>,
    /// The commands for the host, in order.
    #[serde(skip)]
    pub commands: Vec<LibraryCall>,
    /// The files that must travel along, by digest.
    #[serde(skip)]
    pub payloads: BTreeSet<Sha256>,
}

#[cfg(test)]
impl StepChange {
    /// Text for table tests: kind, reasons, and commands as the host runs them.
    pub(super) fn summary(change: Option<&Self>) -> String {
        let Some(change) = change else { return "nothing\n".into() };
        let mut lines = vec![format!("{:?}", change.kind)];
        for detail in &change.details {
            lines.push(format!("  {}: {}", detail.what, detail.why));
            let diff = detail.diff.as_deref().unwrap_or_default();
            lines.extend(diff.lines().map(|line| format!("    {line}")));
        }
        let commands = change.commands.iter();
        lines.extend(commands.map(|command| format!("  $ {}", super::quote::quote_words(&command.0))));
        lines.join("\n") + "\n"
    }
}
