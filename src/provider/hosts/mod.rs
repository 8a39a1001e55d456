//! Existing hosts. Nothing is created or started: the spec's hosts are the machines. What monctl changes there is
//! recorded on each host itself (`playbooks/lib/manifest.sh`), and `down` reverts exactly that.

mod access;
mod address;
mod folder;
mod host_registry;
mod prerequisites;
pub(in crate::provider) mod recorded_items;
mod teardown;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use futures_util::future::join_all;

pub use self::recorded_items::{RecordedItemKind, RecordedItems};

use self::access::HostSshFiles;
use self::host_registry::NamedHost;
use super::interface::{Provider, Work};
use super::lock::ProjectLock;
use super::observed::{MachineState, Observed, ObservedMachine};
use super::piece::Piece;
use crate::error::Result;
use crate::event::Events;
use crate::host::{HostName, Machine, ProjectName};
use crate::plan::InfraAction;
use crate::spec::{ExistingHosts, Loaded};

/// The hosts of one project.
#[derive(Debug)]
pub struct HostsProvider {
    project: ProjectName,
    folder: PathBuf,
    /// The hosts of the spec; empty if the spec is lost.
    listed: Vec<NamedHost>,
    events: Events,
}

impl HostsProvider {
    /// The hosts that a spec lists.
    pub(super) fn of(loaded: &Loaded, hosts: &ExistingHosts, events: Events) -> Result<Self> {
        let base = std::path::absolute(loaded.base_dir())
            .map_err(|error| folder::cannot("find", loaded.base_dir(), error))?;
        let missing = missing_keys(hosts, &base);
        if !missing.is_empty() {
            let error = loaded.refuse("reaching the hosts of the spec", missing);
            return Err(error.remedy("name keys that exist, or omit `key` if your ssh configuration sets it"));
        }
        let host = |(name, host): (HostName, &crate::spec::ExistingHost)| {
            let mut settings = host.settings();
            settings.key = settings.key.map(|key| base.join(key));
            NamedHost::new(name, settings)
        };
        let project = loaded.spec.project.clone();
        let folder = folder::of(&project)?;
        Ok(Self { project, folder, listed: hosts.all().into_iter().map(host).collect(), events })
    }

    /// The hosts that earlier runs recorded, if any.
    pub(super) fn remembered(project: &ProjectName, events: &Events) -> Result<Option<Self>> {
        let folder = folder::of(project)?;
        let exists = host_registry::path(&folder).exists();
        let (project, events) = (project.clone(), events.clone());
        Ok(exists.then_some(Self { project, folder, listed: Vec::new(), events }))
    }

    async fn observe_host(&self, host: &NamedHost) -> Result<(HostName, ObservedMachine)> {
        let access = HostSshFiles::write(&self.folder, host)?;
        let route = access.route().await.map_err(|error| error.at(host.name.to_string()))?;
        let address = address::of(host, &route).await?;
        if let Some(fingerprint) = &host.settings.host_key {
            access.pin(fingerprint).await.map_err(|error| error.at(host.name.to_string()))?;
        }
        let machine = Machine { name: host.name, address, public: None, ssh: access.target(&route) };
        Ok((host.name, ObservedMachine { state: MachineState::Running, machine }))
    }
}

impl Provider for HostsProvider {
    fn folder(&self) -> PathBuf {
        self.folder.clone()
    }

    fn lock(&self) -> Result<ProjectLock> {
        let root = folder::root()?;
        folder::create(&root)?;
        ProjectLock::acquire_in(&root, &self.project)
    }

    fn check_prerequisites(&self) -> Result<()> {
        prerequisites::check()
    }

    fn observe(&self) -> Work<'_, Observed> {
        Box::pin(async {
            folder::create(&self.folder)?;
            for host in host_registry::others(&host_registry::read(&self.folder)?, &self.listed) {
                let ssh = &host.settings.ssh;
                self.events.warn(format!(
                    "`{ssh}` is no longer in the spec; what monctl installed there stays until `monctl down`"
                ));
            }
            let found = join_all(self.listed.iter().map(|host| self.observe_host(host))).await;
            let machines = found.into_iter().collect::<Result<BTreeMap<_, _>>>()?;
            Ok(Observed { network: true, machines, aws: None })
        })
    }

    /// Nothing to do: monctl does not start existing hosts.
    fn plan<'a>(&'a self, _: Vec<HostName>, _: &'a Observed) -> Work<'a, Vec<InfraAction>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn apply<'a>(&'a self, _: &'a [InfraAction]) -> Work<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    fn remember(&self, changing: &[HostName]) -> Result<()> {
        let hosts: Vec<NamedHost> =
            self.listed.iter().filter(|host| changing.contains(&host.name)).cloned().collect();
        folder::create(&self.folder)?;
        host_registry::remember(&self.folder, &hosts)
    }

    fn destroy(&self) -> Work<'_, Vec<Piece>> {
        Box::pin(self.take_back())
    }

    fn leftovers(&self) -> Work<'_, Vec<Piece>> {
        Box::pin(self.pieces())
    }
}

/// The keys that do not exist, by their place in the spec: ssh would continue without them and be refused.
fn missing_keys(hosts: &ExistingHosts, base: &Path) -> Vec<(Vec<String>, String)> {
    let missing = hosts.all().into_iter().filter_map(|(name, host)| {
        let key = base.join(host.settings().key?);
        let path = format!("{}.key", ExistingHosts::place(name)).split('.').map(str::to_owned).collect();
        (!key.is_file()).then(|| (path, format!("there is no file `{}`", key.display())))
    });
    missing.collect()
}
