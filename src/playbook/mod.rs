//! Playbooks: the install steps of each role, as data, and their changes on a host.
//!
//! A step declares a desired state. It yields the [`Probes`] that one facts script answers, and, from
//! the [`Facts`], the [`StepChange`] that is needed, down to the words of each command. All of
//! this is pure; `remote/` transfers the scripts, `apply/` runs them.

mod archive;
mod change;
mod facts;
mod inputs;
mod package;
mod quote;
mod retired;
mod script;
mod service;
mod settings_report;
mod step;
mod step_id;
#[cfg(test)]
mod tests;
mod user;
mod venv;

pub use change::{ChangeKind, Detail, LibraryCall, StepChange};
pub use facts::{Facts, Failed, FileFact, Installed, Owner, Probes, SUPPORTED, System, UnitFact};
pub use inputs::{File, Inputs, PythonRequest, Release, Requirements, Tree};
pub use quote::quote;
pub use script::{
    APPLIED_DIRECTORY, HostIdentity, Removal, Script, apply_script, bootstrap, facts_script, removal_script,
};
pub use service::{OnChange, Service};
pub use settings_report::{SETTINGS_REPORT, SettingsReport};
pub use step::{Playbook, Step, StepKind};
pub use step_id::StepId;
