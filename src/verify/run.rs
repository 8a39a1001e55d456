//! Runs one drill: fault on, watch every stage, fault off, watch again, and diagnose if the alert did not reach every
//! stage. `batch` begins it, and ends the fault if the run is interrupted.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::diagnosis::{Diagnosis, Evidence, FailedDrill};
use super::gaps::{Gaps, ObservationSource, Unseen};
use super::observation::Sight;
use super::observer::{Services, Watcher};
use super::preflight::{Ready, target_error};
use super::proof::{Entry, Proof};
use super::request::Request;
use super::tracker::{Reached, Tracker, Witness};
use crate::drill::{BEAT, Drill, Order, Site, StopFailure, beat, watched_job};
use crate::duration::Millis;
use crate::error::{Error, Result};
use crate::event::{Event, Events};
use crate::http::slack::{self, Reply};
use crate::timing::{EARLY, Fault, LATE, Prediction, Stage, TimingSettings, phrases, predict};

/// Time between looks at the pipeline; a quarter of the evaluation interval if that is shorter.
const PERIOD: Duration = Duration::from_millis(500);
/// How much later than its latest prediction a stage may come before the run gives up.
const GRACE: Duration = Duration::from_secs(10);
/// How much longer Alertmanager may take if it has to retry.
const RETRIES: Duration = Duration::from_mins(1);

/// A drill that can begin.
#[derive(Debug)]
pub struct Prepared<'a> {
    request: &'a Request,
    /// The settings, with what is known about Alertmanager's groups.
    settings: TimingSettings,
    drill: Drill,
    watcher: Watcher,
    witness: Witness,
}

/// A drill under way.
pub struct Run<'a> {
    request: &'a Request,
    settings: TimingSettings,
    drill: Drill,
    watcher: Watcher,
    witness: Witness,
    load_on: Instant,
    beaten: Instant,
    at: jiff::Timestamp,
    tracker: Tracker,
    timeline: Vec<Entry>,
    was_on: Option<bool>,
    gaps: Gaps,
    /// Why the host did not answer since the last look, if it did not.
    unanswered: Option<String>,
    /// The failure of the drill's undo, if it failed.
    undo_failure: Option<Error>,
    /// How long the undo took: the fault may have ended at any time of it.
    undoing: Duration,
    events: &'a Events,
}

impl<'a> Prepared<'a> {
    /// Chooses the fault. `joins` if the alert may share a notification with others.
    ///
    /// # Errors
    /// If no safe fault gets the alert delivered.
    pub fn new(request: &'a Request, ready: Ready, services: Services, joins: bool) -> Result<Self> {
        let joins = joins || !ready.extra.is_zero();
        let settings = TimingSettings { joins, ..request.settings };
        let extra = if joins { settings.group_wait } else { Duration::ZERO };
        let drill = request.plan(&settings).choose(&ready.measured, extra)?;
        drill.check(&settings, request.options)?;
        let witness = services.inbox.witness();
        let Ready { expression, counters, .. } = ready;
        let watcher = Watcher::new(services, request.subject.clone(), &settings, expression, counters);
        Ok(Self { request, settings, drill, watcher, witness })
    }

    /// Prints the expected times, before anything happens.
    pub fn announce(&self, events: &Events) {
        let Self { request, drill, .. } = self;
        let alert = &request.subject.alert;
        events.note(format!("{}: `{}`; expected times after load on:", request.host, drill.order));
        for window in drill.prediction.stages.iter().filter(|window| window.stage != Stage::LoadOn) {
            let (earliest, expected, latest) = (window.earliest, window.expected, window.latest);
            let stage = window.stage.to_string();
            events.send(Event::Expected { alert: alert.clone(), stage, earliest, expected, latest });
        }
        if let Some(warning) = drill.warning(&self.settings) {
            events.warn(warning);
        }
    }

