//! The step kind `archive`: a release tarball, pinned by its digest, is unpacked into its own folder.

use serde::Deserialize;

use super::change::{ChangeKind, Detail, LibraryCall, StepChange};
use super::facts::{Facts, Probes};
use super::inputs::Inputs;
use super::step_id::StepId;
use crate::error::{Error, Result};

/// A release from the catalogue, unpacked without its top folder.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Archive {
    release: String,
    to: String,
}

impl Archive {
    pub(super) fn probe(&self, probes: &mut Probes) {
        probes.installed.insert(self.to.clone());
    }

    /// # Errors
    /// If no catalogue has the release.
    pub(super) fn check(&self, step: &StepId, inputs: &Inputs) -> Result<()> {
        if inputs.releases.contains_key(&self.release) {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "the step `{step}` installs a release of `{}`, of which no catalogue has a default version",
            self.release
        ))
        .remedy("add it to a file of releases, and name that file in `monitoring.install` with `catalogue:`"))
    }

    /// Why an optional release is missing: there is none for this architecture, or its download failed
    /// a short while ago.
    pub(super) fn missing(&self, inputs: &Inputs, facts: &Facts) -> Option<String> {
        let release = inputs.releases.get(&self.release)?;
        if !inputs.optional.contains(&self.release) {
            return None;
        }
        let why = match release.by_machine.get(facts.machine()) {
            None => format!("no release for {}", facts.machine()),
            Some((url, sha256)) => {
                let failed = facts.failed.get(&self.to)?;
                if (&failed.url, failed.source) != (url, *sha256) {
                    return None;
                }
                failed.why.clone()
            }
        };
        Some(format!("{} {} is not available: {why}", self.release, release.version))
    }

    pub(super) fn lower(&self, step: &StepId, inputs: &Inputs, facts: &Facts) -> Option<StepChange> {
        let release = inputs.releases.get(&self.release)?;
        let title = format!("{} {}", self.release, release.version);
        let Some((url, sha256)) = release.by_machine.get(facts.machine()) else {
            // The host reports the reason; only this step and those that wait for it fail.
            let why = format!("no release for {}", facts.machine());
            return Some(StepChange {
                step: step.clone(),
                kind: ChangeKind::Create,
                details: vec![Detail::new(&title, &why)],
                commands: vec![LibraryCall::new(["refuse", &format!("{title}: {why}")])],
                payloads: [].into(),
            });
        };
        let (kind, why) = facts.installed_state(&self.to, *sha256)?;
        Some(StepChange {
            step: step.clone(),
            kind,
            details: vec![Detail::new(title, why)],
            commands: vec![LibraryCall::new(["archive_install", &self.to, url, &sha256.to_string()])],
            payloads: [].into(),
        })
    }
}
