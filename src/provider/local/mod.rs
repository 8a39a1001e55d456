//! Machines on this computer: Debian in systemd-nspawn, each with systemd, sshd, a root file system and an address of
//! its own, behind one bridge per project. All state is on disk, and every name is derived from the project's, so that
//! everything can be found again or removed after any interruption.

mod access;
mod boot;
mod cleanup;
mod disk;
mod groups;
mod image;
mod inherited_settings;
mod machine_record;
mod names;
mod network;
mod nspawn;
mod prerequisites;
mod provision;
mod recipe;
mod subnet;
mod sys;
mod units;

use std::collections::BTreeMap;
use std::path::PathBuf;

use futures_util::future::join_all;
use tokio::sync::{Mutex, OnceCell};

use self::machine_record::MachineRecord;
use self::names::Names;
use super::interface::{Provider, Work};
use super::lock::ProjectLock;
use super::observed::{MachineState, Observed, ObservedMachine};
use super::piece::Piece;
use super::{command, files, keys};
use crate::error::{Error, Result};
use crate::event::Events;
use crate::host::{HostName, Machine, ProjectName};
use crate::plan::{InfraAction, infrastructure};
use crate::provider::progress::ProviderTask;

/// The local provider of one project.
#[derive(Debug)]
pub struct LocalProvider {
    names: Names,
    events: Events,
    /// The base image, looked up once.
    image: OnceCell<String>,
    /// Held while the ssh files of all machines are written.
    access: Mutex<()>,
}

impl LocalProvider {
    /// The machines of a project. Changes nothing yet.
    pub fn new(project: ProjectName, events: Events) -> Self {
        Self { names: Names::new(project), events, image: OnceCell::new(), access: Mutex::new(()) }
    }

    fn project(&self) -> &ProjectName {
        self.names.project()
    }

    fn observe_machine(&self, host: HostName) -> Result<Option<ObservedMachine>> {
        let Some(record) = MachineRecord::read(&self.names, host)? else {
            // Without a subnet there has never been a machine, only its folder.
            let Some(subnet) = network::subnet(&self.names)? else { return Ok(None) };
            let address = names::address(subnet, host)?;
            let machine = access::machine(&self.names, host, address);
            return Ok(Some(ObservedMachine { state: MachineState::Unfinished, machine }));
        };
        let runs = groups::is_running(&self.names.group(host)?)?;
        let state = if runs { MachineState::Running } else { MachineState::Stopped };
        Ok(Some(ObservedMachine { state, machine: access::machine(&self.names, host, record.address) }))
    }

    /// Completes the network: link, addresses, NAT, the client key and the ssh configuration.
    ///
    /// # Errors
    /// No free subnet is left, or one of the tools failed.
    pub async fn create_network(&self) -> Result<()> {
        let done = self.begin("create the network of the machines");
        network::create(&self.names).await?;
        if let Some(obstacle) = network::obstacle(&self.names).await {
            self.events.warn(obstacle);
        }
        self.write_access().await?;
        for (host, record) in machine_record::all(&self.names)? {
            // A lost client key was replaced by a new one, which running machines must accept.
            if groups::is_running(&self.names.group(host)?)? {
                disk::attach(&self.names.machine(host), &record.image, record.layout)?;
                provision::refresh(&self.names, host)?;
            }
        }
        done.end();
        Ok(())
    }

    /// Creates and boots a machine, after removing what is left of an unfinished one. Several may be created at once.
    ///
    /// # Errors
    /// The base image cannot be built, or the machine does not boot; the error has the end of its log.
    pub async fn create_machine(&self, host: HostName) -> Result<Machine> {
        let subnet = self.subnet()?;
        let address = names::address(subnet, host)?;
        let image = self.image.get_or_try_init(|| image::ensure(&self.events)).await?;
        let done = self.begin(format!("create machine `{host}`"));
        self.clear(host).await?;
        let folder = self.names.machine(host);
        files::create_folder(&folder.0)?;
        let layout = disk::create(&folder, image).await?;
        let host_key = provision::identity(&self.names, host, address, subnet).await?;
        MachineRecord { address, image: image.clone(), layout, host_key }.write(&self.names, host)?;
        let machine = self.boot(host).await?;
        done.end();
        Ok(machine)
    }

    /// Boots a stopped machine. Does nothing to a running one.
    ///
    /// # Errors
    /// Its disk or base image is missing, or it does not boot.
    pub async fn start_machine(&self, host: HostName) -> Result<Machine> {
        let done = self.begin(format!("start machine `{host}`"));
        let machine = self.boot(host).await?;
        done.end();
        Ok(machine)
    }

    /// Removes one machine with its disk. Succeeds if it does not exist.
    ///
    /// # Errors
    /// A process cannot be ended or a file cannot be removed.
    pub async fn remove_machine(&self, host: HostName) -> Result<()> {
        let done = self.begin(format!("remove machine `{host}`"));
        self.clear(host).await?;
        self.write_access().await?;
        done.end();
        Ok(())
    }

