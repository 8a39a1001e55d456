//! The settings that decide when an alert arrives, taken from the spec.

use std::time::Duration;

use serde::Serialize;

use crate::spec::{PromDuration, Spec};

/// Alertmanager's defaults, where the spec leaves the choice to it (`DefaultRouteOpts` of its dispatcher).
const GROUP_WAIT: PromDuration = PromDuration::seconds(30);
const GROUP_INTERVAL: PromDuration = PromDuration::seconds(5 * 60);

/// What decides when an alert on CPU load arrives.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Settings {
    /// How often node exporter is scraped.
    pub scrape_interval: Duration,
    /// How often the rule is evaluated.
    pub evaluation_interval: Duration,
    /// The range of the expression's `rate`.
    pub range: Duration,
    /// The rule's `for`.
    pub hold: Duration,
    /// The threshold, in percent.
    pub above: f64,
    /// How long Alertmanager waits before the first message of a group.
    pub group_wait: Duration,
    /// How long it waits between messages of a group; the end of an alert is told at such a tick.
    pub group_interval: Duration,
    /// Whether the end is told at all.
    pub send_resolved: bool,
}

impl Settings {
    /// The settings for a rule with this range, hold and threshold in this spec.
    pub fn new(spec: &Spec, range: Duration, hold: Duration, above: f64) -> Self {
        let notify = &spec.notify;
        let message = match (&notify.slack, &notify.capture) {
            (Some(slack), _) => Some(&slack.message),
            (None, Some(capture)) => Some(&capture.message),
            (None, None) => None,
        };
        Self {
            scrape_interval: spec.monitoring.scrape_interval.get(),
            evaluation_interval: spec.monitoring.evaluation_interval.get(),
            range,
            hold,
            above,
            group_wait: notify.group_wait.unwrap_or(GROUP_WAIT).get(),
            group_interval: notify.group_interval.unwrap_or(GROUP_INTERVAL).get(),
            send_resolved: message.and_then(|message| message.send_resolved).unwrap_or(true),
        }
    }

    /// The reference's settings: 15 s scrapes and evaluations, `rate[1m]`, `for: 1m`, Alertmanager's defaults.
    pub const fn of_reference() -> Self {
        Self {
            scrape_interval: Duration::from_secs(15),
            evaluation_interval: Duration::from_secs(15),
            range: Duration::from_mins(1),
            hold: Duration::from_mins(1),
            above: 80.0,
            group_wait: Duration::from_secs(30),
            group_interval: Duration::from_mins(5),
            send_resolved: false,
        }
    }

    /// The stretch of time that one value of the expression looks at, at most: with so many scrapes
    /// in the range, `rate` sees the intervals between them and not the rest.
    pub fn seen_by_rate(&self) -> Duration {
        let scrape = self.scrape_interval.as_millis().max(1);
        let whole = u32::try_from(self.range.as_millis() / scrape).unwrap_or(u32::MAX);
        let exact = self.range.as_millis().is_multiple_of(scrape);
        self.scrape_interval * whole.saturating_sub(u32::from(exact))
    }
}

/// The settings of an alert of the catalogue, or of the user's own; `None` where it is no alert on CPU load.
pub(super) fn for_alert(spec: &Spec, name: &str) -> Option<Settings> {
    let alert = spec.alerts.get(name)?;
    let minute = Duration::from_mins(1);
    Some(Settings::new(
        spec,
        minute,
        alert.hold.map_or(minute, PromDuration::get),
        alert.above.unwrap_or(80.0),
    ))
}
