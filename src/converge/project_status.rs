//! The state of a project, as `status` shows it on one screen. Read-only.

use std::fmt;
use std::time::Duration;

use futures_util::future::join_all;
use serde::Serialize;

use super::dashboards;
use crate::apply::{self, Counting, UnitHealth};
use crate::error::{Error, Result};
use crate::event::Events;
use crate::grafana::{self, GrafanaAccess, GrafanaChange};
use crate::host::{HostName, Machine};
use crate::http::active_silence::ActiveSilence;
use crate::http::prometheus::{AlertState, Target};
use crate::provider::{MachineState, Observed, Provider};
use crate::remote::Remote;
use crate::render;
use crate::services;
use crate::spec::{Loaded, Spec};
use crate::verify::{Coverage, KeptProofs, LastProof, TornProof, last_proofs};

/// A running machine answers at once; one that is still booting is shown as unreachable.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);

/// The state of a project: everything that `status` shows.
#[derive(Debug, Serialize)]
pub struct ProjectStatus {
    project: String,
    machines: Vec<MachineStatus>,
    /// Null if it could not be queried.
    monitoring: Option<MonitoringStatus>,
    /// Why the monitoring could not be queried.
    monitoring_error: Option<String>,
    /// What belongs to other projects; only with `--all`.
    #[serde(skip_serializing_if = "Option::is_none")]
    others: Option<Vec<Other>>,
}

/// Something that belongs to another project.
#[derive(Debug, Serialize)]
struct Other {
    project: String,
    what: String,
}

#[derive(Debug, Serialize)]
struct MachineStatus {
    host: HostName,
    /// Absent if the machine does not exist.
    state: Option<MachineState>,
    address: Option<String>,
    services: Vec<Service>,
    /// Whether the application counts its requests, where the spec has `app.count_requests`.
    #[serde(skip_serializing_if = "Option::is_none")]
    counting: Option<String>,
    error: Option<String>,
}

#[derive(Debug, Serialize)]
struct Service {
    unit: String,
    state: String,
    /// How often systemd restarted it while it was watched, or shortly before.
    restarts: u32,
    /// What is wrong with it.
    trouble: Option<String>,
}

/// The state according to Prometheus and Grafana.
#[derive(Debug, Serialize)]
struct MonitoringStatus {
    targets: Vec<TargetStatus>,
    rules: Vec<RuleStatus>,
    dashboards: Dashboards,
    proofs: Vec<LastProof>,
    /// The share of the spec's rules that is proven.
    coverage: Coverage,
    /// Stored proofs that cannot be read.
    unreadable_proofs: Vec<TornProof>,
    /// The active silences; null if Alertmanager could not be queried.
    silences: Option<Vec<ActiveSilence>>,
    /// Why Alertmanager could not be queried.
    silences_error: Option<String>,
}

#[derive(Debug, Serialize)]
struct TargetStatus {
    job: String,
    instance: String,
    health: String,
    error: String,
}

#[derive(Debug, Serialize)]
struct RuleStatus {
    name: String,
    /// `ok`, `err`, or `unknown` if it was not evaluated yet.
    health: String,
    /// Why it cannot be evaluated.
    error: Option<String>,
    /// `inactive`, `pending` or `firing`; `unknown` if Prometheus has not loaded it.
    state: &'static str,
}

/// Whether the dashboards are as monctl imported them.
#[derive(Debug, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
enum Dashboards {
    Imported,
    Differ { what: Vec<String> },
    Missing { why: String },
}

impl ProjectStatus {
    /// Asks the provider, every host, and the services of the monitoring host; `all` also lists what belongs to other
    /// projects. What does not answer is part of the status.
    ///
    /// # Errors
    /// When the machines cannot be listed.
    pub async fn observe(
        loaded: &Loaded,
        provider: &dyn Provider,
        all: bool,
        events: &Events,
    ) -> Result<Self> {
        let observed = provider.observe().await?;
        let machines = observed.running();
        let hosts: Vec<HostName> = loaded.spec.hosts().into_iter().collect();
        let answers = join_all(hosts.iter().map(|host| async {
            let machine = machines.iter().find(|machine| machine.name == *host)?;
            Some(connected(machine, &loaded.spec, events).await)
        }))
        .await;
        let mut status = Self {
            project: loaded.spec.project.to_string(),
            machines: vec![],
            monitoring: None,
            monitoring_error: Some("the monitoring host was not reached".to_owned()),
            others: if all { Some(others(provider).await?) } else { None },
        };
        for (host, answer) in hosts.into_iter().zip(answers) {
            let (remote, seen, error) = match answer {
                Some(Ok((remote, seen))) => (Some(remote), seen, None),
                Some(Err(error)) => (None, Seen::default(), Some(error)),
                None => (None, Seen::default(), None),
            };
            status.machines.push(machine_status(host, &observed, seen, error.as_ref()));
            if let (HostName::MONITORING, Some(remote)) = (host, remote) {
                match monitoring(&remote, loaded, provider).await {
                    Ok(monitoring) => (status.monitoring, status.monitoring_error) = (Some(monitoring), None),
                    Err(error) => status.monitoring_error = Some(error.in_one_line()),
                }
            }
        }
        Ok(status)
    }

