//! The hosts' part of a plan: connects, gathers facts, runs one script per host.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use futures_util::future::join_all;
use tokio::time::Instant;

use crate::duration::Millis;
use crate::error::{Error, Result};
use crate::event::{Event, Events};
use crate::host::{HostName, Machine, ProjectName, Role};
use crate::plan::HostPlan;
use crate::playbook::{
    Facts, HostIdentity, Inputs, Playbook, Probes, SUPPORTED, System, apply_script, bootstrap, facts_script,
};
use crate::remote::{Limits, Remote};

/// Time limit for gathering facts: the script on the host first waits up to two minutes for another run to end.
const FACTS_WITHIN: Duration = Duration::from_mins(4);
/// Size limits of the facts: some facts, a line for each file that an application wrote next to its code, and the lines
/// of each probed file. The host limits the contents that it sends for diffs.
const FACTS_BYTES: usize = 32 << 20;
const FACTS_BYTES_PER_FILE: usize = 10 << 10;
const FACTS_LINES: usize = 400_000;
const FACTS_LINES_PER_FILE: usize = 4;
/// Interval of progress events while a step is running.
const STEP_INTERVAL: Duration = Duration::from_secs(10);

/// A host with its connection and its facts.
#[derive(Debug)]
pub struct Connected {
    /// The machine.
    pub machine: Machine,
    /// The connection, for scripts and forwards.
    pub remote: Remote,
    /// The facts of the host.
    pub facts: Facts,
}

/// The results of the steps on a host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostResult {
    /// Steps that succeeded.
    pub done: Vec<String>,
    /// Steps that failed, with the end of what they printed.
    pub failed: Vec<(String, String)>,
    /// Steps that did not run because one before them failed.
    pub skipped: Vec<String>,
    /// Whether the host reported the end of its script.
    pub ended: bool,
}

impl HostResult {
    /// Adds the results of a later script.
    pub(super) fn add(&mut self, later: Self) {
        self.done.extend(later.done);
        self.failed.extend(later.failed);
        self.skipped.extend(later.skipped);
        self.ended = later.ended;
    }
}

/// Connects to machines and gathers from each, in one round trip, all facts that its playbook needs.
/// `patience` is the time limit for a machine to answer.
pub async fn gather(
    machines: &[Machine],
    inputs: &BTreeMap<Role, Inputs>,
    project: &ProjectName,
    patience: Duration,
    events: &Events,
) -> BTreeMap<HostName, Result<Connected>> {
    let hosts = machines.iter().map(|machine| async {
        let begun = Instant::now();
        let connected = async {
            let remote = Remote::connect(machine, patience, events).await?;
            events.send(Event::Connected { host: machine.name, took: Millis(begun.elapsed()) });
            let role = machine.name.role();
            let probes = Playbook::of_inputs(role, &inputs[&role])?.probes(&inputs[&role]);
            let facts = facts(&remote, &probes).await?;
            admit(project, role, &facts).map_err(|error| error.at(machine.name.to_string()))?;
            Ok(Connected { machine: machine.clone(), remote, facts })
        };
        (machine.name, connected.await)
    });
    refuse_twins(join_all(hosts).await.into_iter().collect())
}

/// Checks that the playbooks support a host with these facts, and that it belongs to this project and role.
fn admit(project: &ProjectName, role: Role, facts: &Facts) -> Result<()> {
    if let Some(obstacle) = facts.system.as_ref().and_then(System::obstacle) {
        return Err(Error::could_not_run(format!("the host cannot be set up: {obstacle}")).remedy(SUPPORTED));
    }
    match &facts.owner {
        Some(owner) if owner.project != project.as_str() => {
            Err(Error::could_not_run(format!("the host belongs to project `{}`", owner.project)).remedy(
                format!(
                    "remove that project first, on the computer that manages it: monctl down --project {}",
                    owner.project
                ),
            ))
        }
        Some(owner) if owner.role != role.to_string() => Err(Error::could_not_run(format!(
            "the host was set up as `{}` and is `{role}` in the spec now",
            owner.role
        ))
        .remedy("change the spec back, or run `monctl down` and then `monctl up`")),
        _ => Ok(()),
    }
}

/// Refuses two hosts that are the same machine: each setup would overwrite the other, and monitoring on the machine
/// that it watches fails together with it.
fn refuse_twins(mut hosts: BTreeMap<HostName, Result<Connected>>) -> BTreeMap<HostName, Result<Connected>> {
    let mut seen: BTreeMap<String, HostName> = BTreeMap::new();
    for (host, connected) in &mut hosts {
        let Ok(facts) = connected.as_ref().map(|connected| &connected.facts) else { continue };
        if facts.identity.is_empty() {
            continue;
        }
        if let Some(first) = seen.get(&facts.identity) {
            *connected = Err(Error::could_not_run(format!("`{first}` and `{host}` are the same machine"))
                .at(host.to_string())
                .remedy("each host needs a machine of its own"));
        } else {
            seen.insert(facts.identity.clone(), *host);
        }
    }
    hosts
}

