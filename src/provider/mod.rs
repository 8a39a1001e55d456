//! Where machines come from. A provider observes what there is, makes, starts and removes pieces of it,
//! and looks again after it destroyed them. It decides nothing: `plan/` says which action is due.
//!
//! `apply/` calls the actions; `commands/` calls `of`, `observe`, `plan`, `destroy` and `leftovers`.

#[cfg(feature = "aws")]
mod aws;
#[cfg(not(feature = "aws"))]
#[path = "aws_absent.rs"]
mod aws;
mod command;
mod doing;
mod files;
pub mod hosts;
mod keys;
pub mod local;
mod lock;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::join_all;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::event::Events;
use crate::host::{HostName, Machine, ProjectName};
use crate::plan::aws::Cloud;
use crate::plan::{InfraAction, MachineFact, infrastructure};
use crate::spec::{self, Loaded};
pub use lock::ProjectLock;

/// The provider of one project.
#[derive(Debug)]
pub enum Provider {
    /// systemd machines on this computer.
    Local(local::Local),
    /// Instances of EC2.
    Aws(Box<aws::Aws>),
    /// Hosts that exist.
    Hosts(hosts::Hosts),
}

/// What the provider has of a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Observed {
    /// The network is complete: link, addresses, NAT, keys and the configuration of ssh.
    pub network: bool,
    /// The machines that exist, whole or not. A host without an entry does not exist.
    pub machines: BTreeMap<HostName, ObservedMachine>,
    /// Everything that EC2 has of the project, where it has the machines.
    #[serde(skip)]
    pub aws: Option<Cloud>,
}

impl Observed {
    /// The machines that run.
    pub fn running(&self) -> Vec<Machine> {
        let running = self.machines.values().filter(|found| found.state == MachineState::Running);
        running.map(|found| found.machine.clone()).collect()
    }

    /// What the planner needs to know of the machines.
    fn facts(&self) -> BTreeMap<HostName, MachineFact> {
        let fact = |state| match state {
            MachineState::Unfinished => MachineFact::Unfinished,
            MachineState::Stopped => MachineFact::Stopped,
            MachineState::Running => MachineFact::Running,
        };
        self.machines.iter().map(|(host, machine)| (*host, fact(machine.state))).collect()
    }
}

/// A machine as it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ObservedMachine {
    /// What can be done with it.
    pub state: MachineState,
    /// Its address and how ssh reaches it, once it runs.
    pub machine: Machine,
}

/// What can be done with a machine that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MachineState {
    /// Its making was cut short. [`Provider::create_machine`] clears it away and makes it anew.
    Unfinished,
    /// It is whole and does not run. [`Provider::start_machine`] brings it back with its disk.
    Stopped,
    /// It runs, or boots.
    Running,
}

/// A piece of a project that was found, and that [`Provider::destroy`] removes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "kind", content = "name", rename_all = "snake_case")]
pub enum Piece {
    /// A machine with its disk.
    Machine(String),
    /// An instance of EC2 with its disk.
    Instance {
        /// The host that it is; empty where nothing tells.
        host: String,
        /// Its id.
        id: String,
    },
    /// A volume of EC2 that no instance has.
    Volume(String),
    /// An address of EC2 that survives a stop.
    Address(String),
    /// A network interface of EC2 that no instance has.
    NetworkInterface(String),
    /// A security group of EC2.
    SecurityGroup(String),
    /// A key pair of EC2.
    KeyPair(String),
    /// Processes of machines: how many.
    Processes(usize),
    /// A transient unit of this computer's systemd.
    Unit(String),
    /// A control group.
    ControlGroup(PathBuf),
    /// A mount point.
    Mount(PathBuf),
    /// A network interface.
    Interface(String),
    /// An nftables table.
    Table(String),
    /// A file outside of the project's folder.
    File(PathBuf),
    /// The folder of the project (disks, keys, the configuration of ssh), or one that a machine needed elsewhere.
    Folder(PathBuf),
    /// Things on a host that existed before.
    OnHost(hosts::Thing),
}

impl Piece {
    /// What became of it, once [`Provider::destroy`] dealt with it.
    pub fn outcome(&self) -> String {
        match self {
            Self::OnHost(thing) => thing.outcome(),
            piece => format!("removed {piece}"),
        }
    }
}

impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Machine(name) => write!(f, "machine `{name}`"),
            Self::Instance { host, id } if host.is_empty() => write!(f, "instance `{id}` with its disk"),
            Self::Instance { host, id } => write!(f, "machine `{host}` (instance `{id}`) with its disk"),
            Self::Volume(id) => write!(f, "volume `{id}`"),
            Self::Address(address) => write!(f, "address `{address}`"),
            Self::NetworkInterface(id) => write!(f, "network interface `{id}`"),
            Self::SecurityGroup(name) => write!(f, "security group `{name}`"),
            Self::KeyPair(name) => write!(f, "key pair `{name}`"),
            Self::Processes(1) => f.write_str("1 process"),
            Self::Processes(count) => write!(f, "{count} processes"),
            Self::Unit(name) => write!(f, "unit `{name}`"),
            Self::ControlGroup(path) => write!(f, "control group `{}`", path.display()),
            Self::Mount(path) => write!(f, "mount `{}`", path.display()),
            Self::Interface(name) => write!(f, "interface `{name}`"),
            Self::Table(name) => write!(f, "nftables table `{name}`"),
            Self::File(path) => write!(f, "file `{}`", path.display()),
            Self::Folder(path) => write!(f, "folder `{}`", path.display()),
            Self::OnHost(thing) => thing.fmt(f),
        }
    }
}

impl Provider {
    /// The provider that a spec names. Makes and changes nothing.
    ///
    /// # Errors
    /// It cannot be reached or is not part of this build.
    pub async fn of(loaded: &Loaded, events: &Events) -> Result<Self> {
        let spec = &loaded.spec;
        match &spec.provider {
            spec::Provider::Local => Ok(Self::local(spec.project.clone(), events.clone())),
            spec::Provider::Aws(settings) => {
                let (project, settings) = (spec.project.clone(), (**settings).clone());
                let aws = aws::Aws::connect(project, settings, Some(spec.clone()), events.clone()).await?;
                Ok(Self::Aws(Box::new(aws)))
            }
            spec::Provider::Hosts(hosts) => hosts::Hosts::of(loaded, hosts, events.clone()).map(Self::Hosts),
        }
    }

    /// The provider of a project whose spec is lost: hosts that earlier runs wrote down, else this computer.
    ///
    /// # Errors
    /// The name stands for a project of both kinds, or for none that the caller may look at.
    pub fn named(project: ProjectName, events: Events) -> Result<Self> {
        // Machines of this computer are root's: another user can neither see nor mean them.
        let is_root = rustix::process::geteuid().is_root();
        let hosts = hosts::Hosts::remembered(&project, &events)?;
        match hosts {
            Some(_) if is_root && local::projects()?.contains(&project) => Err(Error::could_not_run(format!(
                "project `{project}` has machines on this computer and hosts elsewhere"
            ))
            .remedy("write a spec with that project and its `provider`, and name it with `-f`")),
            Some(hosts) => Ok(Self::Hosts(hosts)),
            None if !is_root => {
                Err(Error::could_not_run(format!("nothing is known here of a project `{project}`")).remedy(
                    "where it has hosts, write a spec that lists them: each knows what was put there; where it has machines \
                     on this computer, run monctl as root",
                ))
            }
            None => Ok(Self::local(project, events)),
        }
    }

    /// The local provider for a project. Touches nothing yet.
    pub fn local(project: ProjectName, events: Events) -> Self {
        Self::Local(local::Local::new(project, events))
    }

    /// EC2 for a project of which only the name is known.
    ///
    /// # Errors
    /// It cannot be reached or is not part of this build.
    pub async fn aws(project: ProjectName, region: spec::Region, events: Events) -> Result<Self> {
        let settings = spec::Aws { region: Some(region), ..spec::Aws::default() };
        Ok(Self::Aws(Box::new(aws::Aws::connect(project, settings, None, events).await?)))
    }

    /// The folder on this computer for what belongs to the project, such as keys and generated passwords.
    /// Only its owner can enter it; `destroy` removes it.
    pub fn folder(&self) -> std::path::PathBuf {
        match self {
            Self::Local(local) => local.folder(),
            Self::Aws(aws) => aws.folder().to_owned(),
            Self::Hosts(hosts) => hosts.folder(),
        }
    }

    /// Keeps other processes of monctl from changing this project until the lock is dropped.
    ///
    /// # Errors
    /// Another process holds it, or the lock file cannot be made.
    pub fn lock(&self) -> Result<ProjectLock> {
        match self {
            Self::Local(local) => ProjectLock::acquire(local.project()),
            Self::Aws(aws) => aws.lock(),
            Self::Hosts(hosts) => hosts.lock(),
        }
    }

