//! Where machines come from. A [`Provider`] observes what there is, makes, starts and removes pieces of it,
//! and looks again after it destroyed them. It decides nothing: `plan/` says which action is due.
//!
//! `apply/` calls the actions; `commands/` calls [`of`], `observe`, `plan`, `destroy` and `leftovers`. A further provider
//! is a folder, and a line in [`of`].

#[cfg(feature = "aws")]
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
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;

use crate::error::{Error, Result};
use crate::event::Events;
use crate::host::{HostName, ProjectName};
use crate::plan::InfraAction;
use crate::spec::{self, Loaded};
pub use lock::ProjectLock;
pub use observed::{MachineState, Observed, ObservedMachine};
pub use piece::Piece;

/// Something that a provider does and that takes time.
pub type Work<'a, T> = LocalBoxFuture<'a, Result<T>>;

/// The machines of one project, wherever they are. What most providers have nothing to do for has a default.
pub trait Provider: fmt::Debug {
    /// The folder on this computer for what belongs to the project, such as keys and generated passwords.
    /// Only its owner can enter it; `destroy` removes it.
    fn folder(&self) -> PathBuf;

    /// Keeps other processes of monctl from changing this project until the lock is dropped.
    ///
    /// # Errors
    /// Another process holds it, or the lock file cannot be made.
    fn lock(&self) -> Result<ProjectLock>;

    /// Checks that this computer can do what the actions need, before anything is touched.
    ///
    /// # Errors
    /// Names everything that is missing at once, and the command that installs it.
    fn check_prerequisites(&self) -> Result<()> {
        Ok(())
    }

    /// Where machines are made, in words; empty where that is this computer.
    fn place(&self) -> Vec<String> {
        Vec::new()
    }

    /// How many calls of a cloud's interface were made so far; none where there is no cloud.
    fn calls(&self) -> Option<usize> {
        None
    }

    /// How long a machine that was just made may take until it answers over ssh.
    fn boots_within(&self) -> Duration {
        Duration::from_secs(90)
    }

    /// Finds what there is of the project. Changes nothing.
    ///
    /// # Errors
    /// The caller may not look (not root, no permission), or a file of the project is damaged or lost.
    fn observe(&self) -> Work<'_, Observed>;

    /// What must be made, started, changed or removed, so that there is what the spec wants. A cloud is asked what
    /// it has on offer where something is to be made; the rest follows from what was observed.
    ///
    /// # Errors
    /// The cloud has not what the spec wants, or does not say.
    fn plan<'a>(&'a self, wanted: Vec<HostName>, observed: &'a Observed) -> Work<'a, Vec<InfraAction>>;

    /// Carries out the actions of a plan: first what others need, then the rest at once.
    ///
    /// # Errors
    /// The first failure, after all actions have ended: machines that were made stay for the next run.
    fn apply<'a>(&'a self, actions: &'a [InfraAction]) -> Work<'a, ()>;

    /// Notes that these hosts are about to be changed, so that [`Self::destroy`] finds them whatever happens. Machines
    /// that bear the project's name or tags are found without a note.
    ///
    /// # Errors
    /// The note cannot be written.
    fn remember(&self, _: &[HostName]) -> Result<()> {
        Ok(())
    }

    /// The public half of the host key that a machine was made with, as long as it is to be replaced at the first
    /// connection; without its type.
    ///
    /// # Errors
    /// The key is there and cannot be read.
    fn initial_host_key(&self, _: HostName) -> Result<Option<String>> {
        Ok(None)
    }

