//! `monctl up`: shows the plan, asks for confirmation, applies the plan, and reports the result.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::context::Context;
use crate::apply;
use crate::cli::UpArgs;
use crate::converge::{Deployment, Look, UpRun, UpSummary, grafana_runs, up_summary};
use crate::duration::Millis;
use crate::error::{Error, Exit, Result};
use crate::event::{Event, Events};
use crate::grafana;
use crate::host::HostName;
use crate::plan::Plan;
use crate::remote::Remote;
use crate::report;
use crate::report::Outcome;
use crate::services;

/// # Errors
/// When nothing could be done; a partial success is an [`Outcome`] with [`Exit::Failed`].
pub(super) async fn run(args: &UpArgs, context: &Context) -> Result<Outcome> {
    let begun = Instant::now();
    let events = &context.events;
    let mut deployment = Deployment::load(&context.spec, events, &context.secrets).await?;
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
        let has_grafana = monitoring.is_some_and(|monitoring| grafana_runs(&monitoring.facts));
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

    let mut run = UpRun::new(&deployment, events);
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
    let has_grafana = run.has_grafana(&hosts);
    let mut summary = UpSummary::new(&deployment.loaded.spec, machines, &reports, has_grafana);
    let remotes = hosts.values().map(|(connected, _)| &connected.remote);
    match up_summary::uncounted(&deployment.loaded.spec, remotes).await {
        Ok(warnings) => summary.warnings.extend(warnings),
        Err(error) => run.errors.push(error),
    }
    Ok(changed(&run, &deployment, &summary, begun.elapsed()))
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

/// What worked, what did not, and the command that continues.
fn changed(run: &UpRun<'_>, deployment: &Deployment, summary: &UpSummary, took: Duration) -> Outcome {
    let (optional, failed) = run.failed();
    let missing: Vec<String> = run
        .missing
        .iter()
        .cloned()
        .chain(optional.iter().map(|(_, _, output)| format!("Grafana is unavailable: {output}")))
        .chain(deployment.unavailable.iter().cloned())
        .collect();
    let mut lines = Vec::new();
    for (host, result) in &run.results {
        let plural = if result.done.len() == 1 { "" } else { "s" };
        lines.push(format!("{host}: {} step{plural} done", result.done.len()));
    }
    lines.extend(missing.iter().map(|why| format!("missing: {why}")));
    lines.extend(failed.iter().map(|(host, step, output)| format!("{host}: step `{step}` failed: {output}")));
    lines.extend(run.errors.iter().map(in_full));
    let bad = run.is_bad();
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
        "hosts": run.results.iter().map(|(host, result)| (host.to_string(), json!({
            "done": result.done,
            "failed": result.failed.iter().map(|(step, output)| json!({"step": step, "output": output})).collect::<Vec<_>>(),
            "skipped": result.skipped,
        }))).collect::<serde_json::Map<_, _>>(),
        "missing": missing,
        "errors": run.errors.iter().map(Error::in_one_line).collect::<Vec<_>>(),
        "urls": summary.urls(),
        "warnings": summary.warnings,
    });
    let exit = if bad { Exit::Failed } else { deployment.exit_without_dashboards() };
    Outcome::success(lines.join("\n"), json).with_exit(exit)
}

async fn phase<T>(events: &Events, phase: &'static str, work: impl Future<Output = Result<T>>) -> Result<T> {
    let begun = Instant::now();
    events.send(Event::PhaseStarted { phase });
    let done = work.await?;
    events.send(Event::PhaseFinished { phase, took: Millis(begun.elapsed()) });
    Ok(done)
}
