//! Moments on the clock of a prediction, and the ticks of clocks.

use std::time::Duration;

/// Milliseconds since the fault began.
pub type Ms = i64;

/// A duration on this clock, capped so that sums cannot overflow.
pub fn ms(duration: Duration) -> Ms {
    Ms::try_from(duration.as_millis()).unwrap_or(Ms::MAX / 8).min(Ms::MAX / 8)
}

/// The first tick of a clock at or after `at`.
pub fn next_tick(phase: Ms, interval: Ms, at: Ms) -> Ms {
    // `div_euclid` rounds down; negated twice it rounds up.
    phase - (phase - at).div_euclid(interval) * interval
}

pub fn ticks(phase: Ms, interval: Ms, from: Ms, to: Ms) -> impl Iterator<Item = Ms> + use<> {
    let first = next_tick(phase, interval, from);
    (0..).map(move |n| first + n * interval).take_while(move |&at| at <= to)
}