    /// Accepts these host keys of machines, and no others, from now on, on every computer.
    ///
    /// # Errors
    /// A machine is gone, or the cloud does not take it.
    fn pin_host_keys<'a>(&'a self, _: &'a BTreeMap<HostName, Vec<String>>) -> Work<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    /// Forgets the host key that a machine was made with; it was replaced.
    ///
    /// # Errors
    /// The file cannot be removed.
    fn forget_initial_host_key(&self, _: HostName) -> Work<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    /// Keeps in mind that a file system was grown.
    ///
    /// # Errors
    /// The cloud does not take it.
    fn note_growth<'a>(&'a self, _: &'a InfraAction) -> Work<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    /// The end of what a machine wrote to its console, where the cloud shows it.
    fn console(&self, _: HostName) -> LocalBoxFuture<'_, Option<String>> {
        Box::pin(async { None })
    }

    /// What there is of other projects of monctl: project and what, by name.
    ///
    /// # Errors
    /// The caller may not look.
    fn others(&self) -> Work<'_, Vec<(String, String)>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    /// Removes everything of the project and says what that was; empty when nothing was there.
    /// Needs no spec, and works on what any interrupted run left.
    ///
    /// # Errors
    /// Something cannot be removed; the rest is gone all the same.
    fn destroy(&self) -> Work<'_, Vec<Piece>>;

    /// Looks for anything that still exists of the project.
    ///
    /// # Errors
    /// The caller may not look (not root).
    fn leftovers(&self) -> Work<'_, Vec<Piece>>;
}

/// The provider that a spec names. Makes and changes nothing.
///
/// # Errors
/// It cannot be reached or is not part of this build.
pub async fn of(loaded: &Loaded, events: &Events) -> Result<Box<dyn Provider>> {
    let spec = &loaded.spec;
    match &spec.provider {
        spec::Provider::Local => Ok(Box::new(local::Local::new(spec.project.clone(), events.clone()))),
        spec::Provider::Aws(settings) => {
            ec2(spec.project.clone(), (**settings).clone(), Some(spec.clone()), events.clone()).await
        }
        spec::Provider::Hosts(hosts) => Ok(Box::new(hosts::Hosts::of(loaded, hosts, events.clone())?)),
    }
}

/// The provider of a project whose spec is lost: hosts that earlier runs wrote down, else this computer.
///
/// # Errors
/// The name stands for a project of both kinds, or for none that the caller may look at.
pub fn named(project: ProjectName, events: Events) -> Result<Box<dyn Provider>> {
    // Machines of this computer are root's: another user can neither see nor mean them.
    let is_root = rustix::process::geteuid().is_root();
    let hosts = hosts::Hosts::remembered(&project, &events)?;
    match hosts {
        Some(_) if is_root && local::projects()?.contains(&project) => Err(Error::could_not_run(format!(
            "project `{project}` has machines on this computer and hosts elsewhere"
        ))
        .remedy("write a spec with that project and its `provider`, and name it with `-f`")),
        Some(hosts) => Ok(Box::new(hosts)),
        None if !is_root => {
            Err(Error::could_not_run(format!("nothing is known here of a project `{project}`")).remedy(
                "where it has hosts, write a spec that lists them: each knows what was put there; where it has machines \
                 on this computer, run monctl as root",
            ))
        }
        None => Ok(Box::new(local::Local::new(project, events))),
    }
}

/// EC2 for a project of which only the name is known.
///
/// # Errors
/// It cannot be reached or is not part of this build.
pub async fn in_region(
    project: ProjectName,
    region: spec::Region,
    events: Events,
) -> Result<Box<dyn Provider>> {
    ec2(project, spec::Aws { region: Some(region), ..spec::Aws::default() }, None, events).await
}

#[cfg(feature = "aws")]
async fn ec2(
    project: ProjectName,
    settings: spec::Aws,
    spec: Option<spec::Spec>,
    events: Events,
) -> Result<Box<dyn Provider>> {
    Ok(Box::new(Box::pin(aws::Aws::connect(project, settings, spec, events)).await?))
}

#[cfg(not(feature = "aws"))]
#[expect(clippy::unused_async, reason = "as the function that it stands for")]
async fn ec2(_: ProjectName, _: spec::Aws, _: Option<spec::Spec>, _: Events) -> Result<Box<dyn Provider>> {
    Err(Error::could_not_run("this build of monctl cannot reach EC2")
        .remedy("build it with the feature `aws`, which is on by default: `cargo build --release`"))
}
