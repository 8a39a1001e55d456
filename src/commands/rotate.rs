//! `monctl rotate`: replaces a secret that monctl generated, everywhere it is used.

use serde_json::json;

use super::context::Context;
use crate::apply;
use crate::cli::{Rotatable, RotateArgs};
use crate::converge::Deployment;
use crate::error::{Error, Result};
use crate::grafana;
use crate::host::{HostName, Machine, Role};
use crate::plan::HostPlan;
use crate::playbook::Playbook;
use crate::remote::{ANSWERS_WITHIN, Remote};
use crate::report::Outcome;
use crate::services::monitoring;

/// The step that writes Grafana's password on its host.
const STEP: &str = "grafana";

/// # Errors
/// When the monitoring host or Grafana does not answer, or Grafana refuses the password that is kept.
pub(super) async fn run(args: &RotateArgs, context: &Context) -> Result<Outcome> {
    let Rotatable::GrafanaPassword = args.what;
    let load = || Deployment::load(&context.spec, &context.events, &context.secrets);
    let deployment = load().await?;
    if deployment.access.is_external() {
        return Err(Error::could_not_run(
            "the Grafana at `grafana.url` is not monctl's, so monctl cannot rotate its password",
        )
        .remedy("to renew its token, create one in Grafana and store it where `grafana.token` refers to"));
    }
    let _lock = deployment.provider.lock()?;
    let machines = deployment.provider.observe().await?.running();
    let monitoring = monitoring(&machines)?;
    let remote = Remote::connect(monitoring, ANSWERS_WITHIN, &context.events).await?;
    deployment.access.rotate_password(remote.forward(grafana::PORT).await?).await?;
    drop(remote);
    context.events.note("Grafana has the new password; updating the file on its host");
    update_host(&load().await?, &machines, monitoring, context).await.map_err(|error| {
        error.remedy("the new password works and is kept here; `monctl up` updates the file on the host, too")
    })?;
    let text = "the administrator of Grafana has a new password; tokens and sessions stay valid";
    Ok(Outcome::success(text, json!({ "rotated": "grafana-password" })))
}

/// Updates the file on the host with the same step as `up`.
async fn update_host(
    deployment: &Deployment,
    machines: &[Machine],
    monitoring: &Machine,
    context: &Context,
) -> Result<()> {
    let project = &deployment.loaded.spec.project;
    let inputs = deployment.inputs_of_roles(machines)?;
    let mut gathered =
        apply::gather(std::slice::from_ref(monitoring), &inputs, project, ANSWERS_WITHIN, &context.events)
            .await;
    let Some(connected) = gathered.remove(&HostName::MONITORING) else { return Ok(()) };
    let connected = connected?;
    let inputs = &inputs[&Role::MONITORING];
    let mut plan = HostPlan::new(
        &Playbook::of(Role::MONITORING, &inputs.flags, &inputs.integrations)?,
        inputs,
        &connected.facts,
    );
    plan.changes.retain(|(step, _)| step.id.0 == STEP);
    let result = apply::apply(&connected.remote, &plan, inputs, project, &context.events).await?;
    match result.failed.into_iter().next() {
        None => Ok(()),
        Some((step, output)) => {
            Err(Error::failed(format!("step `{step}` failed: {output}")).at(HostName::MONITORING.to_string()))
        }
    }
}
