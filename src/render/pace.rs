//! The intervals of a spec by which the catalogue decides what nobody chose: windows, and how long alerts wait. Used by
//! `parameters`, and by `warnings`.

use crate::duration::PromDuration;
use crate::spec::{Catalogue, Counts, GROUP_INTERVAL, HOST_DOWN, Monitoring, Spec};

/// The intervals of a spec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    /// Between two scrapes of a target.
    pub scrape: PromDuration,
    /// Between two evaluations of a rule.
    pub evaluation: PromDuration,
    /// Between two messages of a group of alerts, and so between two tries of a message that was refused.
    pub message: PromDuration,
    /// How long a host has to be silent before it is told of.
    pub host_down: PromDuration,
}

/// `rate` sees at least three steps in so many scrapes even where one of them fails.
const SCRAPES: u64 = 4;
/// In so many turns of what counts there are at least two, wherever the window begins.
const TURNS: u64 = 3;

impl Pace {
    pub fn of(spec: &Spec) -> Self {
        let usual = Self::of_monitoring(&spec.monitoring);
        let host_down = spec.alerts.get(HOST_DOWN).and_then(|alert| alert.hold);
        Self {
            message: spec.notify.group_interval.unwrap_or(usual.message),
            host_down: host_down.unwrap_or(usual.host_down),
            ..usual
        }
    }

    /// That of a spec that says nothing of it.
    pub fn usual() -> Self {
        Self::of_monitoring(&Monitoring::default())
    }

    fn of_monitoring(monitoring: &Monitoring) -> Self {
        Self {
            scrape: monitoring.scrape_interval,
            evaluation: monitoring.evaluation_interval,
            message: GROUP_INTERVAL,
            host_down: Catalogue::default()
                .alert(HOST_DOWN)
                .map_or(PromDuration::seconds(0), |entry| entry.hold),
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

    /// How long the last figure of a gauge counts where no new one comes. Long enough for a few failed scrapes, and for
    /// a host that dies: its alerts end only when `HostDown` holds them back, so that nobody is told that they are over.
    /// A scrape that finds it silent, its time limit, an evaluation and a rounded `for` may pass until then.
    pub fn memory(&self) -> PromDuration {
        let told = sum([times(self.scrape, 2), times(self.evaluation, 2), self.host_down]);
        PromDuration::seconds(told.max(times(self.scrape, SCRAPES)).as_millis().div_ceil(1000))
    }

    /// How long an alert has to wait so that `HostDown` is there before it: the two are scraped and evaluated at
    /// different moments.
    pub fn after_host_down(&self) -> PromDuration {
        let evaluation = self.evaluation.as_millis().max(1);
        let told = PromDuration::millis(self.host_down.as_millis().next_multiple_of(evaluation));
        sum([told, self.scrape, self.evaluation])
    }
}

fn sum(durations: impl IntoIterator<Item = PromDuration>) -> PromDuration {
    PromDuration::millis(durations.into_iter().map(PromDuration::as_millis).fold(0, u64::saturating_add))
}

const fn times(interval: PromDuration, count: u64) -> PromDuration {
    PromDuration::millis(interval.as_millis().saturating_mul(count))
}
