//! `monctl rotate`: a new secret in the place of one that monctl made, everywhere where it is.

use serde_json::json;

use super::context::Context;
use super::deployment::{ANSWERS_WITHIN, Deployment};
use super::grafana;
use super::open::monitoring;
use super::outcome::Outcome;
use crate::apply;
use crate::cli::{Rotatable, RotateArgs};
use crate::error::{Error, Result};
use crate::host::{HostName, Machine, Role};
use crate::plan::HostPlan;
use crate::playbook::Playbook;

/// The step that brings Grafana's password to its host.
const STEP: &str = "grafana";

/// # Errors
/// When the monitoring host or Grafana does not answer, or Grafana refuses the password that is kept.
pub(super) async fn run(args: &RotateArgs, context: &Context) -> Result<Outcome> {
    let Rotatable::GrafanaPassword = args.what;
    let deployment = Deployment::load(context).await?;
    if deployment.access.is_guest() {
        return Err(Error::could_not_run(
            "the Grafana at `grafana.url` is not monctl's, and no password of it is either",
        )
        .remedy("its token is renewed there: put the new one where `grafana.token` looks"));
    }
    let _lock = deployment.provider.lock()?;
    let machines = deployment.provider.observe().await?.running();
    let monitoring = monitoring(&machines)?;
    let remote = crate::remote::Remote::connect(monitoring, ANSWERS_WITHIN, &context.events).await?;
    deployment.access.rotate_password(remote.forward(grafana::PORT).await?).await?;
    drop(remote);
    context.events.note("Grafana has the new password; bringing it to its host");
    bring(&Deployment::load(context).await?, &machines, monitoring, context).await.map_err(|error| {
        error.remedy("the new password works and is kept; `monctl up` brings it to the host as well")
    })?;
    let text = "the administrator of Grafana has a new password; tokens and sessions go on as they were";
    Ok(Outcome::success(text, json!({ "rotated": "grafana-password" })))
}

/// Puts the file on the host in line, by the same step as `up`.
async fn bring(
    deployment: &Deployment,
    machines: &[Machine],
    monitoring: &Machine,
    context: &Context,
) -> Result<()> {
    let project = &deployment.loaded.spec.project;
    let inputs = deployment.inputs_of_roles(machines)?;
    let mut answers =
        apply::gather(std::slice::from_ref(monitoring), &inputs, project, ANSWERS_WITHIN, &context.events)
            .await;
    let Some(connected) = answers.remove(&HostName::MONITORING) else { return Ok(()) };
    let connected = connected?;
    let inputs = &inputs[&Role::MONITORING];
    let mut plan =
        HostPlan::new(&Playbook::of(Role::MONITORING, &inputs.integrations)?, inputs, &connected.facts);
    plan.changes.retain(|(step, _)| step.id.0 == STEP);
    let result = apply::apply(&connected.remote, &plan, inputs, project, &context.events).await?;
    match result.failed.into_iter().next() {
        None => Ok(()),
        Some((step, output)) => {
            Err(Error::failed(format!("step `{step}` failed: {output}")).at(HostName::MONITORING.to_string()))
        }
    }
}
