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
mod observed;
mod piece;

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;

use crate::error::{Error, Result};
use crate::event::Events;
use crate::host::{HostName, Machine, ProjectName};
use crate::plan::{InfraAction, infrastructure};
use crate::spec::{self, Loaded};
pub use lock::ProjectLock;
pub use observed::{MachineState, Observed, ObservedMachine};
pub use piece::Piece;

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
