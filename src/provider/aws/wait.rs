//! Waits for instances with one call for all of them, about once a second. EC2 may not know new ids for a while.

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine as _;
use tokio::time::Instant;

use super::AwsProvider;
use super::error::code;
use crate::error::{Error, Result};
use crate::plan::aws::{Instance, InstanceState};
use crate::retry::Patience;

/// Timeout of a change of state: stopping a busy machine takes minutes.
const CHANGES_WITHIN: Duration = Duration::from_mins(5);
/// How long EC2 may still return the state before `StartInstances`.
const STALE_FOR: Duration = Duration::from_secs(10);
/// Number of console lines shown.
const SHOWN_LINES: usize = 20;
/// Reason codes of an instance that was stopped on purpose: a failed start has other codes.
const STOPPED_ON_PURPOSE: [&str; 4] = [
    "Client.UserInitiatedShutdown",
    "Client.InstanceInitiatedShutdown",
    "Client.UserInitiatedHibernate",
    "Server.ScheduledStop",
];

impl AwsProvider {
    /// Waits until all instances are in that state. Fails at once if one is terminated, or stops while starting.
    pub(super) async fn wait_for(&self, ids: &[String], state: InstanceState) -> Result<Vec<Instance>> {
        let mut patience =
            Patience::new(CHANGES_WITHIN).pausing(Duration::from_millis(300), Duration::from_millis(1_200));
        let begun = Instant::now();
        let mut seen_starting = BTreeSet::new();
        loop {
            if ids.is_empty() {
                return Ok(Vec::new());
            }
            let found = self.instances_of(ids).await?;
            if let Some(gone) = found.iter().find(|it| !it.state.is_alive() && state.is_alive()) {
                return Err(self.ended(gone).await);
            }
            if state == InstanceState::Running {
                let starting = found.iter().filter(|it| it.state == InstanceState::Pending);
                seen_starting.extend(starting.map(|it| it.id.clone()));
                let fell_back = |it: &&Instance| {
                    let is_new = seen_starting.contains(&it.id) || begun.elapsed() >= STALE_FOR;
                    is_new && failed_to_start(it)
                };
                if let Some(stopped) = found.iter().find(fell_back) {
                    return Err(self.ended(stopped).await);
                }
            }
            let late: Vec<String> = ids
                .iter()
                .filter(|id| !found.iter().any(|it| it.id == **id && it.state == state))
                .map(|id| found.iter().find(|it| it.id == *id).map_or_else(|| id.clone(), Instance::label))
                .collect();
            // EC2 forgets terminated instances after a while.
            let forgotten = state == InstanceState::Terminated
                && found.iter().all(|it| it.state == InstanceState::Terminated);
            if late.is_empty() || forgotten {
                return Ok(found);
            }
            let seconds = patience.limit().as_secs();
            let error = Error::failed(format!(
                "{} not {} within {seconds} s",
                late.join(", "),
                match state {
                    InstanceState::Running => "running",
                    InstanceState::Stopped => "stopped",
                    _ => "terminated",
                }
            ));
            patience
                .again(error.remedy("run the command again: it continues from the current state"))
                .await?;
        }
    }

    /// The error for an instance that did not start, with EC2's reason; shows the end of its console output.
    async fn ended(&self, instance: &Instance) -> Error {
        let reason = match (&instance.reason, &instance.reason_code) {
            (Some(reason), Some(code)) if !reason.contains(code.as_str()) => format!("{code}: {reason}"),
            (Some(reason), _) => reason.clone(),
            (None, Some(code)) => code.clone(),
            (None, None) => "EC2 gives no reason".into(),
        };
        let label = instance.label();
        if let Some(console) = self.console_of(&instance.id).await {
            self.events.warn(format!("{label}: its console ends with\n{console}"));
        }
        let became =
            if instance.state.is_alive() { "fell back to `stopped`" } else { "was terminated at once" };
        let remedy = if reason.contains("InternalError") {
            "usually the KMS key of its disk cannot be used: grant the permissions in docs/aws.md (`kms:CreateGrant`, \
             the key's own policy), then run `monctl up` again"
        } else {
            "remove the cause, then run `monctl up` again: it continues from the current state"
        };
        Error::failed(format!("{label} {became}: {reason}")).remedy(remedy)
    }

    /// The end of an instance's console output; `None` on any failure, since it only supplements another error.
    pub(super) async fn console_of(&self, id: &str) -> Option<String> {
        let call = self.api.ec2.get_console_output().instance_id(id);
        // Only machines on Nitro provide the current output; for others, EC2 keeps that of their last change of state.
        let output = match call.clone().latest(true).send().await {
            Err(failed) if code(&failed) == Some("UnsupportedOperation") => call.send().await.ok()?,
            other => other.ok()?,
        };
        if output.instance_id().is_some_and(|other| other != id) {
            return None;
        }
        let bytes = base64::engine::general_purpose::STANDARD.decode(output.output()?).ok()?;
        let text = String::from_utf8_lossy(&bytes).replace(|c: char| c.is_control() && c != '\n', "");
        let lines: Vec<&str> = text.trim_end().lines().collect();
        let shown = lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n");
        (!shown.is_empty()).then_some(shown)
    }
}

/// Whether an instance stopped because its start failed.
fn failed_to_start(instance: &Instance) -> bool {
    let code = instance.reason_code.as_deref();
    instance.state == InstanceState::Stopped && code.is_some_and(|code| !STOPPED_ON_PURPOSE.contains(&code))
}
