//! A run of `up`, once its plan is confirmed: changes all hosts, imports the dashboards, and keeps what happened.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use tokio::time::Instant;

use super::annotations;
use super::deployment::Deployment;
use super::grafana_actions::grafana_runs;
use crate::apply::{self, Connected, HostResult};
use crate::duration::Millis;
use crate::error::{Error, Result};
use crate::event::{Event, Events};
use crate::grafana;
use crate::host::{HostName, Machine, Role};
use crate::plan::{HostPlan, InfraAction, Rollout};
use crate::playbook::{Inputs, Playbook};
use crate::retry::Patience;

/// Time limit for a provider to list what it has just started.
const SHOWN_WITHIN: Duration = Duration::from_secs(30);
/// Time limit for Grafana to start. A first start took 18 s on a slow disk.
const GRAFANA_STARTS_WITHIN: Duration = Duration::from_secs(90);
/// Time limit for an existing Grafana to answer; a small one in a cloud may be suspended.
const GRAFANA_ANSWERS_WITHIN: Duration = Duration::from_secs(30);

/// What the steps of each role refer to.
pub type InputsOfRoles = BTreeMap<Role, Inputs>;

/// Host, step, and the end of what it printed.
pub type FailedStep<'a> = (HostName, &'a String, &'a String);

/// The hosts, each with the plan for it.
pub type Planned = BTreeMap<HostName, (Connected, HostPlan)>;

/// A run of `up` and its results.
pub struct UpRun<'a> {
    deployment: &'a Deployment,
    events: &'a Events,
    /// What each changed host did.
    pub results: BTreeMap<HostName, HostResult>,
    /// What the spec wants and could not be had; nothing else depends on it.
    pub missing: Vec<String>,
    /// What went wrong besides failed steps.
    pub errors: Vec<Error>,
}

impl<'a> UpRun<'a> {
    /// A run that has done nothing yet.
    pub const fn new(deployment: &'a Deployment, events: &'a Events) -> Self {
        Self { deployment, events, results: BTreeMap::new(), missing: vec![], errors: vec![] }
    }

    /// Gathers the facts of all machines, now that all addresses are known.
    ///
    /// # Errors
    /// When a machine does not run, or a playbook is invalid. A host that does not answer is one of `errors`.
    pub async fn gather(&mut self) -> Result<(InputsOfRoles, Planned)> {
        let machines = self.machines().await?;
        let inputs = self.deployment.inputs_of_roles(&machines)?;
        let mut hosts = BTreeMap::new();
        let patience = self.deployment.provider.boots_within();
        let project = &self.deployment.loaded.spec.project;
        for (host, connected) in apply::gather(&machines, &inputs, project, patience, self.events).await {
            match connected {
                Ok(connected) => {
                    let inputs = inputs[&host.role()].on(host);
                    let playbook = Playbook::of_inputs(host.role(), &inputs)?;
                    let plan = HostPlan::new(&playbook, &inputs, &connected.facts);
                    hosts.insert(host, (connected, plan));
                }
                Err(error) => {
                    if let Some(console) = self.deployment.provider.console(host).await {
                        self.events.warn(format!("{host}: its console ends with\n{console}"));
                    }
                    self.errors.push(error);
                }
            }
        }
        Ok((inputs, hosts))
    }

    /// The machines, once all of them are running: a cloud may take a moment to list them.
    async fn machines(&self) -> Result<Vec<Machine>> {
        let mut patience = Patience::new(SHOWN_WITHIN);
        loop {
            let machines = self.deployment.provider.observe().await?.running();
            let is_there = |host: &HostName| machines.iter().any(|machine| machine.name == *host);
            let Some(missing) = self.deployment.hosts().find(|host| !is_there(host)) else {
                return Ok(machines);
            };
            patience.again(Error::failed("the machine does not run").at(missing.to_string())).await?;
        }
    }

    /// Work on the first connection after machines changed, before any secret is sent.
    ///
    /// # Errors
    /// When a host's key cannot be replaced, or its file system cannot grow.
    pub async fn prepare_machines(&self, infra: &[InfraAction], hosts: &Planned) -> Result<()> {
        let remotes = hosts.iter().map(|(host, (connected, _))| (*host, &connected.remote)).collect();
        apply::renew_host_keys(&*self.deployment.provider, &remotes).await?;
        apply::grow_file_systems(&*self.deployment.provider, infra, &remotes).await
    }

    /// Changes all hosts in parallel; each continues if others fail. Only application hosts that switch to another
    /// version wait for each other. What fails on a host is part of the results.
    ///
    /// # Errors
    /// When the hosts cannot be recorded.
    pub async fn change(&mut self, inputs: &InputsOfRoles, hosts: &Planned) -> Result<()> {
        let begun = Timestamp::now();
        let changing: Vec<HostName> = hosts.keys().copied().collect();
        self.deployment.provider.remember(&changing)?;
        let this = &*self;
        let project = &self.deployment.loaded.spec.project;
        let rollout = Rollout::new(hosts.iter().map(|(host, (_, plan))| (*host, plan)));
        let others = hosts.iter().filter(|(host, _)| !rollout.turns().contains(host));
        let work = others.map(|(host, (connected, plan))| {
            let inputs = &inputs[&host.role()];
            async move { (*host, this.change_host(connected, plan, inputs).await) }
        });
        let (done, (switched, rollout_errors), imported) = tokio::join!(
            join_all(work),
            apply::roll_out(&rollout, hosts, &inputs[&Role::APP], project, this.events),
            this.import_into_existing(),
        );
        let import_errors = imported.err().unwrap_or_default();
        self.missing.extend(hosts.values().flat_map(|(_, plan)| plan.missing.clone()));
        for (host, (result, errors)) in done {
            self.errors.extend(errors);
            self.results.insert(host, result);
        }
        self.results.extend(switched);
        self.errors.extend(rollout_errors);
        if self.deployment.loaded.spec.grafana.required {
            self.errors.extend(import_errors);
        } else {
            let missing = import_errors.iter().map(|error| format!("dashboards: {}", error.in_one_line()));
            self.missing.extend(missing);
        }
        self.annotate(hosts.get(&HostName::MONITORING).map(|(monitoring, _)| monitoring), begun).await;
        Ok(())
    }

