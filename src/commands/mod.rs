//! One short file per subcommand: load, call the rooms, return an [`Outcome`]. Nothing here prints: progress
//! is sent as events, and a question to the user goes through [`Context::confirm`].

use std::time::Duration;

use crate::cancel::Cancel;
use crate::cli::Command;
use crate::error::{Error, Exit, Result};

mod annotations;
mod check;
mod context;
mod dashboards;
mod deployment;
mod down;
mod explain;
mod grafana;
mod init;
mod logs;
mod man_pages;
mod manage;
mod open;
mod outcome;
mod plan;
mod render;
mod rotate;
mod runbook;
mod schema;
mod screenshots;
mod services;
mod silence;
mod ssh;
mod status;
mod tunnel;
mod up;
mod up_summary;
mod verify_alert;
mod verify_dashboards;
mod verify_receivers;

pub use context::Context;
pub use outcome::Outcome;

/// Runs a command to its end, or until the user interrupts.
///
/// # Errors
/// Those of the command; an error of [`Exit::Interrupted`] if it was interrupted.
pub async fn run(command: &Command, context: &Context) -> Result<Outcome> {
    interruptible(command, &context.cancel, Box::pin(dispatch(command, context))).await
}

/// Drops `work` when the flag is raised and the command's time to clean up has passed.
async fn interruptible(
    command: &Command,
    cancel: &Cancel,
    work: impl Future<Output = Result<Outcome>>,
) -> Result<Outcome> {
    let interrupted = async {
        cancel.raised().await;
        tokio::time::sleep(grace(command)).await;
    };
    let result = tokio::select! {
        result = work => result,
        () = interrupted => return Err(interruption(command)),
    };
    match result {
        // A child process that received the same Ctrl-C fails with a misleading error.
        Err(error) if cancel.is_raised() && error.exit() != Exit::Interrupted => {
            Err(interruption(command).because(error))
        }
        result => result,
    }
}

async fn dispatch(command: &Command, context: &Context) -> Result<Outcome> {
    match command {
        Command::Init(args) => Box::pin(init::run(args, context)).await,
        Command::Render(args) => render::run(args, context).await,
        Command::Plan => Box::pin(plan::run(context)).await,
        Command::Up(args) => Box::pin(up::run(args, context)).await,
        Command::Status(args) => Box::pin(status::run(args, context)).await,
        Command::VerifyAlert(args) => Box::pin(verify_alert::run(args, context)).await,
        Command::VerifyReceivers => Box::pin(verify_receivers::run(context)).await,
        Command::Silence(args) => Box::pin(silence::run(args, context)).await,
        Command::VerifyDashboards(args) => Box::pin(verify_dashboards::run(args, context)).await,
        Command::Check => Box::pin(check::run(context)).await,
        Command::Explain(args) => explain::run(args, context),
        Command::Manage(args) => Box::pin(manage::run(args, context)).await,
        Command::Ssh(args) => Box::pin(ssh::run(args, context)).await,
        Command::Open(args) => Box::pin(open::run(args, context)).await,
        Command::Logs(args) => Box::pin(logs::run(args, context)).await,
        Command::Rotate(args) => Box::pin(rotate::run(args, context)).await,
        Command::Down(args) => Box::pin(down::run(args, context)).await,
        Command::Runbook { alert } => runbook::run(alert, &context.spec),
        Command::Schema => schema::run(),
        Command::ManPages { folder } => man_pages::run(folder),
    }
}

/// How long a command that listens to [`Cancel`] may clean up. `main` ends the process two seconds after
/// the signal, whatever happens, so this stays well below. The others stop at their next await point.
const fn grace(command: &Command) -> Duration {
    match command {
        Command::VerifyAlert(_) | Command::VerifyReceivers => Duration::from_millis(1_500),
        // Ctrl-C is their regular end.
        Command::Open(_) | Command::Logs(_) => Duration::from_secs(1),
        _ => Duration::ZERO,
    }
}

