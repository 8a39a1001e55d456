//! `monctl manage`: a management command of Django on an application host, run as the application runs.

use super::context::Context;
use super::ssh::{Terminal, session};
use crate::cli::ManageArgs;
use crate::error::{Error, Result};
use crate::report::Outcome;
use crate::spec::load;

/// The program on the host, from `templates/app/manage.sh`.
const PROGRAM: &str = "/etc/monctl/app/manage";

/// # Errors
/// When the host does not run, or ssh or the command fails.
pub(super) async fn run(args: &ManageArgs, context: &Context) -> Result<Outcome> {
    let app = load(&context.spec)?.spec.app;
    if !app.deploy {
        return Err(Error::could_not_run(
            "monctl does not deploy the application, so it has no command to run",
        )
        .at("app.deploy")
        .remedy("run `manage.py` on the host as the application's own user: `monctl ssh app`"));
    }
    let words = [&[PROGRAM.to_owned()], args.command.as_slice()].concat();
    session(args.host, &words, Terminal::Commands, context).await
}
