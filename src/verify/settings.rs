//! The settings that decide when an alert arrives, taken from the spec.

use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::event::Millis;
use crate::render::Rule;
use crate::spec::{PromDuration, Spec};

/// Alertmanager's defaults, where the spec leaves the choice to it (`DefaultRouteOpts` of its dispatcher).
const GROUP_WAIT: PromDuration = PromDuration::seconds(30);
const GROUP_INTERVAL: PromDuration = PromDuration::seconds(5 * 60);

/// What decides when an alert on CPU load arrives.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Settings {
    /// How often node exporter is scraped.
    #[serde(serialize_with = "millis")]
    pub scrape_interval: Duration,
    /// How often the rule is evaluated.
    #[serde(serialize_with = "millis")]
    pub evaluation_interval: Duration,
    /// The range of the expression's `rate`.
    #[serde(serialize_with = "millis")]
    pub range: Duration,
    /// The rule's `for`.
    #[serde(serialize_with = "millis")]
    pub hold: Duration,
    /// The threshold, in percent.
    pub above: f64,
    /// How long Alertmanager waits before the first message of a group.
    #[serde(serialize_with = "millis")]
    pub group_wait: Duration,
    /// How long it waits between messages of a group; the end of an alert is told at such a tick.
    #[serde(serialize_with = "millis")]
    pub group_interval: Duration,
    /// Whether the end is told at all.
    pub send_resolved: bool,
}

impl Settings {
    /// The settings of a rule on CPU load in this spec; `None` where the rule is about something else, or
    /// where its range or threshold cannot be told.
    pub fn of_rule(spec: &Spec, rule: &Rule) -> Option<Self> {
        if !rule.expr.contains("node_cpu_seconds_total") {
            return None;
        }
        let notify = &spec.notify;
        Some(Self {
            scrape_interval: spec.monitoring.scrape_interval.get(),
            evaluation_interval: spec.monitoring.evaluation_interval.get(),
            range: rule.window.or_else(|| range_of(&rule.expr))?.get(),
            hold: rule.hold.map(PromDuration::get).unwrap_or_default(),
            above: rule.above.or_else(|| Some(comparison(&rule.expr)?.1))?,
            group_wait: notify.group_wait.unwrap_or(GROUP_WAIT).get(),
            group_interval: notify.group_interval.unwrap_or(GROUP_INTERVAL).get(),
            send_resolved: notify.message().send_resolved(),
        })
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

/// Durations in JSON are whole milliseconds, as everywhere.
pub fn millis<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    Millis(*duration).serialize(serializer)
}

/// The left side and the threshold of an expression that ends in `> NUMBER`.
pub fn comparison(expression: &str) -> Option<(&str, f64)> {
    let (left, right) = expression.rsplit_once('>')?;
    Some((left.trim(), right.trim().parse().ok()?))
}

/// The range of the first range selector.
fn range_of(expression: &str) -> Option<PromDuration> {
    let (_, rest) = expression.split_once('[')?;
    rest.split_once([']', ':'])?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_is_taken_apart_at_its_threshold() {
        let expression = "100 - (avg(rate(node_cpu_seconds_total{mode=\"idle\"}[90s])) * 100) > 75.5";
        let (left, above) = comparison(expression).unwrap();
        assert!(left.ends_with("* 100)") && (above - 75.5).abs() < f64::EPSILON);
        assert_eq!(range_of(expression), Some(PromDuration::seconds(90)));
        assert_eq!(comparison("up == 0"), None);
        assert_eq!(comparison("a > b"), None);
        assert_eq!(range_of("up == 0"), None);
    }
}
