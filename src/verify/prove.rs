//! One drill from the look beforehand to the proof: load on, watch, load off, watch, diagnose. The load
//! ends on every way out; where it cannot be ended, its own time limit on the host ends it.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::diagnose::{Case, Diagnosis, Evidence};
use super::drill::{Drill, Options};
use super::predict::{EARLY, LATE};
use super::preflight::{self, Readiness, Ready};
use super::proof::{Entry, Proof};
use super::site::Site;
use super::tracker::{Reached, Tracker, Witness};
use super::watch::{Services, Subject, Watcher};
use super::{Prediction, Settings, Stage, words};
use crate::cancel::Cancel;
use crate::error::{Error, Exit, Result};
use crate::event::{Event, Events, Millis};
use crate::host::HostName;
use crate::http::slack::{self, Reply};

/// How often the pipeline is looked at, at most; a quarter of the evaluation interval where that is shorter.
const PERIOD: Duration = Duration::from_millis(500);
/// How much later than its latest prediction a stage may come before the run gives up.
const GRACE: Duration = Duration::from_secs(10);
/// How much longer Alertmanager may take where a receiver asked it to try again.
const RETRIES: Duration = Duration::from_mins(1);
/// An interrupted run has this long to end the load.
const HURRY: Duration = Duration::from_millis(1_200);

/// What is to be proven.
#[derive(Debug, Clone)]
pub struct Request {
    /// The alert and the host.
    pub subject: Subject,
    /// The host by name.
    pub host: HostName,
    /// The settings that decide the times.
    pub settings: Settings,
    /// What the user wishes.
    pub options: Options,
}

/// Proves an alert: puts the load on, watches every stage, and ends the load.
///
/// # Errors
/// When the run could not begin, or was interrupted. An alert that does not arrive is no error but a
/// [`Proof`] with a diagnosis.
pub async fn prove(
    request: &Request,
    services: Services,
    site: &impl Site,
    events: &Events,
    cancel: &Cancel,
) -> Result<Proof> {
    // On the heap: the futures of all clients at once are too large for a stack.
    let work = Box::pin(run(request, services, site, events));
    tokio::select! {
        proof = work => proof,
        () = cancel.raised() => {
            let ended = timeout(HURRY, site.stop()).await;
            let error = Error::new(Exit::Interrupted, "`verify-alert` was interrupted");
            Err(match ended {
                Ok(Ok(())) => error.remedy("the load was ended; run `monctl verify-alert` again"),
                _ => error.remedy("the load ends by itself at its time limit; run `monctl verify-alert` again after that"),
            })
        }
    }
}

async fn run(request: &Request, services: Services, site: &impl Site, events: &Events) -> Result<Proof> {
    let Request { subject, settings, options, .. } = request;
    let witness = if services.receiver.is_some() { Witness::Receiver } else { Witness::Counters };
    let ready = match preflight::look(&services, subject, settings, events).await? {
        Readiness::Ready(ready) => ready,
        Readiness::Blocked(diagnosis) => return Ok(blocked(request, witness, diagnosis)),
    };
    let Ready { expression, cpus, baseline, counters, extra } = ready;
    let drill = Drill::choose(settings, *options, cpus, baseline, extra);
    drill.check(settings, *options)?;
    announce(request, &drill, events);

    let mut watcher = Watcher::new(services, subject.clone(), expression, counters, events.clone());
    watcher.forget();
    site.start(&drill.load).await?;
    let mut run = Run {
        request,
        drill: &drill,
        extra,
        load_on: Instant::now(),
        at: jiff::Timestamp::now(),
        tracker: Tracker::new(witness, !extra.is_zero()),
        timeline: Vec::new(),
        was_loaded: None,
        events,
    };
    run.record(Reached { stage: Stage::LoadOn, at: Duration::ZERO, detail: drill.command() });
    let done = run.follow(&mut watcher, site).await;
    let diagnosis = if done { None } else { Some(run.diagnose(&watcher, site).await) };
    Ok(run.into_proof(witness, diagnosis))
}

/// Says what is to be expected, before anything happens.
fn announce(request: &Request, drill: &Drill, events: &Events) {
    let alert = &request.subject.alert;
    events.note(format!("{}: `{}`; expected after load on:", request.host, drill.command()));
    for window in drill.prediction.stages.iter().filter(|window| window.stage != Stage::LoadOn) {
        let (earliest, expected, latest) = (window.earliest, window.expected, window.latest);
        let stage = window.stage.to_string();
        events.send(Event::Expected { alert: alert.clone(), stage, earliest, expected, latest });
    }
    if let Some(warning) = drill.warning(&request.settings) {
        events.warn(warning);
    }
    if request.settings.send_resolved {
        events.note(format!(
            "that the alert is over is told at Alertmanager's next look at the group, every {}",
            words::seconds(request.settings.group_interval)
        ));
    }
}