    /// Checks that this computer can do what the actions need, before anything is touched.
    ///
    /// # Errors
    /// Names everything that is missing at once, and the command that installs it.
    pub fn check_prerequisites(&self) -> Result<()> {
        match self {
            Self::Local(_) => local::prerequisites::check(),
            Self::Aws(_) => Ok(()),
            Self::Hosts(_) => hosts::prerequisites::check(),
        }
    }

    /// Where machines are made, in words; empty where that is this computer.
    pub fn place(&self) -> Vec<String> {
        match self {
            Self::Local(_) | Self::Hosts(_) => Vec::new(),
            Self::Aws(aws) => aws.place(),
        }
    }

    /// How many calls of a cloud's interface were made so far; none where there is no cloud.
    pub fn calls(&self) -> Option<usize> {
        match self {
            Self::Local(_) | Self::Hosts(_) => None,
            Self::Aws(aws) => Some(aws.calls()),
        }
    }

    /// How long a machine that was just made may take until it answers over ssh.
    pub fn boots_within(&self) -> Duration {
        match self {
            Self::Local(_) | Self::Hosts(_) => Duration::from_secs(90),
            // Cold hardware and the first boot's cloud-init.
            Self::Aws(_) => Duration::from_mins(4),
        }
    }

    /// Finds what there is of the project. Changes nothing.
    ///
    /// # Errors
    /// The caller may not look (not root, no permission), or a file of the project is damaged or lost.
    pub async fn observe(&self) -> Result<Observed> {
        match self {
            Self::Local(local) => local.observe().await,
            Self::Aws(aws) => aws.observe().await,
            Self::Hosts(hosts) => hosts.observe().await,
        }
    }

    /// Notes that these hosts are about to be changed, so that [`Self::destroy`] finds them whatever happens.
    ///
    /// # Errors
    /// The note cannot be written.
    pub fn remember(&self, hosts: &[HostName]) -> Result<()> {
        match self {
            // They are found by the project's name or tags.
            Self::Local(_) | Self::Aws(_) => Ok(()),
            Self::Hosts(existing) => existing.remember(hosts),
        }
    }

    /// What must be made, started, changed or removed, so that there is what the spec wants. A cloud is asked what
    /// it has on offer where something is to be made; the rest follows from what was observed.
    ///
    /// # Errors
    /// The cloud has not what the spec wants, or does not say.
    pub async fn plan(
        &self,
        wanted: impl IntoIterator<Item = HostName>,
        observed: &Observed,
    ) -> Result<Vec<InfraAction>> {
        match self {
            Self::Local(_) => Ok(infrastructure(wanted, observed.network, &observed.facts())),
            Self::Aws(aws) => Ok(aws.plan(observed).await?.into_iter().map(InfraAction::Aws).collect()),
            // They run, or are none of ours to start.
            Self::Hosts(_) => Ok(Vec::new()),
        }
    }

    /// Carries out the actions of a plan: first what others need, then the rest at once.
    ///
    /// # Errors
    /// The first failure, after all actions have ended: machines that were made stay for the next run.
    pub async fn apply(&self, actions: &[InfraAction]) -> Result<()> {
        if let Self::Aws(aws) = self {
            let actions = actions.iter().filter_map(|action| match action {
                InfraAction::Aws(action) => Some(action.clone()),
                _ => None,
            });
            return aws.apply(&actions.collect::<Vec<_>>()).await;
        }
        if actions.contains(&InfraAction::CreateNetwork) {
            self.create_network().await?;
        }
        join_all(actions.iter().map(|action| self.act(action))).await.into_iter().collect()
    }

    async fn act(&self, action: &InfraAction) -> Result<()> {
        match action {
            InfraAction::CreateNetwork | InfraAction::Aws(_) => Ok(()),
            InfraAction::CreateMachine(host) => self.create_machine(*host).await.map(drop),
            InfraAction::StartMachine(host) => self.start_machine(*host).await.map(drop),
            InfraAction::RemoveMachine(host) => self.remove_machine(*host).await,
        }
    }

    /// The provider of this computer's machines, which alone are made one by one.
    fn here(&self) -> Result<&local::Local> {
        match self {
            Self::Local(local) => Ok(local),
            Self::Aws(_) => Err(Error::could_not_run("machines of EC2 are made by carrying out a plan")),
            Self::Hosts(_) => Err(Error::could_not_run("hosts that exist are started as you always do")),
        }
    }