    /// Causes the fault.
    ///
    /// # Errors
    /// If the host refuses it.
    pub async fn begin(mut self, site: &impl Site, events: &'a Events) -> Result<Run<'a>> {
        self.watcher.forget();
        let order = &self.drill.order;
        tokio::select! {
            started = site.start(order) => started?,
            never = beat(site, &order.name) => match never {},
        }
        let Self { request, settings, drill, watcher, witness } = self;
        let mut run = Run {
            request,
            load_on: Instant::now(),
            beaten: Instant::now(),
            at: jiff::Timestamp::now(),
            tracker: Tracker::new(witness, settings.joins, settings.threshold),
            timeline: Vec::new(),
            was_on: None,
            gaps: Gaps::default(),
            unanswered: None,
            undo_failure: None,
            undoing: Duration::ZERO,
            settings,
            drill,
            watcher,
            witness,
            events,
        };
        let detail = run.drill.order.to_string();
        run.record(Reached { stage: Stage::LoadOn, at: Duration::ZERO, detail });
        Ok(run)
    }
}

/// The proof of a drill that never began.
pub fn blocked(request: &Request, witness: Witness, diagnosis: Diagnosis) -> Proof {
    let fault = Fault::silence();
    Proof {
        alert: request.subject.alert.clone(),
        host: request.host,
        proven: false,
        lost: false,
        at: jiff::Timestamp::now(),
        witness,
        settings: request.settings,
        cause: None,
        fault,
        prediction: predict(&request.settings, &fault),
        timeline: Vec::new(),
        diagnosis: Some(diagnosis),
        identities: Vec::new(),
    }
}

impl Run<'_> {
    /// Watches until the alert has reached every stage, or cannot any more.
    ///
    /// # Errors
    /// If the undo of the drill failed: the fault may still be there, and the rest of the way is not watched.
    pub async fn follow(mut self, site: &impl Site) -> Result<Proof> {
        let is_whole = self.watch(site).await;
        if let Some(error) = self.undo_failure {
            return Err(error);
        }
        if is_whole {
            return Ok(self.into_proof(None, false));
        }
        let lost = if self.is_refused(site).await { None } else { self.lost().await };
        Ok(match (lost, self.evidence(site).await) {
            (Some(lost), _) => self.into_proof(Some(lost), true),
            (None, Ok(evidence)) => {
                let diagnosis = self.diagnose(&evidence);
                self.into_proof(Some(diagnosis), false)
            }
            (None, Err(error)) => {
                let lost = self.lost_by(error.in_one_line());
                self.into_proof(Some(lost), true)
            }
        })
    }

    /// Returns whether the alert has reached every stage.
    async fn watch(&mut self, site: &impl Site) -> bool {
        let period = PERIOD.min(self.settings.evaluation_interval / 4);
        loop {
            self.beat(site).await;
            let sight = self.look().await;
            for reached in self.tracker.see(&sight) {
                self.record(reached);
            }
            if self.tracker.has(Stage::Delivered) && !self.drill.keep {
                self.end_load(site, "delivered").await;
            }
            self.note_time_limit(site).await;
            if self.undo_failure.is_some() {
                return false;
            }
            if self.is_done() {
                return true;
            }
            if sight.at >= self.deadline() || self.cannot_be_seen() || self.is_refused(site).await {
                // If the host does not answer, the state is unknown and not used for the diagnosis.
                self.was_on = site.is_on(&self.order().name).await.ok();
                self.end_load(site, "given up").await;
                return false;
            }
            sleep(period).await;
        }
    }

    /// One look, including the sources that did not answer.
    async fn look(&mut self) -> Sight {
        let mut sight = self.watcher.look(self.load_on).await;
        let host = self.unanswered.take().map(|why| Unseen { source: ObservationSource::Host, why });
        sight.unseen.extend(host);
        self.gaps.note(sight.at, &sight.unseen);
        sight
    }

    /// Whether the message can never be observed.
    fn cannot_be_seen(&self) -> bool {
        let silence = self.watcher.services().inbox.silence();
        !self.tracker.has(Stage::Delivered) && silence.is_some_and(|silence| silence.is_final)
    }

    /// Sends the host a heartbeat. Without it the drill ends by itself, and the failure is recorded.
    async fn beat(&mut self, site: &impl Site) {
        if self.beaten.elapsed() >= BEAT && !self.tracker.has(Stage::LoadOff) {
            match timeout(BEAT, site.beat(&self.order().name)).await {
                Ok(Ok(())) => self.beaten = Instant::now(),
                Ok(Err(error)) => self.unanswered = Some(error.in_one_line()),
                Err(_) => self.unanswered = Some(format!("no answer within {} s", BEAT.as_secs())),
            }
        }
    }

    fn order(&self) -> &Order {
        &self.drill.order
    }

