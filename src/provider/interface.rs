//! The interface of all providers.

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

/// An asynchronous operation of a provider.
pub type Work<'a, T> = LocalBoxFuture<'a, Result<T>>;

/// The machines of one project, wherever they are. Methods that most providers do not need have a default.
pub trait Provider: fmt::Debug {
    /// The folder on this computer for what belongs to the project, such as keys and generated passwords.
    /// Only its owner can enter it; `destroy` removes it.
    fn folder(&self) -> PathBuf;

    /// Keeps other monctl processes from changing this project until the lock is dropped.
    ///
    /// # Errors
    /// Another process holds the lock, or the lock file cannot be created.
    fn lock(&self) -> Result<ProjectLock>;

    /// Checks that this computer has what the actions need, before anything is changed.
    ///
    /// # Errors
    /// Something is missing; the error names all of it, and the command that installs it.
    fn check_prerequisites(&self) -> Result<()> {
        Ok(())
    }

    /// Description of the place where machines are created; empty if that is this computer.
    fn place(&self) -> Vec<String> {
        Vec::new()
    }

    /// Number of cloud API calls made so far; `None` without a cloud.
    fn calls(&self) -> Option<usize> {
        None
    }

    /// Timeout for a new machine to answer over ssh.
    fn boots_within(&self) -> Duration {
        Duration::from_secs(90)
    }

    /// Finds what exists of the project. Changes nothing.
    ///
    /// # Errors
    /// The caller lacks permission (not root), or a file of the project is damaged or lost.
    fn observe(&self) -> Work<'_, Observed>;

    /// The actions (create, start, change, remove) that bring the project to the state of the spec. Queries the
    /// cloud's offers only if something must be created; the rest follows from `observed`.
    ///
    /// # Errors
    /// The cloud does not offer what the spec wants, or does not answer.
    fn plan<'a>(&'a self, wanted: Vec<HostName>, observed: &'a Observed) -> Work<'a, Vec<InfraAction>>;

    /// Carries out the actions of a plan: first those that others depend on, then the rest concurrently.
    ///
    /// # Errors
    /// The first failure, after all actions have ended; machines that were created stay for the next run.
    fn apply<'a>(&'a self, actions: &'a [InfraAction]) -> Work<'a, ()>;

    /// Records that these hosts are about to be changed, so that [`Self::destroy`] finds them after any failure.
    /// Machines that carry the project's name or tags are found without a record.
    ///
    /// # Errors
    /// The record cannot be written.
    fn remember(&self, _: &[HostName]) -> Result<()> {
        Ok(())
    }

    /// The public host key (without its type) that a machine was created with, until it is replaced at the first
    /// connection.
    ///
    /// # Errors
    /// The key exists and cannot be read.
    fn initial_host_key(&self, _: HostName) -> Result<Option<String>> {
        Ok(None)
    }

    /// Pins these host keys: from now on every computer accepts them and no others.
    ///
    /// # Errors
    /// A machine is gone, or the cloud rejects the tags.
    fn pin_host_keys<'a>(&'a self, _: &'a BTreeMap<HostName, Vec<String>>) -> Work<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    /// Forgets the host key that a machine was created with, after it was replaced.
    ///
    /// # Errors
    /// The file cannot be removed.
    fn forget_initial_host_key(&self, _: HostName) -> Work<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    /// Records that a file system was grown.
    ///
    /// # Errors
    /// The cloud rejects the tag.
    fn note_growth<'a>(&'a self, _: &'a InfraAction) -> Work<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    /// The end of a machine's console output, if the cloud provides it.
    fn console(&self, _: HostName) -> LocalBoxFuture<'_, Option<String>> {
        Box::pin(async { None })
    }

    /// Resources of other monctl projects, sorted: name of the project and description of the resource.
    ///
    /// # Errors
    /// The caller lacks permission.
    fn others(&self) -> Work<'_, Vec<(String, String)>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    /// Removes everything of the project and returns what was removed; empty if nothing existed.
    /// Needs no spec, and works on the remains of an interrupted run.
    ///
    /// # Errors
    /// Something cannot be removed; everything else is removed nevertheless.
    fn destroy(&self) -> Work<'_, Vec<Piece>>;

    /// Finds everything that still exists of the project.
    ///
    /// # Errors
    /// The caller lacks permission (not root).
    fn leftovers(&self) -> Work<'_, Vec<Piece>>;
}
