//! The expected file of a set on the host, and how the existing one differs.

use similar::TextDiff;

use super::super::facts::FileFact;
use super::super::inputs::File;

/// The expected file of a set on the host.
pub(super) struct Expected<'a> {
    /// Its name, as in `uses` and `reload`.
    pub part: String,
    pub path: String,
    pub file: &'a File,
    pub owner: &'a str,
    pub group: &'a str,
    pub mode: &'a str,
}

impl Expected<'_> {
    /// Whether a diff may be shown. A file that only its owner may read may have contained a secret before, even
    /// if it contains none now.
    pub(super) fn may_be_shown(&self) -> bool {
        !self.file.is_secret() && !self.mode.ends_with("00")
    }

    pub(super) fn difference(&self, fact: &FileFact) -> Option<String> {
        if fact.sha256 != Some(self.file.sha256()) {
            return Some(
                if self.file.is_secret() { "content differs (secret)" } else { "content differs" }.into(),
            );
        }
        let mode = self.mode.trim_start_matches('0');
        if fact.mode != mode {
            return Some(format!("mode is {}, must be {mode}", fact.mode));
        }
        if (fact.owner.as_str(), fact.group.as_str()) != (self.owner, self.group) {
            return Some(format!(
                "owner is {}:{}, must be {}:{}",
                fact.owner, fact.group, self.owner, self.group
            ));
        }
        None
    }

    pub(super) fn diff(&self, old: &str) -> Option<String> {
        if !self.may_be_shown() {
            return None;
        }
        let new = self.file.text()?;
        let diff = TextDiff::from_lines(old, new);
        Some(diff.unified_diff().context_radius(2).to_string())
    }
}
