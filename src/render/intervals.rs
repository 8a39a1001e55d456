//! The intervals of a spec, from which defaults are computed: windows, and how long alerts are pending. Used by
//! `parameters` and `warnings`.

use crate::duration::PromDuration;
use crate::spec::{Catalogue, Counts, GROUP_INTERVAL, HOST_DOWN, Monitoring, Spec};

/// The intervals of a spec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleIntervals {
    /// Between two scrapes of a target.
    pub scrape: PromDuration,
    /// Between two evaluations of a rule.
    pub evaluation: PromDuration,
    /// Between two notifications of a group of alerts, and so between retries of a rejected notification.
    pub message: PromDuration,
    /// How long a host must be down before `HostDown` fires.
    pub host_down: PromDuration,
}

/// Scrapes in a window: `rate` then has at least three samples even if one scrape fails.
const SCRAPES: u64 = 4;
/// Increments of a counter in a window: at least two are in it, wherever it begins.
const TURNS: u64 = 3;

impl RuleIntervals {
    /// The intervals of a spec.
    pub fn of(spec: &Spec) -> Self {
        let usual = Self::of_monitoring(&spec.monitoring);
        let host_down = spec.alerts.get(HOST_DOWN).and_then(|alert| alert.hold);
        Self {
            message: spec.notify.group_interval.unwrap_or(usual.message),
            host_down: host_down.unwrap_or(usual.host_down),
            ..usual
        }
    }

    /// The default intervals.
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

    /// How long the last value of a gauge counts without a new sample. Long enough for a few failed scrapes, and for a
    /// host that dies: its alerts must not resolve before `HostDown` inhibits them, which would send a resolved
    /// notification. Until then, a failing scrape, its timeout, an evaluation and a rounded `for` may pass.
    pub fn memory(&self) -> PromDuration {
        let inhibited = sum([times(self.scrape, 2), times(self.evaluation, 2), self.host_down]);
        PromDuration::seconds(inhibited.max(times(self.scrape, SCRAPES)).as_millis().div_ceil(1000))
    }

    /// The shortest `for` with which an alert fires after `HostDown`: the two are scraped and evaluated at different
    /// times.
    pub fn after_host_down(&self) -> PromDuration {
        let evaluation = self.evaluation.as_millis().max(1);
        let fires = PromDuration::millis(self.host_down.as_millis().next_multiple_of(evaluation));
        sum([fires, self.scrape, self.evaluation])
    }
}

fn sum(durations: impl IntoIterator<Item = PromDuration>) -> PromDuration {
    PromDuration::millis(durations.into_iter().map(PromDuration::as_millis).fold(0, u64::saturating_add))
}

const fn times(interval: PromDuration, count: u64) -> PromDuration {
    PromDuration::millis(interval.as_millis().saturating_mul(count))
}
