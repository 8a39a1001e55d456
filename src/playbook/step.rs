//! The closed vocabulary of install steps, as used in `playbooks/*.yaml`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::archive::Archive;
use super::change::StepChange;
use super::facts::{Facts, Probes};
use super::inputs::Inputs;
use super::package::Package;
use super::service::Service;
use super::step_id::StepId;
use super::user::User;
use super::venv::Venv;
use crate::error::{Error, Result};
use crate::host::Role;
use crate::integrations::{Flag, Integration};
use crate::spec::{Process, ProcessName, Spec};

/// The file with the steps of an integration.
const INSTALL: &str = "install.yaml";

/// The install steps of a role, in order.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Playbook {
    /// Its steps.
    pub steps: Vec<Step>,
}

/// One desired state of a host.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Its name.
    pub id: StepId,
    /// The step applies only if the spec has this flag.
    #[serde(default)]
    pub when: Option<Flag>,
    /// Runs beside the main sequence; steps of one lane follow one another.
    #[serde(default)]
    pub lane: Option<String>,
    /// Waits for the end of these lanes first, and does not run if one of them failed.
    #[serde(default)]
    pub join: Vec<String>,
    /// The desired state. Exactly one kind.
    #[serde(flatten)]
    pub kind: StepKind,
}

/// The kinds of steps. Each has a file in this module with its probes and its lowering.
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
    /// A service of an earlier playbook is gone.
    #[serde(skip)]
    Retired,
}

/// The install steps of an integration: the content of `install.yaml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Install {
    steps: Vec<Step>,
}

impl Playbook {
    /// The playbook of a role: its own steps, then those of the integrations that watch its hosts. A host whose
    /// application something else deploys is watched like one of any further role.
    ///
    /// # Errors
    /// If the steps of an integration are not valid.
    ///
    /// # Panics
    /// Never: the role's own file is part of the program, and a test reads each of them.
    #[allow(clippy::expect_used)]
    pub fn of(role: Role, flags: &BTreeSet<Flag>, integrations: &[Integration]) -> Result<Self> {
        let text = match role {
            Role::APP if !flags.contains(&Flag::Observed) => include_str!("../../playbooks/app.yaml"),
            Role::MONITORING => include_str!("../../playbooks/monitoring.yaml"),
            _ => include_str!("../../playbooks/watched.yaml"),
        };
        let mut playbook: Self =
            serde_saphyr::from_str(text).expect("playbooks are valid; a test reads each of them");
        for integration in integrations.iter().filter(|integration| integration.watches(role)) {
            let Some(install) = integration.parse::<Install>(INSTALL)? else { continue };
            for step in install.steps {
                playbook.add(step).map_err(|error| error.at(integration.place(INSTALL)))?;
            }
        }
        Ok(playbook)
    }

    /// The playbook of a role with everything that a spec adds to it.
    ///
    /// # Errors
    /// If the steps of an integration are not valid, or a process has the unit of another step.
    pub fn of_spec(role: Role, spec: &Spec) -> Result<Self> {
        Self::of(role, &spec.flags(), spec.catalogue.integrations())?.with_processes(&spec.app.processes)
    }

    /// The playbook of a role with everything that these inputs add to it.
    ///
    /// # Errors
    /// If the steps of an integration are not valid, a process has the unit of another step, or a step installs a
    /// release that no catalogue has.
    pub fn of_inputs(role: Role, inputs: &Inputs) -> Result<Self> {
        let playbook =
            Self::of(role, &inputs.flags, &inputs.integrations)?.with_processes(&inputs.processes)?;
        for step in playbook.steps(inputs) {
            if let StepKind::Archive(archive) = &step.kind {
                archive.check(&step.id, inputs)?;
            }
        }
        Ok(playbook)
    }

    /// Adds the units of the application's processes to the service that runs them.
    fn with_processes(mut self, processes: &BTreeMap<ProcessName, Process>) -> Result<Self> {
        let taken = processes.keys().find(|name| self.units().any(|unit| unit == name.unit()));
        if let Some(name) = taken {
            return Err(Error::invalid(format!("there is already a unit `{}`", name.unit()))
                .remedy(format!("choose another name for the process `{name}` in `app.processes`")));
        }
        for step in &mut self.steps {
            if let StepKind::Service(service) = &mut step.kind {
                service.add_processes(processes);
            }
        }
        Ok(self)
    }

