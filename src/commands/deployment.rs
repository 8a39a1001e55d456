//! What `plan` and `up` share: everything that was read, and the look at everything that is there.

use std::collections::BTreeMap;
use std::time::Duration;

use super::context::Context;
use super::grafana::GrafanaAccess;
use super::{dashboards, grafana};
use crate::apply::{self, Connected};
use crate::error::{Error, Exit, Result};
use crate::event::Events;
use crate::grafana::Desired;
use crate::host::{HostName, Machine, Role};
use crate::plan::{HostPlan, Plan};
use crate::playbook::{Facts, File, Inputs, Playbook, Release, Requirements, Tree};
use crate::project;
use crate::provider::{self, Observed, Provider};
use crate::render::{Addresses, Bundle};
use crate::secret::{KnownSecrets, Secret};
use crate::spec::{Loaded, Secrets, load};

/// A machine that runs already answers at once, unless it was started a moment ago.
pub(super) const ANSWERS_WITHIN: Duration = Duration::from_secs(20);

/// Grafana runs already.
const GRAFANA_ANSWERS_WITHIN: Duration = Duration::from_secs(10);

/// The bundle's name of the Python packages that monctl adds.
const ADDED_REQUIREMENTS: &str = "app/requirements.txt";

/// A spec with everything that it refers to, and the provider of its machines.
pub(super) struct Deployment {
    pub loaded: Loaded,
    pub provider: Box<dyn Provider>,
    secrets: Secrets,
    /// What is masked wherever it is shown.
    known: KnownSecrets,
    releases: BTreeMap<String, Release>,
    tree: Tree,
    requirements: Requirements,
    /// The way into Grafana.
    pub access: GrafanaAccess,
    /// The administrator's password for a first start of Grafana. It is never shown to one that runs.
    first_password: Secret,
    /// What Grafana is to hold.
    pub grafana: Desired,
    /// What is missing in Grafana for now: dashboards of the spec that cannot be fetched, or an optional Grafana that does
    /// not answer.
    pub unavailable: Vec<String>,
}

/// What was found, and what is to be done about it.
pub(super) struct Look {
    pub plan: Plan,
    /// What the steps of each role refer to, as far as addresses are known.
    pub inputs: BTreeMap<Role, Inputs>,
    /// The hosts that run, with their connections.
    pub hosts: BTreeMap<HostName, Connected>,
    /// What runs but did not answer: hosts, Grafana.
    pub silent: Vec<Error>,
}

impl Deployment {
    /// Reads the spec, its secrets, the application's folder, the catalogue and all dashboards. Changes nothing.
    pub async fn load(context: &Context) -> Result<Self> {
        let loaded = load(&context.spec)?;
        let secrets = Secrets::resolve(&loaded)?;
        secrets.values().for_each(|secret| context.secrets.add(secret));
        let spec = &loaded.spec;
        let provider = provider::of(&loaded, &context.events).await?;
        let dashboards = dashboards::wanted(&loaded).await?;
        let bundle = Bundle::render(spec, &Addresses::default())?;
        let added = bundle.get(ADDED_REQUIREMENTS).map(|content| content.masked().into_owned());
        let tree = Tree { persistent: spec.app.persistent.clone(), ..project::tree(&loaded.app_dir())? };
        warn_of_large_files(&tree, &context.events);
        let first_password = Secret::random()?;
        let access = GrafanaAccess::with(&loaded, &*provider, &secrets)?;
        access.password()?.iter().chain([&first_password]).for_each(|secret| context.secrets.add(secret));
        Ok(Self {
            releases: project::releases(spec.monitoring.install.releases(), loaded.base_dir())?,
            tree,
            requirements: project::requirements(
                &loaded.app_dir(),
                &spec.app.requirements,
                &added.unwrap_or_default(),
            )?,
            access,
            first_password,
            known: context.secrets.clone(),
            unavailable: dashboards.missing.iter().map(Error::in_one_line).collect(),
            grafana: grafana::desired(spec, dashboards),
            secrets,
            provider,
            loaded,
        })
    }

    /// Keeps a copy of Grafana's password on this computer.
    pub fn keep_password(&self) -> Result<()> {
        self.access.keep(Some(&self.first_password))
    }

    /// How a run ends whose only fault is that dashboards of the spec cannot be fetched.
    pub fn exit_without_dashboards(&self) -> Exit {
        let needed = self.loaded.spec.grafana.required && !self.unavailable.is_empty();
        if needed { Exit::Failed } else { Exit::Success }
    }

