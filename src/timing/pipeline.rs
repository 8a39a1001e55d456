//! The path of one alert through the pipeline for one choice of phases, in integer milliseconds from the beginning of
//! the fault. Deterministic; `predict` walks it for many phases.
//!
//! What is modelled, with the corresponding functions in the sources:
//! - `samples` computes what a rule sees at an evaluation.
//! - A rule becomes pending at the first evaluation that is true, fires at the first one that is still
//!   true `for` later, and resolves at the first one that is false, or, where it is false for `keep_firing_for`, at the
//!   first one after that (`AlertingRule.Eval`). Changes are sent at once.
//! - Alertmanager sends the first notification of a group `group_wait` after the alert arrived, and checks the group
//!   every `group_interval` from then on (`aggrGroup.run`). An alert that resolved before the first notification is
//!   never sent (`DedupStage.needsUpdate`).
//! - A request that fails is retried after 0.5 s, 0.75 s, 1.1 s and so on, each longer or shorter by half at
//!   random (`RetryStage` with the defaults of its backoff), until `group_interval`, at least 10 s, has passed; then,
//!   and where the receiver refuses, again at the group's next tick.

use super::fault_model::{Ending, Fault};
use super::samples::Course;
use super::settings::{Refusals, TimingSettings};
use super::time::{Ms, ms, next_tick};

/// Minimum time for which a failed request is retried (`notify.MinTimeout`).
const RETRIED_FOR: Ms = 10_000;
/// The first pause before a failed request is retried, and the factor by which each further pause grows.
const FIRST_PAUSE: f64 = 500.0;
const GROWTH: f64 = 1.5;
/// Maximum pause.
const LONGEST_PAUSE: f64 = 60_000.0;

/// Settings and fault in integer milliseconds and fractions.
#[derive(Debug, Clone, Copy)]
pub struct PipelineInput {
    pub scrape: Ms,
    pub evaluation: Ms,
    pub group_interval: Ms,
    course: Course,
    hold: Ms,
    keep_firing: Ms,
    group_wait: Ms,
    joins: bool,
    send_resolved: bool,
    refusals: Refusals,
    ending: Option<Ms>,
}

/// When the clocks tick: their first tick at or after the beginning of the fault.
#[derive(Debug, Clone, Copy)]
pub struct Phase {
    pub scrape: Ms,
    pub evaluation: Ms,
    /// The group's; it matters only if Alertmanager has already sent other alerts of the group.
    pub group: Ms,
}

/// When each stage was reached; `None` if it was not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Walk {
    pub above: Option<Ms>,
    pub pending: Option<Ms>,
    pub firing: Option<Ms>,
    /// Alertmanager sends the first notification.
    pub flush: Option<Ms>,
    /// The alert resolves at the exact moment of the first notification: which comes first is a race.
    pub tie: bool,
    /// The receiver has the notification, if the pauses after failed requests are of average length.
    pub delivered: Option<Ms>,
    pub off: Option<Ms>,
    pub below: Option<Ms>,
    pub resolved: Option<Ms>,
    pub resolved_delivered: Option<Ms>,
}

impl PipelineInput {
    pub fn new(settings: &TimingSettings, fault: &Fault) -> Self {
        Self {
            scrape: ms(settings.scrape_interval).max(1),
            evaluation: ms(settings.evaluation_interval).max(1),
            group_interval: ms(settings.group_interval).max(1),
            course: Course::new(settings, fault),
            hold: ms(settings.hold),
            keep_firing: ms(settings.keep_firing),
            group_wait: ms(settings.group_wait),
            joins: settings.joins,
            send_resolved: settings.send_resolved,
            refusals: settings.refusals,
            ending: match fault.ending {
                Ending::After(time) => Some(ms(time)),
                Ending::WhenDelivered => None,
            },
        }
    }

    /// Walks the whole path.
    pub fn walk(&self, phase: Phase) -> Walk {
        let mut walk = self.fate(phase);
        walk.above = self.crossing(phase, 0, self.ending, |above| above);
        if let (Some(above), Some(off)) = (walk.above, walk.off) {
            walk.below = self.crossing(phase, above.max(off), Some(off), |above| !above);
        }
        walk
    }

    /// Walks from the first evaluation on: everything that decides whether the alert is delivered.
    pub fn fate(&self, phase: Phase) -> Walk {
        let mut walk = Walk { off: self.ending, ..Walk::default() };
        self.evaluate(phase, &mut walk);
        if let Some(firing) = walk.firing {
            let flush = if self.joins {
                next_tick(phase.group, self.group_interval, firing)
            } else {
                firing + self.group_wait
            };
            self.notify(phase, flush, &mut walk);
        }
        walk
    }

    /// Alertmanager's side: the first notification at `flush`, unless the alert resolved before, and the resolved one.
    fn notify(&self, phase: Phase, flush: Ms, walk: &mut Walk) {
        walk.tie = walk.resolved == Some(flush);
        if walk.resolved.is_some_and(|resolved| resolved < flush) {
            return;
        }
        walk.flush = Some(flush);
        let Refused { ticks, pause } = self.refused(1.0);
        let again = flush + ticks * self.group_interval;
        // An alert that resolved meanwhile is not sent at a later tick.
        if ticks > 0 && walk.resolved.is_some_and(|resolved| resolved <= again) {
            return;
        }
        let delivered = again + pause;
        walk.delivered = Some(delivered);
        if self.ending.is_none() {
            walk.off = walk.delivered;
            walk.resolved = self.resolution(phase, delivered);
        }
        walk.resolved_delivered =
            walk.resolved.filter(|_| self.send_resolved).map(|at| self.tick_after(again, at));
    }

