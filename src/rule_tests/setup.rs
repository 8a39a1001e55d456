//! Data shared by a trial's cases, computed once from the alert's parameters.

use super::clock::{Clock, Onset};
use super::memory::Memory;
use super::numbers::Numbers;
use super::texts::is_steady;
use super::time::TestMillis;
use crate::duration::PromDuration;
use crate::render::{Parameters, RuleIntervals};
use crate::spec::{Sees, Trial};

/// A trial under certain parameters.
pub(super) struct Setup<'a> {
    pub trial: &'a Trial,
    pub clock: Clock,
    pub memory: Memory,
    /// When the expression becomes true if the fault exists from the beginning.
    pub onset: Onset,
    /// The time at which all effects are visible.
    pub end: TestMillis,
    pub levels: Levels,
    pub numbers: Numbers,
}

/// The levels of faults.
#[derive(Debug, Clone, Copy)]
pub(super) struct Levels {
    pub healthy: f64,
    /// The lowest level that must make the alert fire; none if the threshold cannot be exceeded.
    pub fault: Option<f64>,
    /// The highest level that must not.
    pub under: Option<f64>,
    pub worst: f64,
}

/// Factors by which a fault exceeds the threshold. Several, so that for one of them the value is not at the boundary of
/// two rounded values.
const ABOVE: [f64; 4] = [1.001, 1.0013, 1.0017, 1.0023];
const BELOW: f64 = 0.999;

impl<'a> Setup<'a> {
    /// The setup; none if the trial makes no sense with these parameters.
    ///
    /// # Errors
    /// A trial with an unknown number.
    pub fn of(
        trial: &'a Trial,
        parameters: &Parameters,
        pace: &RuleIntervals,
        clock: Clock,
        value: &str,
    ) -> Result<Option<Self>, String> {
        let mut numbers = base(parameters, pace, clock);
        let window = millis(parameters.window.as_secs_f64());
        if numbers.optional(trial.when.as_ref())?.is_some_and(|when| when <= 0.0) {
            return Ok(None);
        }
        let onset = onset(trial, &numbers, clock, window)?;
        numbers.set("first", seconds(onset.sure));
        let range = if trial.sees == Sees::Latest { 0 } else { window };
        let firing = clock.firing(onset);
        let end = clock.tick(firing.sure.max(range + 2 * clock.scrape + clock.hold) + 2 * clock.evaluation);
        numbers.set("end", seconds(end));
        let levels = levels(trial, parameters, &mut numbers, value)?;
        let share = match numbers.optional(trial.share.as_ref())? {
            Some(share) => share,
            None => share(parameters, levels),
        };
        let kept = parameters.memory.map_or(0, PromDuration::as_millis);
        let memory = Memory::of(trial.sees, window, kept, clock.scrape, share);
        let numbers = numbers.and(&trial.numbers)?;
        Ok(Some(Self { trial, clock, memory, onset, end, levels, numbers }))
    }
}

fn base(parameters: &Parameters, pace: &RuleIntervals, clock: Clock) -> Numbers {
    let mut numbers = Numbers::default();
    for (name, number) in [
        ("above", parameters.above),
        ("traffic", parameters.traffic),
        ("within", parameters.within.map(PromDuration::as_secs_f64)),
        ("window", Some(parameters.window.as_secs_f64())),
        ("hold", Some(seconds(clock.hold))),
        // `for` rounded to evaluations.
        ("wait", Some(seconds(clock.tick(clock.hold)))),
        ("scrape", Some(seconds(clock.scrape))),
        ("evaluation", Some(seconds(clock.evaluation))),
        ("message", Some(pace.message.as_secs_f64())),
        ("memory", parameters.memory.map(PromDuration::as_secs_f64)),
    ] {
        if let Some(number) = number {
            numbers.set(name, number);
        }
    }
    numbers
}

/// When the expression becomes true if the fault exists from the beginning.
fn onset(trial: &Trial, numbers: &Numbers, clock: Clock, window: TestMillis) -> Result<Onset, String> {
    let at = |moment: TestMillis| Onset { earliest: moment, sure: clock.tick(moment) };
    if let Some(first) = numbers.optional(trial.first.as_ref())? {
        return Ok(at(millis(first)));
    }
    Ok(match trial.sees {
        Sees::Latest | Sees::Samples | Sees::Otherwise => at(0),
        // Prometheus extrapolates by up to 1.1 scrape intervals. Until the window is full, a rate lacks what came
        // before the first scrapes; in a ratio this cancels out.
        Sees::Mean if trial.absolute => {
            let extrapolated = clock.scrape + clock.scrape / 10;
            let filled = clock.tick((window + 1).saturating_sub(extrapolated));
            let filled = filled.max(clock.tick(clock.scrape));
            Onset { earliest: filled, sure: filled }
        }
        Sees::Mean => at(clock.scrape),
    })
}

fn levels(
    trial: &Trial,
    parameters: &Parameters,
    numbers: &mut Numbers,
    value: &str,
) -> Result<Levels, String> {
    let most = numbers.optional(trial.most.as_ref())?.unwrap_or(f64::INFINITY);
    let healthy = numbers.value(&trial.healthy)?;
    numbers.set("most", most);
    let mut levels = Levels { healthy, fault: None, under: None, worst: most };
    if let Some(fault) = &trial.fault {
        levels.fault = Some(numbers.value(fault)?);
        levels.under = numbers.optional(trial.under.as_ref())?;
    } else if let Some(above) = parameters.above {
        levels.healthy = healthy.min(above / 2.0);
        levels.fault = passing(trial, numbers, value, above)?.filter(|_| above < most);
        levels.fault =
            levels.fault.map(|fault| if fault < most { fault } else { f64::midpoint(above, most) });
        levels.under = (above > 0.0).then_some(above * BELOW);
    }
    for (name, level) in [("healthy", Some(levels.healthy)), ("fault", levels.fault), ("under", levels.under)]
    {
        if let Some(level) = level {
            numbers.set(name, level);
        }
    }
    levels.worst = match numbers.optional(trial.worst.as_ref())? {
        Some(worst) => worst,
        None if most.is_finite() => most,
        None => levels.fault.unwrap_or(healthy),
    };
    numbers.set("worst", levels.worst);
    Ok(levels)
}

/// A level a little above the threshold whose rounded value is unambiguous.
fn passing(trial: &Trial, numbers: &Numbers, value: &str, above: f64) -> Result<Option<f64>, String> {
    for factor in ABOVE {
        let level = if above > 0.0 { above * factor } else { factor - 1.0 };
        if is_steady(value, shown(trial, numbers, level)?) {
            return Ok(Some(level));
        }
    }
    Ok(Some(above * ABOVE[0]))
}

/// The value of the expression at a level.
///
/// # Errors
/// A trial with an unknown number.
pub(super) fn shown(trial: &Trial, numbers: &Numbers, level: f64) -> Result<f64, String> {
    let shows = numbers.with("level", level).optional(trial.shows.as_ref())?;
    Ok(shows.unwrap_or(level))
}

/// The share of the range that must be faulty while the rest is healthy.
fn share(parameters: &Parameters, levels: Levels) -> f64 {
    let threshold = parameters.above.unwrap_or(0.0);
    let share = (threshold - levels.healthy) / (levels.worst - levels.healthy);
    if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.5 }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "times of a test are small")]
pub(super) fn millis(seconds: f64) -> TestMillis {
    (seconds * 1000.0).round().max(0.0) as TestMillis
}

#[expect(clippy::cast_precision_loss, reason = "times of a test are small")]
pub(super) fn seconds(millis: TestMillis) -> f64 {
    millis as f64 / 1000.0
}
