//! What `plan` and `up` share: reading all inputs, and observing the current state.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::dashboards;
use super::grafana_actions::{action, grafana_runs, left_alone};
use crate::apply::{self, Connected};
use crate::error::{Error, Exit, Result};
use crate::event::Events;
use crate::grafana::{self, Desired, GrafanaAccess};
use crate::host::{HostName, Machine, Role};
use crate::plan::{HostPlan, Plan};
use crate::playbook::{Facts, File, Inputs, Playbook, Release, Requirements, Tree};
use crate::project;
use crate::provider::{self, Observed, Provider};
use crate::remote::ANSWERS_WITHIN;
use crate::render::{Addresses, Bundle};
use crate::secret::{KnownSecrets, Secret};
use crate::spec::{BaseUrl, Loaded, Secrets, load};

/// Time limit for a running Grafana to answer.
const GRAFANA_ANSWERS_WITHIN: Duration = Duration::from_secs(10);

/// The bundle's file with the Python packages that monctl adds.
const ADDED_REQUIREMENTS: &str = "app/requirements.txt";

/// A spec with everything that it refers to, and the provider of its machines.
pub struct Deployment {
    /// The spec and the folder that its paths are relative to.
    pub loaded: Loaded,
    /// The provider of its machines.
    pub provider: Box<dyn Provider>,
    secrets: Secrets,
    /// Secrets that are masked in all output.
    known: KnownSecrets,
    releases: BTreeMap<String, Release>,
    tree: Tree,
    requirements: Requirements,
    /// Files of the application's folder that are not copied, each with the way to copy it.
    pub left_out: Vec<String>,
    /// The way into Grafana.
    pub access: GrafanaAccess,
    /// The administrator's password for the first start of Grafana. It is never sent to a running one.
    first_password: Secret,
    /// The desired content of Grafana.
    pub grafana: Desired,
    /// What is missing in Grafana for now: dashboards of the spec that cannot be downloaded, or an optional Grafana
    /// that does not answer.
    pub unavailable: Vec<String>,
}

/// The observed state, and the plan.
pub struct Look {
    /// What differs.
    pub plan: Plan,
    /// What the steps of each role refer to, as far as addresses are known.
    pub inputs: BTreeMap<Role, Inputs>,
    /// The hosts that run, with their connections.
    pub hosts: BTreeMap<HostName, Connected>,
    /// Errors of what runs but did not answer: hosts, Grafana.
    pub silent: Vec<Error>,
}

impl Deployment {
    /// Reads the spec, its secrets, the application's folder, the catalogue and all dashboards. Changes nothing. Adds the
    /// secrets to the `known` ones, which are masked in all output.
    ///
    /// # Errors
    /// When one of them is invalid or missing.
    pub async fn load(spec: &Path, events: &Events, known: &KnownSecrets) -> Result<Self> {
        let loaded = load(spec)?;
        let secrets = Secrets::resolve(&loaded)?;
        secrets.values().for_each(|secret| known.add(secret));
        let spec = &loaded.spec;
        let provider = provider::of(&loaded, events).await?;
        let dashboards = dashboards::wanted(&loaded).await?;
        let bundle = Bundle::render(spec, &Addresses::default())?;
        let added = bundle.get(ADDED_REQUIREMENTS).map(|content| content.masked().into_owned());
        let mirror = spec.monitoring.install.releases().mirror.as_ref();
        let (folder, notices) = project::application(&loaded)?;
        let (tree, requirements) = match folder {
            Some(folder) => {
                let tree = Tree { persistent: spec.app.persistent.clone(), ..folder.tree };
                (tree, requirements(&loaded, &added.unwrap_or_default(), mirror)?)
            }
            None => Default::default(),
        };
        notices.warnings.iter().for_each(|warning| events.warn(warning.clone()));
        let first_password = Secret::random()?;
        let access = GrafanaAccess::with(&loaded, provider.folder(), &secrets)?;
        access.password()?.iter().chain([&first_password]).for_each(|secret| known.add(secret));
        Ok(Self {
            releases: project::releases(&loaded)?,
            tree,
            left_out: notices.left_out,
            requirements,
            access,
            first_password,
            known: known.clone(),
            unavailable: dashboards.missing.iter().map(Error::in_one_line).collect(),
            grafana: grafana::desired(spec, dashboards),
            secrets,
            provider,
            loaded,
        })
    }

