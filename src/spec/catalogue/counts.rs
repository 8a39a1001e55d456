//! What moves the counters of a catalogue alert.

use serde::Deserialize;

/// What moves a counter. One that moves less often than it is scraped needs a longer window than four scrapes: else
/// its rate is zero in between, and `for` begins anew each time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counts {
    /// What happens at any time: each scrape may see a step.
    #[default]
    Scrapes,
    /// One step for each evaluation of a rule.
    Evaluations,
    /// One step for each message of a group of alerts, which come every `group_interval`.
    Messages,
}
