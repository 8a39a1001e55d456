//! `monctl plan`.

use serde_json::json;

use super::context::Context;
use crate::converge::{Deployment, up_summary};
use crate::error::{Error, Exit, Result};
use crate::report::Outcome;

/// Compares the spec with the current state and shows what `up` would do; changes nothing.
///
/// # Errors
/// When the spec is invalid, or a running host does not answer and no planned change can be the cause.
pub(super) async fn run(context: &Context) -> Result<Outcome> {
    let mut deployment = Deployment::load(&context.spec, &context.events, &context.secrets).await?;
    let observed = deployment.provider.observe().await?;
    let mut look = deployment.look(&observed, &context.events).await?;
    // A missing firewall rule keeps the host from answering, but is found without the host.
    if look.plan.infra.is_empty()
        && let Some(error) = Error::all(std::mem::take(&mut look.silent))
    {
        return Err(error);
    }
    let json = serde_json::to_value(&look.plan)
        .map_err(|error| Error::failed("cannot write the plan as JSON").because(error))?;
    let silent: Vec<String> = look.silent.iter().map(Error::in_one_line).collect();
    let exit = if look.plan.is_empty() { Exit::Success } else { Exit::Changes };
    let mut lines = vec![];
    if !look.plan.is_empty() || silent.is_empty() {
        lines.push(look.plan.to_string().trim_end().to_owned());
    }
    lines.extend(silent.iter().map(|error| format!("! not checked: {error}")));
    lines.extend(deployment.left_out.iter().map(|what| format!("left out: {what}")));
    let warnings = up_summary::warnings(&deployment.loaded.spec, up_summary::known(&look.hosts).values());
    lines.extend(warnings.iter().map(|warning| format!("warning: {warning}")));
    lines.extend(deployment.unavailable.iter().map(|why| format!("missing: {why}")));
    let json = json!({
        "plan": json, "silent": silent, "missing": deployment.unavailable,
        "left_out": deployment.left_out, "warnings": warnings,
    });
    Ok(Outcome::success(lines.join("\n"), json).with_exit(exit))
}
