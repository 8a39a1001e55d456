//! Times of a rule test, in milliseconds since its beginning: scrapes and evaluations both begin at 0.
//!
//! promtool of Prometheus 2 includes a scrape exactly at the beginning of a range, that of Prometheus 3 does not, and
//! the two intervals need not be multiples of each other. So the model gives the last time at which an expression is
//! certainly not true yet, and the first at which it certainly is; with matching intervals, both are the same
//! evaluation.

use super::memory::Memory;
use super::time::TestMillis;
use crate::duration::PromDuration;

/// The intervals of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Clock {
    pub scrape: TestMillis,
    pub evaluation: TestMillis,
    pub hold: TestMillis,
}

/// When something becomes true: at no evaluation before `earliest`, at every one from `sure` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Onset {
    pub earliest: TestMillis,
    pub sure: TestMillis,
}

impl Clock {
    /// The first evaluation at or after a moment.
    pub fn tick(&self, moment: TestMillis) -> TestMillis {
        moment.next_multiple_of(self.evaluation)
    }

    /// The last evaluation before a moment.
    pub fn tick_before(&self, moment: TestMillis) -> Option<TestMillis> {
        Some(moment.checked_sub(1)? / self.evaluation * self.evaluation)
    }

    /// The first scrape at or after a moment.
    pub fn scrape_at(&self, moment: TestMillis) -> TestMillis {
        moment.next_multiple_of(self.scrape)
    }

    /// The last scrape at or before a moment.
    pub fn scrape_until(&self, moment: TestMillis) -> TestMillis {
        moment / self.scrape * self.scrape
    }

    /// The onset of an alert from that of its expression.
    pub fn firing(&self, onset: Onset) -> Onset {
        Onset { earliest: onset.earliest + self.hold, sure: onset.sure + self.tick(self.hold) }
    }

    /// When the expression becomes true after an unmistakable fault began at a scrape.
    pub fn rises(&self, memory: &Memory, began: TestMillis) -> Onset {
        let after = |steps: u64| began + steps * self.scrape;
        Onset { earliest: after(memory.rise.0), sure: self.tick(after(memory.rise.1)) }
    }

    /// When the expression becomes false after the fault ended at a scrape. Before `earliest` it is still true.
    pub fn falls(&self, memory: &Memory, ended: TestMillis) -> Onset {
        let after = |steps: u64| ended + steps * self.scrape;
        Onset { earliest: after(memory.fall.0), sure: self.tick(after(memory.fall.1)) }
    }
}

/// The time in promtool's notation.
pub(super) fn shown(millis: TestMillis) -> PromDuration {
    PromDuration::millis(millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evaluations_are_multiples_of_the_interval() {
        let clock = Clock { scrape: 15_000, evaluation: 10_000, hold: 60_000 };
        assert_eq!((clock.tick(0), clock.tick(1), clock.tick(10_000)), (0, 10_000, 10_000));
        assert_eq!(clock.tick_before(0), None);
        assert_eq!(clock.tick_before(1), Some(0));
        assert_eq!((clock.tick_before(10_000), clock.tick_before(10_001)), (Some(0), Some(10_000)));
        let firing = clock.firing(Onset { earliest: 15_000, sure: 20_000 });
        assert_eq!(firing, Onset { earliest: 75_000, sure: 80_000 });
    }
}
