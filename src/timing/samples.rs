//! What a rule sees at one moment: the samples that Prometheus has by then, the value of the expression, and whether it
//! is beyond the threshold. In closed form, so a range of a day costs no more than a range of a minute.
//!
//! - `rate` sees the scrapes in its range. Its extrapolation to the range's ends cancels out for regular scrapes, so
//!   the value is the mean over whole scrape intervals (`extrapolatedRate`).
//! - `increase` of rare events counts the events between the first scrape and the last, and `changes` the scrapes that
//!   differ. The events of a fault are evenly spaced, and the first happens at once.
//! - `predict_linear` draws the line of least squares through the samples, as seen from the evaluation
//!   (`linearRegression`).
//! - A scrape that fails leaves `up == 0` with the time at which it began, and marks the target's other series as
//!   gone (`scrapeLoop.scrapeAndReport`).

#![expect(clippy::cast_precision_loss, reason = "milliseconds of a drill are far below 2^52")]

use super::fault_model::{Effect, Fault};
use super::settings::TimingSettings;
use super::time::{Ms, ms, next_tick, ticks};
use crate::promql::{Signal, Threshold};

/// A fault as the rule's expression sees it.
#[derive(Debug, Clone, Copy)]
pub struct Course {
    signal: Signal,
    threshold: Threshold,
    effect: Effect,
    scrape: Ms,
    range: Ms,
    rise: Ms,
    noticed_after: Ms,
}

/// The samples that an evaluation sees.
#[derive(Debug, Clone, Copy)]
struct Samples {
    first: Ms,
    last: Ms,
    interval: Ms,
    rise: Ms,
    off: Ms,
}

impl Course {
    pub fn new(settings: &TimingSettings, fault: &Fault) -> Self {
        let scrape = ms(settings.scrape_interval).max(1);
        Self {
            signal: settings.signal,
            threshold: settings.threshold,
            effect: fault.effect,
            scrape,
            range: ms(settings.range()),
            rise: ms(fault.effect.rise()),
            noticed_after: ms(fault.effect.noticed_after()).min(scrape),
        }
    }

    /// Time after the beginning or the end of the fault from which on the value is constant.
    pub const fn memory(&self) -> Ms {
        self.range + self.scrape + self.rise + self.noticed_after
    }

    /// Whether the value is constant once the whole range lies in the fault. A count still varies by one.
    pub const fn settles(&self) -> bool {
        !matches!(self.signal, Signal::Count { .. })
    }

    /// The moments at which the value can change, as three sorted series: a scrape begins, leaves the range, is known
    /// late.
    pub fn changes(&self, phase: Ms, from: Ms, to: Ms) -> [impl Iterator<Item = Ms> + use<>; 3] {
        let scrape = self.scrape;
        let leaving = if self.range > 0 { self.range + 1 } else { 0 };
        [0, leaving, self.noticed_after].map(|shift| ticks(phase + shift, scrape, from, to))
    }

    /// Whether the rule is true.
    pub fn is_true(&self, phase: Ms, at: Ms, off: Option<Ms>) -> bool {
        let Some(samples) = self.samples(phase, at, off.unwrap_or(Ms::MAX / 4)) else { return false };
        let holds = |value: Option<f64>| value.is_some_and(|value| self.threshold.holds(value));
        let value = |share: Option<f64>| share.and_then(|share| self.effect.value(share));
        match self.signal {
            Signal::Latest => holds(value(Some(samples.latest()))),
            Signal::Rate { .. } => holds(value(samples.between())),
            Signal::Count { .. } => holds(self.counted(&samples)),
            Signal::Quantile { quantile, .. } => samples
                .between()
                .is_some_and(|share| self.effect.broken(share, &self.threshold) > 1.0 - quantile + 1e-9),
            Signal::Mean { .. } => holds(value(Some(samples.mean()))),
            Signal::Highest { .. } => holds(self.extreme(&samples, f64::max)),
            Signal::Lowest { .. } => holds(self.extreme(&samples, f64::min)),
            Signal::Trend { ahead, .. } => holds(self.predicted(&samples, at, ms(ahead))),
            Signal::Missing { .. } => holds(Some(f64::from(u8::from(samples.lowest() >= 1.0)))),
        }
    }

    /// The samples in the range that are known at that moment; `None` if there are none.
    fn samples(&self, phase: Ms, at: Ms, off: Ms) -> Option<Samples> {
        let mut last = phase + (at - phase).div_euclid(self.scrape) * self.scrape;
        if (0..off).contains(&last) && at < last + self.noticed_after {
            last -= self.scrape;
        }
        let first = if self.range > 0 { next_tick(phase, self.scrape, at - self.range) } else { last };
        (first <= last).then_some(Samples { first, last, interval: self.scrape, rise: self.rise, off })
    }