/// Gathers the facts of a host.
///
/// # Errors
/// When the connection breaks, or the answer is incomplete, too long or too late.
pub async fn facts(remote: &Remote, probes: &Probes) -> Result<Facts> {
    let files = probes.files.len();
    let limits = Limits {
        within: Some(FACTS_WITHIN),
        bytes: Some(FACTS_BYTES + files * FACTS_BYTES_PER_FILE),
        lines: Some(FACTS_LINES + files * FACTS_LINES_PER_FILE),
        ..Limits::ANSWER
    };
    let output = remote.run_within(&bootstrap(), facts_script(probes), limits).await?;
    let host = remote.host().to_string();
    if !output.status.success() {
        if let Some(error) = remote.refused_root(&output.stderr).await {
            return Err(error);
        }
        let error = Error::failed("cannot read the state of the host").at(host.clone());
        let remedy = if is_full(&output.stderr) { full_disk_remedy(&host) } else { SUPPORTED.to_owned() };
        return Err(with_complaint(error.remedy(remedy), &output.stderr));
    }
    Facts::parse(&output.stdout).map_err(|error| error.at(host))
}

/// Runs a host's part of the plan: one script, one round trip, an event per step.
///
/// # Errors
/// When the connection breaks. A step that fails is part of the result.
pub async fn apply(
    remote: &Remote,
    plan: &HostPlan,
    inputs: &Inputs,
    project: &ProjectName,
    events: &Events,
) -> Result<HostResult> {
    let identity = HostIdentity { project, role: remote.host().role() };
    let script = apply_script(&plan.changes, inputs, identity, plan.is_released);
    let progress = RefCell::new(Progress::new(remote.host(), events));
    let words = bootstrap();
    let work = remote.stream(&words, script, Limits::EVENTS, |line| progress.borrow_mut().line(line));
    let under_way = async {
        loop {
            tokio::time::sleep(STEP_INTERVAL).await;
            progress.borrow().under_way();
        }
    };
    let (status, complaint) = tokio::select! {
        done = work => done?,
        () = under_way => return Err(Error::failed("the progress reports ended before the host's script")),
    };
    let result = progress.into_inner().result;
    if !result.ended {
        let host = remote.host().to_string();
        let again = "run `monctl up` again: it goes on from what is there".to_owned();
        let remedy = if is_full(&complaint) { full_disk_remedy(&host) } else { again };
        let error =
            Error::failed(format!("the host's script ended early ({status})")).at(host).remedy(remedy);
        return Err(with_complaint(error, &complaint));
    }
    Ok(result)
}

/// Whether a file system of the host is full, according to the errors of its programs.
fn is_full(complaint: &str) -> bool {
    complaint.contains("No space left on device")
}

fn full_disk_remedy(host: &str) -> String {
    format!("free some disk space on the host, then run it again: monctl ssh {host} -- df -h / /run /tmp")
}

/// Adds the host's standard error as the cause, if it is not empty.
fn with_complaint(error: Error, complaint: &str) -> Error {
    match complaint.trim() {
        "" => error,
        complaint => error.because(complaint),
    }
}

/// Turns the lines of a host's script into events.
struct Progress<'a> {
    host: HostName,
    events: &'a Events,
    begun: Instant,
    /// The running steps: since when, and what they wait for if they report that.
    steps: BTreeMap<String, (Instant, String)>,
    result: HostResult,
}

impl<'a> Progress<'a> {
    fn new(host: HostName, events: &'a Events) -> Self {
        Self { host, events, begun: Instant::now(), steps: BTreeMap::new(), result: HostResult::default() }
    }

    /// Sends an event for each running step.
    fn under_way(&self) {
        for (step, (begun, waits_for)) in &self.steps {
            self.report(step, *begun, waits_for);
        }
        if self.steps.is_empty() {
            let what = format!("{} to begin a step", self.host);
            self.events.send(Event::Waiting { what, after: Millis(self.begun.elapsed()) });
        }
    }

    fn report(&self, step: &str, begun: Instant, waits_for: &str) {
        let step =
            if waits_for.is_empty() { step.to_owned() } else { format!("{step} waits for {waits_for}") };
        let after = Millis(begun.elapsed());
        self.events.send(Event::StepUnderWay { host: self.host, step, after });
    }

