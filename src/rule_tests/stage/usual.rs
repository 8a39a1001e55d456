//! The usual cases of every alert.

use super::super::scenario::metric_of;
use super::super::time::TestMillis;
use super::{Actor, Check, RuleTrial, TestGroup, words};
use crate::spec::{Sees, Usual};

/// All of them, in the order of the output.
pub(super) const ALL: [Usual; 10] = [
    Usual::Fires,
    Usual::Below,
    Usual::At,
    Usual::Spike,
    Usual::Window,
    Usual::Missing,
    Usual::Vanishing,
    Usual::Survives,
    Usual::Reset,
    Usual::Several,
];

impl RuleTrial<'_> {
    /// The groups of a case; none if it makes no sense.
    pub(super) fn usual(&self, usual: Usual) -> Result<Vec<TestGroup>, String> {
        let group = match usual {
            Usual::Fires => self.fires()?,
            Usual::Below => self.stays_quiet(usual, self.setup.levels.under)?,
            Usual::At => self.stays_quiet(usual, self.threshold()?)?,
            Usual::Spike => self.spike()?,
            Usual::Window => self.window()?,
            Usual::Missing => Some(TestGroup {
                name: words(usual).into(),
                series: vec![],
                checks: vec![self.quiet_at_end()],
            }),
            Usual::Vanishing => return self.vanishing(),
            Usual::Survives => self.survives()?,
            Usual::Reset => self.reset()?,
            Usual::Several => self.several()?,
        };
        Ok(group.into_iter().collect())
    }

    const fn quiet_at_end(&self) -> Check {
        Check::Quiet(self.setup.end)
    }

    /// The threshold as a level, if both have the same unit and arithmetic is exact.
    fn threshold(&self) -> Result<Option<f64>, String> {
        let measured = self.rule.above.filter(|_| self.setup.trial.fault.is_none());
        let level = self.setup.numbers.optional(self.setup.trial.at.as_ref())?;
        Ok(level.or(measured).filter(|_| self.exact))
    }

    /// Fires not one evaluation too early, not one too late.
    fn fires(&self) -> Result<Option<TestGroup>, String> {
        let Some(fault) = self.setup.levels.fault else { return Ok(None) };
        let clock = self.setup.clock;
        let firing = clock.firing(self.setup.onset);
        let actor = Actor::new(1, fault);
        // The value differs until the range is full.
        let full = firing.sure.max(clock.tick(self.setup.memory.range + clock.scrape));
        let mut checks = vec![
            Check::Firing(firing.sure, 1),
            self.alerts(full, &[&actor], &self.series(), &self.setup.numbers)?,
            Check::Firing(full + 2 * clock.evaluation, 1),
        ];
        checks.extend(clock.tick_before(firing.earliest).map(Check::Quiet));
        self.group(words(Usual::Fires), &[actor], checks).map(Some)
    }

    fn stays_quiet(&self, usual: Usual, level: Option<f64>) -> Result<Option<TestGroup>, String> {
        let Some(level) = level else { return Ok(None) };
        self.group(words(usual), &[Actor::new(1, level)], vec![self.quiet_at_end()]).map(Some)
    }

    /// The longest unmistakable fault that is too short to fire.
    fn spike(&self) -> Result<Option<TestGroup>, String> {
        let (clock, memory, levels) = (self.setup.clock, self.setup.memory, self.setup.levels);
        // The expression is true for at most so much longer than the fault.
        let echo = (memory.fall.1.saturating_sub(memory.rise.0)) * clock.scrape;
        let length = clock.scrape_until(clock.hold.saturating_sub(echo));
        if length == 0 || levels.fault.is_none() || self.setup.trial.sees == Sees::Otherwise {
            return Ok(None);
        }
        let begin = self.filled();
        let end = begin + length;
        let mut actor = Actor::new(1, levels.healthy);
        actor.course.extend([(begin, levels.worst), (end, levels.healthy)]);
        let forgotten = clock.falls(&memory, end).sure;
        let looks =
            [clock.tick_before(end), clock.tick_before(forgotten), Some(forgotten + clock.tick(clock.hold))];
        let checks = looks.into_iter().flatten().map(Check::Quiet).collect();
        self.group(words(Usual::Spike), &[actor], checks).map(Some)
    }

    /// An unmistakable fault begins and ends: the range determines when both are noticed.
    fn window(&self) -> Result<Option<TestGroup>, String> {
        let (clock, memory, levels) = (self.setup.clock, self.setup.memory, self.setup.levels);
        if levels.fault.is_none() || self.setup.trial.sees == Sees::Otherwise {
            return Ok(None);
        }
        let begin = self.filled();
        let firing = clock.firing(clock.rises(&memory, begin));
        let long = firing.sure.max(begin + memory.range) + 2 * clock.evaluation;
        let end = clock.scrape_at(long) + clock.scrape;
        let over = clock.falls(&memory, end);
        let mut actor = Actor::new(1, levels.healthy);
        actor.course.extend([(begin, levels.worst), (end, levels.healthy)]);
        let mut checks = vec![Check::Firing(firing.sure, 1), Check::Quiet(over.sure)];
        checks.extend(clock.tick_before(firing.earliest).map(Check::Quiet));
        let last = clock.tick_before(over.earliest).filter(|last| *last > firing.sure);
        checks.extend(last.map(|last| Check::Firing(last, 1)));
        self.group(words(Usual::Window), &[actor], checks).map(Some)
    }

    /// A scrape at which the range is full, after an evaluation with a full range.
    fn filled(&self) -> TestMillis {
        let clock = self.setup.clock;
        clock.scrape_at(clock.tick(self.setup.memory.range + 2 * clock.scrape) + 1)
    }

    fn vanishing(&self) -> Result<Vec<TestGroup>, String> {
        let Some(fault) = self.setup.levels.fault else { return Ok(vec![]) };
        let actor = Actor::new(1, fault);
        let mut groups = Vec::new();
        if self.queries_up() {
            groups.push(self.ending(words(Usual::Vanishing), actor.clone(), 0)?);
            groups.push(self.ending(
                "keeps the last values of a host that died",
                actor.clone(),
                self.held(),
            )?);
            groups.push(self.healthy_death()?);
        } else {
            groups.push(self.ending(words(Usual::Vanishing), actor.clone(), self.held())?);
        }
        let metrics = self.held_metrics();
        for metric in metrics.iter().filter(|_| metrics.len() > 1) {
            let actor = Actor { going: Some((*metric).to_owned()), ..actor.clone() };
            groups.push(self.ending(&format!("resolves when its {metric} ends"), actor, self.held())?);
        }
        groups.extend(self.ended_early(&actor)?);
        Ok(groups)
    }

    /// A healthy host dies.
    fn healthy_death(&self) -> Result<TestGroup, String> {
        let clock = self.setup.clock;
        let from = 2 * clock.scrape;
        let actor = Actor { dies: Some(from), ..Actor::new(1, self.setup.levels.healthy) };
        let checks = [from, from + clock.scrape].map(|at| Check::Calm(clock.tick(at))).to_vec();
        self.group("does not fire for a healthy host that died", &[actor], checks)
    }

    const fn held(&self) -> TestMillis {
        self.setup.memory.held
    }

    /// Whether the alert keeps last values only of failed scrapes, and drops removed series at once.
    fn queries_up(&self) -> bool {
        self.held() > 0 && self.setup.trial.series.iter().any(|series| metric_of(&series.name) == "up")
    }

    /// An alert that fires until `held` after its last data.
    fn ending(&self, name: &str, actor: Actor, held: TestMillis) -> Result<TestGroup, String> {
        let clock = self.setup.clock;
        let firing = clock.firing(self.setup.onset).sure;
        let last = clock.scrape_at(firing);
        let actor = self.without_data(actor, last + clock.scrape, held);
        let mut checks = vec![Check::Firing(firing, 1)];
        if held == 0 {
            checks.push(Check::Quiet(clock.tick(last + clock.scrape + self.setup.memory.range)));
        } else {
            checks.push(Check::Quiet(clock.tick(last + held + 1)));
            let before = clock.tick_before(last + held).filter(|before| *before > firing);
            checks.extend(before.map(|before| Check::Firing(before, 1)));
        }
        self.group(name, &[actor], checks)
    }

    /// An actor whose data end with a scrape: by a failing scrape if the alert keeps last values only then.
    fn without_data(&self, actor: Actor, from: TestMillis, held: TestMillis) -> Actor {
        if held > 0 && self.queries_up() {
            Actor { dies: Some(from), ..actor }
        } else {
            Actor { gone: Some(from), ..actor }
        }
    }

    /// The metrics of this trial that each alone end an alert that would otherwise keep its last values.
    fn held_metrics(&self) -> Vec<&str> {
        // With `Otherwise`, the value may change while one metric is constant: only the catalogue's own parameters are
        // safe.
        if self.held() == 0 || self.setup.trial.sees == Sees::Otherwise && !self.exact {
            return vec![];
        }
        let is_played = |metric: &&String| {
            self.setup.trial.series.iter().any(|series| metric_of(&series.name) == metric.as_str())
        };
        self.needs.iter().filter(is_played).map(String::as_str).collect()
    }

    /// The data end just before the alert would fire.
    fn ended_early(&self, actor: &Actor) -> Result<Option<TestGroup>, String> {
        let (clock, onset, held) = (self.setup.clock, self.setup.onset, self.held());
        let firing = clock.firing(onset);
        let Some(last) = firing.earliest.checked_sub(held + 1) else { return Ok(None) };
        let gone = clock.scrape_until(last) + if held == 0 { 0 } else { clock.scrape };
        if self.setup.trial.sees != Sees::Latest || gone <= onset.sure {
            return Ok(None);
        }
        let actor = self.without_data(actor.clone(), gone, held);
        let checks = vec![Check::Quiet(firing.sure), Check::Quiet(firing.sure + clock.tick(clock.hold))];
        self.group("does not fire after its data have ended", &[actor], checks).map(Some)
    }

    /// One scrape fails while the alert is pending, and one while it fires. Nothing is promised for a rate over fewer
    /// than four scrapes, nor for one that grows until its window is full.
    fn survives(&self) -> Result<Option<TestGroup>, String> {
        let Some(fault) = self.setup.levels.fault else { return Ok(None) };
        let (clock, memory) = (self.setup.clock, self.setup.memory);
        let is_short = memory.range > 0 && memory.range < 4 * clock.scrape;
        if is_short || self.setup.trial.absolute {
            return Ok(None);
        }
        let firing = clock.firing(self.setup.onset).sure;
        let waiting = clock.scrape_until(self.setup.onset.sure + clock.hold / 2);
        let later = clock.scrape_at(firing) + 2 * clock.scrape;
        let missed = [waiting, later].into_iter().filter(|at| *at > self.setup.onset.sure).collect();
        let actor = Actor { missed, ..Actor::new(1, fault) };
        let looks = [firing, later, later + clock.scrape, later + memory.range / 2, later + memory.range];
        let mut looks = looks.map(|at| clock.tick(at)).to_vec();
        looks.dedup();
        let checks = looks.into_iter().map(|at| Check::Firing(at, 1)).collect();
        self.group(words(Usual::Survives), &[actor], checks).map(Some)
    }

    fn reset(&self) -> Result<Option<TestGroup>, String> {
        let Some(fault) = self.setup.levels.fault else { return Ok(None) };
        if self.setup.trial.series.iter().all(|series| series.rate.is_none()) {
            return Ok(None);
        }
        let clock = self.setup.clock;
        let firing = clock.firing(self.setup.onset).sure;
        let reset = clock.scrape_at(firing.max(self.setup.memory.range)) + 2 * clock.scrape;
        let mut actors = vec![Actor { reset: Some(reset), ..Actor::new(1, fault) }];
        if self.has_neighbours() {
            let level = self.setup.levels.under.unwrap_or(self.setup.levels.healthy);
            actors.push(Actor { reset: Some(reset), ..Actor::new(2, level) });
        }
        let looks = [
            reset,
            reset + clock.scrape,
            reset + self.setup.memory.range / 2,
            reset + self.setup.memory.range,
        ];
        let checks = looks.map(|at| Check::Firing(clock.tick(at), 1)).to_vec();
        self.group(words(Usual::Reset), &actors, checks).map(Some)
    }

    fn several(&self) -> Result<Option<TestGroup>, String> {
        let (Some(fault), true) = (self.setup.levels.fault, self.has_neighbours()) else { return Ok(None) };
        let levels = self.setup.levels;
        let mut actors = vec![Actor::new(1, levels.healthy), Actor::new(2, fault)];
        actors.extend(levels.under.map(|under| Actor::new(3, under)));
        let check = self.alerts(self.setup.end, &[&actors[1]], &self.series(), &self.setup.numbers)?;
        self.group(words(Usual::Several), &actors, vec![check]).map(Some)
    }
}
