//! `monctl verify-alert`: causes the faults that alerts detect, and checks that they are delivered and resolved.

mod junit;
mod list;
mod outcome;
mod report;
mod schedule;

use std::time::Duration;

use super::context::Context;
use super::deployment::ANSWERS_WITHIN;
use super::outcome::Outcome;
use super::services;
use super::{annotations, grafana};
use crate::cli::VerifyArgs;
use crate::drill::{Application, DrillHosts, Options, safety};
use crate::duration::PromDuration;
use crate::error::{Error, Exit, Result};
use crate::event::Events;
use crate::host::{HostName, Machine};
use crate::http::slack;
use crate::promql;
use crate::provider::{self, Provider};
use crate::remote::Remote;
use crate::render::{Rule, rules};
use crate::spec::{DrillKind, Loaded, Metrics, Receiver, RuleMeaning, SecretName, Secrets, Spec, load};
use crate::timing::{Fault, Mutes, TimingSettings, predict};
use crate::verify::{
    self, Coverage, Inbox, MessageChannels, Reader, Request, Round, Services, Slot, Subject, Watched,
};

/// The port of the monitoring host to which Alertmanager posts if monctl is the receiver.
const CAPTURE: u16 = 9099;

/// # Errors
/// When an alert has no drill, a machine or service does not answer, the single requested alert is already active, or
/// no harmless fault can cause its delivery.
pub(super) async fn run(args: &VerifyArgs, context: &Context) -> Result<Outcome> {
    if args.schedule {
        return schedule::print(&context.spec);
    }
    let loaded = load(&context.spec)?;
    if args.list {
        return list::print(&loaded.spec);
    }
    loaded.spec.check_host(args.host)?;
    let drills = wanted(&loaded.spec, args)?;
    for (file, option) in [(&args.report, "--report"), (&args.junit, "--junit")] {
        if let Some(file) = file {
            report::check(file, option)?;
        }
    }
    let names: Vec<String> = drills.iter().map(|drill| drill.rule.name.clone()).collect();
    let mut round = Round::default();
    let run = drill(args, context, &loaded, drills, &mut round).await;
    let unwritten = args.junit.as_ref().and_then(|file| {
        let without = if args.all { without_drill(&loaded.spec) } else { vec![] };
        report::put(file, &junit::document(&names, &round, run.as_ref().err(), &without)).err()
    });
    let Finished { unwritten_report, coverage } = match (run, &unwritten) {
        (Ok(finished), _) => finished,
        (Err(error), None) => return Err(error),
        (Err(error), Some(unwritten)) => {
            context.events.warn(unwritten.in_one_line());
            return Err(error);
        }
    };
    let mut outcome = outcome::of(round, args)?;
    if let Some(coverage) = coverage.filter(|_| args.all || args.require.is_some()) {
        outcome = outcome::with_coverage(outcome, &coverage, args.require)?;
    }
    let unwritten = [unwritten_report, unwritten].into_iter().flatten();
    Ok(unwritten.fold(outcome, |outcome, error| with_failure(outcome, &error)))
}

/// What follows from the drills besides their verdicts.
struct Finished {
    /// Why the report could not be written.
    unwritten_report: Option<Error>,
    /// The share of proven rules after the drills.
    coverage: Option<Coverage>,
}

/// The alerts without a drill, each with the reason.
fn without_drill(spec: &Spec) -> Vec<(String, String)> {
    let rules = rules(spec).into_iter();
    rules
        .filter_map(|rule| {
            let name = rule.name.clone();
            drillable(spec, rule).err().map(|error| (name, error.message().to_owned()))
        })
        .collect()
}

