//! How many scrapes an expression needs to notice that a fault has begun or ended. Bounds, since promtool's versions
//! differ on whether a scrape at the beginning of a range is in it.

use super::time::TestMillis;
use crate::spec::Sees;

/// How far an expression looks back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Memory {
    /// Scrapes after the first faulty one until the fault is noticed: at least, at most.
    pub rise: (u64, u64),
    /// Scrapes after the first healthy one until the end is noticed: at least, at most.
    pub fall: (u64, u64),
    /// Its range; 0 if only the last scrape counts.
    pub range: TestMillis,
    /// How long the last value counts without a new sample; 0 if the next scrape ends it.
    pub held: TestMillis,
}

/// Tolerance for shares that are equal except for rounding.
const ROUNDING: f64 = 1e-6;

impl Memory {
    /// The memory of an expression that is true once more than `share` of its samples is faulty.
    /// `kept` is how long its gauges count without new samples.
    pub fn of(sees: Sees, range: TestMillis, kept: TestMillis, scrape: TestMillis, share: f64) -> Self {
        let scrapes = range / scrape.max(1);
        match sees {
            Sees::Latest => Self { rise: (0, 0), fall: (0, 0), range: 0, held: kept },
            Sees::Otherwise => {
                // A trend over a shorter range ends earlier.
                let held = if range < kept + 2 * scrape { 0 } else { kept };
                Self { rise: (0, 0), fall: (0, 0), range, held }
            }
            Sees::Mean => Self::of_steps([scrapes.saturating_sub(1), scrapes], 0, range, share),
            // The scrape with which the fault begins is the first faulty one.
            Sees::Samples => Self { held: range, ..Self::of_steps([scrapes, scrapes + 1], 1, range, share) },
        }
    }

    /// `seen` is the number of steps in the range: at least, at most.
    fn of_steps(seen: [u64; 2], shift: u64, range: TestMillis, share: f64) -> Self {
        let both = |part: f64| {
            let bounds = seen.map(|steps| more_than(part, steps.max(1)));
            let [(low, high), (other_low, other_high)] = bounds;
            (low.min(other_low) - shift, high.max(other_high) - shift)
        };
        Self { rise: both(share), fall: both(1.0 - share), range, held: 0 }
    }
}

/// How many of `steps` exceed this part of them: the lower bound, and a sufficient number.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn more_than(part: f64, steps: u64) -> (u64, u64) {
    let exact = part * steps as f64;
    let low = (exact - ROUNDING).ceil().max(1.0) as u64;
    let high = (exact + ROUNDING).floor().max(0.0) as u64 + 1;
    (low.min(steps), high.min(steps))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_over_four_scrapes_is_above_four_fifths_after_three_or_four() {
        let memory = Memory::of(Sees::Mean, 60_000, 0, 15_000, 0.8);
        assert_eq!((memory.rise, memory.fall), ((3, 4), (1, 1)));
    }

    #[test]
    fn a_small_share_is_seen_at_once_and_remembered_for_the_whole_range() {
        let memory = Memory::of(Sees::Mean, 120_000, 0, 15_000, 0.05);
        assert_eq!((memory.rise, memory.fall), ((1, 1), (7, 8)));
        let memory = Memory::of(Sees::Samples, 60_000, 0, 15_000, 0.9);
        assert_eq!((memory.rise, memory.fall), ((3, 4), (0, 0)));
    }

    #[test]
    fn the_last_scrape_is_remembered_until_the_next() {
        let memory = Memory::of(Sees::Latest, 60_000, 180_000, 15_000, 0.5);
        assert_eq!((memory.fall, memory.range, memory.held), ((0, 0), 0, 180_000));
    }
}
