//! What is wrong with a well-formed spec, and which of its values say so.

use std::collections::BTreeSet;

use super::tree::KeyPath;

/// Something that is wrong with a value, or with several that do not go together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SpecFinding {
    /// The value to mend.
    pub path: KeyPath,
    /// What is wrong, as a sentence.
    pub message: String,
    /// Where in the value's text it is, in bytes and characters; none where it is about the whole.
    pub within: Option<(usize, usize)>,
    /// The other values without which there would be nothing to say.
    about: Vec<KeyPath>,
}

impl SpecFinding {
    pub fn new(path: impl Into<KeyPath>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into(), within: None, about: Vec::new() }
    }

    /// The same, at a place of the value's text.
    pub fn within(self, at: usize, width: usize) -> Self {
        Self { within: Some((at, width)), ..self }
    }

    /// The same, which another value has a part in.
    pub fn about(mut self, path: impl Into<KeyPath>) -> Self {
        self.about.push(path.into());
        self
    }

    /// Whether the user wrote what it is about. Below a faulty path stand-ins have the place of the user's values.
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
    fn what_is_about_a_value_that_nobody_wrote_is_left_out() {
        let faulty = BTreeSet::from([KeyPath::from("a.b"), KeyPath::from("list.0.to")]);
        for (path, about, is_said) in [
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
            assert_eq!(finding.is_of_user(&faulty), is_said, "{path}, about {about}");
        }
    }
}
