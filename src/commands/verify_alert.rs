//! `monctl verify-alert`: causes the faults that alerts detect, and checks that they are delivered and resolved.

use std::time::Duration;

use super::context::Context;
use crate::cli::VerifyArgs;
use crate::converge;
use crate::drill::{DrillHosts, Options};
use crate::drill_report::{self, ReportCollector};
use crate::duration::PromDuration;
use crate::error::{Error, Exit, Result};
use crate::event::Events;
use crate::grafana::{self, GrafanaAccess};
use crate::host::{HostName, Machine};
use crate::provider::{self, Provider};
use crate::remote::{ANSWERS_WITHIN, Remote};
use crate::render::rules;
use crate::report::Outcome;
use crate::spec::{Loaded, Spec, load};
use crate::verify::{self, Coverage, MessageChannels, Request, Round, SelectedDrill};

/// # Errors
/// When an alert has no drill, a machine or service does not answer, the single requested alert is already active, or
/// no harmless fault can cause its delivery.
pub(super) async fn run(args: &VerifyArgs, context: &Context) -> Result<Outcome> {
    if args.schedule {
        return drill_report::schedule(&context.spec);
    }
    let loaded = load(&context.spec)?;
    if args.list {
        return drill_report::drill_list(&loaded.spec);
    }
    loaded.spec.check_host(args.host)?;
    let drills = verify::select_drills(&loaded.spec, &args.alerts, args.all)?;
    for (file, option) in [(&args.report, "--report"), (&args.junit, "--junit")] {
        if let Some(file) = file {
            drill_report::check_writable(file, option)?;
        }
    }
    let names: Vec<String> = drills.iter().map(|drill| drill.rule.name.clone()).collect();
    let mut round = Round::default();
    let run = drill(args, context, &loaded, drills, &mut round).await;
    let unwritten = args.junit.as_ref().and_then(|file| {
        let without = if args.all { verify::without_drill(&loaded.spec) } else { vec![] };
        drill_report::put(file, &drill_report::junit(&names, &round, run.as_ref().err(), &without)).err()
    });
    let Finished { unwritten_report, coverage } = match (run, &unwritten) {
        (Ok(finished), _) => finished,
        (Err(error), None) => return Err(error),
        (Err(error), Some(unwritten)) => {
            context.events.warn(unwritten.in_one_line());
            return Err(error);
        }
    };
    let is_single = !args.all && args.alerts.len() == 1;
    let mut outcome = drill_report::verdicts(round, is_single)?;
    if let Some(coverage) = coverage.filter(|_| args.all || args.require.is_some()) {
        outcome = drill_report::with_coverage(outcome, &coverage, args.require)?;
    }
    let unwritten = [unwritten_report, unwritten].into_iter().flatten();
    Ok(unwritten.fold(outcome, |outcome, error| with_failure(outcome, &error)))
}

/// The user's options for each drill.
fn options(args: &VerifyArgs) -> Options {
    Options {
        keep: args.keep,
        stress_ng: args.stress_ng,
        cpu_load: args.cpu_load,
        duration: args.duration.map(PromDuration::get),
    }
}

/// What follows from the drills besides their verdicts.
struct Finished {
    /// Why the report could not be written.
    unwritten_report: Option<Error>,
    /// The share of proven rules after the drills.
    coverage: Option<Coverage>,
}

