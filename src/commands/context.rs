//! The context of a command.

use std::path::PathBuf;

use crate::cancel::Cancel;
use crate::cli::OutputFormat;
use crate::error::Result;
use crate::event::Events;
use crate::report::Questions;
use crate::secret::KnownSecrets;

/// The context of a command.
#[derive(Debug, Clone)]
pub struct Context {
    /// The path of the spec as the user entered it.
    pub spec: PathBuf,
    /// How the outcome will be printed. Commands fill both forms; only `ssh` uses this.
    pub output: OutputFormat,
    /// Where progress goes.
    pub events: Events,
    /// Raised when the user interrupts.
    pub cancel: Cancel,
    /// Sends questions to the user.
    pub questions: Questions,
    /// Secrets that are masked in all output: a command adds the secrets that it reads.
    pub secrets: KnownSecrets,
}

impl Context {
    /// Shows `text` (a plan, a list of things to remove) and asks `question`; succeeds if the answer is yes.
    ///
    /// # Errors
    /// When there is no terminal to ask on, or the answer is no.
    pub async fn confirm(&self, text: &str, question: &str) -> Result<()> {
        self.questions.confirm(text, question).await
    }
}
