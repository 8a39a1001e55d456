//! `monctl up`: shows the plan, asks for confirmation, applies the plan, and reports the result.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use serde_json::json;
use tokio::time::Instant;

use super::context::Context;
use super::deployment::{Deployment, Look};
use super::outcome::Outcome;
use super::services;
use super::up_summary::{self, UpSummary};
use super::{annotations, grafana};
use crate::apply::{self, Connected, HostResult};
use crate::cli::UpArgs;
use crate::duration::Millis;
use crate::error::{Error, Exit, Result};
use crate::event::{Event, Events};
use crate::host::{HostName, Machine, Role};
use crate::plan::{HostPlan, InfraAction, Plan, Rollout};
use crate::playbook::{Inputs, Playbook};
use crate::remote::Remote;
use crate::report;
use crate::retry::Patience;

/// Time limit for a provider to list what it has just started.
const SHOWN_WITHIN: Duration = Duration::from_secs(30);
/// Time limit for Grafana to start. A first start took 18 s on a slow disk.
const GRAFANA_STARTS_WITHIN: Duration = Duration::from_secs(90);
/// Time limit for an existing Grafana to answer; a small one in a cloud may be suspended.
const GRAFANA_ANSWERS_WITHIN: Duration = Duration::from_secs(30);

/// # Errors
/// When nothing could be done; a partial success is an [`Outcome`] with [`Exit::Failed`].
pub(super) async fn run(args: &UpArgs, context: &Context) -> Result<Outcome> {
    let begun = Instant::now();
    let events = &context.events;
    let mut deployment = Deployment::load(context).await?;
    deployment.provider.check_prerequisites()?;
    let _lock = deployment.provider.lock()?;
    let observed = deployment.provider.observe().await?;
    let look = deployment.look(&observed, events).await?;
    let provider = &deployment.provider;
    deployment.access.keep(None)?;
    if look.plan.is_empty() && look.silent.is_empty() {
        let remotes = look.hosts.iter().map(|(host, connected)| (*host, &connected.remote)).collect();
        let troubles = troubles(&deployment, &remotes, events).await;
        let machines = look.hosts.values().map(|connected| &connected.machine);
        let monitoring = look.hosts.get(&HostName::MONITORING);
        let has_grafana = monitoring.is_some_and(|monitoring| grafana::runs(&monitoring.facts));
        let known = up_summary::known(&look.hosts);
        let mut summary = UpSummary::new(&deployment.loaded.spec, machines, &known, has_grafana);
        let remotes = look.hosts.values().map(|connected| &connected.remote);
        summary.warnings.extend(up_summary::uncounted(&deployment.loaded.spec, remotes).await?);
        let took = begun.elapsed();
        return Ok(unchanged(&deployment, &look.plan, look.hosts.len(), &troubles, &summary, took));
    }
    let plan = text_of(&look, &deployment.left_out);
    let disruptions = look.plan.disruptions();
    if args.yes && !args.allow_downtime && !disruptions.is_empty() {
        return Err(refusal(&disruptions));
    }
    if args.yes {
        events.note(plan);
    } else {
        context.confirm(&plan, "make these changes?").await?;
        if !disruptions.is_empty() && !args.allow_downtime {
            context.confirm(&disruptions.join("\n"), "stop or replace these machines?").await?;
        }
    }

    let mut run =
        Run { deployment: &deployment, events, results: BTreeMap::new(), missing: vec![], errors: vec![] };
    let (inputs, hosts) = if look.plan.infra.is_empty() && look.silent.is_empty() {
        deployment.keep_password()?;
        let mut plans = look.plan.hosts;
        let planned = |(host, it)| (host, (it, plans.remove(&host).unwrap_or_default()));
        (look.inputs, look.hosts.into_iter().map(planned).collect())
    } else {
        drop(look.hosts);
        phase(events, "machines", provider.apply(&look.plan.infra)).await?;
        deployment.keep_password()?;
        let (inputs, hosts) = run.gather().await?;
        run.prepare_machines(&look.plan.infra, &hosts).await?;
        (inputs, hosts)
    };
    phase(events, "hosts", run.change(&inputs, &hosts)).await?;
    // Health is checked only if no step failed.
    if !run.is_bad() {
        let remotes = hosts.iter().map(|(host, (connected, _))| (*host, &connected.remote)).collect();
        run.errors = troubles(&deployment, &remotes, events).await;
    }
    let remotes = hosts.iter().map(|(host, (connected, _))| (*host, &connected.remote));
    let reports = up_summary::current(remotes).await.unwrap_or_else(|error| {
        run.errors.push(error);
        BTreeMap::new()
    });
    let machines = hosts.values().map(|(connected, _)| &connected.machine);
    let monitoring = hosts.get(&HostName::MONITORING).zip(run.results.get(&HostName::MONITORING));
    let has_grafana = monitoring.is_some_and(|((monitoring, _), result)| grafana_runs(monitoring, result));
    let mut summary = UpSummary::new(&deployment.loaded.spec, machines, &reports, has_grafana);
    let remotes = hosts.values().map(|(connected, _)| &connected.remote);
    match up_summary::uncounted(&deployment.loaded.spec, remotes).await {
        Ok(warnings) => summary.warnings.extend(warnings),
        Err(error) => run.errors.push(error),
    }
    Ok(run.outcome(&summary, begun.elapsed()))
}

