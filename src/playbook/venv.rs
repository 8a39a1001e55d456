//! The step kind `venv`: a Python environment with the application's requirements and monctl's
//! additions. Each set of requirements has its own folder, so that a new one never disturbs the
//! application that still runs in the old one.

use serde::Deserialize;

use super::change::{Detail, LibraryCall, StepChange};
use super::facts::{Facts, Probes};
use super::inputs::{File, Inputs};
use super::step_id::StepId;
use crate::digest::Sha256;
use crate::spec::DebianPackage;

/// A Python environment below `parent`, named by the digest of its content.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Venv {
    /// The folder of the environments.
    parent: String,
    /// The user that builds and installs packages, whose code runs meanwhile.
    user: String,
    /// The installer of packages.
    uv: Uv,
}

/// A version of uv, pinned.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Uv {
    version: String,
    /// The digests of its wheels, of which one fits the host.
    sha256: Vec<Sha256>,
}

impl Uv {
    /// The line of a requirements file for exactly this version.
    fn requirement(&self) -> String {
        let hashes = self.sha256.iter().map(|digest| format!(" --hash=sha256:{digest}"));
        format!("uv=={}{}", self.version, hashes.collect::<String>())
    }
}

impl Venv {
    fn folder(&self, inputs: &Inputs) -> String {
        format!("{}/{}", self.parent, inputs.requirements.digest().short())
    }

    pub(super) fn probe(&self, inputs: &Inputs, probes: &mut Probes) {
        probes.installed.insert(self.folder(inputs));
    }

    pub(super) fn lower(&self, step: &StepId, inputs: &Inputs, facts: &Facts) -> Option<StepChange> {
        let requirements = &inputs.requirements;
        let digest = requirements.digest();
        let folder = self.folder(inputs);
        let (kind, why) = facts.installed_state(&folder, digest)?;
        let mut commands: Vec<LibraryCall> = requirements
            .files
            .iter()
            .map(|(path, file)| LibraryCall::new(["requirements_file", path, &file.sha256().to_string()]))
            .collect();
        let (digest, uv) = (digest.to_string(), self.uv.requirement());
        if !inputs.app_packages.is_empty() {
            let names = inputs.app_packages.iter().map(DebianPackage::as_str);
            commands.push(LibraryCall::new(["build_with"].into_iter().chain(names)));
        }
        let mut title = format!("Python environment for {}", requirements.source);
        if let Some(python) = &requirements.python {
            title.push_str(&format!(" with Python {} ({})", python.version, python.source));
            let words = ["python_choose", &self.user, &uv, &python.version, &python.source];
            commands.push(LibraryCall::new(words.into_iter().chain(python.mirror.as_deref())));
        }
        let install = ["venv_install", &folder, &digest, &self.user, &uv, &requirements.entry];
        let install = install.map(str::to_owned);
        commands.push(LibraryCall::new(install.iter().chain(&requirements.added)));
        Some(StepChange {
            step: step.clone(),
            kind,
            details: vec![Detail::new(title, why)],
            commands,
            payloads: requirements.files.values().map(File::sha256).collect(),
        })
    }
}
