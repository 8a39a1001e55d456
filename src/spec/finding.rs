//! A problem of a well-formed spec, and the values that it is about.

use std::collections::BTreeSet;

use super::tree::KeyPath;

/// A problem with a value, or with several that contradict each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SpecFinding {
    /// The value to correct.
    pub path: KeyPath,
    /// What is wrong, as a sentence.
    pub message: String,
    /// Offset in the value's text in bytes and width in characters; none where it is about the whole value.
    pub within: Option<(usize, usize)>,
    /// The other values that cause it.
    about: Vec<KeyPath>,
}

impl SpecFinding {
    pub fn new(path: impl Into<KeyPath>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into(), within: None, about: Vec::new() }
    }

    /// The same, at a place within the value's text.
    pub fn within(self, at: usize, width: usize) -> Self {
        Self { within: Some((at, width)), ..self }
    }

    /// The same, also caused by another value.
    pub fn about(mut self, path: impl Into<KeyPath>) -> Self {
        self.about.push(path.into());
        self
    }

    /// Whether the user wrote the values it is about. Below a faulty path, placeholders have replaced the user's
    /// values.
    pub fn is_of_user(&self, faulty: &BTreeSet<KeyPath>) -> bool {
        let is_stand_in = |path: &KeyPath| faulty.iter().any(|faulty| path.is_at_or_below(faulty));
        let holds_stand_in = |path: &KeyPath| faulty.iter().any(|faulty| faulty.is_at_or_below(path));
        !is_stand_in(&self.path) && !self.about.iter().any(|path| is_stand_in(path) || holds_stand_in(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_about_placeholder_values_are_left_out() {
        let faulty = BTreeSet::from([KeyPath::from("a.b"), KeyPath::from("list.0.to")]);
        for (path, about, is_kept) in [
            ("a.b", "", false),
            ("a.b.c", "", false),
            ("a", "", true),
            ("a.bc", "", true),
            ("x", "a.b", false),
            ("x", "a.b.c", false),
            ("x", "list.0", false),
            ("x", "list.1", true),
            ("list.0", "list.0.from", true),
        ] {
            let finding = SpecFinding::new(path, "wrong");
            let finding = if about.is_empty() { finding } else { finding.about(about) };
            assert_eq!(finding.is_of_user(&faulty), is_kept, "{path}, about {about}");
        }
    }
}