    fn extreme(&self, samples: &Samples, choose: fn(f64, f64) -> f64) -> Option<f64> {
        let (lowest, highest) = (self.effect.value(samples.lowest())?, self.effect.value(samples.highest())?);
        Some(choose(lowest, highest))
    }

    /// The events between the first and the last sample; `None` with fewer than two samples.
    fn counted(&self, samples: &Samples) -> Option<f64> {
        let (normal, faulty) = (self.effect.value(0.0)?, self.effect.value(1.0)?);
        let every = self.range as f64 / (faulty - normal).max(1.0);
        let seen = samples.events(samples.last, every) - samples.events(samples.first, every);
        (samples.last > samples.first).then_some(normal + seen)
    }

    fn predicted(&self, samples: &Samples, at: Ms, ahead: Ms) -> Option<f64> {
        let (normal, faulty) = (self.effect.value(0.0)?, self.effect.value(1.0)?);
        let share = samples.line(at + ahead)?;
        Some(normal + share * (faulty - normal))
    }
}

impl Samples {
    /// The progress of the fault at a moment, from 0 to 1.
    fn progress(&self, at: Ms) -> f64 {
        if at < 0 || at >= self.off {
            0.0
        } else if at >= self.rise {
            1.0
        } else {
            at as f64 / self.rise as f64
        }
    }

    fn latest(&self) -> f64 {
        self.progress(self.last)
    }

    /// The mean between the first and the last sample; `None` with fewer than two samples.
    fn between(&self) -> Option<f64> {
        let seen = self.last - self.first;
        // The area under the fault from its beginning.
        let area = |until: Ms| {
            let until = until.min(self.off).max(0);
            let risen = until.min(self.rise) as f64;
            let slope = if self.rise > 0 { risen * risen / 2.0 / self.rise as f64 } else { 0.0 };
            slope + (until - self.rise).max(0) as f64
        };
        (seen > 0).then(|| (area(self.last) - area(self.first)) / seen as f64)
    }

    /// The number of events of the fault until a moment, one every `every` milliseconds from its beginning on.
    fn events(&self, at: Ms, every: f64) -> f64 {
        let last = at.min(self.off - 1);
        if last < 0 { 0.0 } else { (last as f64 / every).floor() + 1.0 }
    }

    fn count(&self) -> Ms {
        (self.last - self.first) / self.interval + 1
    }

    /// The sum of the progress at each sample, and the same sum weighted with the sample's number.
    fn sums(&self) -> (f64, f64) {
        let number = |at: Ms| (next_tick(self.first, self.interval, at) - self.first) / self.interval;
        let within = |at: Ms| number(at).clamp(0, self.count());
        let off = within(self.off);
        let (begun, risen) = (within(0).min(off), within(self.rise).min(off));
        let [rising, full] = [(begun, risen), (risen, off)].map(|(from, to)| Powers::of(from, to));
        if begun == risen {
            return (full.zeroth, full.first);
        }
        // progress = (first + number × interval) / rise
        let (base, step) = (self.first as f64 / self.rise as f64, self.interval as f64 / self.rise as f64);
        (
            full.zeroth + base * rising.zeroth + step * rising.first,
            full.first + base * rising.first + step * rising.second,
        )
    }

    fn mean(&self) -> f64 {
        self.sums().0 / self.count() as f64
    }

    /// The line of least squares through the samples, at a moment; `None` with fewer than two samples.
    fn line(&self, at: Ms) -> Option<f64> {
        let count = self.count();
        if count < 2 {
            return None;
        }
        let (sum, weighted) = self.sums();
        let all = Powers::of(0, count);
        let slope =
            (count as f64 * weighted - all.first * sum) / (count as f64 * all.second - all.first * all.first);
        let mean = sum / count as f64;
        let number = (at - self.first) as f64 / self.interval as f64;
        Some(mean + slope * (number - all.first / count as f64))
    }

    /// The last sample before the end is the highest: the fault never falls before it.
    fn highest(&self) -> f64 {
        let before_end = next_tick(self.first, self.interval, self.off.saturating_sub(self.interval));
        self.progress(self.last.min(before_end.max(self.first)))
    }

    fn lowest(&self) -> f64 {
        self.progress(self.first).min(self.progress(self.last))
    }
}

/// Sums of powers of the whole numbers from `from` up to, but excluding, `to`.
struct Powers {
    zeroth: f64,
    first: f64,
    second: f64,
}

impl Powers {
    fn of(from: Ms, to: Ms) -> Self {
        let below = |n: f64| (n, n * (n - 1.0) / 2.0, n * (n - 1.0) * (2.0 * n - 1.0) / 6.0);
        let (high, low) = (below(to.max(from) as f64), below(from as f64));
        Self { zeroth: high.0 - low.0, first: high.1 - low.1, second: high.2 - low.2 }
    }
}