    async fn act(&self, action: &InfraAction) -> Result<()> {
        match action {
            InfraAction::CreateNetwork | InfraAction::Aws(_) => Ok(()),
            InfraAction::CreateMachine(host) => self.create_machine(*host).await.map(drop),
            InfraAction::StartMachine(host) => self.start_machine(*host).await.map(drop),
            InfraAction::RemoveMachine(host) => self.remove_machine(*host).await,
        }
    }

    /// Boots a complete machine, unless it runs.
    async fn boot(&self, host: HostName) -> Result<Machine> {
        let record = MachineRecord::read(&self.names, host)?.ok_or_else(|| {
            Error::failed(format!("machine `{host}` does not exist")).remedy("create it with `monctl up`")
        })?;
        self.write_access().await?;
        if !groups::is_running(&self.names.group(host)?)? {
            // Parts of an earlier start may be left, such as a systemd-nspawn that still has the network cable.
            self.end(host).await?;
            disk::attach(&self.names.machine(host), &record.image, record.layout)?;
            provision::refresh(&self.names, host)?;
            boot::boot(&self.names, host, record.address).await?;
        }
        Ok(access::machine(&self.names, host, record.address))
    }

    /// Removes everything that exists of a machine.
    async fn clear(&self, host: HostName) -> Result<()> {
        self.end(host).await?;
        disk::remove(&self.names.machine(host).0).await
    }

    /// Ends all processes of a machine, and removes what would prevent its next start.
    async fn end(&self, host: HostName) -> Result<()> {
        let (id, group) = (self.names.machine_id(host)?, self.names.group(host)?);
        groups::end(&groups::find(|name| name == group)?).await?;
        units::stop(&group).await?;
        let lock = nspawn::lock(&self.names.machine(host));
        for path in lock.into_iter().chain(nspawn::folders(|name| name == id)?) {
            disk::remove(&path).await?;
        }
        Ok(())
    }

    async fn write_access(&self) -> Result<()> {
        let _held = self.access.lock().await;
        access::ensure(&self.names, &machine_record::all(&self.names)?).await
    }

    fn subnet(&self) -> Result<subnet::LocalSubnet> {
        network::subnet(&self.names)?.ok_or_else(|| {
            Error::failed(format!("project `{}` has no network yet", self.project()))
                .remedy("create it with `monctl up`")
        })
    }

    fn begin(&self, what: impl Into<String>) -> ProviderTask<'_> {
        ProviderTask::begin(&self.events, what)
    }
}

impl Provider for LocalProvider {
    fn folder(&self) -> PathBuf {
        self.names.folder()
    }

    fn lock(&self) -> Result<ProjectLock> {
        ProjectLock::acquire(self.project())
    }

    fn check_prerequisites(&self) -> Result<()> {
        prerequisites::check()
    }

    fn observe(&self) -> Work<'_, Observed> {
        Box::pin(async {
            prerequisites::check_root()?;
            let records = machine_record::all(&self.names)?;
            let network =
                network::is_complete(&self.names).await? && access::is_complete(&self.names, &records);
            let mut machines = BTreeMap::new();
            for host in machine_record::hosts(&self.names)? {
                machines.extend(self.observe_machine(host)?.map(|found| (host, found)));
            }
            Ok(Observed { network, machines, aws: None })
        })
    }

    fn plan<'a>(&'a self, wanted: Vec<HostName>, observed: &'a Observed) -> Work<'a, Vec<InfraAction>> {
        Box::pin(async { Ok(infrastructure(wanted, observed.network, &observed.facts())) })
    }

    fn apply<'a>(&'a self, actions: &'a [InfraAction]) -> Work<'a, ()> {
        Box::pin(async {
            if actions.contains(&InfraAction::CreateNetwork) {
                self.create_network().await?;
            }
            join_all(actions.iter().map(|action| self.act(action))).await.into_iter().collect()
        })
    }

    fn others(&self) -> Work<'_, Vec<(String, String)>> {
        Box::pin(async {
            let others = projects()?.into_iter().filter(|project| project != self.project());
            Ok(others.map(|project| (project.to_string(), "machines on this computer".into())).collect())
        })
    }

    fn destroy(&self) -> Work<'_, Vec<Piece>> {
        Box::pin(async {
            prerequisites::check_root()?;
            cleanup::remove(&self.names).await
        })
    }

    fn leftovers(&self) -> Work<'_, Vec<Piece>> {
        Box::pin(async {
            prerequisites::check_root()?;
            cleanup::find(&self.names).await
        })
    }
}

/// The projects that have anything on this computer, by name.
///
/// # Errors
/// The folder of the projects cannot be read.
pub fn projects() -> Result<Vec<ProjectName>> {
    cleanup::projects()
}

/// Removes the cached base images. Returns the removed folders, and those that stay because machines use them.
///
/// # Errors
/// A folder cannot be removed, or the records of the machines that use images cannot be read.
pub fn purge_cache() -> Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let mut used = Vec::new();
    for project in projects()? {
        // A record that cannot be read may name any of them.
        used.extend(machine_record::all(&Names::new(project))?.into_iter().map(|(_, record)| record.image));
    }
    image::purge(&used)
}