    /// Whether every machine runs and answers, and every target and rule works.
    pub fn is_well(&self) -> bool {
        let machines = self.machines.iter().all(|machine| {
            machine.state == Some(MachineState::Running)
                && machine.error.is_none()
                && machine.services.iter().all(|service| service.trouble.is_none() || service.is_grafana())
        });
        machines && self.monitoring.as_ref().is_some_and(MonitoringStatus::is_well)
    }
}

async fn others(provider: &dyn Provider) -> Result<Vec<Other>> {
    Ok(provider.others().await?.into_iter().map(|(project, what)| Other { project, what }).collect())
}

/// The state of a host's services, and of counting.
#[derive(Default)]
struct Seen {
    services: Vec<Service>,
    counting: Option<String>,
}

/// A connection to a running machine, and what runs there.
async fn connected(machine: &Machine, spec: &Spec, events: &Events) -> Result<(Remote, Seen)> {
    let remote = Remote::connect(machine, ANSWERS_WITHIN, events).await?;
    let service = |unit: UnitHealth| {
        let trouble = unit.trouble();
        Service { unit: unit.name, state: unit.state, restarts: unit.restarts, trouble }
    };
    let services = apply::units(&remote, spec).await?.into_iter().map(service).collect();
    let counting = Counting::of(&remote, spec).await?.map(|counting| counting.text().to_owned());
    Ok((remote, Seen { services, counting }))
}

fn machine_status(host: HostName, observed: &Observed, seen: Seen, error: Option<&Error>) -> MachineStatus {
    let found = observed.machines.get(&host);
    MachineStatus {
        host,
        state: found.map(|found| found.state),
        address: found.map(|found| found.machine.address.to_string()),
        services: seen.services,
        counting: seen.counting,
        error: error.map(Error::in_one_line),
    }
}

/// The targets of Prometheus, and a line of unknown health for each job of the spec that has none.
fn targets(spec: &Spec, found: Vec<Target>) -> Vec<TargetStatus> {
    let missing: Vec<TargetStatus> = apply::jobs_without_targets(spec, &found)
        .map(|job| TargetStatus {
            job: job.to_owned(),
            instance: "-".to_owned(),
            health: "unknown".to_owned(),
            error: "Prometheus has no target of this job; after a start it needs some seconds".to_owned(),
        })
        .collect();
    let label = |target: &Target, name: &str| target.labels.get(name).cloned().unwrap_or_default();
    let found = found.into_iter().map(|target| TargetStatus {
        job: label(&target, "job"),
        instance: label(&target, "instance"),
        health: target.health,
        error: target.last_error,
    });
    found.chain(missing).collect()
}

async fn monitoring(remote: &Remote, loaded: &Loaded, provider: &dyn Provider) -> Result<MonitoringStatus> {
    let prometheus = services::prometheus(remote).await?;
    let targets = targets(&loaded.spec, prometheus.targets().await?);
    let alerts = prometheus.alerts().await?;
    let found = prometheus.rules().await?;
    let not_loaded: Vec<RuleStatus> = render::rules(&loaded.spec)
        .into_iter()
        .filter(|rule| !found.iter().any(|it| it.name == rule.name))
        .map(|rule| RuleStatus {
            name: rule.name,
            health: "unknown".to_owned(),
            error: Some("Prometheus has not loaded it; `monctl up` installs it".to_owned()),
            state: "unknown",
        })
        .collect();
    let rules = found.into_iter().map(|rule| {
        let states: Vec<AlertState> =
            alerts.iter().filter(|alert| alert.name() == rule.name).map(|alert| alert.state).collect();
        let state = if states.contains(&AlertState::Firing) {
            "firing"
        } else if states.is_empty() {
            "inactive"
        } else {
            "pending"
        };
        let error = rule.last_error.filter(|error| !error.is_empty());
        RuleStatus { name: rule.name, health: rule.health, error, state }
    });
    let kept = last_proofs(remote).await?;
    let coverage = Coverage::of(&loaded.spec, &kept, jiff::Timestamp::now());
    let KeptProofs { proofs, unreadable } = kept;
    let (silences, silences_error) = match silences(remote).await {
        Ok(silences) => (Some(silences), None),
        Err(error) => (None, Some(error.in_one_line())),
    };
    Ok(MonitoringStatus {
        targets,
        rules: rules.chain(not_loaded).collect(),
        dashboards: imported(remote, loaded, provider).await,
        proofs,
        coverage,
        unreadable_proofs: unreadable,
        silences,
        silences_error,
    })
}

async fn silences(remote: &Remote) -> Result<Vec<ActiveSilence>> {
    let silences = services::alertmanager(remote).await?.silences().await?;
    Ok(silences.into_iter().map(ActiveSilence::of).collect())
}