    fn is_done(&self) -> bool {
        let last = if self.settings.send_resolved { Stage::ResolvedDelivered } else { Stage::Resolved };
        [Stage::Delivered, Stage::LoadOff, last].into_iter().all(|stage| self.tracker.has(stage))
    }

    async fn end_load(&mut self, site: &impl Site, why: &str) {
        if self.tracker.has(Stage::LoadOff) {
            return;
        }
        self.stop(site, self.load_on.elapsed(), why).await;
    }

    /// Ends the drill, whose fault ends at some time since `requested`.
    async fn stop(&mut self, site: &impl Site, requested: Duration, why: &str) {
        match site.stop(&self.order().name).await {
            Ok(()) => self.note_off(requested, why),
            Err(StopFailure::UndoFailed(error)) => self.undo_failure = Some(error),
            Err(StopFailure::Unconfirmed(error)) => self.unanswered = Some(error.in_one_line()),
        }
    }

    /// Notes that the load has ended at its time limit, once the host reports it.
    async fn note_time_limit(&mut self, site: &impl Site) {
        let limit = Duration::from_secs(self.order().seconds);
        if self.tracker.has(Stage::LoadOff) || self.load_on.elapsed() < limit {
            return;
        }
        match site.is_on(&self.order().name).await {
            Ok(false) => self.note_off(limit, "at its time limit"),
            // This waits for its undo.
            Ok(true) => self.stop(site, limit, "at its time limit").await,
            Err(error) => self.unanswered = Some(error.in_one_line()),
        }
    }

    /// Notes that the fault is off. It ended at some time since `requested`.
    fn note_off(&mut self, requested: Duration, why: &str) {
        let off = self.load_on.elapsed();
        self.undoing = off.saturating_sub(requested);
        let reached = self.tracker.load_off(off, why);
        self.record_all(reached);
    }

    /// When to give up, since the load went on: the latest time of the next stage, and some grace.
    fn deadline(&self) -> Duration {
        let TimingSettings { scrape_interval, evaluation_interval, group_wait, group_interval, .. } =
            self.settings;
        let joins = if self.settings.joins { group_interval } else { Duration::ZERO };
        let memory = self.settings.range() + 2 * (scrape_interval + evaluation_interval);
        let off = self.tracker.when(Stage::LoadOff).unwrap_or(Duration::from_secs(self.order().seconds));
        let latest = if self.tracker.has(Stage::Delivered) {
            match self.tracker.when(Stage::Resolved) {
                None => off + memory,
                Some(resolved) => resolved + group_interval,
            }
        } else if let Some(firing) = self.tracker.when(Stage::Firing) {
            let retries = if self.tracker.failed() > 0 { RETRIES } else { Duration::ZERO };
            firing + group_wait + joins + retries
        } else {
            let predicted = self.drill.prediction.window(Stage::Firing).map(|window| window.latest.0);
            let longest = off + memory;
            if self.drill.prediction.is_certain() { predicted.unwrap_or(longest) } else { longest }
        };
        latest + GRACE + self.gaps.delay(memory + self.settings.hold)
    }

