//! The reference for the tests of the model: the same pipeline, played step by step with counters, gauges, samples and
//! timers, as Prometheus' and Alertmanager's documentation describes it, optionally with the delays of real processes.
//! Shares no code with `walk` and `course`.

#![expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "milliseconds of a test")]

use crate::promql::Signal;
use crate::timing::fault_model::{Effect, Ending, Fault};
use crate::timing::pipeline::{Phase, Walk};
use crate::timing::settings::{Refusals, TimingSettings};
use crate::timing::time::Ms;

/// One step; all times of a played case are multiples of it.
pub const STEP: Ms = 100;

/// Draws the delay of one action: a number from 0 up to, but excluding, its argument.
pub type Delay<'a> = &'a mut dyn FnMut(Ms) -> Ms;

/// The longest delays of real processes.
const SCRAPE_TAKES: Ms = 300;
const EVALUATION_TAKES: Ms = 300;
const SENDING_TAKES: Ms = 300;
/// The fault begins up to a second before the clock starts, or half a second after.
const BEGINS_BEFORE: Ms = 1_000;
const BEGINS_WITHIN: Ms = 1_500;

/// The first pause before a failed request is retried.
const FIRST_PAUSE: f64 = 500.0;

/// The result of one scrape.
struct Sample {
    at: Ms,
    known: Ms,
    is_missing: bool,
    gauge: f64,
    /// The gauge, summed up over time.
    counter: f64,
    requests: f64,
    bad_requests: f64,
    /// Restarts and the like.
    events: f64,
}

/// `increase` per second by Prometheus' rule of extrapolation.
fn rate(seen: &[&Sample], now: Ms, range: Ms, counter: impl Fn(&Sample) -> f64) -> Option<f64> {
    let (first, last) = (seen.first()?, seen.last()?);
    if seen.len() < 2 {
        return None;
    }
    let spanned = (last.at - first.at) as f64;
    let mean_gap = spanned / (seen.len() - 1) as f64;
    let reach = |gap: f64| if gap < mean_gap * 1.1 { gap } else { mean_gap / 2.0 };
    let covered = spanned + reach((first.at - (now - range)) as f64) + reach((now - last.at) as f64);
    Some((counter(last) - counter(first)) * covered / spanned / (range as f64 / 1000.0))
}

/// Least squares by the textbook, read off at a moment.
fn line(seen: &[&Sample], at: Ms) -> Option<f64> {
    if seen.len() < 2 {
        return None;
    }
    let count = seen.len() as f64;
    let mean_x = seen.iter().map(|sample| sample.at as f64).sum::<f64>() / count;
    let mean_y = seen.iter().map(|sample| sample.gauge).sum::<f64>() / count;
    let covariance: f64 = seen.iter().map(|s| (s.at as f64 - mean_x) * (s.gauge - mean_y)).sum();
    let variance: f64 = seen.iter().map(|s| (s.at as f64 - mean_x).powi(2)).sum();
    Some(mean_y + covariance / variance * (at as f64 - mean_x))
}

