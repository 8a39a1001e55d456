//! What increments the counters of a catalogue alert.

use serde::Deserialize;

/// What increments a counter. One that changes less often than it is scraped needs a window longer than four scrapes:
/// otherwise its rate is zero in between, and `for` restarts each time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counts {
    /// Events at any time: each scrape may see an increment.
    #[default]
    Scrapes,
    /// One increment for each evaluation of a rule.
    Evaluations,
    /// One increment for each notification of a group of alerts, sent every `group_interval`.
    Messages,
}