    /// Annotates the dashboards with what was done.
    async fn annotate(&self, monitoring: Option<&Connected>, begun: Timestamp) {
        let done = annotations::of_up(&self.results, begun, Timestamp::now());
        if done.is_empty() {
            return;
        }
        let access = &self.deployment.access;
        let client = match access.external(Duration::ZERO).await {
            Ok(None) => {
                let result = self.results.get(&HostName::MONITORING);
                let (Some(monitoring), Some(result)) = (monitoring, result) else { return };
                if !runs_after(monitoring, result) {
                    return;
                }
                access.client(monitoring.remote.forward(grafana::PORT), Duration::ZERO).await
            }
            Ok(Some(guest)) => Ok(guest),
            Err(error) => Err(error),
        };
        match client {
            Ok(client) => client.annotate_all(&done, self.events).await,
            Err(error) => self.events.warn(format!("no annotation in Grafana: {error}")),
        }
    }

    async fn change_host(
        &self,
        connected: &Connected,
        plan: &HostPlan,
        inputs: &Inputs,
    ) -> (HostResult, Vec<Error>) {
        let host = connected.machine.name;
        let mut errors = Vec::new();
        let mut result = HostResult { ended: true, ..HostResult::default() };
        if !plan.changes.is_empty() {
            let project = &self.deployment.loaded.spec.project;
            match apply::apply(&connected.remote, plan, inputs, project, self.events).await {
                Ok(done) => result = done,
                Err(error) => return (result, vec![error]),
            }
        }
        if host == HostName::MONITORING
            && !self.deployment.access.is_external()
            && runs_after(connected, &result)
        {
            let socket = connected.remote.forward(grafana::PORT);
            // On success there are no errors.
            errors.extend(self.import(socket, GRAFANA_STARTS_WITHIN).await.err().unwrap_or_default());
        }
        (result, errors)
    }

    /// Imports into an existing Grafana, which depends on no host.
    async fn import_into_existing(&self) -> Result<(), Vec<Error>> {
        if !self.deployment.access.is_external() {
            return Ok(());
        }
        let no_way = std::future::ready(Err(Error::failed(
            "an existing Grafana has no socket on the monitoring host",
        )));
        self.import(no_way, GRAFANA_ANSWERS_WITHIN).await
    }

    /// Imports data source, folder and dashboards that differ. `socket` is the one of monctl's own Grafana.
    async fn import(
        &self,
        socket: impl Future<Output = Result<PathBuf>>,
        limit: Duration,
    ) -> Result<(), Vec<Error>> {
        let begun = Instant::now();
        let (host, step) = (HostName::MONITORING, "dashboards".to_owned());
        self.events.send(Event::StepStarted { host, step: step.clone() });
        let spec = &self.deployment.loaded.spec;
        let prepare = async {
            let writers = self.deployment.access.writers(socket, limit, self.events).await?;
            let found = grafana::compare(&writers.daily, &self.deployment.grafana, &spec.grafana).await?;
            Ok::<_, Error>((writers, found.changes))
        };
        let (writers, changes) = prepare.await.map_err(|error| vec![error.at(host.to_string())])?;
        let base = self.deployment.loaded.base_dir();
        writers.apply(changes, &grafana::spare(base, spec.grafana.on_drift, self.events)).await?;
        self.events.send(Event::StepFinished { host, step, took: Millis(begun.elapsed()) });
        Ok(())
    }

    /// The failed steps: the optional ones, and the others.
    pub fn failed(&self) -> (Vec<FailedStep<'_>>, Vec<FailedStep<'_>>) {
        let required = self.deployment.loaded.spec.grafana.required;
        self.results
            .iter()
            .flat_map(|(host, result)| result.failed.iter().map(move |(step, output)| (*host, step, output)))
            .partition(|(_, step, _)| !required && step.starts_with("grafana"))
    }

    /// Whether a step failed that is not optional, or something else went wrong.
    pub fn is_bad(&self) -> bool {
        !self.failed().1.is_empty() || !self.errors.is_empty()
    }

    /// Whether Grafana runs on the monitoring host at the end of this run.
    pub fn has_grafana(&self, hosts: &Planned) -> bool {
        let monitoring = hosts.get(&HostName::MONITORING).zip(self.results.get(&HostName::MONITORING));
        monitoring.is_some_and(|((monitoring, _), result)| runs_after(monitoring, result))
    }
}

/// Whether Grafana runs on the monitoring host after these steps.
fn runs_after(monitoring: &Connected, result: &HostResult) -> bool {
    let failed = || result.failed.iter().any(|(step, _)| step.starts_with("grafana"));
    result.done.iter().any(|step| step == "grafana") || (grafana_runs(&monitoring.facts) && !failed())
}
