//! What every command is given.

use std::path::PathBuf;

use crate::cancel::Cancel;
use crate::cli::OutputFormat;
use crate::error::Result;
use crate::event::Events;
use crate::report::Questions;
use crate::secret::KnownSecrets;

/// What every command is given.
#[derive(Debug, Clone)]
pub struct Context {
    /// The spec's path as the user gave it.
    pub spec: PathBuf,
    /// How the outcome will be printed. Commands fill both forms; `ssh` alone looks at this.
    pub output: OutputFormat,
    /// Where progress goes.
    pub events: Events,
    /// Raised when the user interrupts.
    pub cancel: Cancel,
    /// How the user is asked.
    pub questions: Questions,
    /// What is masked wherever it is shown: a command adds the secrets that it reads.
    pub secrets: KnownSecrets,
}

impl Context {
    /// Shows `text` (a plan, a list of what goes away) and asks `question`; returns where the answer is yes.
    ///
    /// # Errors
    /// Where there is no terminal to ask on, and where the answer is no. Nothing was touched then.
    pub async fn confirm(&self, text: &str, question: &str) -> Result<()> {
        self.questions.confirm(text, question).await
    }
}
