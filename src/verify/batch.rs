//! Proves alerts one after the other, or several at once where their drills do not disturb each other: preflight,
//! faults on, watch, faults off, diagnosis. Every exit path ends the faults; a fault that monctl cannot end expires by
//! itself soon after monctl exits.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use serde::Serialize;
use tokio::time::timeout;

use super::deliveries::ChannelFailure;
use super::observer::Services;
use super::other_alerts::{Bystander, Lookout};
use super::preflight::{Notes, Preflight, Readiness};
use super::proof::{Proof, keep};
use super::request::Request;
use super::run::{Prepared, blocked};
use super::tracker::Witness;
use crate::cancel::Cancel;
use crate::drill::{Footprint, Site, waves};
use crate::error::{Error, Exit, Result};
use crate::event::Events;
use crate::spec::Catalogue;
use crate::timing::phrases;

/// Time that an interrupted run has to end the faults.
const HURRY: Duration = Duration::from_millis(1_200);

/// Outcome of all drills.
#[derive(Debug, Default)]
pub struct Round {
    /// Each alert with its proof, or why its drill could not begin.
    pub verdicts: Vec<(String, Result<Proof>)>,
    /// Other alerts that fired in between.
    pub others: Vec<Bystander>,
    /// The alerts whose drill began and could not be undone.
    pub undo_failed: BTreeSet<String>,
}

/// An alert and why its drill could not begin, or could not be undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotRun {
    /// The alert.
    pub alert: String,
    /// Why.
    pub error: String,
    /// What to do.
    pub remedy: Option<String>,
    /// Whether its drill began, and its undo failed.
    pub undo_failed: bool,
}

impl Round {
    /// The proofs.
    pub fn proofs(&self) -> impl Iterator<Item = &Proof> {
        // The others are in `not_run`.
        self.verdicts.iter().filter_map(|(_, verdict)| verdict.as_ref().ok())
    }

    /// The alerts whose drill could not begin, or could not be undone.
    pub fn not_run(&self) -> Vec<NotRun> {
        let why = |(alert, verdict): &(String, Result<Proof>)| {
            let error = verdict.as_ref().err()?;
            let remedy = error.hint().map(str::to_owned);
            let undo_failed = self.undo_failed.contains(alert);
            let text = if undo_failed { error.in_one_line() } else { error.to_string() };
            Some(NotRun { alert: alert.clone(), error: text, remedy, undo_failed })
        };
        self.verdicts.iter().filter_map(why).collect()
    }
}

/// Proves alerts: causes their faults, watches every stage, and ends the faults.
///
/// # Errors
/// When the run was interrupted; `round` has the verdicts until then. An alert that is not delivered is not an error but a [`Proof`] with a diagnosis; a
/// drill that cannot begin is an error among the verdicts.
pub async fn prove(
    requests: &[Request],
    services: Services,
    site: &impl Site,
    catalogue: &Catalogue,
    events: &Events,
    cancel: &Cancel,
    round: &mut Round,
) -> Result<()> {
    // On the heap: the futures of all clients at once are too large for a stack.
    let work = Box::pin(all(requests, services, site, catalogue, events, round));
    tokio::select! {
        () = work => Ok(()),
        () = cancel.raised() => {
            let ended = timeout(HURRY, site.release()).await;
            let error = Error::new(Exit::Interrupted, "`verify-alert` was interrupted");
            Err(match ended {
                Ok(Ok(())) => error.remedy("its faults are being undone; run `monctl verify-alert` again"),
                _ => error.remedy("its faults are undone within half a minute; run `monctl verify-alert` again after that"),
            })
        }
    }
}

async fn all(
    requests: &[Request],
    services: Services,
    site: &impl Site,
    catalogue: &Catalogue,
    events: &Events,
    round: &mut Round,
) {
    // Request counters do not distinguish between alerts.
    let together = services.inbox.witness() != Witness::Counters;
    let drills = requests.iter().filter_map(|request| Some((request, Footprint::of(&request.kind)?)));
    if let Some(settings) = requests.iter().map(|it| it.settings).find(|settings| settings.send_resolved) {
        events.note(format!(
            "resolved notifications go out at the next `group_interval` tick (every {})",
            phrases::seconds(settings.group_interval)
        ));
    }
    for wave in waves(drills, together) {
        if let Some(silence) = services.inbox.silence().filter(|silence| silence.is_final) {
            round
                .verdicts
                .extend(wave.iter().map(|request| (request.subject.alert.clone(), Err(unread(&silence)))));
            continue;
        }
        if wave.len() > 1 {
            let names: Vec<&str> = wave.iter().map(|request| request.subject.alert.as_str()).collect();
            events.note(format!("at the same time: {}", names.join(", ")));
        }
        let lookout = Lookout::new(services.clone(), wave.iter().copied(), catalogue.clone());
        run(&wave, &services, site, events, lookout, round).await;
    }
}