/// Runs the drills; `round` gets their verdicts, also of a run that fails or is interrupted.
async fn drill(
    args: &VerifyArgs,
    context: &Context,
    loaded: &Loaded,
    drills: Vec<Wanted>,
    round: &mut Round,
) -> Result<Finished> {
    if let Some(felt) = felt(&drills).filter(|_| !args.yes) {
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
    let routes = |wanted: &Wanted| loaded.spec.notify.route(&wanted.rule.name, &wanted.rule.labels);
    let places: MessageChannels = drills.iter().map(routes).collect();
    let requests: Vec<Request> =
        drills.into_iter().map(|drill| drill.request(&loaded.spec, args, app)).collect();

    // Contains the socket of the receiver until the end.
    let folder = tempfile::tempdir()
        .map_err(|error| Error::could_not_run("cannot make a temporary folder").because(error))?;
    let (services, channels) = services(loaded, &places, &remote, folder.path(), context).await?;
    let hosts = DrillHosts { app: &app_remote, monitoring: &remote };
    let reporter = args.report.as_ref().map(|file| (file, report::ReportCollector::new(&services)));
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

/// An alert of the spec with its drill.
struct Wanted {
    rule: Rule,
    kind: DrillKind,
    settings: TimingSettings,
}

impl Wanted {
    fn request(self, spec: &Spec, args: &VerifyArgs, app: &Machine) -> Request {
        let entry = spec.catalogue.alert(&self.rule.name).and_then(|entry| entry.traffic);
        let chosen = spec.alerts.get(self.rule.name.as_str()).and_then(|alert| alert.traffic);
        let route = spec.notify.route(&self.rule.name, &self.rule.labels);
        Request {
            mutes: Mutes::of(route),
            floor: chosen.or(entry).unwrap_or_default(),
            subject: Subject { alert: self.rule.name, address: app.address.to_string() },
            host: app.name,
            kind: self.kind,
            settings: self.settings,
            application: Application {
                // Drills that send requests are refused where it is unknown.
                port: spec.app.requested_port().unwrap_or_else(|| spec.app.port.get()),
                metrics_port: spec.app.scraped_port(),
                workers: spec.app.workers,
            },
            options: Options {
                keep: args.keep,
                stress_ng: args.stress_ng,
                cpu_load: args.cpu_load,
                duration: args.duration.map(PromDuration::get),
            },
        }
    }
}

/// The alerts to prove: those named on the command line, or all that have a drill.
fn wanted(spec: &Spec, args: &VerifyArgs) -> Result<Vec<Wanted>> {
    let rules = rules(spec);
    if args.all {
        // `--all` means those that have a drill; `--list` shows why others have none.
        let drills: Vec<Wanted> = rules.into_iter().filter_map(|rule| drillable(spec, rule).ok()).collect();
        return if drills.is_empty() { Err(nothing_to_drill()) } else { Ok(drills) };
    }
    let mut names: Vec<String> = rules.iter().map(|rule| format!("`{}`", rule.name)).collect();
    names.dedup();
    let one = |alert: &String| {
        let rule = rules.iter().find(|rule| rule.name == *alert).cloned().ok_or_else(|| {
            Error::invalid(format!("the spec has no alert `{alert}`"))
                .remedy(format!("its alerts are {}", names.join(", ")))
        })?;
        drillable(spec, rule)
    };
    args.alerts.iter().map(one).collect()
}

/// What the application's users will notice of the drills; `None` if they notice nothing.
fn felt(drills: &[Wanted]) -> Option<String> {
    let line = |drill: &Wanted| {
        let danger = safety(&drill.kind).filter(|safety| safety.is_felt)?.danger;
        let delivered = predict(&drill.settings, &Fault::silence()).longest();
        Some(format!("{}: {danger}, for up to {} s", drill.rule.name, delivered.as_secs()))
    };
    let lines: Vec<String> = drills.iter().filter_map(line).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

fn drillable(spec: &Spec, rule: Rule) -> Result<Wanted> {
    let kind = drill_of(spec, &rule);
    let refused = |because: &str| {
        Error::could_not_run(format!("there is no drill for `{}`: {because}", rule.name))
            .remedy("`monctl verify-alert --list` shows which alerts have one")
    };
    if let DrillKind::None { because } = &kind {
        return Err(refused(because));
    }
    if let RuleMeaning::Unknown(why) = rule.meaning {
        return Err(refused(why));
    }
    let settings = TimingSettings::of_rule(spec, &rule)
        .ok_or_else(|| refused("its expression compares no value with a number"))?;
    Ok(Wanted { rule, kind, settings })
}

/// The drill of a rule in this spec.
fn drill_of(spec: &Spec, rule: &Rule) -> DrillKind {
    let none = |because: &str| DrillKind::None { because: because.to_owned() };
    let alert = spec.alerts.get(rule.name.as_str());
    if let Some(why) = alert.and_then(|alert| alert.several_rules(&rule.name)) {
        return none(&why);
    }
    let of_catalogue =
        || alert.and_then(|alert| Some(spec.catalogue.entry(&rule.name, alert)?.drill.clone()));
    match alert.and_then(|alert| alert.drill.clone()).or_else(of_catalogue) {
        Some(DrillKind::Stop { units, job }) => match spec.app.stopped(units) {
            Some(units) => DrillKind::Stop { units, job },
            None => none("monctl does not deploy the application, and `app.unit` does not name its unit"),
        },
        Some(DrillKind::Requests { .. } | DrillKind::SlowRequests)
            if spec.app.metrics() == Metrics::Builtin =>
        {
            none("with `metrics: builtin` monctl cannot answer requests in place of the application")
        }
        Some(kind) if !spec.app.deploy => match why_not_watched(spec, &kind) {
            Some(because) => none(because),
            None => kind,
        },
        Some(kind) => kind,
        None if rule.meaning.known().is_some_and(promql::is_cpu_usage) => DrillKind::Cpu,
        None => none(&format!(
            "monctl does not know how to make your own rule fire; {}, see docs/drills.md",
            match &rule.origin {
                None => "declare its `drill`".to_owned(),
                Some(_) => format!("declare it in the spec: `alerts: {{{}: {{drill: …}}}}`", key(&rule.name)),
            }
        )),
    }
}

/// Why this drill cannot run in an application that something else deploys.
fn why_not_watched(spec: &Spec, kind: &DrillKind) -> Option<&'static str> {
    match kind {
        DrillKind::Requests { .. } if spec.app.requested_port().is_none() => {
            Some("it sends requests to the port of `app.url`: add one that begins with `http://127.0.0.1`")
        }
        DrillKind::SlowRequests => {
            Some("how many requests at once the application can serve is known only where monctl deploys it")
        }
        DrillKind::ReplacedWorkers => {
            Some("it would end workers of an application that monctl does not deploy")
        }
        _ => None,
    }
}

/// The name of an alert as a key of the spec.
fn key(name: &str) -> String {
    let is_plain = name.chars().all(|c| c.is_alphanumeric() || c == '_');
    if is_plain { name.to_owned() } else { serde_json::Value::from(name).to_string() }
}

fn nothing_to_drill() -> Error {
    Error::could_not_run("no alert of the spec has a drill")
        .remedy("`monctl verify-alert --list` shows why; alerts of the catalogue have drills")
}

fn machine(machines: &[Machine], name: HostName) -> Result<&Machine> {
    machines.iter().find(|machine| machine.name == name).ok_or_else(|| {
        Error::could_not_run("the machine does not run")
            .at(name.to_string())
            .remedy("`monctl up` creates or starts it")
    })
}

/// Clients of the forwarded services, and the observer of notifications.
///
/// # Errors
/// When a connection breaks, or Slack refuses the bot.
pub(super) async fn services<'a>(
    loaded: &Loaded,
    places: &MessageChannels,
    remote: &'a Remote,
    folder: &std::path::Path,
    context: &Context,
) -> Result<(Services, Option<(Watched<'a>, Slot)>)> {
    let (mut watched, events) = (None, &context.events);
    let inbox = match loaded.spec.notify.receiver() {
        Receiver::Capture => {
            let socket = folder.join("slack.sock");
            let receiver = slack::SlackReceiver::on_unix(&socket)?;
            remote.listen(CAPTURE, &socket).await?;
            Inbox::of_receiver(receiver, events)
        }
        Receiver::Slack(slack) if slack.bot_token.is_some() => {
            let token = Secrets::resolve_one(loaded, &SecretName::SlackBotToken)?;
            context.secrets.add(&token);
            let proxy_url = slack.proxy_url.as_ref().map(ToString::to_string);
            let reader = Reader { shell: remote, api_url: slack.api_url.clone(), token, proxy_url };
            let channels = reader.watch(places).await?;
            let (inbox, slot) = Inbox::of_channel(events);
            watched = Some((channels, slot));
            inbox
        }
        Receiver::Slack(_) => Inbox::of_counters(events),
    };
    let services = Services {
        prometheus: services::prometheus(remote).await?,
        alertmanager: services::alertmanager(remote).await?,
        inbox,
    };
    Ok((services, watched))
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
        let access = grafana::GrafanaAccess::of(loaded, provider)?;
        access.client(monitoring.forward(grafana::PORT), Duration::ZERO).await
    };
    if let Ok(client) = client.await {
        let drills: Vec<_> = round.proofs().map(annotations::of_drill).collect();
        annotations::write(&client, &drills, &context.events).await;
    }
}

/// Exports the proofs that are kept on the monitoring host.
async fn publish(hosts: &DrillHosts<'_>, spec: &Spec, events: &Events) {
    // As in `wanted`: those that have a drill.
    let drillable = rules(spec).into_iter().filter_map(|rule| drillable(spec, rule).ok());
    let names: Vec<String> = drillable.map(|drill| drill.rule.name).collect();
    if let Err(error) = verify::publish(hosts, &names).await {
        events.warn(error.in_one_line());
    }
}
