//! Changes the type of a machine, which must be stopped for that. `DryRun` calls check the change first; if it still
//! fails, the machine gets its old type back and is started.

use aws_sdk_ec2::types::AttributeValue;

use super::AwsProvider;
use super::error::{allowed, explain};
use crate::error::{Error, Result};
use crate::host::HostName;
use crate::plan::aws::InstanceState;

/// A change of type.
#[derive(Debug, Clone, Copy)]
pub(super) struct Retyping<'a> {
    pub host: HostName,
    pub id: &'a str,
    pub from: &'a str,
    pub to: &'a str,
    /// Whether it runs now. A stopped machine is started, too.
    pub running: bool,
}

impl AwsProvider {
    /// Stops, changes and starts the machine, and waits until it runs.
    pub(super) async fn retype(&self, change: Retyping<'_>) -> Result<()> {
        let Retyping { host, id, to, .. } = change;
        let done = self.begin(format!("change the type of machine `{host}` ({id}) to {to}"));
        self.may_retype(change).await.map_err(|error| error.at(host.to_string()))?;
        if change.running {
            self.stop(id).await?;
        }
        match self.retype_and_start(id, to).await {
            Ok(()) => done.end(),
            Err(error) => return Err(self.put_back(change, error.at(host.to_string())).await),
        }
        Ok(())
    }

    /// Checks with `DryRun` that EC2 would carry out each of the three calls.
    async fn may_retype(&self, Retyping { id, to, running, .. }: Retyping<'_>) -> Result<()> {
        let ec2 = &self.api.ec2;
        if running {
            let answer = ec2.stop_instances().instance_ids(id).dry_run(true).send().await;
            allowed("ec2:StopInstances", answer, &[])?;
        }
        let value = AttributeValue::builder().value(to).build();
        let call = ec2.modify_instance_attribute().instance_id(id).instance_type(value).dry_run(true);
        // The machine may still run at this point.
        allowed("ec2:ModifyInstanceAttribute", call.send().await, &["IncorrectInstanceState"])?;
        let answer = ec2.start_instances().instance_ids(id).dry_run(true).send().await;
        allowed("ec2:StartInstances", answer, &["IncorrectInstanceState"])
    }

    async fn retype_and_start(&self, id: &str, to: &str) -> Result<()> {
        let ids = [id.to_owned()];
        self.wait_for(&ids, InstanceState::Stopped).await?;
        self.set_type(id, to).await?;
        self.start(id).await?;
        self.wait_for(&ids, InstanceState::Running).await.map(drop)
    }

    async fn set_type(&self, id: &str, name: &str) -> Result<()> {
        let value = AttributeValue::builder().value(name).build();
        let call = self.api.ec2.modify_instance_attribute().instance_id(id).instance_type(value);
        call.send().await.map(drop).map_err(|failed| explain("ec2:ModifyInstanceAttribute", &failed))
    }

    /// Restores the machine's type, and starts it if it ran before. Returns the error of the failed change.
    async fn put_back(&self, change: Retyping<'_>, error: Error) -> Error {
        let Retyping { host, id, from, running, .. } = change;
        match self.restore(change).await {
            Ok(()) if running => {
                self.events.warn(format!("{host} ({id}) was started again as {from}"));
            }
            Ok(()) => self.events.warn(format!("{host} ({id}) is {from} again, and stopped as before")),
            Err(failed) => self.events.warn(format!(
                "{host} ({id}) is stopped and could not be started again as {from}: {}",
                failed.in_one_line()
            )),
        }
        error
    }

    async fn restore(&self, Retyping { id, from, running, .. }: Retyping<'_>) -> Result<()> {
        let ids = [id.to_owned()];
        let found = self.wait_for(&ids, InstanceState::Stopped).await?;
        if found.iter().any(|it| it.instance_type != from) {
            self.set_type(id, from).await?;
        }
        if running {
            self.start(id).await?;
            self.wait_for(&ids, InstanceState::Running).await?;
        }
        Ok(())
    }
}
