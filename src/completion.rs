//! The names that a shell completes: alerts and hosts of the spec in the current folder.
//!
//! The shell calls monctl itself for them, see `clap_complete::env`. It has no place for an error: without a readable
//! spec there are no names, except those of the catalogue.

use std::env;
use std::ffi::OsStr;
use std::path::PathBuf;

use clap_complete::engine::CompletionCandidate;

use crate::host::Role;
use crate::render::rules;
use crate::spec::{Catalogue, Spec, load};

/// The alerts of the spec.
pub fn alerts(begun: &OsStr) -> Vec<CompletionCandidate> {
    candidates(begun, spec().iter().flat_map(rules).map(|rule| rule.name))
}

/// The alerts of the catalogue, and of the spec's own integrations.
pub fn runbooks(begun: &OsStr) -> Vec<CompletionCandidate> {
    let catalogue = spec().map_or_else(Catalogue::default, |spec| spec.catalogue);
    candidates(begun, catalogue.names().map(str::to_owned))
}

/// The hosts of the spec.
pub fn hosts(begun: &OsStr) -> Vec<CompletionCandidate> {
    let hosts = spec().map(|spec| spec.hosts()).unwrap_or_default();
    candidates(begun, hosts.iter().map(ToString::to_string))
}

/// The hosts that run the application.
pub fn app_hosts(begun: &OsStr) -> Vec<CompletionCandidate> {
    let hosts = spec().map(|spec| spec.hosts()).unwrap_or_default();
    let hosts = hosts.iter().filter(|host| host.role() == Role::APP);
    candidates(begun, hosts.map(ToString::to_string))
}

fn candidates(begun: &OsStr, names: impl Iterator<Item = String>) -> Vec<CompletionCandidate> {
    let Some(begun) = begun.to_str() else { return Vec::new() };
    names.filter(|name| name.starts_with(begun)).map(CompletionCandidate::new).collect()
}

/// The spec, if it can be read. A `--file` of the line that is completed is not known here.
fn spec() -> Option<Spec> {
    let path = env::var_os("MONCTL_SPEC").map_or_else(|| PathBuf::from("monctl.yaml"), PathBuf::from);
    // A shell has no place for the error; the command itself reports it.
    load(&path).map(|loaded| loaded.spec).ok()
}