    /// The delay caused by the receiver's refusals, with all pauses scaled by `factor`.
    pub fn refused(&self, factor: f64) -> Refused {
        match self.refusals {
            Refusals::None => Refused { ticks: 0, pause: 0 },
            Refusals::Refused(times) => Refused { ticks: times.into(), pause: 0 },
            Refusals::Failed(times) => self.failed(times, factor),
        }
    }

    fn failed(&self, times: u16, factor: f64) -> Refused {
        let budget = self.group_interval.max(RETRIED_FOR);
        let (mut ticks, mut passed, mut pause) = (0, 0, FIRST_PAUSE);
        for _ in 0..times {
            #[expect(clippy::cast_possible_truncation, reason = "a pause of at most a minute and a half")]
            let rounded = (pause * factor).round() as Ms;
            passed += rounded;
            pause = (pause * GROWTH).min(LONGEST_PAUSE);
            if passed > budget {
                (passed, pause) = (0, FIRST_PAUSE);
                ticks += 1 + (budget - 1) / self.group_interval;
            }
        }
        Refused { ticks, pause: passed }
    }

    /// Prometheus' side, until the alert resolves or nothing can change any more.
    fn evaluate(&self, phase: Phase, walk: &mut Walk) {
        let mut active: Option<Ms> = None;
        let mut gone: Option<Ms> = None;
        let mut at = phase.evaluation;
        while at <= self.last_change(self.ending) {
            let is_true = self.is_above(phase, at, self.ending);
            gone = if is_true || walk.firing.is_none() { None } else { gone.or(Some(at)) };
            let is_above = is_true || gone.is_some_and(|since| at - since < self.keep_firing);
            active = if is_above { active.or(Some(at)) } else { None };
            if let Some(since) = active {
                walk.pending.get_or_insert(since);
                if at - since >= self.hold {
                    walk.firing.get_or_insert(at);
                }
            }
            if walk.firing.is_some() && (!is_above || self.ending.is_none()) {
                walk.resolved = (!is_above).then_some(at);
                return;
            }
            at = self.next_evaluation(phase, at, active);
        }
    }

    /// The next evaluation that can change anything. While the whole range lies in the fault, the value is constant, so
    /// a long `for` is skipped in one step.
    fn next_evaluation(&self, phase: Phase, at: Ms, active: Option<Ms>) -> Ms {
        let next = at + self.evaluation;
        let is_steady = at >= self.course.memory() && self.course.settles();
        let Some(since) = active.filter(|_| is_steady) else { return next };
        let due = next_tick(phase.evaluation, self.evaluation, since + self.hold);
        let until = if at < due { due } else { Ms::MAX };
        let last_in_fault = self.ending.map_or(Ms::MAX, |off| {
            phase.evaluation + (off - phase.evaluation).div_euclid(self.evaluation) * self.evaluation
        });
        let leap = until.min(last_in_fault);
        if leap == Ms::MAX { next } else { leap.max(next) }
    }

    /// The first evaluation after `off` at which the rule is false.
    fn resolution(&self, phase: Phase, off: Ms) -> Option<Ms> {
        let mut at = next_tick(phase.evaluation, self.evaluation, off);
        while at <= self.last_change(Some(off)) {
            if !self.is_above(phase, at, Some(off)) {
                return Some(next_tick(phase.evaluation, self.evaluation, at + self.keep_firing));
            }
            at += self.evaluation;
        }
        None
    }

    /// The group's first tick from `at` on, after its first notification.
    fn tick_after(&self, flush: Ms, at: Ms) -> Ms {
        next_tick(flush, self.group_interval, at).max(flush + self.group_interval)
    }

    /// After this time no evaluation changes anything.
    fn last_change(&self, off: Option<Ms>) -> Ms {
        let memory = self.course.memory() + self.scrape + 2 * self.evaluation;
        off.unwrap_or(memory + self.hold) + memory + self.keep_firing
    }

    /// The first moment from `from` on at which a query finds the wanted side of the threshold.
    fn crossing(&self, phase: Phase, from: Ms, off: Option<Ms>, wanted: impl Fn(bool) -> bool) -> Option<Ms> {
        let end = from + self.course.memory() + self.scrape;
        let first = |mut row: _| Iterator::find(&mut row, |&at| wanted(self.is_above(phase, at, off)));
        self.course.changes(phase.scrape, from, end).map(first).into_iter().flatten().min()
    }

    fn is_above(&self, phase: Phase, at: Ms, off: Option<Ms>) -> bool {
        self.course.is_true(phase.scrape, at, off)
    }
}

/// The delay caused by refused requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// Ticks of the group.
    pub ticks: Ms,
    /// Pauses after these ticks.
    pub pause: Ms,
}
