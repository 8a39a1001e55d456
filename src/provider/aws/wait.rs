//! Waiting for instances: one call for all of them, about once a second. Fresh ids may be unknown for a while.

use std::time::Duration;

use super::Aws;
use super::tags::filter;
use crate::error::{Error, Result};
use crate::plan::aws::{Instance, InstanceState};
use crate::retry::Patience;

/// How long a change of state may take: stopping a busy machine takes minutes.
const CHANGES_WITHIN: Duration = Duration::from_mins(5);
/// How many lines of a console are shown.
const SHOWN_LINES: usize = 20;

impl Aws {
    /// Waits until all of these are in that state; one that is terminated will never be.
    pub(super) async fn wait_for(&self, ids: &[String], state: InstanceState) -> Result<Vec<Instance>> {
        let mut patience =
            Patience::new(CHANGES_WITHIN).pausing(Duration::from_millis(300), Duration::from_millis(1_200));
        loop {
            if ids.is_empty() {
                return Ok(Vec::new());
            }
            let found = self.instances(filter("instance-id", ids)).await?;
            if let Some(gone) = found.iter().find(|it| !it.state.is_alive() && state.is_alive()) {
                return Err(self.ended(gone).await);
            }
            let late: Vec<&str> = ids
                .iter()
                .filter(|id| !found.iter().any(|it| it.id == **id && it.state == state))
                .map(String::as_str)
                .collect();
            // EC2 forgets what is terminated.
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
            patience.again(error.remedy("run the same command again: it goes on from what is there")).await?;
        }
    }

    /// Why an instance did not come up, in EC2's words, with what its console shows.
    async fn ended(&self, instance: &Instance) -> Error {
        let host = instance.host.map_or_else(|| instance.id.clone(), |host| host.to_string());
        let reason = instance.reason.clone().unwrap_or_else(|| "EC2 gives no reason".into());
        if let Some(console) = self.console_of(&instance.id).await {
            self.events.warn(format!("{}: its console ends with\n{console}", instance.id));
        }
        Error::failed(format!("instance `{}` was terminated at once: {reason}", instance.id))
            .at(host)
            .remedy("remove the cause, then run `monctl up` again; a new instance is launched then")
    }

    /// The end of an instance's console output.
    pub(super) async fn console_of(&self, id: &str) -> Option<String> {
        use base64::Engine as _;
        let output = self.api.ec2.get_console_output().instance_id(id).send().await.ok()?;
        let bytes = base64::engine::general_purpose::STANDARD.decode(output.output()?).ok()?;
        let text = String::from_utf8_lossy(&bytes).replace(|c: char| c.is_control() && c != '\n', "");
        let lines: Vec<&str> = text.trim_end().lines().collect();
        let shown = lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n");
        (!shown.is_empty()).then_some(shown)
    }
}