/// Why a drill is not begun: its notification could not be observed.
fn unread(silence: &ChannelFailure) -> Error {
    Error::could_not_run(format!("its notification could not be observed: {}", silence.why))
        .remedy("fix that, then run it again")
}

/// Runs the drills of one wave. Stores each verdict as soon as it is known, whatever the outcome of the others.
async fn run(
    wave: &[&Request],
    services: &Services,
    site: &impl Site,
    events: &Events,
    lookout: impl Future<Output = Lookout>,
    round: &mut Round,
) {
    let notes = Notes::new(events);
    let looks = wave.iter().map(|request| prepare(request, services, wave.len() > 1, &notes, events));
    let mut drills = Vec::new();
    for (request, look) in wave.iter().zip(join_all(looks).await) {
        match look {
            Ok(Look::Prepared(prepared)) => drills.push((request.subject.alert.clone(), *prepared)),
            Ok(Look::Blocked(proof)) => round.verdicts.push((proof.alert.clone(), Ok(*proof))),
            Err(error) => round.verdicts.push((request.subject.alert.clone(), Err(error))),
        }
    }
    let mut lookout = lookout.await;
    let mut drilled: FuturesUnordered<_> = drills
        .into_iter()
        .map(|(alert, prepared)| async move {
            let (verdict, undo_failed) = match prepared.begin(site, events).await {
                Ok(run) => {
                    let verdict = run.follow(site).await;
                    let undo_failed = verdict.is_err();
                    (verdict, undo_failed)
                }
                Err(error) => (Err(error), false),
            };
            match &verdict {
                Ok(proof) => fall(proof, site, events).await,
                Err(error) if undo_failed => events.note(undo_failure(&alert, error)),
                Err(_) => {}
            }
            (alert, verdict, undo_failed)
        })
        .collect();
    let results = async {
        while let Some((alert, verdict, undo_failed)) = drilled.next().await {
            round.undo_failed.extend(undo_failed.then(|| alert.clone()));
            round.verdicts.push((alert, verdict));
        }
    };
    // Boxed: as above.
    tokio::select! {
        () = Box::pin(results) => {}
        never = lookout.watch() => match never {},
    }
    if let Some(why) = lookout.missed() {
        events.warn(format!("other alerts were not watched all the time: {why}"));
    }
    round.others.extend(lookout.seen());
}

/// That a drill could not be undone, in one line.
fn undo_failure(alert: &str, error: &Error) -> String {
    let help = error.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
    format!("{alert}: {}{help}", error.in_one_line())
}

/// Reports a verdict and stores it on the monitoring host.
async fn fall(proof: &Proof, site: &impl Site, events: &Events) {
    events.note(proof.in_one_line());
    if let Err(error) = keep(site, proof).await {
        let help = error.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
        events.warn(format!("{}{help}", error.in_one_line()));
    }
}

/// Result of the preflight.
enum Look<'a> {
    Prepared(Box<Prepared<'a>>),
    Blocked(Box<Proof>),
}

async fn prepare<'a>(
    request: &'a Request,
    services: &Services,
    joins: bool,
    notes: &Notes<'_>,
    events: &Events,
) -> Result<Look<'a>> {
    let Request { subject, kind, settings, mutes, .. } = request;
    let ready = match (Preflight { services, subject, kind, settings, mutes, notes }).look().await? {
        Readiness::Ready(ready) => ready,
        Readiness::Blocked(diagnosis) => {
            let proof = blocked(request, services.inbox.witness(), diagnosis);
            return Ok(Look::Blocked(Box::new(proof)));
        }
    };
    let prepared = Prepared::new(request, ready, services.clone(), joins)?;
    prepared.announce(events);
    Ok(Look::Prepared(Box::new(prepared)))
}