/// The plan as text, with the hosts that did not answer and the files that are not copied.
fn text_of(look: &Look, left_out: &[String]) -> String {
    let plan = (!look.plan.is_empty()).then(|| look.plan.to_string().trim_end().to_owned());
    let silent = look.silent.iter().map(|error| format!("! not checked: {}", in_full(error)));
    let left_out = left_out.iter().map(|what| format!("left out: {what}"));
    plan.into_iter().chain(silent).chain(left_out).collect::<Vec<_>>().join("\n")
}

/// Checks the health of the setup: see [`apply::troubles`].
async fn troubles(
    deployment: &Deployment,
    remotes: &BTreeMap<HostName, &Remote>,
    events: &Events,
) -> Vec<Error> {
    let spec = &deployment.loaded.spec;
    let prometheus = async {
        let missing = || Error::failed("the monitoring host was not queried");
        let monitoring = remotes.get(&HostName::MONITORING).ok_or_else(missing)?;
        services::prometheus(monitoring).await
    };
    let intervals = (spec.monitoring.scrape_interval.get(), spec.monitoring.evaluation_interval.get());
    let is_spared = |unit: &str| unit == grafana::UNIT && !spec.grafana.required;
    apply::troubles(remotes, spec, intervals, prometheus, is_spared, events).await
}

/// An error with its reason and remedy, for a list of errors.
fn in_full(error: &Error) -> String {
    let help = error.hint().map(|help| format!("\n  help: {help}")).unwrap_or_default();
    format!("{}{help}", error.in_one_line())
}

/// The error for a plan that stops machines without the user's permission.
fn refusal(disruptions: &[String]) -> Error {
    Error::could_not_run(format!("the plan stops or replaces machines: {}", disruptions.join("; ")))
        .remedy("nothing was changed; to allow it: `monctl up --yes --allow-downtime`")
}

fn unchanged(
    deployment: &Deployment,
    plan: &Plan,
    sessions: usize,
    troubles: &[Error],
    summary: &UpSummary,
    took: Duration,
) -> Outcome {
    let of_hosts = plan.hosts.values().flat_map(|host| &host.missing);
    let missing: Vec<&String> = of_hosts.chain(&deployment.unavailable).collect();
    let calls = deployment.provider.calls();
    let calls_in_words = calls.map_or_else(String::new, |calls| format!("{calls} API calls, "));
    let mut lines = vec![format!(
        "no change: everything matches the spec ({sessions} hosts checked, one ssh session each, {calls_in_words}{})",
        report::duration(took)
    )];
    lines.extend(plan.kept.iter().map(|one| format!("left as it is: {}: {}", one.what, one.why)));
    lines.extend(missing.iter().map(|why| format!("missing: {why}")));
    lines.extend(summary.lines());
    lines.extend(troubles.iter().map(in_full));
    if !troubles.is_empty() {
        lines.push("there is nothing to change, but there are problems".into());
    }
    let errors: Vec<String> = troubles.iter().map(Error::in_one_line).collect();
    let mut json = json!({
        "changed": false, "ssh_sessions": sessions, "kept": plan.kept, "missing": missing, "errors": errors,
        "urls": summary.urls(), "warnings": summary.warnings,
    });
    if let Some(calls) = calls {
        json["api_calls"] = calls.into();
    }
    let exit = if troubles.is_empty() { deployment.exit_without_dashboards() } else { Exit::Failed };
    Outcome::success(lines.join("\n"), json).with_exit(exit)
}

/// What the steps of each role refer to.
type InputsOfRoles = BTreeMap<Role, Inputs>;

/// Host, step, and the end of what it printed.
type FailedStep<'a> = (HostName, &'a String, &'a String);

/// A host with the plan for it.
type Planned = BTreeMap<HostName, (Connected, HostPlan)>;