async fn imported(remote: &Remote, loaded: &Loaded, provider: &dyn Provider) -> Dashboards {
    let look = async {
        let access = GrafanaAccess::of(loaded, provider.folder())?;
        let client = access.client(remote.forward(grafana::PORT), Duration::from_secs(2)).await?;
        let wanted = dashboards::wanted(loaded).await?;
        let desired = grafana::desired(&loaded.spec, wanted);
        Ok::<_, Error>(grafana::compare(&client, &desired, &loaded.spec.grafana).await?.changes)
    };
    match look.await {
        Ok(changes) if changes.is_empty() => Dashboards::Imported,
        Ok(changes) => Dashboards::Differ { what: changes.iter().map(GrafanaChange::subject).collect() },
        Err(error) => Dashboards::Missing { why: error.to_string() },
    }
}

impl MonitoringStatus {
    /// Whether every target is scraped and every rule is evaluated. `unknown` counts as a problem.
    fn is_well(&self) -> bool {
        self.targets.iter().all(|target| target.health == "up")
            && self.rules.iter().all(|rule| rule.health == "ok")
    }
}

impl Service {
    /// Whether alerting works without it.
    fn is_grafana(&self) -> bool {
        self.unit == grafana::UNIT
    }
}

impl fmt::Display for ProjectStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "project {}", self.project)?;
        for machine in &self.machines {
            let state = match machine.state {
                None => "does not exist; `monctl up` creates it",
                Some(MachineState::Unfinished) => "incomplete; `monctl up` creates it again",
                Some(MachineState::Stopped) => "stopped; `monctl up` starts it",
                Some(MachineState::Running) => "running",
            };
            writeln!(
                f,
                "{:<12} {:<15} {state}",
                machine.host.to_string(),
                machine.address.as_deref().unwrap_or("-")
            )?;
            for service in &machine.services {
                let restarts = service.restarts;
                let flaps =
                    if restarts > 0 { format!("; restarted {restarts} times") } else { String::new() };
                writeln!(f, "  {:<30} {}{flaps}", service.unit, service.state)?;
            }
            if let Some(counting) = &machine.counting {
                writeln!(f, "  {:<30} {counting}", "requests")?;
            }
            if let Some(error) = &machine.error {
                writeln!(f, "  {error}")?;
            }
        }
        match (&self.monitoring, &self.monitoring_error) {
            (Some(monitoring), _) => monitoring.fmt(f)?,
            (None, Some(why)) => writeln!(f, "targets, rules, proofs: unknown: {why}")?,
            (None, None) => {}
        }
        match self.others.as_deref() {
            None => Ok(()),
            Some([]) => writeln!(f, "other projects: none"),
            Some(others) => {
                writeln!(f, "other projects")?;
                others.iter().try_for_each(|other| writeln!(f, "  {}: {}", other.project, other.what))
            }
        }
    }
}

impl fmt::Display for MonitoringStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "targets")?;
        for target in &self.targets {
            writeln!(f, "  {:<16} {:<24} {}  {}", target.job, target.instance, target.health, target.error)?;
        }
        writeln!(f, "rules")?;
        for rule in &self.rules {
            let why = rule.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
            writeln!(f, "  {:<30} {} ({}{why})", rule.name, rule.state, rule.health)?;
        }
        match &self.dashboards {
            Dashboards::Imported => writeln!(f, "dashboards: as monctl imported them")?,
            Dashboards::Differ { what } => writeln!(f, "dashboards: differences in {}", what.join(", "))?,
            Dashboards::Missing { why } => writeln!(f, "dashboards: unknown: {why}")?,
        }
        writeln!(f, "coverage: {}", self.coverage.text())?;
        for silence in self.silences.iter().flatten() {
            writeln!(f, "silence {}", silence.line())?;
        }
        if let Some(why) = &self.silences_error {
            writeln!(f, "silences: unknown: {why}")?;
        }
        for TornProof { file, why } in &self.unreadable_proofs {
            writeln!(
                f,
                "last proof in `{file}` cannot be read: {why}; run `monctl verify-alert` for that alert to replace it"
            )?;
        }
        if self.proofs.is_empty() && self.unreadable_proofs.is_empty() {
            writeln!(f, "last proof: none yet; `monctl verify-alert` creates one")?;
        }
        for proof in &self.proofs {
            let verdict = match (&proof.stopped_at, proof.delivered_after) {
                (Some((stage, cause)), _) => {
                    let last = proof.last_proven.map_or_else(
                        || "never proven before".to_owned(),
                        |last| format!("last proven on {}", last.strftime("%F %T UTC")),
                    );
                    format!("not proven ({last}): stopped at {stage}: {cause}")
                }
                (None, Some(millis)) => {
                    format!(
                        "proven: delivered after {}",
                        crate::report::duration(Duration::from_millis(millis))
                    )
                }
                (None, None) => "not proven".into(),
            };
            writeln!(
                f,
                "last proof of {}: {} on {}, {verdict}",
                proof.alert,
                proof.at.strftime("%F %T UTC"),
                proof.host
            )?;
        }
        Ok(())
    }
}
