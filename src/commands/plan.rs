//! `monctl plan`.

use serde_json::json;

use super::deployment::Deployment;
use super::{Context, Outcome};
use crate::error::{Error, Exit, Result};

/// Looks at everything and says what `up` would do; changes nothing.
///
/// # Errors
/// When the spec is wrong, or a host that runs does not answer.
pub(super) async fn run(context: &Context) -> Result<Outcome> {
    let deployment = Deployment::load(context).await?;
    let observed = deployment.provider.observe().await?;
    let look = deployment.look(&observed, &context.events).await?;
    if let Some(silent) = look.silent.into_iter().next() {
        return Err(silent);
    }
    let json = serde_json::to_value(&look.plan)
        .map_err(|error| Error::failed("the plan has no form in JSON").because(error))?;
    let exit = if look.plan.is_empty() { Exit::Success } else { Exit::Changes };
    Ok(Outcome::success(look.plan.to_string().trim_end(), json!({ "plan": json })).with_exit(exit))
}