    /// Whether the receiver refused permanently, so that a retry does not help.
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
        // If the log cannot be read, the diagnosis refers to it instead.
        site.alertmanager_log(self.load_on.elapsed().as_secs() + 1).await.unwrap_or_default()
    }

    /// Why nothing can be concluded from a stage that was not seen; none if the observation had no gap.
    async fn lost(&self) -> Option<Diagnosis> {
        // The end of the fault in between is no evidence for an earlier stage.
        let missing = self.missing();
        let before = Stage::ALL.into_iter().filter(|stage| *stage < missing);
        let last = before.filter_map(|stage| self.tracker.when(stage)).max().unwrap_or_default();
        if let Some(gap) = self.gaps.since(last) {
            return Some(self.lost_by(gap.to_string()));
        }
        let running = match self.watcher.services().prometheus.running_for().await {
            Ok(running) => running,
            Err(error) => return Some(self.lost_by(error.in_one_line())),
        };
        let since = self.load_on.elapsed();
        (running < since).then(|| {
            let after = phrases::seconds(since.saturating_sub(running));
            self.lost_by(format!("Prometheus restarted {after} after the fault began, and lost its state"))
        })
    }

    /// The first stage that was not reached. `Below` does not count: `Resolved` implies it.
    fn missing(&self) -> Stage {
        let is_missing = |stage: &Stage| *stage != Stage::Below && !self.tracker.has(*stage);
        Stage::ALL.into_iter().find(is_missing).unwrap_or(Stage::ResolvedDelivered)
    }

    fn lost_by(&self, cause: String) -> Diagnosis {
        Diagnosis {
            stage: self.missing(),
            cause,
            remedy: format!(
                "this is not a verdict on the alert; run it again: monctl verify-alert {}",
                self.request.subject.alert
            ),
        }
    }

    async fn evidence(&self, site: &impl Site) -> Result<Evidence> {
        let subject = &self.request.subject;
        let prometheus = &self.watcher.services().prometheus;
        let rule = prometheus.rules().await?.into_iter().find(|rule| rule.name == subject.alert);
        let job = watched_job(&self.request.kind);
        Ok(Evidence {
            instance: subject.address.clone(),
            host: self.request.host.to_string(),
            drill: self.order().name.clone(),
            target_down: target_error(prometheus, subject, job).await?,
            rule_error: rule.and_then(|rule| rule.last_error).filter(|error| !error.is_empty()),
            load_was_on: self.was_on,
            alertmanagers: prometheus.alertmanagers().await?,
            log: self.log(site).await,
        })
    }

    fn diagnose(&self, evidence: &Evidence) -> Diagnosis {
        FailedDrill {
            tracker: &self.tracker,
            settings: &self.settings,
            kind: &self.request.kind,
            fault: &self.drill.fault,
            prediction: &self.drill.prediction,
            evidence,
        }
        .diagnose()
    }

    fn record_all(&mut self, reached: Option<Reached>) {
        if let Some(reached) = reached {
            self.record(reached);
        }
    }

    /// Adds a stage to the timeline and sends an event.
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

    /// The predicted window of the stage. Stages after the end of the load are measured from that end.
    fn predicted(&self, stage: Stage) -> Option<(Millis, Millis)> {
        let prediction: &Prediction = &self.drill.prediction;
        match stage {
            Stage::LoadOn | Stage::LoadOff => None,
            Stage::Below | Stage::Resolved => {
                let off = self.tracker.when(Stage::LoadOff)?;
                let window = prediction.after_end.iter().find(|window| window.stage == stage)?;
                let requested = off.saturating_sub(self.undoing);
                Some((Millis(requested + window.earliest.0), Millis(off + window.latest.0)))
            }
            Stage::ResolvedDelivered => {
                let resolved = self.tracker.when(Stage::Resolved)?;
                // The alert may have resolved before the tick that it seems to have missed, and been seen late.
                let earliest = self.tick_after(resolved.saturating_sub(EARLY))?;
                Some((Millis(earliest.saturating_sub(EARLY)), Millis(self.tick_after(resolved)? + LATE)))
            }
            stage => prediction
                .window(stage)
                .map(|window| (window.earliest, Millis(window.latest.0 + self.later(stage)))),
        }
    }

    /// The next `group_interval` tick at or after a moment, both measured from load on.
    fn tick_after(&self, moment: Duration) -> Option<Duration> {
        let interval = self.settings.group_interval;
        let first = self.tracker.when(Stage::Delivered)?;
        let ticks = moment.saturating_sub(first).as_millis().div_ceil(interval.as_millis().max(1)).max(1);
        Some(first + interval * u32::try_from(ticks).unwrap_or(u32::MAX))
    }

    /// How much later than the group's next tick a stage may come: the alert may turn out to be the group's first.
    fn later(&self, stage: Stage) -> Duration {
        let is_notification = matches!(stage, Stage::Sent | Stage::Delivered);
        if is_notification && self.settings.joins { self.settings.group_wait } else { Duration::ZERO }
    }

    fn into_proof(self, diagnosis: Option<Diagnosis>, lost: bool) -> Proof {
        let mut timeline = self.timeline;
        timeline.sort_by_key(|entry| (entry.after, entry.stage));
        Proof {
            alert: self.request.subject.alert.clone(),
            host: self.request.host,
            proven: diagnosis.is_none(),
            lost,
            at: self.at,
            witness: self.witness,
            settings: self.settings,
            cause: Some(self.drill.order.cause),
            fault: self.drill.fault,
            prediction: self.drill.prediction,
            timeline,
            diagnosis,
            identities: self.tracker.identities(),
        }
    }
}