    fn line(&mut self, line: &str) {
        let host = self.host;
        let fields: Vec<&str> = line.trim_end_matches('\t').split('\t').collect();
        match *fields {
            ["start", step] => {
                self.steps.insert(step.into(), (Instant::now(), String::new()));
                self.events.send(Event::StepStarted { host, step: step.into() });
            }
            ["wait", step, ref waits_for @ ..] => {
                let waits_for = waits_for.join(" ");
                if let Some((begun, known)) = self.steps.get_mut(step) {
                    known.clone_from(&waits_for);
                    let begun = *begun;
                    if !waits_for.is_empty() {
                        self.report(step, begun, &waits_for);
                    }
                }
            }
            ["ok", step] => {
                let took = self.steps.remove(step).map_or(Duration::ZERO, |(begun, _)| begun.elapsed());
                let took = Millis(took);
                self.events.send(Event::StepFinished { host, step: step.into(), took });
                self.result.done.push(step.into());
            }
            ["fail", step, ref output @ ..] => {
                let output = decode(output.first().unwrap_or(&""));
                self.steps.remove(step);
                self.events.send(Event::StepFailed { host, step: step.into(), output: output.clone() });
                self.result.failed.push((step.into(), output));
            }
            ["note", step, text] => self.events.note(format!("{host}: {step}: {text}")),
            ["skip", step] => self.result.skipped.push(step.into()),
            ["end"] => self.result.ended = true,
            _ => self.events.note(format!("{host}: {line}")),
        }
    }
}

/// The end of a step's output. Damaged output is shown undecoded: a failure without its reason would help less.
fn decode(base64: &str) -> String {
    base64::engine::general_purpose::STANDARD.decode(base64).map_or_else(
        |_| format!("(its output arrived damaged: {base64})"),
        |bytes| String::from_utf8_lossy(&bytes).trim().to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playbook::Owner;

    #[test]
    fn lines_of_a_script_become_events_and_a_result() {
        let (events, mut seen) = Events::channel();
        let host = HostName::MONITORING;
        let mut progress = Progress::new(host, &events);
        for line in [
            "start\ta",
            "ok\ta",
            "start\tb",
            "fail\tb\td2h5Cg==",
            "fail\tc\t",
            "fail\te\td2h5~",
            "skip\td",
            "note\ta\tcopied",
            "stray",
            "end",
        ] {
            progress.line(line);
        }
        let failed = vec![
            ("b".to_owned(), "why".to_owned()),
            ("c".to_owned(), String::new()),
            ("e".to_owned(), "(its output arrived damaged: d2h5~)".to_owned()),
        ];
        let [done, skipped] = ["a", "d"].map(|step| vec![step.to_owned()]);
        assert_eq!(progress.result, HostResult { done, failed, skipped, ended: true });

        let kinds = std::iter::from_fn(|| seen.try_recv().ok())
            .map(|event| serde_json::to_value(&event).unwrap()["event"].as_str().unwrap().to_owned());
        let expected = [
            "step_started",
            "step_finished",
            "step_started",
            "step_failed",
            "step_failed",
            "step_failed",
            "note",
            "note",
        ];
        assert_eq!(kinds.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_running_step_is_reported_with_what_it_waits_for() {
        let (events, mut seen) = Events::channel();
        let mut progress = Progress::new(HostName::MONITORING, &events);
        let mut reported = |progress: &Progress| {
            progress.under_way();
            match std::iter::from_fn(|| seen.try_recv().ok()).last() {
                Some(Event::StepUnderWay { step, .. }) => step,
                Some(Event::Waiting { what, .. }) => what,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(reported(&progress), "monitoring to begin a step");
        progress.line("start\tpackages");
        assert_eq!(reported(&progress), "packages");
        progress.line("wait\tpackages\tapt-get (process 7 of apt-daily.service)");
        assert_eq!(reported(&progress), "packages waits for apt-get (process 7 of apt-daily.service)");
        progress.line("wait\tpackages\t");
        assert_eq!(reported(&progress), "packages");
        progress.line("ok\tpackages");
        assert_eq!(reported(&progress), "monitoring to begin a step");
    }

    #[test]
    fn a_host_of_another_project_or_role_is_refused_with_a_remedy() {
        let project: ProjectName = "shop".parse().unwrap();
        let owned = |project: &str, role: &str| Facts {
            owner: Some(Owner { project: project.into(), role: role.into() }),
            ..Facts::default()
        };
        assert!(admit(&project, Role::APP, &Facts::default()).is_ok());
        assert!(admit(&project, Role::APP, &owned("shop", "app")).is_ok());
        let error = admit(&project, Role::APP, &owned("blog", "app")).unwrap_err();
        assert!(error.hint().unwrap().contains("monctl down --project blog"), "{error}");
        let error = admit(&project, Role::MONITORING, &owned("shop", "app")).unwrap_err();
        assert_eq!(error.message(), "the host was set up as `app` and is `monitoring` in the spec now");
    }

    #[test]
    fn a_complaint_is_a_cause_only_where_there_is_one() {
        assert!(with_complaint(Error::failed("x"), " \n").causes().is_empty());
        assert_eq!(with_complaint(Error::failed("x"), "why\n").causes(), ["why"]);
    }
}
