//! The step kind `package`: Debian packages are installed, without recommended ones.

use serde::Deserialize;

use super::change::{ChangeKind, Detail, LibraryCall, StepChange};
use super::facts::{Facts, Probes};
use super::inputs::Inputs;
use super::step_id::StepId;

/// Packages, and their units that must never run because monctl's replace them.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    names: Vec<String>,
    #[serde(default)]
    mask: Vec<String>,
    /// The packages that the application needs are installed together with these.
    #[serde(default)]
    with_app_packages: bool,
}

impl Package {
    /// Adds other packages to these.
    pub(super) fn add(&mut self, more: &Self) {
        self.names.extend(more.names.iter().cloned());
        self.mask.extend(more.mask.iter().cloned());
    }

    /// Adds the packages that the application needs, if they belong here.
    pub(super) fn fill(&mut self, inputs: &Inputs) {
        if self.with_app_packages {
            self.names.extend(inputs.app_packages.iter().map(ToString::to_string));
        }
    }

    pub(super) fn probe(&self, probes: &mut Probes) {
        probes.packages.extend(self.names.iter().cloned());
        probes.units.extend(self.mask.iter().cloned());
    }

    pub(super) fn lower(&self, step: &StepId, facts: &Facts) -> Option<StepChange> {
        let missing: Vec<&String> =
            self.names.iter().filter(|name| !facts.packages.contains(*name)).collect();
        let unmasked: Vec<&String> = self
            .mask
            .iter()
            .filter(|unit| facts.units.get(*unit).is_none_or(|fact| fact.load != "masked"))
            .collect();
        if missing.is_empty() && unmasked.is_empty() {
            return None;
        }
        let new = missing.len() == self.names.len();
        let mut details: Vec<Detail> =
            missing.iter().map(|name| Detail::new(format!("package {name}"), "not installed")).collect();
        let mut commands = Vec::new();
        if !unmasked.is_empty() {
            let why = "must not run beside monctl's unit";
            details.extend(unmasked.iter().map(|unit| Detail::new(format!("unit {unit}"), why)));
            commands.push(words("units_mask", &unmasked));
        }
        if !missing.is_empty() {
            commands.push(words("packages_install", &missing));
        }
        let kind = if new { ChangeKind::Create } else { ChangeKind::Change };
        Some(StepChange { step: step.clone(), kind, details, commands, payloads: [].into() })
    }
}

fn words(function: &str, names: &[&String]) -> LibraryCall {
    LibraryCall::new([function].into_iter().chain(names.iter().map(|name| name.as_str())))
}
