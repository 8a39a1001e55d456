//! Steps on a machine before its playbook: replaces a host key that others could know, and grows a file system to the
//! size of its disk. If a run ends in here, the next one continues.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;

use crate::error::{Error, Result};
use crate::host::HostName;
use crate::plan::{InfraAction, aws};
use crate::provider::Provider;
use crate::remote::{Limits, Remote};

const RENEW: &str = include_str!("../../playbooks/lib/renew-host-key.sh");
const GROW: &str = include_str!("../../playbooks/lib/grow-root.sh");

/// Time limit for creating a key or growing a file system.
const PREPARED_WITHIN: Duration = Duration::from_mins(5);

/// The connections to hosts.
type Remotes<'a> = BTreeMap<HostName, &'a Remote>;

/// Replaces the host keys that machines were created with. Both keys are accepted during the replacement.
///
/// # Errors
/// When a host does not create or print its new key; the old one stays accepted, and the next run continues.
pub async fn renew_host_keys(provider: &dyn Provider, remotes: &Remotes<'_>) -> Result<()> {
    let mut initial: BTreeMap<HostName, String> = BTreeMap::new();
    for host in remotes.keys() {
        initial.extend(provider.initial_host_key(*host)?.map(|key| (*host, key)));
    }
    if initial.is_empty() {
        return Ok(());
    }
    let made = join_all(initial.iter().map(|(host, initial)| async move {
        let new = script(remotes[host], RENEW, &["prepare", initial]).await?;
        Ok((*host, new))
    }));
    let new: BTreeMap<HostName, String> = made.await.into_iter().collect::<Result<_>>()?;
    let both = initial.iter().map(|(host, initial)| (*host, vec![initial.clone(), new[host].clone()]));
    provider.pin_host_keys(&both.collect()).await?;
    let active = join_all(
        new.iter().map(|(host, new)| async move { script(remotes[host], RENEW, &["activate", new]).await }),
    );
    active.await.into_iter().collect::<Result<Vec<_>>>()?;
    provider.pin_host_keys(&new.iter().map(|(host, new)| (*host, vec![new.clone()])).collect()).await?;
    let forgotten = join_all(new.keys().map(|host| provider.forget_initial_host_key(*host))).await;
    forgotten.into_iter().collect()
}

/// Grows the file systems that the plan names.
///
/// # Errors
/// When a host cannot grow its file system.
pub async fn grow_file_systems(
    provider: &dyn Provider,
    infra: &[InfraAction],
    remotes: &Remotes<'_>,
) -> Result<()> {
    let work = infra.iter().map(|action| async move {
        let InfraAction::Aws(aws::Action::GrowFileSystem { host, .. }) = action else { return Ok(()) };
        let Some(remote) = remotes.get(host) else { return Ok(()) };
        script(remote, GROW, &[]).await?;
        provider.note_growth(action).await
    });
    join_all(work).await.into_iter().collect()
}

/// Runs a script on a host and returns what it printed.
async fn script(remote: &Remote, script: &str, words: &[&str]) -> Result<String> {
    let command: Vec<&str> = ["sh", "-s", "--"].into_iter().chain(words.iter().copied()).collect();
    let limits = Limits::ANSWER.within(PREPARED_WITHIN);
    let output = remote.run_within(&command, script.as_bytes(), limits).await?;
    if output.status.success() {
        return Ok(output.stdout.trim().to_owned());
    }
    Err(Error::failed("the machine could not be prepared")
        .at(remote.host().to_string())
        .because(output.stderr.trim().to_owned())
        .remedy("run `monctl up` again: it goes on from here"))
}