/// Runs the drills; `round` gets their verdicts, also of a run that fails or is interrupted.
async fn drill(
    args: &VerifyArgs,
    context: &Context,
    loaded: &Loaded,
    drills: Vec<SelectedDrill>,
    round: &mut Round,
) -> Result<Finished> {
    if let Some(felt) = verify::felt(&drills).filter(|_| !args.yes) {
        context.confirm(&felt, "run these drills anyway?").await?;
    }
    let provider = provider::of(loaded, &context.events).await?;
    let _lock = provider.lock()?;
    let machines = provider.observe().await?.running();
    let app = machine(&machines, args.host)?;
    let monitoring = machine(&machines, HostName::MONITORING)?;
    let (app_remote, remote) = tokio::try_join!(
        Remote::connect(app, ANSWERS_WITHIN, &context.events),
        Remote::connect(monitoring, ANSWERS_WITHIN, &context.events)
    )?;
    let routes = |drill: &SelectedDrill| loaded.spec.notify.route(&drill.rule.name, &drill.rule.labels);
    let places: MessageChannels = drills.iter().map(routes).collect();
    let requests: Vec<Request> =
        drills.into_iter().map(|drill| drill.request(&loaded.spec, options(args), app)).collect();

    // Contains the socket of the receiver until the end.
    let folder = tempfile::tempdir()
        .map_err(|error| Error::could_not_run("cannot make a temporary folder").because(error))?;
    let (services, channels) =
        verify::open(loaded, &places, &remote, folder.path(), &context.events, &context.secrets).await?;
    let hosts = DrillHosts { app: &app_remote, monitoring: &remote };
    let reporter = args.report.as_ref().map(|file| (file, ReportCollector::new(&services)));
    let Context { events, cancel, .. } = context;
    let proving = verify::prove(&requests, services, &hosts, &loaded.spec.catalogue, events, cancel, round);
    let holding = async { tokio::join!(app_remote.hold(), remote.hold()).0 };
    let watching = async {
        match &channels {
            None => std::future::pending().await,
            Some((watched, slot)) => watched.follow(slot).await,
        }
    };
    tokio::select! {
        ended = proving => ended?,
        never = holding => match never {},
        never = watching => match never {},
    };
    publish(&hosts, &loaded.spec, &context.events).await;
    let is_shown = args.all || args.require.is_some() || args.report.is_some();
    let coverage = if is_shown {
        let kept = verify::last_proofs(&remote).await?;
        Some(Coverage::of(&loaded.spec, &kept, jiff::Timestamp::now()))
    } else {
        None
    };
    let mut unwritten_report = None;
    if let Some((file, reporter)) = reporter {
        let [app_address, address] = [app, monitoring].map(|machine| machine.address.to_string());
        let hosts =
            [(app.name, app_address.as_str(), &app_remote), (monitoring.name, address.as_str(), &remote)];
        match reporter.write(file, &context.events, &loaded.spec, round, coverage.as_ref(), &hosts).await {
            Ok(()) => context.events.note(format!("report written to `{}`", file.display())),
            Err(error) => unwritten_report = Some(error),
        }
    }
    annotate(round, loaded, &*provider, &remote, context).await;
    Ok(Finished { unwritten_report, coverage })
}

/// Adds another failure; the verdicts stay valid.
fn with_failure(mut outcome: Outcome, error: &Error) -> Outcome {
    outcome.text = format!("{}\n{}", outcome.text, error.in_one_line());
    outcome.json["report_error"] = error.in_one_line().into();
    match outcome.exit {
        Exit::Success => outcome.with_exit(Exit::Failed),
        _ => outcome,
    }
}

fn machine(machines: &[Machine], name: HostName) -> Result<&Machine> {
    machines.iter().find(|machine| machine.name == name).ok_or_else(|| {
        Error::could_not_run("the machine does not run")
            .at(name.to_string())
            .remedy("`monctl up` creates or starts it")
    })
}

/// Annotates the dashboards with the drills, if Grafana answers.
async fn annotate(
    round: &Round,
    loaded: &Loaded,
    provider: &dyn Provider,
    monitoring: &Remote,
    context: &Context,
) {
    let client = async {
        let access = GrafanaAccess::of(loaded, provider.folder())?;
        access.client(monitoring.forward(grafana::PORT), Duration::ZERO).await
    };
    if let Ok(client) = client.await {
        let drills: Vec<_> = round.proofs().map(converge::of_drill).collect();
        client.annotate_all(&drills, &context.events).await;
    }
}

/// Exports the proofs that are kept on the monitoring host.
async fn publish(hosts: &DrillHosts<'_>, spec: &Spec, events: &Events) {
    // As in `wanted`: those that have a drill.
    let drillable = rules(spec).into_iter().filter_map(|rule| verify::drillable(spec, rule).ok());
    let names: Vec<String> = drillable.map(|drill| drill.rule.name).collect();
    if let Err(error) = verify::publish(hosts, &names).await {
        events.warn(error.in_one_line());
    }
}
