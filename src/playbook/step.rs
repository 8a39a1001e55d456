//! The closed vocabulary of install steps, as it stands in `playbooks/*.yaml`.

use serde::Deserialize;

use super::archive::Archive;
use super::change::Change;
use super::facts::{Facts, Probes};
use super::inputs::Inputs;
use super::package::Package;
use super::service::Service;
use super::step_id::{Flag, StepId};
use super::user::User;
use super::venv::Venv;
use crate::host::Role;

/// The install steps of a role, in order.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Playbook {
    /// The role that it installs.
    pub role: Role,
    /// Its steps.
    pub steps: Vec<Step>,
}

/// One thing that must be true on a host.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Its name.
    pub id: StepId,
    /// The step is left out unless the spec says this.
    #[serde(default)]
    pub when: Option<Flag>,
    /// Runs beside the main sequence; steps of one lane follow one another.
    #[serde(default)]
    pub lane: Option<String>,
    /// Waits for the end of these lanes first, and does not run where one of them failed.
    #[serde(default)]
    pub join: Vec<String>,
    /// What must be true. Exactly one kind.
    #[serde(flatten)]
    pub kind: StepKind,
}

/// The kinds of steps. Each is a file of this room with its probes and its lowering.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// Debian packages are installed.
    Package(Package),
    /// A release tarball, pinned by its digest, is unpacked.
    Archive(Archive),
    /// A system user exists.
    User(User),
    /// A Python environment holds the application's requirements.
    Venv(Venv),
    /// A set of files is checked and active, and the units that use it are healthy.
    Service(Box<Service>),
}

impl Playbook {
    /// The playbook of a role.
    ///
    /// # Panics
    /// Never: the files are part of the program, and a test reads each of them.
    #[allow(clippy::expect_used)]
    pub fn of(role: Role) -> Self {
        let text = match role {
            Role::App => include_str!("../../playbooks/app.yaml"),
            Role::Monitoring => include_str!("../../playbooks/monitoring.yaml"),
        };
        serde_saphyr::from_str(text).expect("playbooks are valid; a test reads each of them")
    }

    /// The steps that apply with these flags.
    pub fn steps(&self, inputs: &Inputs) -> impl Iterator<Item = &Step> {
        let flags = inputs.flags.clone();
        self.steps.iter().filter(move |step| step.when.is_none_or(|flag| flags.contains(&flag)))
    }

    /// The units of its services, whatever the spec says.
    pub fn units(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().flat_map(|step| match &step.kind {
            StepKind::Service(service) => service.unit_names(),
            _ => vec![],
        })
    }

    /// The questions that the facts script must answer for this playbook.
    pub fn probes(&self, inputs: &Inputs) -> Probes {
        let mut probes = Probes::default();
        for step in self.steps(inputs) {
            step.probe(inputs, &mut probes);
        }
        probes
    }
}

impl Step {
    /// Adds this step's questions.
    fn probe(&self, inputs: &Inputs, probes: &mut Probes) {
        match &self.kind {
            StepKind::Package(package) => package.probe(probes),
            StepKind::Archive(archive) => archive.probe(probes),
            StepKind::User(user) => user.probe(probes),
            StepKind::Venv(venv) => venv.probe(inputs, probes),
            StepKind::Service(service) => service.probe(inputs, probes),
        }
    }

    /// Why this step cannot be done for now, where everything else goes on without it.
    pub fn missing(&self, inputs: &Inputs, facts: &Facts) -> Option<String> {
        match &self.kind {
            StepKind::Archive(archive) => archive.missing(inputs, facts),
            _ => None,
        }
    }

    /// What this step changes on a host with these facts; nothing where all is as it must be. `changed`
    /// are the steps before it that change something.
    pub fn lower(&self, inputs: &Inputs, facts: &Facts, changed: &[StepId]) -> Option<Change> {
        match &self.kind {
            StepKind::Package(package) => package.lower(&self.id, facts),
            StepKind::Archive(archive) => archive.lower(&self.id, inputs, facts),
            StepKind::User(user) => user.lower(&self.id, facts),
            StepKind::Venv(venv) => venv.lower(&self.id, inputs, facts),
            StepKind::Service(service) => service.lower(&self.id, inputs, facts, changed),
        }
    }
}