    /// Makes the network complete: link, addresses, NAT, the client key and the configuration of ssh.
    ///
    /// # Errors
    /// No free subnet is left, or one of the tools failed.
    pub async fn create_network(&self) -> Result<()> {
        self.here()?.create_network().await
    }

    /// Makes and boots a machine; several may be made at once. What is left of an unfinished one goes first.
    ///
    /// # Errors
    /// The base image cannot be made, or the machine does not boot; says why with the end of its log.
    pub async fn create_machine(&self, host: HostName) -> Result<Machine> {
        self.here()?.create_machine(host).await
    }

    /// Boots a machine that is there and stopped. Does nothing to one that runs.
    ///
    /// # Errors
    /// Its disk or base image is gone, or it does not boot.
    pub async fn start_machine(&self, host: HostName) -> Result<Machine> {
        self.here()?.start_machine(host).await
    }

    /// Removes one machine with its disk. Fine when it is not there.
    ///
    /// # Errors
    /// A process cannot be ended or a file cannot be removed.
    pub async fn remove_machine(&self, host: HostName) -> Result<()> {
        self.here()?.remove_machine(host).await
    }

    /// The public half of the host key that a machine was made with, as long as it is to be replaced at the first
    /// connection; without its type.
    ///
    /// # Errors
    /// The key is there and cannot be read.
    pub fn initial_host_key(&self, host: HostName) -> Result<Option<String>> {
        match self {
            Self::Local(_) | Self::Hosts(_) => Ok(None),
            Self::Aws(aws) => aws.initial_host_key(host),
        }
    }

    /// Accepts these host keys of machines, and no others, from now on, on every computer.
    ///
    /// # Errors
    /// A machine is gone, or the cloud does not take it.
    pub async fn pin_host_keys(&self, keys: &BTreeMap<HostName, Vec<String>>) -> Result<()> {
        match self {
            Self::Local(_) | Self::Hosts(_) => Ok(()),
            Self::Aws(aws) => aws.pin_host_keys(keys).await,
        }
    }

    /// Forgets the host key that a machine was made with; it was replaced.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub async fn forget_initial_host_key(&self, host: HostName) -> Result<()> {
        match self {
            Self::Local(_) | Self::Hosts(_) => Ok(()),
            Self::Aws(aws) => aws.forget_initial_host_key(host).await,
        }
    }

    /// Keeps in mind that a file system was grown.
    ///
    /// # Errors
    /// The cloud does not take it.
    pub async fn note_growth(&self, action: &InfraAction) -> Result<()> {
        match (self, action) {
            (Self::Aws(aws), InfraAction::Aws(action)) => aws.note_growth(action).await,
            _ => Ok(()),
        }
    }

    /// The end of what a machine wrote to its console, where the cloud shows it.
    pub async fn console(&self, host: HostName) -> Option<String> {
        match self {
            Self::Local(_) | Self::Hosts(_) => None,
            Self::Aws(aws) => aws.console(host).await,
        }
    }

    /// What there is of other projects of monctl: project and what, by name.
    ///
    /// # Errors
    /// The caller may not look.
    pub async fn others(&self) -> Result<Vec<(String, String)>> {
        match self {
            Self::Local(local) => {
                let others = local::projects()?.into_iter().filter(|project| project != local.project());
                Ok(others.map(|project| (project.to_string(), "machines on this computer".into())).collect())
            }
            Self::Aws(aws) => aws.others().await,
            Self::Hosts(_) => Ok(Vec::new()),
        }
    }

    /// Removes everything of the project and says what that was; empty when nothing was there.
    /// Needs no spec, and works on what any interrupted run left.
    ///
    /// # Errors
    /// Something cannot be removed; the rest is gone all the same.
    pub async fn destroy(&self) -> Result<Vec<Piece>> {
        match self {
            Self::Local(local) => local.destroy().await,
            Self::Aws(aws) => aws.destroy().await,
            Self::Hosts(hosts) => hosts.destroy().await,
        }
    }

    /// Looks for anything that still exists of the project.
    ///
    /// # Errors
    /// The caller may not look (not root).
    pub async fn leftovers(&self) -> Result<Vec<Piece>> {
        match self {
            Self::Local(local) => local.pieces().await,
            Self::Aws(aws) => aws.pieces().await,
            Self::Hosts(hosts) => hosts.pieces().await,
        }
    }
}