    /// Packages may be added to a step of the same name; any other name must be unique.
    fn add(&mut self, step: Step) -> Result<()> {
        let is_package = |step: &Step| matches!(step.kind, StepKind::Package(_));
        let other = self.steps.iter().find(|other| other.id == step.id);
        if other.is_some_and(|other| !is_package(other) || !is_package(&step)) {
            return Err(Error::invalid(format!("there is already a step `{}`", step.id))
                .remedy("begin the names of its steps with the name of the integration"));
        }
        if let StepKind::Service(service) = &step.kind
            && service.directory() != step.id.directory()
        {
            return Err(Error::invalid(format!(
                "the step `{}` must have its files in its own directory",
                step.id
            ))
            .remedy(format!("write `directory: {}`", step.id.directory())));
        }
        self.steps.push(step);
        Ok(())
    }

    /// The steps that apply with these flags. Packages of one name are installed together, where the first of them are.
    pub fn steps(&self, inputs: &Inputs) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        for step in self.steps.iter().filter(|step| step.applies(&inputs.flags)) {
            let same = steps.iter_mut().find(|other| other.id == step.id);
            let other = same.map(|step| &mut step.kind);
            if let (Some(StepKind::Package(packages)), StepKind::Package(more)) = (other, &step.kind) {
                packages.add(more);
                continue;
            }
            let mut step = step.clone();
            if let StepKind::Package(packages) = &mut step.kind {
                packages.fill(inputs);
            }
            steps.push(step);
        }
        steps
    }

    /// The units of its services, whatever the spec's flags.
    pub fn units(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().flat_map(|step| match &step.kind {
            StepKind::Service(service) => service.unit_names(),
            _ => vec![],
        })
    }

    /// The units of its services with these flags.
    pub fn units_with(&self, flags: &BTreeSet<Flag>) -> impl Iterator<Item = &str> {
        self.steps.iter().filter(|step| step.applies(flags)).flat_map(|step| match &step.kind {
            StepKind::Service(service) => service.unit_names_with(flags),
            _ => vec![],
        })
    }

    /// The probes that the facts script must answer for this playbook.
    pub fn probes(&self, inputs: &Inputs) -> Probes {
        let mut probes = Probes::default();
        for step in self.steps(inputs) {
            step.probe(inputs, &mut probes);
        }
        probes
    }
}

impl Step {
    fn applies(&self, flags: &BTreeSet<Flag>) -> bool {
        self.when.is_none_or(|flag| flags.contains(&flag))
    }

    /// Adds this step's probes.
    fn probe(&self, inputs: &Inputs, probes: &mut Probes) {
        match &self.kind {
            StepKind::Package(package) => package.probe(probes),
            StepKind::Archive(archive) => archive.probe(probes),
            StepKind::User(user) => user.probe(probes),
            StepKind::Venv(venv) => venv.probe(inputs, probes),
            StepKind::Service(service) => service.probe(inputs, probes),
            StepKind::Retired => {}
        }
    }

    /// Whether it brings a version of the application's code.
    pub fn carries_tree(&self) -> bool {
        matches!(&self.kind, StepKind::Service(service) if service.carries_tree())
    }

    /// Why this optional step cannot run for now.
    pub fn missing(&self, inputs: &Inputs, facts: &Facts) -> Option<String> {
        match &self.kind {
            StepKind::Archive(archive) => archive.missing(inputs, facts),
            _ => None,
        }
    }

    /// The change of this step on a host with these facts; none if nothing differs. `changed`
    /// are the earlier steps that change something.
    pub fn lower(&self, inputs: &Inputs, facts: &Facts, changed: &[StepId]) -> Option<StepChange> {
        match &self.kind {
            StepKind::Package(package) => package.lower(&self.id, facts),
            StepKind::Archive(archive) => archive.lower(&self.id, inputs, facts),
            StepKind::User(user) => user.lower(&self.id, facts),
            StepKind::Venv(venv) => venv.lower(&self.id, inputs, facts),
            StepKind::Service(service) => service.lower(&self.id, inputs, facts, changed),
            StepKind::Retired => None,
        }
    }
}