/// Whether the rule's expression is true of these samples.
fn is_true(settings: &TimingSettings, effect: &Effect, samples: &[Sample], now: Ms) -> bool {
    let range = settings.range().as_millis() as Ms;
    let known: Vec<&Sample> = samples.iter().filter(|sample| sample.known <= now).collect();
    let seen: Vec<&Sample> = known.iter().copied().filter(|s| s.at >= now - range && s.at <= now).collect();
    let gauges = || seen.iter().map(|sample| sample.gauge);
    let value = match settings.signal {
        Signal::Latest => known.last().map(|sample| sample.gauge),
        Signal::Rate { .. } => match effect {
            Effect::Requests { .. } => {
                let bad = rate(&seen, now, range, |sample| sample.bad_requests);
                let all = rate(&seen, now, range, |sample| sample.requests);
                bad.zip(all).map(|(bad, all)| bad / all * 100.0).filter(|share| share.is_finite())
            }
            // The rule counts whole events.
            Effect::Repeated { .. } => rate(&seen, now, range, |sample| sample.counter).map(f64::round),
            _ => rate(&seen, now, range, |sample| sample.counter),
        },
        Signal::Count { .. } => match seen.as_slice() {
            [first, .., last] => Some(last.events - first.events),
            _ => None,
        },
        Signal::Quantile { quantile, .. } => {
            let bad = rate(&seen, now, range, |sample| sample.bad_requests);
            let all = rate(&seen, now, range, |sample| sample.requests);
            return bad.zip(all).is_some_and(|(bad, all)| bad / all > 1.0 - quantile + 1e-9);
        }
        Signal::Mean { .. } => (!seen.is_empty()).then(|| gauges().sum::<f64>() / seen.len() as f64),
        Signal::Highest { .. } => gauges().max_by(f64::total_cmp),
        Signal::Lowest { .. } => gauges().min_by(f64::total_cmp),
        Signal::Trend { ahead, .. } => line(&seen, now + ahead.as_millis() as Ms),
        Signal::Missing { range } if range.is_zero() => {
            known.last().map(|sample| f64::from(u8::from(sample.is_missing)))
        }
        Signal::Missing { .. } => {
            (!seen.is_empty()).then(|| f64::from(u8::from(seen.iter().all(|sample| sample.is_missing))))
        }
    };
    value.is_some_and(|value| settings.threshold.holds((value * 1e7).round() / 1e7))
}

/// The watched system: its value at one moment, and counters that grow with it.
struct World {
    effect: Effect,
    counter: f64,
    requests: f64,
    bad_requests: f64,
    /// For how long the event has been repeating, in seconds.
    repeating: f64,
    events: f64,
}

impl World {
    /// The value at this progress of the fault, from 0 to 1.
    fn gauge(&self, progress: f64) -> f64 {
        match self.effect {
            Effect::Load(load) => load.baseline + progress * (load.utilisation() - load.baseline),
            Effect::Level { normal, faulty, .. } => normal + progress * (faulty - normal),
            Effect::Silence { .. } => 1.0 - progress,
            Effect::Requests { .. } | Effect::Repeated { .. } => 0.0,
        }
    }

    fn pass(&mut self, settings: &TimingSettings, progress: f64) {
        let seconds = STEP as f64 / 1000.0;
        self.counter += seconds * self.gauge(progress);
        if let Effect::Repeated { faulty, every, .. } = self.effect
            && progress > 0.0
        {
            // Each event adds what the mean over the range then shows as one more.
            let times = |seconds: f64| (seconds / every.as_secs_f64() - 1e-9).floor();
            let more = times(self.repeating + seconds) - times(self.repeating);
            self.counter += more * faulty * every.as_secs_f64();
            self.repeating += seconds;
        }
        if let Effect::Requests { users, drill } = self.effect {
            self.requests += seconds * (users.per_second + progress * drill.per_second);
            self.bad_requests +=
                seconds * (users.per_second * users.bad + progress * drill.per_second * drill.bad);
        } else {
            let is_bad = settings.threshold.holds(self.gauge(progress));
            self.requests += seconds;
            self.bad_requests += if is_bad { seconds } else { 0.0 };
        }
    }
}

/// The progress of the fault at a moment, from 0 to 1.
fn progress(fault: &Fault, at: f64, off: Option<Ms>) -> f64 {
    let rise = fault.effect.rise().as_millis() as f64;
    if at < 0.0 || off.is_some_and(|off| at >= off as f64) {
        0.0
    } else if at >= rise {
        1.0
    } else {
        at / rise
    }
}

/// Plays the case from long before the fault until long after it, without any delay.
pub fn play(settings: &TimingSettings, fault: &Fault, phase: Phase) -> Walk {
    run(settings, fault, phase, STEP, &mut |_| 0)
}

/// The same with the delays of real processes, polling twice a second; times since the clock started.
pub fn play_late(settings: &TimingSettings, fault: &Fault, phase: Phase, delay: Delay) -> Walk {
    let walk = run(settings, fault, phase, 500, delay);
    let begins = BEGINS_BEFORE - delay(BEGINS_WITHIN);
    let mut seen = |time: Option<Ms>| time.map(|time| time - begins + delay(500));
    Walk {
        above: seen(walk.above),
        pending: seen(walk.pending),
        firing: seen(walk.firing),
        flush: seen(walk.flush),
        tie: walk.tie,
        delivered: seen(walk.delivered),
        off: seen(walk.off),
        below: seen(walk.below),
        resolved: seen(walk.resolved),
        resolved_delivered: seen(walk.resolved_delivered),
    }
}

