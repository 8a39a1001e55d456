//! What monctl installed or changed on a host, as listed in the host's own record.

use std::fmt;

use serde::Serialize;

use crate::host::HostName;

/// Items of one kind on one host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct RecordedItems {
    /// The host.
    pub host: HostName,
    /// What they are, which decides what happens to them.
    #[serde(rename = "what")]
    pub kind: RecordedItemKind,
    /// Their names. Before its removal, data has its size, too, after a tab.
    pub names: Vec<String>,
}

/// Kind of the items on a host. The names are those of `playbooks/lib/remove.sh`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordedItemKind {
    /// Data of the application or of the monitoring, which cannot be recovered.
    Data,
    /// Units that monctl installed.
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
    /// The host is unreachable: its record is not known.
    Unreachable,
}

impl RecordedItemKind {
    /// Parses a kind from the output of the host's script.
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
            Self::Unreachable => ("unreachable", "unreachable"),
        }
    }
}

impl RecordedItems {
    /// Outcome for these items after removal.
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
        let quoted = |name: &String| match name.split_once('\t') {
            Some((path, size)) => format!("`{path}` ({size})"),
            None => format!("`{name}`"),
        };
        let names: Vec<String> = self.names.iter().map(quoted).collect();
        let names = names.join(", ");
        match self.kind {
            RecordedItemKind::Restore => {
                write!(f, "{}: restore: {}", self.host, self.names.join(", "))
            }
            RecordedItemKind::Keep => write!(f, "{}: keep: {}", self.host, self.names.join(", ")),
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
    fn items_are_listed_by_host_before_and_after_removal() {
        let packages = thing(RecordedItemKind::Package, &["curl", "stress-ng"]);
        assert_eq!(packages.to_string(), "app: packages `curl`, `stress-ng`");
        assert_eq!(packages.outcome(), "removed from app: packages `curl`, `stress-ng`");
        let data = thing(RecordedItemKind::Data, &["/var/lib/monctl/postgresql\t42 MB"]);
        assert_eq!(data.to_string(), "app: data `/var/lib/monctl/postgresql` (42 MB)");
        let kept = thing(RecordedItemKind::Keep, &["package `curl`: needed by `git`"]);
        assert_eq!(kept.outcome(), "kept on app: package `curl`: needed by `git`");
    }
}