    /// Keeps a copy of Grafana's password on this computer.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep_password(&self) -> Result<()> {
        self.access.keep(Some(&self.first_password))
    }

    /// The exit code of a run that lacks only dashboards of the spec.
    pub fn exit_without_dashboards(&self) -> Exit {
        let needed = self.loaded.spec.grafana.required && !self.unavailable.is_empty();
        if needed { Exit::Failed } else { Exit::Success }
    }

    /// The names of all hosts of the spec.
    pub fn hosts(&self) -> impl Iterator<Item = HostName> {
        self.loaded.spec.hosts().into_iter()
    }

    /// Every file of a role with its secrets, as it is sent to hosts.
    fn files(&self, bundle: &Bundle, role: Role) -> Result<BTreeMap<String, File>> {
        let mut files = BTreeMap::new();
        for (name, content) in bundle.of_role(role) {
            let text = content.reveal(&self.secrets)?;
            let bytes = text.expose().as_bytes();
            let file = if content.is_secret() { File::secret(bytes) } else { File::public(bytes) };
            files.insert(name, file);
        }
        if !self.access.is_external() {
            let known = self.access.password()?;
            let password = known.as_ref().unwrap_or(&self.first_password);
            files.insert("grafana/admin-password".into(), File::secret(password.expose().as_bytes()));
        }
        Ok(files)
    }

    /// What the steps of each role refer to. Only the `app` role has the application.
    ///
    /// # Errors
    /// When a file cannot be rendered, or the kept password of Grafana cannot be read.
    pub fn inputs_of_roles(&self, machines: &[Machine]) -> Result<BTreeMap<Role, Inputs>> {
        let spec = &self.loaded.spec;
        let bundle = Bundle::render(spec, &machines.iter().collect())?;
        let optional = (!spec.grafana.required).then(|| "grafana".to_owned());
        let inputs = |role: Role| {
            let mut inputs = Inputs {
                flags: spec.flags(),
                integrations: spec.catalogue.integrations().to_vec(),
                files: self.files(&bundle, role)?,
                releases: self.releases.clone(),
                optional: optional.iter().cloned().collect(),
                ..Inputs::default()
            };
            if role == Role::APP {
                inputs.app_packages.clone_from(&spec.app.packages);
                inputs.processes.clone_from(&spec.app.processes);
                inputs.tree = self.tree.clone();
                inputs.requirements = self.requirements.clone();
            }
            Ok((role, inputs))
        };
        spec.roles().into_iter().map(inputs).collect()
    }

    /// Observes the running hosts, and plans for all hosts of the spec.
    ///
    /// # Errors
    /// When the provider or a playbook refuses; hosts that do not answer are part of the [`Look`].
    pub async fn look(&mut self, observed: &Observed, events: &Events) -> Result<Look> {
        let machines = observed.running();
        let inputs = self.inputs_of_roles(&machines)?;
        let plan = Plan {
            place: self.provider.place(),
            infra: self.provider.plan(self.hosts().collect(), observed).await?,
            ..Plan::default()
        };
        let mut look = Look { plan, inputs, hosts: BTreeMap::new(), silent: vec![] };
        let wanted = self.wanted(&machines);
        let project = &self.loaded.spec.project;
        for (host, connected) in apply::gather(&wanted, &look.inputs, project, ANSWERS_WITHIN, events).await {
            match connected {
                Ok(connected) => drop(look.hosts.insert(host, connected)),
                Err(error) => look.silent.push(error),
            }
        }
        if self.learn_password(&look.hosts).await? {
            look.inputs = self.inputs_of_roles(&machines)?;
        }
        for host in self.hosts() {
            let nothing = Facts::default();
            let facts = look.hosts.get(&host).map_or(&nothing, |connected| &connected.facts);
            if look.hosts.contains_key(&host) || !machines.iter().any(|machine| machine.name == host) {
                let inputs = look.inputs[&host.role()].on(host);
                let playbook = Playbook::of_inputs(host.role(), &inputs)?;
                let plan = HostPlan::new(&playbook, &inputs, facts);
                look.plan.hosts.insert(host, plan);
            }
        }
        // Nothing else depends on Grafana, so its errors must not end the look.
        match self.look_at_grafana(&mut look).await {
            Ok(()) => {}
            Err(error) if self.access.is_external() && !self.loaded.spec.grafana.required => {
                self.unavailable.push(format!("Grafana is unavailable: {}", error.in_one_line()));
            }
            Err(error) => look.silent.push(error),
        }
        Ok(look)
    }

    /// Reads the administrator's password from the monitoring host if Grafana was started from another computer: a new
    /// password would not be accepted. Returns whether a password was read.
    async fn learn_password(&self, hosts: &BTreeMap<HostName, Connected>) -> Result<bool> {
        let Some(monitoring) = hosts.get(&HostName::MONITORING) else { return Ok(false) };
        let is_there = monitoring.facts.files.contains_key(grafana::PASSWORD_FILE);
        if self.access.is_external() || !is_there || self.access.password()?.is_some() {
            return Ok(false);
        }
        let output = monitoring.remote.run(&["cat", grafana::PASSWORD_FILE], b"").await?;
        if !output.status.success() {
            let text = format!("cannot read `{}`", grafana::PASSWORD_FILE);
            return Err(Error::failed(text).at(HostName::MONITORING.to_string()));
        }
        let password = Secret::new(output.stdout.trim_end());
        self.known.add(&password);
        self.access.learn(password);
        Ok(true)
    }

    /// Queries monctl's own Grafana only if it runs and stays unchanged; otherwise the import follows its change.
    async fn look_at_grafana(&self, look: &mut Look) -> Result<()> {
        let client = match (
            self.access.external(GRAFANA_ANSWERS_WITHIN).await?,
            look.hosts.get(&HostName::MONITORING),
        ) {
            (Some(guest), _) => guest,
            (None, Some(monitoring)) if grafana_runs(&monitoring.facts) => {
                let socket = monitoring.remote.forward(grafana::PORT);
                self.access.client(socket, GRAFANA_ANSWERS_WITHIN).await?
            }
            (None, _) => return Ok(()),
        };
        let found = grafana::compare(&client, &self.grafana, &self.loaded.spec.grafana).await?;
        look.plan.grafana = found.changes.iter().map(action).collect();
        look.plan.kept = found.kept.iter().map(left_alone).collect();
        Ok(())
    }

    fn wanted(&self, machines: &[Machine]) -> Vec<Machine> {
        machines.iter().filter(|machine| self.hosts().any(|host| host == machine.name)).cloned().collect()
    }
}

/// The application's requirements with the packages that monctl adds, and its Python.
fn requirements(loaded: &Loaded, added: &str, mirror: Option<&BaseUrl>) -> Result<Requirements> {
    let (folder, app) = (loaded.app_dir(), &loaded.spec.app);
    let file = app.requirements.as_deref().unwrap_or(Path::new("requirements.txt"));
    let mut requirements = project::requirements(&folder, file, app.manage(), added)?;
    requirements.python =
        project::python(&folder, app.manage(), app.python.as_ref(), mirror.map(BaseUrl::as_str))?;
    Ok(requirements)
}
