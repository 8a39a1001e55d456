//! The settings that decide when an alert is delivered, taken from the spec.

use std::time::Duration;

use serde::Serialize;

use crate::duration::{PromDuration, millis};
use crate::promql::{PERCENT, Reading, Signal, Threshold, read};
use crate::render::Rule;
use crate::spec::{Spec, ThresholdUnit};

/// The settings that decide when an alert is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TimingSettings {
    /// How often targets are scraped.
    #[serde(serialize_with = "millis")]
    pub scrape_interval: Duration,
    /// How often the rule is evaluated.
    #[serde(serialize_with = "millis")]
    pub evaluation_interval: Duration,
    /// How its expression looks back.
    pub signal: Signal,
    /// When its expression is true.
    pub threshold: Threshold,
    /// The rule's `for`.
    #[serde(serialize_with = "millis")]
    pub hold: Duration,
    /// The rule's `keep_firing_for`.
    #[serde(serialize_with = "millis", skip_serializing_if = "Duration::is_zero")]
    pub keep_firing: Duration,
    /// How long Alertmanager waits before the first notification of a group.
    #[serde(serialize_with = "millis")]
    pub group_wait: Duration,
    /// How long it waits between notifications of a group; the resolved notification goes out at such a tick.
    #[serde(serialize_with = "millis")]
    pub group_interval: Duration,
    /// Whether Alertmanager has already sent others of the group, so that this one waits for the group's next tick.
    pub joins: bool,
    /// Whether a resolved notification is sent.
    pub send_resolved: bool,
    /// The requests that the receiver refuses before it accepts one.
    pub refusals: Refusals,
}

/// Requests that the receiver does not accept at first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusals {
    /// It accepts the first request.
    #[default]
    None,
    /// This many requests fail (5xx, no answer): Alertmanager retries within seconds.
    Failed(u16),
    /// This many requests are refused (4xx, including 429): Alertmanager retries at the group's next tick.
    Refused(u16),
}

impl TimingSettings {
    /// The settings of a rule in this spec; `None` if its expression does not compare a value with a number.
    pub fn of_rule(spec: &Spec, rule: &Rule) -> Option<Self> {
        let scrape_interval = spec.monitoring.scrape_interval.get();
        let reading = read(rule.meaning.known()?, scrape_interval)?;
        let route = spec.notify.route(&rule.name, &rule.labels);
        Some(Self {
            scrape_interval,
            evaluation_interval: rule.interval(spec).get(),
            signal: reading.signal,
            threshold: Threshold {
                comparison: reading.comparison,
                value: reading.value,
                unit: unit(rule, &reading),
            },
            hold: rule.hold.map_or(Duration::ZERO, PromDuration::get),
            keep_firing: rule.keep_firing_for.map_or(Duration::ZERO, PromDuration::get),
            group_wait: route.group_wait().get(),
            group_interval: route.group_interval().get(),
            joins: false,
            send_resolved: route.send_resolved(),
            refusals: Refusals::None,
        })
    }

    /// The settings of many tutorials: 15 s scrapes and evaluations, `rate[1m]`, `for: 1m`, Alertmanager's defaults.
    pub const fn classic() -> Self {
        Self {
            scrape_interval: Duration::from_secs(15),
            evaluation_interval: Duration::from_secs(15),
            signal: Signal::Rate { range: Duration::from_mins(1) },
            threshold: Threshold::above(80.0),
            hold: Duration::from_mins(1),
            keep_firing: Duration::ZERO,
            group_wait: Duration::from_secs(30),
            group_interval: Duration::from_mins(5),
            joins: false,
            send_resolved: false,
            refusals: Refusals::None,
        }
    }

    /// How far back the expression looks.
    pub const fn range(&self) -> Duration {
        self.signal.range()
    }

    /// The longest time that one value of the expression covers: `rate` sees the intervals between the scrapes in its
    /// range, not the rest of the range.
    pub fn seen_by_rate(&self) -> Duration {
        let (range, scrape) = (self.range().as_millis(), self.scrape_interval.as_millis().max(1));
        let whole = u32::try_from(range / scrape).unwrap_or(u32::MAX);
        let exact = range.is_multiple_of(scrape);
        self.scrape_interval * whole.saturating_sub(u32::from(exact))
    }
}

/// The unit of this rule's numbers. The catalogue's unit is that of the parameter `above`, which may not be the number
/// that is compared here; otherwise the unit follows from the form of the expression.
fn unit(rule: &Rule, reading: &Reading) -> &'static str {
    let is_of_catalogue = |above: f64| (above - reading.value).abs() <= 1e-9 * above.abs().max(1.0);
    match rule.unit.filter(|_| rule.above.is_some_and(is_of_catalogue)) {
        Some(ThresholdUnit::Percent) => "%",
        Some(ThresholdUnit::Seconds) => " s",
        _ if reading.bounds == PERCENT => "%",
        _ if reading.is_bytes => " bytes",
        _ => "",
    }
}