fn run(settings: &TimingSettings, fault: &Fault, phase: Phase, look: Ms, delay: Delay) -> Walk {
    let off = match fault.ending {
        Ending::After(time) => Some(ms(time)),
        Ending::WhenDelivered => None,
    };
    let world = World {
        effect: fault.effect,
        counter: 0.0,
        requests: 0.0,
        bad_requests: 0.0,
        repeating: 0.0,
        events: 0.0,
    };
    let mut play = Play {
        settings,
        fault,
        phase,
        delay,
        is_late: look > STEP,
        world,
        samples: vec![],
        walk: Walk { off, ..Walk::default() },
        active_at: None,
        gone_at: None,
        next_evaluation: None,
        next_flush: None,
        retry_at: None,
        pause: FIRST_PAUSE,
        refusals: settings.refusals,
    };
    let mut now = -(ms(settings.range()) + 3 * ms(settings.scrape_interval));
    while now < 1_000_000 && !play.is_over() {
        play.pass(now);
        play.scrape(now);
        if now >= 0 && now % look == 0 {
            play.look(now);
        }
        play.evaluate(now);
        play.notify(now);
        now += STEP;
    }
    play.walk
}

fn ms(duration: std::time::Duration) -> Ms {
    duration.as_millis() as Ms
}

/// A pipeline that is played.
struct Play<'a> {
    settings: &'a TimingSettings,
    fault: &'a Fault,
    phase: Phase,
    delay: Delay<'a>,
    is_late: bool,
    world: World,
    samples: Vec<Sample>,
    walk: Walk,
    active_at: Option<Ms>,
    gone_at: Option<Ms>,
    next_evaluation: Option<Ms>,
    next_flush: Option<Ms>,
    retry_at: Option<Ms>,
    pause: f64,
    refusals: Refusals,
}

