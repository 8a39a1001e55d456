//! Where machines come from. A [`Provider`] observes what exists, creates, starts and removes pieces of it,
//! and checks for leftovers after destroying them. It decides nothing: `plan/` determines which action is due.
//!
//! `apply/` calls the actions; `commands/` calls [`of`], `observe`, `plan`, `destroy` and `leftovers`. A further provider
//! is a folder, and a line in [`of`].

#[cfg(feature = "aws")]
mod aws;
mod command;
mod files;
pub mod hosts;
mod interface;
mod keys;
pub mod local;
mod lock;
mod observed;
mod piece;
mod progress;

use crate::error::{Error, Result};
use crate::event::Events;
use crate::host::ProjectName;
use crate::spec::{self, Loaded};
pub use interface::{Provider, Work};
pub use lock::ProjectLock;
pub use observed::{MachineState, Observed, ObservedMachine};
pub use piece::Piece;

/// The provider that a spec names. Creates and changes nothing.
///
/// # Errors
/// It cannot be reached or is not part of this build.
pub async fn of(loaded: &Loaded, events: &Events) -> Result<Box<dyn Provider>> {
    let spec = &loaded.spec;
    match &spec.provider {
        spec::ProviderSettings::Local => {
            Ok(Box::new(local::LocalProvider::new(spec.project.clone(), events.clone())))
        }
        spec::ProviderSettings::Aws(settings) => {
            ec2(spec.project.clone(), (**settings).clone(), Some(spec.clone()), events.clone()).await
        }
        spec::ProviderSettings::Hosts(hosts) => {
            Ok(Box::new(hosts::HostsProvider::of(loaded, hosts, events.clone())?))
        }
    }
}

/// The provider of a project whose spec is lost: hosts that earlier runs recorded, else this computer.
///
/// # Errors
/// Projects of both kinds have this name, or no project that the caller may access.
pub fn named(project: ProjectName, events: Events) -> Result<Box<dyn Provider>> {
    // Machines of this computer belong to root: other users cannot see them.
    let is_root = rustix::process::geteuid().is_root();
    let hosts = hosts::HostsProvider::remembered(&project, &events)?;
    match hosts {
        Some(_) if is_root && local::projects()?.contains(&project) => Err(Error::could_not_run(format!(
            "project `{project}` has machines on this computer and hosts elsewhere"
        ))
        .remedy("write a spec with that project and its `provider`, and pass it with `-f`")),
        Some(hosts) => Ok(Box::new(hosts)),
        None if !is_root => {
            Err(Error::could_not_run(format!("this computer has no record of project `{project}`")).remedy(
                "for existing hosts, write a spec that lists them: each host has a record of what monctl installed; \
                 for machines on this computer, run monctl as root",
            ))
        }
        None => Ok(Box::new(local::LocalProvider::new(project, events))),
    }
}

/// The EC2 provider of a project of which only the name is known.
///
/// # Errors
/// It cannot be reached or is not part of this build.
pub async fn in_region(
    project: ProjectName,
    region: spec::Region,
    events: Events,
) -> Result<Box<dyn Provider>> {
    ec2(project, spec::AwsSettings { region: Some(region), ..spec::AwsSettings::default() }, None, events)
        .await
}

#[cfg(feature = "aws")]
async fn ec2(
    project: ProjectName,
    settings: spec::AwsSettings,
    spec: Option<spec::Spec>,
    events: Events,
) -> Result<Box<dyn Provider>> {
    Ok(Box::new(Box::pin(aws::AwsProvider::connect(project, settings, spec, events)).await?))
}

#[cfg(not(feature = "aws"))]
#[expect(clippy::unused_async, reason = "same signature as with the feature `aws`")]
async fn ec2(
    _: ProjectName,
    _: spec::AwsSettings,
    _: Option<spec::Spec>,
    _: Events,
) -> Result<Box<dyn Provider>> {
    Err(Error::could_not_run("this build of monctl cannot reach EC2")
        .remedy("build it with the feature `aws`, which is on by default: `cargo build --release`"))
}
