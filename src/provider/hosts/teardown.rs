//! `down` on existing hosts: reads each host's record and reverts what it lists. An unreachable host does not
//! prevent this on the others.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use futures_util::future::join_all;

use super::super::piece::Piece;
use super::access::HostSshFiles;
use super::host_registry::{self, NamedHost};
use super::recorded_items::{RecordedItemKind, RecordedItems};
use super::{HostsProvider, folder};
use crate::error::{Error, Result};
use crate::host::Machine;
use crate::playbook::{Removal, bootstrap, removal_script};
use crate::provider::progress::ProviderTask;
use crate::remote::{Limits, Remote};

/// Timeout for the connection; an existing host answers at once.
const ANSWERS_WITHIN: Duration = Duration::from_secs(20);
/// Timeout for listing; the script first waits up to five minutes for another run to end.
const LISTED_WITHIN: Duration = Duration::from_mins(6);
/// Timeout for reverting; removing packages takes long, and the script waits for apt's lock.
const GIVEN_BACK_WITHIN: Duration = Duration::from_mins(45);

impl HostsProvider {
    /// What exists of the project: on each host, and the folder on this computer.
    pub(super) async fn pieces(&self) -> Result<Vec<Piece>> {
        let (hosts, found) = self.everywhere(Removal::List).await?;
        let mut pieces = Vec::new();
        for (host, found) in hosts.iter().zip(found) {
            match found {
                Ok(things) => pieces.extend(things.into_iter().map(Piece::OnHost)),
                Err(error) => pieces.push(Piece::OnHost(self.unreachable(host, &error))),
            }
        }
        if self.folder.exists() {
            pieces.push(Piece::Folder(self.folder.clone()));
        }
        Ok(pieces)
    }

    /// Reverts on every host what its record lists, and forgets hosts on which nothing is left.
    pub(super) async fn take_back(&self) -> Result<Vec<Piece>> {
        let (hosts, done) = self.everywhere(Removal::Remove).await?;
        let mut pieces = Vec::new();
        let mut failed = Vec::new();
        for (host, done) in hosts.into_iter().zip(done) {
            match done {
                Ok(things) => pieces.extend(things.into_iter().map(Piece::OnHost)),
                Err(error) => failed.push((host, error)),
            }
        }
        if failed.is_empty() {
            // Checks the hosts once more before the way to them is forgotten.
            let (_, left) = self.everywhere(Removal::List).await?;
            if left.iter().all(|left| left.as_ref().is_ok_and(Vec::is_empty)) {
                std::fs::remove_dir_all(&self.folder)
                    .map_err(|error| folder::cannot("remove", &self.folder, error))?;
                pieces.push(Piece::Folder(self.folder.clone()));
            }
            return Ok(pieces);
        }
        for piece in &pieces {
            self.events.note(piece.outcome());
        }
        let names: Vec<String> = failed.iter().map(|(host, _)| host.name.to_string()).collect();
        let remaining: Vec<NamedHost> = failed.iter().map(|(host, _)| host.clone()).collect();
        host_registry::forget_others(&self.folder, &remaining)?;
        let why = failed.iter().map(|(host, error)| match error.place() {
            Some(_) => error.in_one_line(),
            None => format!("{}: {}", host.name, error.in_one_line()),
        });
        Err(Error::failed(format!("not restored: {}", names.join(", ")))
            .because(why.collect::<Vec<_>>().join("\n"))
            .remedy("all other hosts are restored; run `monctl down` again for the rest"))
    }

    /// Runs the script concurrently on all hosts of the spec and all that earlier runs recorded.
    async fn everywhere(
        &self,
        removal: Removal,
    ) -> Result<(Vec<NamedHost>, Vec<Result<Vec<RecordedItems>>>)> {
        let known = host_registry::read(&self.folder)?;
        // Without a record on this computer, other computers may have set the spec's hosts up.
        let hosts: Vec<NamedHost> =
            self.listed.iter().cloned().chain(host_registry::others(&known, &self.listed)).collect();
        let exists = self.folder.exists();
        folder::create(&self.folder)?;
        let done = join_all(hosts.iter().map(|host| self.on_host(host, removal))).await;
        if !exists && removal == Removal::List {
            #[expect(
                clippy::let_underscore_must_use,
                reason = "only listed: the folder was created for that, and is found again if it stays"
            )]
            let _ = std::fs::remove_dir_all(&self.folder);
        }
        Ok((hosts, done))
    }

    async fn on_host(&self, host: &NamedHost, removal: Removal) -> Result<Vec<RecordedItems>> {
        let at = |error: Error| error.at(host.name.to_string());
        let access = HostSshFiles::write(&self.folder, host)?;
        if let Some(fingerprint) = &host.settings.host_key {
            access.pin(fingerprint).await.map_err(at)?;
        }
        let ssh = access.target(&access.route().await.map_err(at)?);
        let address = host.settings.address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let machine = Machine { name: host.name, address, public: None, ssh };
        let remote = Remote::connect(&machine, ANSWERS_WITHIN, &self.events).await?;
        let doing = (removal == Removal::Remove)
            .then(|| ProviderTask::begin(&self.events, format!("restore {}", host.name)));
        let script = removal_script(removal, &self.project);
        let limits =
            Limits::ANSWER.within(if removal == Removal::Remove { GIVEN_BACK_WITHIN } else { LISTED_WITHIN });
        let output = remote.run_within(&bootstrap(), script, limits).await?;
        let things = read(host, &output.stdout);
        if !output.status.success()
            && let Some(error) = remote.refused_root(&output.stderr).await
        {
            return Err(error);
        }
        if !output.status.success() || !output.stdout.ends_with("end\n") {
            return Err(at(Error::failed("not everything could be removed from the host")
                .because(output.stderr.trim().to_owned())
                .remedy("run `monctl down` again; it continues from here")));
        }
        if let Some(doing) = doing {
            doing.end();
        }
        Ok(things)
    }

    fn unreachable(&self, host: &NamedHost, error: &Error) -> RecordedItems {
        let file = host_registry::path(&self.folder);
        let causes = error.causes();
        let why = causes.last().and_then(|cause| cause.lines().last());
        let why = why.map(|why| format!(" ({})", why.trim())).unwrap_or_default();
        let shown = format!(
            "{}{why}; if the host is gone for good, remove it from `{}` and from the spec",
            error.message(),
            file.display()
        );
        RecordedItems { host: host.name, kind: RecordedItemKind::Unreachable, names: vec![shown] }
    }
}

/// Parses the output of the host's script: a kind and a name per line, and `end` last.
fn read(host: &NamedHost, output: &str) -> Vec<RecordedItems> {
    let mut things: BTreeMap<RecordedItemKind, Vec<String>> = BTreeMap::new();
    for line in output.lines() {
        if let Some((kind, name)) = line.split_once('\t')
            && let Some(kind) = RecordedItemKind::read(kind)
        {
            things.entry(kind).or_default().push(name.to_owned());
        }
    }
    things.into_iter().map(|(kind, names)| RecordedItems { host: host.name, kind, names }).collect()
}