impl Play<'_> {
    fn progress(&self, at: f64) -> f64 {
        progress(self.fault, at, self.walk.off)
    }

    fn is_true(&self, now: Ms) -> bool {
        is_true(self.settings, &self.fault.effect, &self.samples, now)
    }

    /// A delay in whole steps.
    fn late(&mut self, most: Ms) -> Ms {
        (self.delay)(most) / STEP * STEP
    }

    /// The step that ends now.
    fn pass(&mut self, now: Ms) {
        let progress = self.progress((now - STEP / 2) as f64);
        self.world.pass(self.settings, progress);
        let every = match (self.settings.signal, self.fault.effect) {
            (Signal::Count { range }, Effect::Level { normal, faulty, .. }) => {
                Some(range.as_millis() as f64 / (faulty - normal))
            }
            (Signal::Count { .. }, Effect::Repeated { every, .. }) => Some(every.as_millis() as f64),
            _ => None,
        };
        if let Some(every) = every {
            while self.world.events * every <= now as f64 && self.progress(self.world.events * every) > 0.0 {
                self.world.events += 1.0;
            }
        }
    }

    fn scrape(&mut self, now: Ms) {
        let interval = ms(self.settings.scrape_interval);
        if (now - self.phase.scrape).rem_euclid(interval) != 0 {
            return;
        }
        let oldest = now - ms(self.settings.range()) - 3 * interval;
        self.samples.retain(|sample| sample.at >= oldest);
        let progress = self.progress(now as f64);
        let is_silent = matches!(self.fault.effect, Effect::Silence { .. }) && progress > 0.0;
        let noticed = if is_silent { ms(self.fault.effect.noticed_after()) } else { 0 };
        self.samples.push(Sample {
            at: now,
            known: now + noticed + (self.delay)(SCRAPE_TAKES),
            is_missing: progress >= 1.0,
            gauge: self.world.gauge(progress),
            counter: self.world.counter,
            requests: self.world.requests,
            bad_requests: self.world.bad_requests,
            events: self.world.events,
        });
    }

    /// A query of the expression by an observer.
    fn look(&mut self, now: Ms) {
        let Walk { above, off, below, .. } = self.walk;
        let is_off = off.is_some_and(|off| now >= off);
        if above.is_none() && self.is_true(now) {
            self.walk.above = Some(now);
        } else if above.is_some() && is_off && below.is_none() && !self.is_true(now) {
            self.walk.below = Some(now);
        }
    }

    fn evaluate(&mut self, now: Ms) {
        let interval = ms(self.settings.evaluation_interval);
        if now >= 0 && (now - self.phase.evaluation).rem_euclid(interval) == 0 {
            self.next_evaluation = Some(now + self.late(EVALUATION_TAKES));
        }
        if self.next_evaluation != Some(now) {
            return;
        }
        // However late it is, Prometheus evaluates as of the tick.
        let tick = now - (now - self.phase.evaluation).rem_euclid(interval);
        if !self.is_true(now) {
            if self.walk.firing.is_some() {
                let since = *self.gone_at.get_or_insert(tick);
                if tick - since < ms(self.settings.keep_firing) {
                    return;
                }
            }
            self.active_at = None;
            if self.walk.firing.is_some() && self.walk.resolved.is_none() {
                self.walk.resolved = Some(now);
                self.walk.tie = self.next_flush == Some(now) && self.walk.flush.is_none();
            }
            return;
        }
        self.gone_at = None;
        let since = *self.active_at.get_or_insert(tick);
        self.walk.pending.get_or_insert(now);
        if tick - since >= ms(self.settings.hold) && self.walk.firing.is_none() {
            self.walk.firing = Some(now);
            self.next_flush = Some(self.first_flush(now));
        }
    }

    /// When Alertmanager flushes the group after an alert arrived.
    fn first_flush(&mut self, now: Ms) -> Ms {
        let arrives = now + self.late(SENDING_TAKES);
        if !self.settings.joins {
            return arrives + ms(self.settings.group_wait);
        }
        let mut tick = self.phase.group;
        while tick < arrives {
            tick += ms(self.settings.group_interval);
        }
        tick
    }

    fn notify(&mut self, now: Ms) {
        let is_tick = self.next_flush == Some(now);
        if is_tick {
            self.next_flush = Some(now + ms(self.settings.group_interval));
            (self.retry_at, self.pause) = (None, FIRST_PAUSE);
        } else if self.retry_at != Some(now) {
            return;
        }
        if self.walk.delivered.is_some() {
            if self.walk.resolved.is_some() && self.settings.send_resolved {
                self.walk.resolved_delivered.get_or_insert(now);
            }
            return;
        }
        let has_begun = self.walk.flush.is_some();
        let is_over = self.walk.resolved.is_some_and(|at| at < now || (at == now && has_begun));
        if is_tick && is_over {
            // A resolved alert is not sent.
            self.next_flush = None;
            return;
        }
        self.walk.flush.get_or_insert(now);
        self.request(now);
    }

    /// One request to the receiver.
    fn request(&mut self, now: Ms) {
        match self.refusals {
            Refusals::Failed(times) if times > 0 => {
                self.refusals = Refusals::Failed(times - 1);
                let factor = if self.is_late { 0.5 + (self.delay)(1_000) as f64 / 1_000.0 } else { 1.0 };
                let pause = ((self.pause * factor).round() as Ms / STEP).max(1) * STEP;
                self.retry_at = Some(now + pause);
                self.pause *= 1.5;
            }
            Refusals::Refused(times) if times > 0 => self.refusals = Refusals::Refused(times - 1),
            _ => {
                self.walk.delivered = Some(now);
                self.retry_at = None;
                self.walk.off.get_or_insert(now);
            }
        }
    }

    /// Whether nothing more can happen.
    fn is_over(&self) -> bool {
        let Walk { firing, delivered, below, resolved, resolved_delivered, .. } = self.walk;
        let expects_resolved = self.settings.send_resolved && delivered.is_some();
        let is_finished = resolved_delivered.is_some() || !expects_resolved;
        let is_lost = firing.is_some() && self.next_flush.is_none();
        resolved.is_some() && below.is_some() && (delivered.is_some() || is_lost) && is_finished
    }
}
