//! What monctl put or changed on a host, as the host's own record has it, in words.

use std::fmt;

use serde::Serialize;

use crate::host::HostName;

/// Things of one kind on one host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct RecordedItems {
    /// The host.
    pub host: HostName,
    /// What they are, and so what becomes of them.
    #[serde(rename = "what")]
    pub kind: RecordedItemKind,
    /// Their names.
    pub names: Vec<String>,
}

/// What things on a host are. The words are those of `playbooks/lib/remove.sh`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordedItemKind {
    /// Data of the application or of the monitoring, which nothing brings back.
    Data,
    /// Units that monctl brought.
    Unit,
    /// Files, links and folders that were not there before.
    Path,
    /// Users that were not there before.
    User,
    /// Groups that were not there before.
    Group,
    /// Packages that were not there before.
    Package,
    /// A table of nftables.
    Table,
    /// What was changed and gets its earlier state back.
    Restore,
    /// What stays as it is, with the reason.
    Keep,
    /// The record itself.
    Record,
    /// The host does not answer: nobody knows what is there.
    Unreachable,
}

impl RecordedItemKind {
    /// The kind that the host's script calls so.
    pub(super) fn read(word: &str) -> Option<Self> {
        Some(match word {
            "data" => Self::Data,
            "unit" => Self::Unit,
            "path" => Self::Path,
            "user" => Self::User,
            "group" => Self::Group,
            "package" => Self::Package,
            "table" => Self::Table,
            "restore" => Self::Restore,
            "keep" => Self::Keep,
            "record" => Self::Record,
            _ => return None,
        })
    }

    const fn nouns(self) -> (&'static str, &'static str) {
        match self {
            Self::Data => ("data", "data"),
            Self::Unit => ("unit", "units"),
            Self::Path | Self::Restore | Self::Keep => ("", ""),
            Self::User => ("user", "users"),
            Self::Group => ("group", "groups"),
            Self::Package => ("package", "packages"),
            Self::Table => ("nftables table", "nftables tables"),
            Self::Record => ("the record of all this", "the record of all this"),
            Self::Unreachable => ("not reachable", "not reachable"),
        }
    }
}

impl RecordedItems {
    /// What became of it once it was dealt with.
    pub fn outcome(&self) -> String {
        let names = self.names.join(", ");
        match self.kind {
            RecordedItemKind::Restore => format!("restored on {}: {names}", self.host),
            RecordedItemKind::Keep => format!("kept on {}: {names}", self.host),
            _ => format!("removed from {self}"),
        }
    }
}

impl fmt::Display for RecordedItems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (one, many) = self.kind.nouns();
        let noun = if self.names.len() == 1 { one } else { many };
        let names: Vec<String> = self.names.iter().map(|name| format!("`{name}`")).collect();
        let names = names.join(", ");
        match self.kind {
            RecordedItemKind::Restore => {
                write!(f, "{}: back to what it was: {}", self.host, self.names.join(", "))
            }
            RecordedItemKind::Keep => write!(f, "{}: stays: {}", self.host, self.names.join(", ")),
            RecordedItemKind::Record => write!(f, "{}: {noun}", self.host),
            RecordedItemKind::Unreachable => write!(f, "{}: {noun}: {}", self.host, self.names.join(", ")),
            RecordedItemKind::Path => write!(f, "{}: {names}", self.host),
            _ => write!(f, "{}: {noun} {names}", self.host),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thing(kind: RecordedItemKind, names: &[&str]) -> RecordedItems {
        RecordedItems { host: HostName::app(1), kind, names: names.iter().map(ToString::to_string).collect() }
    }

    #[test]
    fn things_are_told_by_host_before_and_after() {
        let packages = thing(RecordedItemKind::Package, &["curl", "stress-ng"]);
        assert_eq!(packages.to_string(), "app: packages `curl`, `stress-ng`");
        assert_eq!(packages.outcome(), "removed from app: packages `curl`, `stress-ng`");
        let kept = thing(RecordedItemKind::Keep, &["package `curl`: needed by `git`"]);
        assert_eq!(kept.outcome(), "kept on app: package `curl`: needed by `git`");
    }
}
