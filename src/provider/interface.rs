//! What every provider does.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::LocalBoxFuture;

use super::lock::ProjectLock;
use super::observed::Observed;
use super::piece::Piece;
use crate::error::Result;
use crate::host::HostName;
use crate::plan::InfraAction;

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
