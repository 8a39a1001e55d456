//! Questions to the user. A command asks through [`Questions`]; the edge, which owns the screen, shows the question and
//! returns the answer.

use tokio::sync::{mpsc, oneshot};

use crate::error::{Error, Result};

/// A question on its way to the user.
#[derive(Debug)]
pub struct Question {
    /// Its subject, such as a plan; may be empty.
    pub text: String,
    /// The question itself, without its choices.
    pub question: String,
    /// The possible answers, or the answer that an empty line gives.
    pub choices: String,
    reply: oneshot::Sender<String>,
}

impl Question {
    /// Answers with the line that the user typed.
    pub fn answer(self, line: &str) {
        // A command that was interrupted no longer waits for the answer.
        self.reply.send(line.trim().to_owned()).unwrap_or_default();
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

    /// Shows `text`, asks `question`, and returns if the answer is yes; only `y` and `yes` are.
    ///
    /// # Errors
    /// If there is no terminal, or the answer is no.
    pub async fn confirm(&self, text: &str, question: &str) -> Result<()> {
        let answer = self.put(text, question, "y/N").await?;
        match answer.to_ascii_lowercase().as_str() {
            "y" | "yes" => Ok(()),
            _ => Err(Error::could_not_run("the answer was no; nothing was changed")),
        }
    }

    /// Asks `question` and returns the answer; an empty one is `default`.
    ///
    /// # Errors
    /// If there is no terminal.
    pub async fn ask(&self, question: &str, default: &str) -> Result<String> {
        let answer = self.put("", question, default).await?;
        Ok(if answer.is_empty() { default.to_owned() } else { answer })
    }

    async fn put(&self, text: &str, question: &str, choices: &str) -> Result<String> {
        let no_terminal = || {
            Error::invalid("cannot ask a question without a terminal; nothing was changed")
                .remedy("run it again with `--yes`")
        };
        let sender = self.0.as_ref().ok_or_else(no_terminal)?;
        let (reply, answer) = oneshot::channel();
        let [text, question, choices] = [text, question, choices].map(str::to_owned);
        sender.send(Question { text, question, choices, reply }).map_err(|_| no_terminal())?;
        answer.await.map_err(|_| no_terminal())
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
    async fn an_empty_answer_is_the_default() {
        for (line, expected) in [("\n", "local"), (" aws \n", "aws")] {
            let (questions, mut pending) = Questions::channel();
            let user = async { pending.recv().await.unwrap().answer(line) };
            assert_eq!(tokio::join!(questions.ask("where?", "local"), user).0.unwrap(), expected);
        }
    }

    #[tokio::test]
    async fn without_a_terminal_the_error_suggests_yes() {
        let error = Questions::without_terminal().confirm("", "go on?").await.unwrap_err();
        assert_eq!(error.exit(), Exit::Invalid);
        assert!(error.hint().unwrap().contains("--yes"));
    }
}