/// The error of an interrupted run, with a remedy.
pub fn interruption(command: &Command) -> Error {
    let remedy = match command {
        Command::Up(_) => "`monctl up` goes on from here; `monctl down` removes what was created",
        Command::Down(_) => "`monctl down` removes what is left",
        Command::Rotate(_) => "run it again: it continues where it stopped",
        Command::VerifyAlert(_) => {
            "the fault ends by itself at its time limit, even without monctl; then run `monctl verify-alert` again"
        }
        Command::VerifyReceivers => "its test alerts end by themselves; then run it again",
        Command::Silence(_) => "`monctl silence --list` shows whether it took effect",
        Command::VerifyDashboards(args) if !args.no_traffic => {
            "its requests to the application end by themselves within 30 s; then run it again"
        }
        Command::Ssh(_) | Command::Manage(_) => "what it started on the host may still be running there",
        Command::Render(_) | Command::ManPages { .. } => "some files may not be written; run it again",
        Command::Init(_)
        | Command::Plan
        | Command::Status(_)
        | Command::VerifyDashboards(_)
        | Command::Check
        | Command::Explain(_)
        | Command::Open(_)
        | Command::Logs(_)
        | Command::Runbook { .. }
        | Command::Schema => "nothing was changed; run it again",
    };
    Error::new(Exit::Interrupted, format!("`{}` was interrupted", command.name())).remedy(remedy)
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use clap::Parser as _;

    use super::*;
    use crate::cli::Cli;

    fn command(words: &str) -> Command {
        Cli::try_parse_from(words.split(' ')).unwrap().command
    }

    #[tokio::test]
    async fn an_interrupted_command_is_dropped_with_a_remedy() {
        let cancel = Cancel::default();
        cancel.raise();
        let up = command("monctl up");
        let error = interruptible(&up, &cancel, pending()).await.unwrap_err();
        assert_eq!(error.exit(), Exit::Interrupted);
        assert!(error.hint().unwrap().contains("monctl up"), "{error}");
    }

    #[tokio::test]
    async fn a_command_gets_time_to_clean_up() {
        let cancel = Cancel::default();
        cancel.raise();
        let cleaning_up = async {
            cancel.raised().await;
            tokio::time::sleep(Duration::from_millis(50)).await;
            Err(Error::new(Exit::Interrupted, "the load was stopped"))
        };
        let verify = command("monctl verify-alert");
        let error = interruptible(&verify, &cancel, cleaning_up).await.unwrap_err();
        assert_eq!(error.message(), "the load was stopped");
    }

    #[tokio::test]
    async fn a_failure_after_an_interruption_is_only_its_cause() {
        let cancel = Cancel::default();
        let work = async {
            cancel.raise();
            Err(Error::failed("ssh ended by signal 2"))
        };
        let error = interruptible(&command("monctl plan"), &cancel, work).await.unwrap_err();
        assert_eq!(error.exit(), Exit::Interrupted);
        assert_eq!(error.causes(), ["ssh ended by signal 2"]);
    }

    #[tokio::test]
    async fn a_failure_without_an_interruption_stays_what_it_is() {
        let work = ready(Err(Error::failed("disk full")));
        let error = interruptible(&command("monctl plan"), &Cancel::default(), work).await.unwrap_err();
        assert_eq!((error.exit(), error.message()), (Exit::Failed, "disk full"));
    }

    #[tokio::test]
    async fn a_result_before_the_interruption_counts() {
        let cancel = Cancel::default();
        let done = Outcome::success("done", serde_json::Value::Null);
        let result = interruptible(&command("monctl plan"), &cancel, ready(Ok(done.clone()))).await;
        assert_eq!(result.unwrap(), done);
    }

    #[test]
    fn an_interrupted_command_reports_no_changes_only_if_that_is_true() {
        let remedy =
            |words: &str| interruption(&command(&format!("monctl {words}"))).hint().unwrap().to_owned();
        assert!(remedy("verify-dashboards").contains("end by themselves"));
        assert!(remedy("ssh app -- true").contains("may still be running"));
        for words in ["verify-dashboards --no-traffic", "plan", "status", "check"] {
            assert!(remedy(words).starts_with("nothing was changed"), "{words}");
        }
    }

    #[test]
    fn no_command_gets_more_time_than_main_allows() {
        for words in [
            "render --dry-run",
            "plan",
            "up",
            "status",
            "verify-alert",
            "verify-receivers",
            "verify-dashboards",
            "ssh app",
            "open",
            "logs",
            "explain X",
            "rotate grafana-password",
            "down",
            "schema",
        ] {
            assert!(grace(&command(&format!("monctl {words}"))) < Duration::from_millis(1_800), "{words}");
        }
    }
}
