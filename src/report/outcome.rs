//! The result of a command.

use crate::error::Exit;

/// The result of a command, in both forms. `main` prints one of them on standard output.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// How the process ends.
    pub exit: Exit,
    /// For people. Ends without a newline; empty if the command has printed everything while it ran.
    pub text: String,
    /// For programs: the same content; null if the command has printed everything while it ran.
    pub json: serde_json::Value,
}

impl Outcome {
    /// An outcome of [`Exit::Success`].
    pub fn success(text: impl Into<String>, json: serde_json::Value) -> Self {
        Self { exit: Exit::Success, text: text.into(), json }
    }

    /// Sets another exit code.
    #[must_use]
    pub fn with_exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }
}