/// The proof of a drill that never began.
fn blocked(request: &Request, witness: Witness, diagnosis: Diagnosis) -> Proof {
    let drill = Drill::choose(&request.settings, request.options, 1, 0.0, Duration::ZERO);
    Proof {
        alert: request.subject.alert.clone(),
        host: request.host,
        proven: false,
        at: jiff::Timestamp::now(),
        witness: name(witness),
        settings: request.settings,
        fault: drill.fault,
        prediction: drill.prediction,
        timeline: Vec::new(),
        diagnosis: Some(diagnosis),
    }
}

const fn name(witness: Witness) -> &'static str {
    match witness {
        Witness::Receiver => "receiver",
        Witness::Counters => "counters",
    }
}

/// A drill under way.
struct Run<'a> {
    request: &'a Request,
    drill: &'a Drill,
    extra: Duration,
    load_on: Instant,
    at: jiff::Timestamp,
    tracker: Tracker,
    timeline: Vec<Entry>,
    was_loaded: Option<bool>,
    events: &'a Events,
}

impl Run<'_> {
    /// Watches until the alert has made the whole way or cannot any more; returns which.
    async fn follow(&mut self, watcher: &mut Watcher, site: &impl Site) -> bool {
        let period = PERIOD.min(self.request.settings.evaluation_interval / 4);
        loop {
            let sight = watcher.look(self.load_on).await;
            for reached in self.tracker.see(&sight) {
                self.record(reached);
            }
            if self.tracker.has(Stage::Delivered) && !self.drill.keep {
                self.end_load(site, "delivered").await;
            }
            self.note_time_limit();
            if self.is_done() {
                return true;
            }
            if sight.at >= self.deadline() || self.is_refused(site).await {
                self.was_loaded = site.is_loaded().await.ok();
                self.end_load(site, "given up").await;
                return false;
            }
            sleep(period).await;
        }
    }

    fn is_done(&self) -> bool {
        let last =
            if self.request.settings.send_resolved { Stage::ResolvedDelivered } else { Stage::Resolved };
        [Stage::Delivered, Stage::LoadOff, last].into_iter().all(|stage| self.tracker.has(stage))
    }

    async fn end_load(&mut self, site: &impl Site, why: &str) {
        if self.tracker.has(Stage::LoadOff) {
            return;
        }
        if let Err(error) = site.stop().await {
            self.events.warn(format!("{error}; it ends by itself at its time limit"));
        }
        let reached = self.tracker.load_off(self.load_on.elapsed(), why);
        self.record_all(reached);
    }

    /// The load has ended by itself.
    fn note_time_limit(&mut self) {
        let limit = Duration::from_secs(self.drill.load.seconds);
        if self.load_on.elapsed() >= limit {
            let reached = self.tracker.load_off(limit, "at its time limit");
            self.record_all(reached);
        }
    }

    /// When to give up, since the load went on: the latest time of the next stage, and some grace.
    fn deadline(&self) -> Duration {
        let Settings { scrape_interval, evaluation_interval, group_wait, group_interval, .. } =
            self.request.settings;
        let memory = self.request.settings.range() + 2 * (scrape_interval + evaluation_interval);
        let off = self.tracker.when(Stage::LoadOff).unwrap_or(Duration::from_secs(self.drill.load.seconds));
        let latest = if self.tracker.has(Stage::Delivered) {
            match self.tracker.when(Stage::Resolved) {
                None => off + memory,
                Some(resolved) => resolved + group_interval,
            }
        } else if let Some(firing) = self.tracker.when(Stage::Firing) {
            let retries = if self.tracker.failed() > 0 { RETRIES } else { Duration::ZERO };
            firing + group_wait + self.extra + retries
        } else {
            let predicted = self.drill.prediction.window(Stage::Firing).map(|window| window.latest.0);
            let longest = off + memory;
            if self.drill.prediction.is_certain() { predicted.unwrap_or(longest) } else { longest }
        };
        latest + GRACE
    }

    /// Whether the receiver refused in a way that no further try mends.
    async fn is_refused(&self, site: &impl Site) -> bool {
        if self.tracker.has(Stage::Delivered) {
            return false;
        }
        if self.tracker.refusals().iter().any(|reply| matches!(reply, Reply::Refused(400..500, _))) {
            return true;
        }
        self.tracker.failed() > 0
            && slack::word_in(&self.log(site).await).is_some_and(|word| !word.starts_with("rate_"))
    }

    async fn log(&self, site: &impl Site) -> String {
        site.alertmanager_log(self.load_on.elapsed().as_secs() + 1).await.unwrap_or_default()
    }

    async fn diagnose(&self, watcher: &Watcher, site: &impl Site) -> Diagnosis {
        let subject = &self.request.subject;
        let prometheus = &watcher.services().prometheus;
        let rules = prometheus.rules().await.unwrap_or_default();
        let rule = rules.into_iter().find(|rule| rule.name == subject.alert);
        let evidence = Evidence {
            instance: subject.address.clone(),
            target_down: preflight::target_error(prometheus, subject).await.unwrap_or_default(),
            rule_error: rule.and_then(|rule| rule.last_error).filter(|error| !error.is_empty()),
            load_was_on: self.was_loaded,
            alertmanagers: prometheus.alertmanagers().await.ok(),
            log: self.log(site).await,
        };
        let (fault, prediction) = (&self.drill.fault, &self.drill.prediction);
        Case {
            tracker: &self.tracker,
            settings: &self.request.settings,
            fault,
            prediction,
            evidence: &evidence,
        }
        .diagnose()
    }

    fn record_all(&mut self, reached: Option<Reached>) {
        if let Some(reached) = reached {
            self.record(reached);
        }
    }

    /// Puts a stage on the timeline and tells of it.
    fn record(&mut self, reached: Reached) {
        let Reached { stage, at, detail } = reached;
        let predicted = self.predicted(stage);
        self.events.send(Event::Stage {
            alert: self.request.subject.alert.clone(),
            stage: stage.to_string(),
            after: Millis(at),
            predicted,
            detail: detail.clone(),
        });
        self.timeline.push(Entry { stage, after: Millis(at), predicted, detail });
    }

    /// When the stage was to be expected. What follows the load's end is counted from when that was.
    fn predicted(&self, stage: Stage) -> Option<(Millis, Millis)> {
        let prediction: &Prediction = &self.drill.prediction;
        match stage {
            Stage::LoadOn | Stage::LoadOff => None,
            Stage::Below | Stage::Resolved => {
                let off = self.tracker.when(Stage::LoadOff)?;
                let window = prediction.after_end.iter().find(|window| window.stage == stage)?;
                Some((Millis(off + window.earliest.0), Millis(off + window.latest.0)))
            }
            Stage::ResolvedDelivered => {
                let resolved = self.tracker.when(Stage::Resolved)?;
                // Seen late, the end may have come before a tick that it seems to have missed.
                let earliest = self.tick_after(resolved.saturating_sub(EARLY))?;
                Some((Millis(earliest.saturating_sub(EARLY)), Millis(self.tick_after(resolved)? + LATE)))
            }
            stage => prediction
                .window(stage)
                .map(|window| (window.earliest, Millis(window.latest.0 + self.later(stage)))),
        }
    }

    /// When Alertmanager looks at the group again, at or after a moment since the load went on.
    fn tick_after(&self, moment: Duration) -> Option<Duration> {
        let interval = self.request.settings.group_interval;
        let first = self.tracker.when(Stage::Delivered)?;
        let ticks = moment.saturating_sub(first).as_millis().div_ceil(interval.as_millis().max(1)).max(1);
        Some(first + interval * u32::try_from(ticks).unwrap_or(u32::MAX))
    }

    /// How much later than usual a stage may come because Alertmanager tells of other alerts already.
    fn later(&self, stage: Stage) -> Duration {
        if matches!(stage, Stage::Sent | Stage::Delivered) { self.extra } else { Duration::ZERO }
    }

    fn into_proof(self, witness: Witness, diagnosis: Option<Diagnosis>) -> Proof {
        let mut timeline = self.timeline;
        timeline.sort_by_key(|entry| (entry.after, entry.stage));
        Proof {
            alert: self.request.subject.alert.clone(),
            host: self.request.host,
            proven: diagnosis.is_none(),
            at: self.at,
            witness: name(witness),
            settings: self.request.settings,
            fault: self.drill.fault,
            prediction: self.drill.prediction.clone(),
            timeline,
            diagnosis,
        }
    }
}
