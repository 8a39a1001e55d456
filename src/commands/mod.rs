//! One short file per subcommand: load, call the rooms, return an [`Outcome`]. Nothing here prints; what
//! happens meanwhile is sent as events, and a question to the user goes through [`Context::confirm`].

use std::path::PathBuf;
use std::time::Duration;

use crate::cancel::Cancel;
use crate::cli::{Command, Output};
use crate::error::{Error, Exit, Result};
use crate::event::Events;
use crate::report::Questions;

mod down;
mod plan;
mod render;
mod schema;
mod ssh;
mod status;
mod up;
mod verify_alert;

/// What a command found or did, in both forms. The edge prints one of them on standard output.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// How the process ends.
    pub exit: Exit,
    /// For people. Ends without a newline; empty where everything was said on the way.
    pub text: String,
    /// For programs: the same facts.
    pub json: serde_json::Value,
}

impl Outcome {
    /// An outcome of [`Exit::Success`].
    pub fn success(text: impl Into<String>, json: serde_json::Value) -> Self {
        Self { exit: Exit::Success, text: text.into(), json }
    }

    /// The same with another exit code.
    #[must_use]
    pub fn with_exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }
}

/// What every command is given.
#[derive(Debug, Clone)]
pub struct Context {
    /// The spec's path as the user gave it.
    pub spec: PathBuf,
    /// How the outcome will be printed. Commands fill both forms; `ssh` alone looks at this.
    pub output: Output,
    /// Where progress goes.
    pub events: Events,
    /// Raised when the user interrupts.
    pub cancel: Cancel,
    /// How the user is asked.
    pub questions: Questions,
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

/// Runs a command to its end, or until the user interrupts.
///
/// # Errors
/// What the command says; an error of [`Exit::Interrupted`] where it was interrupted.
pub async fn run(command: &Command, context: &Context) -> Result<Outcome> {
    let interrupted = async {
        context.cancel.raised().await;
        tokio::time::sleep(grace(command)).await;
    };
    tokio::select! {
        result = dispatch(command, context) => match result {
            // A child that got the same Ctrl-C fails in ways that say nothing about the cause.
            Err(error) if context.cancel.is_raised() && error.exit() != Exit::Interrupted => {
                Err(interruption(command).because(error))
            }
            result => result,
        },
        () = interrupted => Err(interruption(command)),
    }
}

async fn dispatch(command: &Command, context: &Context) -> Result<Outcome> {
    match command {
        Command::Render(args) => render::run(args, context).await,
        Command::Plan => plan::run(context).await,
        Command::Up(args) => up::run(args, context).await,
        Command::Status => status::run(context).await,
        Command::VerifyAlert(args) => verify_alert::run(args, context).await,
        Command::Ssh(args) => ssh::run(args, context).await,
        Command::Down(args) => down::run(args, context).await,
        Command::Schema => schema::run(),
    }
}

/// How long a command that listens to [`Cancel`] may tidy up. The edge ends the process two seconds after
/// the signal, whatever happens, so this stays well below. The others stop at their next await point.
const fn grace(command: &Command) -> Duration {
    match command {
        Command::VerifyAlert(_) => Duration::from_millis(1_500),
        _ => Duration::ZERO,
    }
}

/// The error of an interrupted run: says how to go on.
pub fn interruption(command: &Command) -> Error {
    let remedy = match command {
        Command::Up(_) => "`monctl up` goes on from here; `monctl down` removes what is there",
        Command::Down(_) => "`monctl down` removes what is left",
        Command::VerifyAlert(_) => {
            "the load ends by itself at its time limit, also without monctl; run `monctl verify-alert` again after that"
        }
        _ => "nothing was changed; run it again",
    };
    Error::new(Exit::Interrupted, format!("`{}` was interrupted", command.name())).remedy(remedy)
}
