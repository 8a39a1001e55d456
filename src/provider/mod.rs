//! Where machines come from. A provider observes what there is, makes, starts and removes pieces of it,
//! and looks again after it destroyed them. It decides nothing: `plan/` says which action is due.
//!
//! `apply/` calls the actions; `commands/` calls `of`, `observe`, `plan`, `destroy` and `leftovers`.

pub mod local;
mod lock;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use futures_util::future::join_all;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::event::Events;
use crate::host::{HostName, Machine, ProjectName};
use crate::plan::{InfraAction, MachineFact, infrastructure};
use crate::spec::{self, Loaded};
pub use lock::ProjectLock;

/// The provider of one project.
#[derive(Debug)]
pub enum Provider {
    /// systemd machines on this computer.
    Local(local::Local),
}

/// What the provider has of a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Observed {
    /// The network is complete: link, addresses, NAT, keys and the configuration of ssh.
    pub network: bool,
    /// The machines that exist, whole or not. A host without an entry does not exist.
    pub machines: BTreeMap<HostName, ObservedMachine>,
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
}

impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Machine(name) => write!(f, "machine `{name}`"),
            Self::Processes(1) => f.write_str("1 process"),
            Self::Processes(count) => write!(f, "{count} processes"),
            Self::Unit(name) => write!(f, "unit `{name}`"),
            Self::ControlGroup(path) => write!(f, "control group `{}`", path.display()),
            Self::Mount(path) => write!(f, "mount `{}`", path.display()),
            Self::Interface(name) => write!(f, "interface `{name}`"),
            Self::Table(name) => write!(f, "nftables table `{name}`"),
            Self::File(path) => write!(f, "file `{}`", path.display()),
            Self::Folder(path) => write!(f, "folder `{}`", path.display()),
        }
    }
}

impl Provider {
    /// The provider that a spec names. Makes and changes nothing.
    ///
    /// # Errors
    /// It cannot be reached or is not part of this build.
    #[expect(clippy::unused_async, reason = "a provider may have to ask who the caller is")]
    pub async fn of(loaded: &Loaded, events: &Events) -> Result<Self> {
        let spec = &loaded.spec;
        match &spec.provider {
            spec::Provider::Local => Ok(Self::local(spec.project.clone(), events.clone())),
            spec::Provider::Aws(_) => Err(Error::could_not_run("`provider: aws` is not part of this build")),
            spec::Provider::Hosts(_) => {
                Err(Error::could_not_run("`provider: hosts` is not part of this build"))
            }
        }
    }

    /// The local provider for a project. Touches nothing yet.
    pub fn local(project: ProjectName, events: Events) -> Self {
        Self::Local(local::Local::new(project, events))
    }

    /// The folder on this computer for what belongs to the project, such as keys and generated passwords.
    /// Only its owner can enter it; `destroy` removes it.
    pub fn folder(&self) -> std::path::PathBuf {
        match self {
            Self::Local(local) => local.folder(),
        }
    }

    /// Keeps other processes of monctl from changing this project until the lock is dropped.
    ///
    /// # Errors
    /// Another process holds it, or the lock file cannot be made.
    pub fn lock(&self) -> Result<ProjectLock> {
        match self {
            Self::Local(local) => ProjectLock::acquire(local.project()),
        }
    }

    /// Checks that this computer can do what the actions need, before anything is touched.
    ///
    /// # Errors
    /// Names everything that is missing at once, and the command that installs it.
    pub fn check_prerequisites(&self) -> Result<()> {
        match self {
            Self::Local(_) => local::prerequisites::check(),
        }
    }

    /// Finds what there is of the project. Changes nothing.
    ///
    /// # Errors
    /// The caller may not look (not root), or a file of the project is damaged.
    pub async fn observe(&self) -> Result<Observed> {
        match self {
            Self::Local(local) => local.observe().await,
        }
    }

    /// What must be made, started, changed or removed, so that there is what the spec wants. Pure.
    pub fn plan(&self, wanted: impl IntoIterator<Item = HostName>, observed: &Observed) -> Vec<InfraAction> {
        match self {
            Self::Local(_) => infrastructure(wanted, observed.network, &observed.facts()),
        }
    }

    /// Carries out the actions of a plan: first what others need, then the rest at once.
    ///
    /// # Errors
    /// The first failure, after all actions have ended: machines that were made stay for the next run.
    pub async fn apply(&self, actions: &[InfraAction]) -> Result<()> {
        if actions.contains(&InfraAction::CreateNetwork) {
            self.create_network().await?;
        }
        join_all(actions.iter().map(|action| self.act(action))).await.into_iter().collect()
    }

    async fn act(&self, action: &InfraAction) -> Result<()> {
        match action {
            InfraAction::CreateNetwork => Ok(()),
            InfraAction::CreateMachine(host) => self.create_machine(*host).await.map(drop),
            InfraAction::StartMachine(host) => self.start_machine(*host).await.map(drop),
            InfraAction::RemoveMachine(host) => self.remove_machine(*host).await,
        }
    }

    /// Makes the network complete: link, addresses, NAT, the client key and the configuration of ssh.
    ///
    /// # Errors
    /// No free subnet is left, or one of the tools failed.
    pub async fn create_network(&self) -> Result<()> {
        match self {
            Self::Local(local) => local.create_network().await,
        }
    }

    /// Makes and boots a machine; several may be made at once. What is left of an unfinished one goes first.
    ///
    /// # Errors
    /// The base image cannot be made, or the machine does not boot; says why with the end of its log.
    pub async fn create_machine(&self, host: HostName) -> Result<Machine> {
        match self {
            Self::Local(local) => local.create_machine(host).await,
        }
    }

    /// Boots a machine that is there and stopped. Does nothing to one that runs.
    ///
    /// # Errors
    /// Its disk or base image is gone, or it does not boot.
    pub async fn start_machine(&self, host: HostName) -> Result<Machine> {
        match self {
            Self::Local(local) => local.start_machine(host).await,
        }
    }

    /// Removes one machine with its disk. Fine when it is not there.
    ///
    /// # Errors
    /// A process cannot be ended or a file cannot be removed.
    pub async fn remove_machine(&self, host: HostName) -> Result<()> {
        match self {
            Self::Local(local) => local.remove_machine(host).await,
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
        }
    }

    /// Looks for anything that still exists of the project.
    ///
    /// # Errors
    /// The caller may not look (not root).
    pub async fn leftovers(&self) -> Result<Vec<Piece>> {
        match self {
            Self::Local(local) => local.pieces().await,
        }
    }
}
