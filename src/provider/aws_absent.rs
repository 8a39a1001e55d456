//! In place of `aws/` in a build without the feature `aws`: there can be no such provider.
#![expect(clippy::unused_async, reason = "as the functions that they stand for")]

use std::collections::BTreeMap;
use std::path::Path;

use super::lock::ProjectLock;
use super::observed::Observed;
use super::piece::Piece;
use crate::error::{Error, Result};
use crate::event::Events;
use crate::host::{HostName, ProjectName};
use crate::plan::aws::Action;
use crate::spec;

/// The provider that this build has not.
#[derive(Debug)]
pub enum Aws {}

impl Aws {
    pub(super) async fn connect(
        _: ProjectName,
        _: spec::Aws,
        _: Option<spec::Spec>,
        _: Events,
    ) -> Result<Self> {
        Err(Error::could_not_run("this build of monctl cannot reach EC2")
            .remedy("build it with the feature `aws`, which is on by default: `cargo build --release`"))
    }

    pub(super) fn folder(&self) -> &Path {
        match *self {}
    }

    pub(super) fn lock(&self) -> Result<ProjectLock> {
        match *self {}
    }

    pub(super) fn calls(&self) -> usize {
        match *self {}
    }

    pub(super) fn place(&self) -> Vec<String> {
        match *self {}
    }

    pub(super) async fn observe(&self) -> Result<Observed> {
        match *self {}
    }

    pub(super) async fn plan(&self, _: &Observed) -> Result<Vec<Action>> {
        match *self {}
    }

    pub(super) async fn apply(&self, _: &[Action]) -> Result<()> {
        match *self {}
    }

    pub(super) fn initial_host_key(&self, _: HostName) -> Result<Option<String>> {
        match *self {}
    }

    pub(super) async fn pin_host_keys(&self, _: &BTreeMap<HostName, Vec<String>>) -> Result<()> {
        match *self {}
    }

    pub(super) async fn forget_initial_host_key(&self, _: HostName) -> Result<()> {
        match *self {}
    }

    pub(super) async fn note_growth(&self, _: &Action) -> Result<()> {
        match *self {}
    }

    pub(super) async fn console(&self, _: HostName) -> Option<String> {
        match *self {}
    }

    pub(super) async fn others(&self) -> Result<Vec<(String, String)>> {
        match *self {}
    }

    pub(super) async fn destroy(&self) -> Result<Vec<Piece>> {
        match *self {}
    }

    pub(super) async fn pieces(&self) -> Result<Vec<Piece>> {
        match *self {}
    }
}
