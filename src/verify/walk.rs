//! One alert's way through the pipeline for one choice of phases, in integer milliseconds from the
//! moment when the load goes on. Deterministic; `predict` walks it for many phases.
//!
//! What is modelled, and where it stands in the sources:
//! - `rate` over a range sees the scrapes inside it. Its extrapolation to the range's ends cancels
//!   out for regular scrapes, so the value is the mean over whole scrape intervals (`extrapolatedRate`).
//! - A rule becomes pending at the first evaluation that is true, fires at the first one that is still
//!   true `for` later, and resolves at the first one that is false (`AlertingRule.Eval`). What changes is sent at once.
//! - Alertmanager sends the first message of a group `group_wait` after the alert came, and looks again
//!   every `group_interval` from then on (`aggrGroup.run`). An alert that resolved before the first
//!   message is never mentioned (`DedupStage.needsUpdate`).

use std::time::Duration;

use super::{Ending, Fault, Settings};

/// Milliseconds since the load went on.
pub type Ms = i64;

/// Settings and fault in integer milliseconds and fractions.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    pub scrape: Ms,
    pub evaluation: Ms,
    range: Ms,
    hold: Ms,
    above: f64,
    group_wait: Ms,
    group_interval: Ms,
    send_resolved: bool,
    busy: f64,
    idle: f64,
    ending: Option<Ms>,
}

/// When the scraper and the evaluator tick: their first tick at or after the load goes on.
#[derive(Debug, Clone, Copy)]
pub struct Phase {
    pub scrape: Ms,
    pub evaluation: Ms,
}

/// When each stage was reached; `None` where it was not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Walk {
    pub above: Option<Ms>,
    pub pending: Option<Ms>,
    pub firing: Option<Ms>,
    /// The first message leaves Alertmanager.
    pub flush: Option<Ms>,
    /// The alert resolves at the very moment of the first message: which comes first is a race.
    pub tie: bool,
    pub off: Option<Ms>,
    pub below: Option<Ms>,
    pub resolved: Option<Ms>,
    pub told: Option<Ms>,
}

pub fn ms(duration: Duration) -> Ms {
    Ms::try_from(duration.as_millis()).unwrap_or(Ms::MAX / 4).min(Ms::MAX / 4)
}

impl Case {
    pub fn new(settings: &Settings, fault: &Fault) -> Self {
        Self {
            scrape: ms(settings.scrape_interval).max(1),
            evaluation: ms(settings.evaluation_interval).max(1),
            range: ms(settings.range),
            hold: ms(settings.hold),
            above: settings.above,
            group_wait: ms(settings.group_wait),
            group_interval: ms(settings.group_interval).max(1),
            send_resolved: settings.send_resolved,
            busy: fault.utilisation(),
            idle: fault.baseline,
            ending: match fault.ending {
                Ending::After(time) => Some(ms(time)),
                Ending::WhenDelivered => None,
            },
        }
    }

    /// Walks the whole way.
    pub fn walk(&self, phase: Phase) -> Walk {
        let mut walk = Walk { off: self.ending, ..Walk::default() };
        walk.above = self.crossing(phase, 0, self.ending, |above| above);
        self.evaluate(phase, &mut walk);
        if let Some(firing) = walk.firing {
            self.notify(phase, firing + self.group_wait, &mut walk);
        }
        if let (Some(above), Some(off)) = (walk.above, walk.off) {
            walk.below = self.crossing(phase, above.max(off), Some(off), |above| !above);
        }
        walk
    }

    /// Alertmanager's side: the first message at `flush`, unless the alert resolved before, and the last.
    fn notify(&self, phase: Phase, flush: Ms, walk: &mut Walk) {
        walk.tie = walk.resolved == Some(flush);
        if walk.resolved.is_some_and(|resolved| resolved < flush) {
            return;
        }
        walk.flush = Some(flush);
        if self.ending.is_none() {
            walk.off = Some(flush);
            walk.resolved = self.resolution(phase, flush);
        }
        walk.told = walk.resolved.filter(|_| self.send_resolved).map(|at| self.tick_after(flush, at));
    }