/// A run of `up` and its results.
struct Run<'a> {
    deployment: &'a Deployment,
    events: &'a Events,
    results: BTreeMap<HostName, HostResult>,
    missing: Vec<String>,
    errors: Vec<Error>,
}

impl Run<'_> {
    /// Gathers the facts of all machines, now that all addresses are known.
    async fn gather(&mut self) -> Result<(InputsOfRoles, Planned)> {
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
    async fn prepare_machines(&self, infra: &[InfraAction], hosts: &Planned) -> Result<()> {
        let remotes = hosts.iter().map(|(host, (connected, _))| (*host, &connected.remote)).collect();
        apply::renew_host_keys(&*self.deployment.provider, &remotes).await?;
        apply::grow_file_systems(&*self.deployment.provider, infra, &remotes).await
    }

    /// Changes all hosts in parallel; each continues if others fail. Only application hosts that switch to another
    /// version wait for each other.
    async fn change(&mut self, inputs: &InputsOfRoles, hosts: &Planned) -> Result<()> {
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
                if !grafana_runs(monitoring, result) {
                    return;
                }
                access.client(monitoring.remote.forward(grafana::PORT), Duration::ZERO).await
            }
            Ok(Some(guest)) => Ok(guest),
            Err(error) => Err(error),
        };
        match client {
            Ok(client) => annotations::write(&client, &done, self.events).await,
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
            && grafana_runs(connected, &result)
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
    fn failed(&self) -> (Vec<FailedStep<'_>>, Vec<FailedStep<'_>>) {
        let required = self.deployment.loaded.spec.grafana.required;
        self.results
            .iter()
            .flat_map(|(host, result)| result.failed.iter().map(move |(step, output)| (*host, step, output)))
            .partition(|(_, step, _)| !required && step.starts_with("grafana"))
    }

    fn is_bad(&self) -> bool {
        !self.failed().1.is_empty() || !self.errors.is_empty()
    }

    /// What worked, what did not, and the command that continues.
    fn outcome(self, summary: &UpSummary, took: Duration) -> Outcome {
        let (optional, failed) = self.failed();
        let missing: Vec<String> = self
            .missing
            .iter()
            .cloned()
            .chain(optional.iter().map(|(_, _, output)| format!("Grafana is unavailable: {output}")))
            .chain(self.deployment.unavailable.iter().cloned())
            .collect();
        let mut lines = Vec::new();
        for (host, result) in &self.results {
            let plural = if result.done.len() == 1 { "" } else { "s" };
            lines.push(format!("{host}: {} step{plural} done", result.done.len()));
        }
        lines.extend(missing.iter().map(|why| format!("missing: {why}")));
        lines.extend(
            failed.iter().map(|(host, step, output)| format!("{host}: step `{step}` failed: {output}")),
        );
        lines.extend(self.errors.iter().map(in_full));
        let bad = self.is_bad();
        if !bad {
            lines.extend(summary.lines());
        }
        lines.push(if bad {
            "not everything worked; `monctl up` goes on from here".into()
        } else {
            format!(
                "up in {}; `monctl verify-receivers` proves in seconds that each receiver gets its messages, \
                 `monctl verify-alert` that an alert is delivered",
                report::duration(took)
            )
        });
        let json = json!({
            "changed": true,
            "hosts": self.results.iter().map(|(host, result)| (host.to_string(), json!({
                "done": result.done,
                "failed": result.failed.iter().map(|(step, output)| json!({"step": step, "output": output})).collect::<Vec<_>>(),
                "skipped": result.skipped,
            }))).collect::<serde_json::Map<_, _>>(),
            "missing": missing,
            "errors": self.errors.iter().map(Error::in_one_line).collect::<Vec<_>>(),
            "urls": summary.urls(),
            "warnings": summary.warnings,
        });
        let exit = if bad { Exit::Failed } else { self.deployment.exit_without_dashboards() };
        Outcome::success(lines.join("\n"), json).with_exit(exit)
    }
}

/// Whether Grafana runs on the monitoring host after these steps.
fn grafana_runs(monitoring: &Connected, result: &HostResult) -> bool {
    let failed = || result.failed.iter().any(|(step, _)| step.starts_with("grafana"));
    result.done.iter().any(|step| step == "grafana") || (grafana::runs(&monitoring.facts) && !failed())
}

async fn phase<T>(events: &Events, phase: &'static str, work: impl Future<Output = Result<T>>) -> Result<T> {
    let begun = Instant::now();
    events.send(Event::PhaseStarted { phase });
    let done = work.await?;
    events.send(Event::PhaseFinished { phase, took: Millis(begun.elapsed()) });
    Ok(done)
}
