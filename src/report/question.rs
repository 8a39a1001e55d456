//! Confirmation prompts. A command asks through [`Questions`]; the edge, which owns the screen, shows the
//! question and returns the answer.

use tokio::sync::{mpsc, oneshot};

use crate::error::{Error, Result};

/// A question on its way to the user.
#[derive(Debug)]
pub struct Question {
    /// Its subject, such as a plan.
    pub text: String,
    /// The question itself, without its choices.
    pub question: String,
    reply: oneshot::Sender<bool>,
}

impl Question {
    /// Answers with the line that the user typed; only `y` and `yes` are a yes.
    pub fn answer(self, line: &str) {
        let yes = matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes");
        // A command that was interrupted no longer waits for the answer.
        self.reply.send(yes).unwrap_or(());
    }
}

/// Sends questions to the user. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Questions(Option<mpsc::UnboundedSender<Question>>);

impl Questions {
    /// Questions, and the stream that the edge answers.
    pub fn channel() -> (Self, mpsc::UnboundedReceiver<Question>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(Some(sender)), receiver)
    }

    /// For runs without a terminal: every question fails.
    pub const fn without_terminal() -> Self {
        Self(None)
    }

    /// Shows `text`, asks `question`, and returns if the answer is yes.
    ///
    /// # Errors
    /// If there is no terminal, or the answer is no.
    pub async fn confirm(&self, text: &str, question: &str) -> Result<()> {
        let no_terminal = || {
            Error::invalid("cannot ask for confirmation without a terminal; nothing was changed")
                .remedy("run it again with `--yes`")
        };
        let sender = self.0.as_ref().ok_or_else(no_terminal)?;
        let (reply, answer) = oneshot::channel();
        let question = Question { text: text.to_owned(), question: question.to_owned(), reply };
        sender.send(question).map_err(|_| no_terminal())?;
        match answer.await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Error::could_not_run("the answer was no; nothing was changed")),
            Err(_) => Err(no_terminal()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Exit;

    async fn confirm(line: &str) -> Result<()> {
        let (questions, mut pending) = Questions::channel();
        let user = async { pending.recv().await.unwrap().answer(line) };
        tokio::join!(questions.confirm("+ create x", "go on?"), user).0
    }

    #[tokio::test]
    async fn only_a_clear_yes_goes_on() {
        for line in ["y\n", "yes\n", " Y \r\n"] {
            assert!(confirm(line).await.is_ok(), "{line:?}");
        }
        for line in ["", "\n", "n\n", "yep\n", "ye s\n"] {
            assert_eq!(confirm(line).await.unwrap_err().exit(), Exit::CouldNotRun, "{line:?}");
        }
    }

    #[tokio::test]
    async fn without_a_terminal_the_error_suggests_yes() {
        let error = Questions::without_terminal().confirm("", "go on?").await.unwrap_err();
        assert_eq!(error.exit(), Exit::Invalid);
        assert!(error.hint().unwrap().contains("--yes"));
    }
}