    /// Prometheus' side, until the alert resolves or nothing can change any more.
    fn evaluate(&self, phase: Phase, walk: &mut Walk) {
        let mut active: Option<Ms> = None;
        let mut at = phase.evaluation;
        while at <= self.last_change(self.ending) {
            let is_above = self.is_above(phase, at, self.ending);
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

    /// The next evaluation worth a look. While the whole range lies under load the value stays as it
    /// is, so a long `for` is crossed in one leap.
    fn next_evaluation(&self, phase: Phase, at: Ms, active: Option<Ms>) -> Ms {
        let next = at + self.evaluation;
        let is_steady = at >= self.range + self.scrape;
        let Some(since) = active.filter(|_| is_steady) else { return next };
        let due = next_tick(phase.evaluation, self.evaluation, since + self.hold);
        let until = if at < due { due } else { Ms::MAX };
        let last_loaded = self.ending.map_or(Ms::MAX, |off| {
            phase.evaluation + (off - phase.evaluation).div_euclid(self.evaluation) * self.evaluation
        });
        let leap = until.min(last_loaded);
        if leap == Ms::MAX { next } else { leap.max(next) }
    }

    /// The first evaluation after `off` at which the rule is false.
    fn resolution(&self, phase: Phase, off: Ms) -> Option<Ms> {
        let mut at = next_tick(phase.evaluation, self.evaluation, off);
        while at <= self.last_change(Some(off)) {
            if !self.is_above(phase, at, Some(off)) {
                return Some(at);
            }
            at += self.evaluation;
        }
        None
    }

    /// Alertmanager's first look at the group from `at` on, after its first message.
    fn tick_after(&self, flush: Ms, at: Ms) -> Ms {
        next_tick(flush, self.group_interval, at).max(flush + self.group_interval)
    }

    /// After this time no evaluation gives anything new.
    fn last_change(&self, off: Option<Ms>) -> Ms {
        let memory = self.range + 2 * self.scrape + 2 * self.evaluation;
        off.unwrap_or(memory + self.hold) + memory
    }

    /// The first moment from `from` on at which a query finds the wanted side of the threshold. The
    /// value changes only when a scrape comes or leaves the range, so only these moments are looked at.
    fn crossing(&self, phase: Phase, from: Ms, off: Option<Ms>, wanted: impl Fn(bool) -> bool) -> Option<Ms> {
        let end = from + self.range + 2 * self.scrape;
        let scrapes = ticks(phase.scrape, self.scrape, from, end);
        let leavings = ticks(phase.scrape + self.range + 1, self.scrape, from, end);
        scrapes.chain(leavings).filter(|&at| wanted(self.is_above(phase, at, off))).min()
    }

    fn is_above(&self, phase: Phase, at: Ms, off: Option<Ms>) -> bool {
        self.value(phase, at, off).is_some_and(|value| value > self.above)
    }

    /// The expression's value: how busy the host was, on average, between the first and the last
    /// scrape in the range. `None` with fewer than two scrapes.
    fn value(&self, phase: Phase, at: Ms, off: Option<Ms>) -> Option<f64> {
        let last = phase.scrape + (at - phase.scrape).div_euclid(self.scrape) * self.scrape;
        let first = next_tick(phase.scrape, self.scrape, at - self.range);
        let seen = last - first;
        if seen <= 0 {
            return None;
        }
        let loaded = (last.min(off.unwrap_or(Ms::MAX)) - first.max(0)).max(0);
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of a drill are far below 2^52")]
        let share = loaded as f64 / seen as f64;
        Some(self.idle + share * (self.busy - self.idle))
    }
}

/// The first tick of a clock at or after `at`.
fn next_tick(phase: Ms, interval: Ms, at: Ms) -> Ms {
    // `div_euclid` rounds down; negated twice it rounds up.
    phase - (phase - at).div_euclid(interval) * interval
}

fn ticks(phase: Ms, interval: Ms, from: Ms, to: Ms) -> impl Iterator<Item = Ms> {
    let first = next_tick(phase, interval, from);
    (0..).map(move |n| first + n * interval).take_while(move |&at| at <= to)
}

#[cfg(test)]
mod tests {
    use super::super::naive::{STEP, play};
    use super::*;

    /// A small generator, so that the cases are the same on every run.
    struct Dice(u64);

    impl Dice {
        fn roll(&mut self, from: i64, to: i64) -> i64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            from + i64::try_from((self.0 >> 33) % u64::try_from(to - from + 1).unwrap()).unwrap()
        }

        fn time(&mut self, from: i64, to: i64) -> Duration {
            Duration::from_millis(u64::try_from(self.roll(from, to) * STEP).unwrap())
        }

        fn case(&mut self) -> (Settings, Fault, Phase) {
            let scrape_interval = self.time(10, 150);
            let evaluation_interval = self.time(10, 150);
            let settings = Settings {
                scrape_interval,
                evaluation_interval,
                range: scrape_interval * 2 + self.time(0, 400),
                hold: self.time(0, 600),
                above: 80.0,
                group_wait: self.time(0, 300),
                group_interval: self.time(10, 600),
                send_resolved: self.roll(0, 1) == 1,
            };
            let ending =
                if self.roll(0, 2) == 0 { Ending::WhenDelivered } else { Ending::After(self.time(10, 2000)) };
            #[expect(clippy::cast_precision_loss)]
            let load = self.roll(700, 1000) as f64 / 10.0;
            let fault = Fault { workers: 4, host_cpus: 4, load, baseline: 3.0, ending };
            let phase = Phase {
                scrape: self.roll(0, ms(scrape_interval) / STEP - 1) * STEP,
                evaluation: self.roll(0, ms(evaluation_interval) / STEP - 1) * STEP,
            };
            (settings, fault, phase)
        }
    }

    #[test]
    fn a_walk_agrees_with_the_pipeline_played_step_by_step() {
        let mut dice = Dice(20_261_124);
        let mut reached = [0; 3];
        for _ in 0..600 {
            let (settings, fault, phase) = dice.case();
            let walked = Case::new(&settings, &fault).walk(phase);
            let mut played = play(&settings, &fault, phase);
            // The step-by-step play sees a scrape leave the range up to a step later than it does, and
            // does not look at what the expression does once it has returned.
            for (mine, theirs) in [(walked.above, &mut played.above), (walked.below, &mut played.below)] {
                if let (Some(mine), Some(theirs)) = (mine, theirs)
                    && (0..=STEP).contains(&(*theirs - mine))
                {
                    *theirs = mine;
                }
            }
            assert_eq!(walked, played, "{settings:?} {fault:?} {phase:?}");
            for (count, stage) in reached.iter_mut().zip([walked.firing, walked.flush, walked.told]) {
                *count += usize::from(stage.is_some());
            }
        }
        assert!(reached.iter().all(|&count| (100..500).contains(&count)), "too uniform: {reached:?}");
    }

    #[test]
    fn where_the_alert_resolves_as_its_message_leaves_the_end_is_told_one_tick_later() {
        let settings = Settings { send_resolved: true, ..Settings::of_reference() };
        let case = Case::new(&settings, &Fault::of_reference(4));
        let walks = (0..150).map(|phase| case.walk(Phase { scrape: phase * 100 + 50, evaluation: 7_000 }));
        let ties: Vec<Walk> = walks.filter(|walk| walk.tie).collect();
        assert!(!ties.is_empty());
        for tie in ties {
            assert_eq!(tie.told, tie.flush.map(|flush| flush + ms(settings.group_interval)));
        }
    }
}