    /// The names of all hosts that the spec wants.
    pub fn hosts(&self) -> impl Iterator<Item = HostName> {
        self.loaded.spec.hosts().into_iter()
    }

    /// Every file of a role with its secrets in it, as it goes to hosts.
    fn files(&self, bundle: &Bundle, role: Role) -> Result<BTreeMap<String, File>> {
        let mut files = BTreeMap::new();
        for (name, content) in bundle.of_role(role) {
            let text = content.reveal(&self.secrets)?;
            let bytes = text.expose().as_bytes();
            let file = if content.is_secret() { File::secret(bytes) } else { File::public(bytes) };
            files.insert(name, file);
        }
        if !self.access.is_guest() {
            let known = self.access.password()?;
            let password = known.as_ref().unwrap_or(&self.first_password);
            files.insert("grafana/admin-password".into(), File::secret(password.expose().as_bytes()));
        }
        Ok(files)
    }

    /// What the steps of each role refer to. The application is its role's alone.
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
                inputs.tree = self.tree.clone();
                inputs.requirements = self.requirements.clone();
            }
            Ok((role, inputs))
        };
        spec.roles().into_iter().map(inputs).collect()
    }

    /// Looks at the hosts that run, and plans for all that the spec wants.
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
                let inputs = &look.inputs[&host.role()];
                let playbook = Playbook::of(host.role(), &inputs.integrations)?;
                let plan = HostPlan::new(&playbook, inputs, facts);
                look.plan.hosts.insert(host, plan);
            }
        }
        // Nothing else depends on Grafana, so that its trouble must not end the look.
        match self.look_at_grafana(&mut look).await {
            Ok(()) => {}
            Err(error) if self.access.is_guest() && !self.loaded.spec.grafana.required => {
                self.unavailable.push(format!("Grafana is not there: {}", error.in_one_line()));
            }
            Err(error) => look.silent.push(error),
        }
        Ok(look)
    }

    /// Reads the administrator's password from the monitoring host where Grafana was started from another computer: a new
    /// one would be good for nothing. Says whether there was one to read.
    async fn learn_password(&self, hosts: &BTreeMap<HostName, Connected>) -> Result<bool> {
        let Some(monitoring) = hosts.get(&HostName::MONITORING) else { return Ok(false) };
        let is_there = monitoring.facts.files.contains_key(grafana::PASSWORD_FILE);
        if self.access.is_guest() || !is_there || self.access.password()?.is_some() {
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

    /// monctl's own Grafana is asked only where it runs and stays as it is; else it is imported after it was changed.
    async fn look_at_grafana(&self, look: &mut Look) -> Result<()> {
        let client =
            match (self.access.guest(GRAFANA_ANSWERS_WITHIN).await?, look.hosts.get(&HostName::MONITORING)) {
                (Some(guest), _) => guest,
                (None, Some(monitoring)) if grafana::runs(&monitoring.facts) => {
                    let socket = monitoring.remote.forward(grafana::PORT);
                    self.access.client(socket, GRAFANA_ANSWERS_WITHIN).await?
                }
                (None, _) => return Ok(()),
            };
        let found = grafana::compare(&client, &self.grafana, &self.loaded.spec.grafana).await?;
        look.plan.grafana = found.changes.iter().map(grafana::action).collect();
        look.plan.kept = found.kept.iter().map(grafana::left_alone).collect();
        Ok(())
    }

    fn wanted(&self, machines: &[Machine]) -> Vec<Machine> {
        machines.iter().filter(|machine| self.hosts().any(|host| host == machine.name)).cloned().collect()
    }
}

/// So many large files are named; the rest is counted.
const LARGE_FILES_NAMED: usize = 5;

/// Names what is no code and goes to every application host all the same.
fn warn_of_large_files(tree: &Tree, events: &Events) {
    let large = tree.large_files();
    let Some((largest, _)) = large.first() else { return };
    let megabytes = |size: u64| format!("{} MB", size / 1_000_000);
    let named: Vec<String> = large
        .iter()
        .take(LARGE_FILES_NAMED)
        .map(|(name, size)| format!("`{name}` ({})", megabytes(*size)))
        .collect();
    let more = match large.len().saturating_sub(LARGE_FILES_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    events.warn(format!(
        "large files go to every application host: {}{more}; leave out what is data by a line in the `.gitignore` of the \
         application's folder, such as `/{largest}`",
        named.join(", ")
    ));
}
