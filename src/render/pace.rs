//! The intervals of a spec by which the catalogue decides what nobody chose: windows, and how long alerts wait. Used by
//! `parameters`.

use crate::spec::{Counts, Monitoring, PromDuration, Spec};

/// The intervals of a spec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    /// Between two scrapes of a target.
    pub scrape: PromDuration,
    /// Between two evaluations of a rule.
    pub evaluation: PromDuration,
    /// Between two messages of a group of alerts, and so between two tries of a message that was refused.
    pub message: PromDuration,
}

/// Alertmanager's own `group_interval` where the spec has none.
const GROUP_INTERVAL: PromDuration = PromDuration::seconds(5 * 60);

/// `rate` sees at least three steps in so many scrapes even where one of them fails.
const SCRAPES: u64 = 4;
/// In so many turns of what counts there are at least two, wherever the window begins.
const TURNS: u64 = 3;

impl Pace {
    pub fn of(spec: &Spec) -> Self {
        let message = spec.notify.group_interval.unwrap_or(GROUP_INTERVAL);
        Self { message, ..Self::of_monitoring(&spec.monitoring) }
    }

    /// That of a spec that says nothing of it.
    pub fn usual() -> Self {
        Self::of_monitoring(&Monitoring::default())
    }

    const fn of_monitoring(monitoring: &Monitoring) -> Self {
        Self {
            scrape: monitoring.scrape_interval,
            evaluation: monitoring.evaluation_interval,
            message: GROUP_INTERVAL,
        }
    }

    /// The shortest window that a rate of these counters needs, in whole seconds.
    pub fn least_window(&self, counts: Counts) -> PromDuration {
        let turns = match counts {
            Counts::Scrapes => PromDuration::millis(0),
            Counts::Evaluations => times(self.evaluation, TURNS),
            Counts::Messages => times(self.message, TURNS),
        };
        let least = times(self.scrape, SCRAPES).max(turns);
        PromDuration::seconds(least.as_millis().div_ceil(1000))
    }
}

const fn times(interval: PromDuration, count: u64) -> PromDuration {
    PromDuration::millis(interval.as_millis().saturating_mul(count))
}
