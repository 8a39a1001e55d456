//! `monctl status`.

use super::context::Context;
use crate::cli::StatusArgs;
use crate::converge::ProjectStatus;
use crate::error::{Error, Exit, Result};
use crate::provider;
use crate::report::Outcome;
use crate::spec::load;

/// Shows the machines and their services, and what Prometheus, Alertmanager and Grafana report.
///
/// # Errors
/// When the spec is invalid or the machines cannot be listed. Problems of machines are part of the
/// outcome, whose exit code is then [`Exit::Failed`].
pub(super) async fn run(args: &StatusArgs, context: &Context) -> Result<Outcome> {
    let loaded = load(&context.spec)?;
    let provider = provider::of(&loaded, &context.events).await?;
    let status = ProjectStatus::observe(&loaded, &*provider, args.all, &context.events).await?;
    let json = serde_json::to_value(&status)
        .map_err(|error| Error::failed("cannot write the status as JSON").because(error))?;
    let exit = if status.is_well() { Exit::Success } else { Exit::Failed };
    Ok(Outcome { exit, text: status.to_string().trim_end().to_owned(), json })
}
