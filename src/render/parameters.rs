//! The parameters of a catalogue alert: the spec's, or the catalogue's defaults. Used by `rules`, which inserts them
//! into expressions and texts, and by `rule_tests`.

use super::intervals::RuleIntervals;
use crate::duration::PromDuration;
use crate::spec::{Alert, CatalogueAlert};

/// The parameters of one catalogue alert in one spec.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parameters {
    /// The threshold, in the unit of the catalogue's entry.
    pub above: Option<f64>,
    /// The range of its rates.
    pub window: PromDuration,
    /// How far ahead a predictive alert looks.
    pub within: Option<PromDuration>,
    /// The least requests per second that count as traffic.
    pub traffic: Option<f64>,
    /// `for`: how long the expression must hold.
    pub hold: PromDuration,
    /// How long the last value of a gauge counts without a new sample; none if the alert does not use it.
    pub memory: Option<PromDuration>,
    /// The scrape interval.
    pub scrape: PromDuration,
}

impl Parameters {
    /// The spec's parameters, or else the catalogue's defaults.
    pub fn of(alert: &Alert, entry: &CatalogueAlert, pace: &RuleIntervals) -> Self {
        let least = pace.least_window(entry.counts);
        let usual = entry.window.map_or(least, |window| window.max(least));
        Self {
            above: alert.above.or(entry.above),
            window: alert.window.unwrap_or(usual),
            within: alert.within.or(entry.within),
            traffic: alert.traffic.or(entry.traffic),
            hold: alert.hold.unwrap_or_else(|| match &entry.after {
                Some(_) => entry.hold.max(pace.after_host_down()),
                None => entry.hold,
            }),
            memory: entry.has_memory().then(|| pace.memory()),
            scrape: pace.scrape,
        }
    }

    /// A template of the catalogue with the parameters filled in.
    pub fn fill(&self, template: &str) -> String {
        let half = PromDuration::seconds(self.window.get().as_secs().div_ceil(2));
        let mut text = template
            .replace("${window/2}", &half.to_string())
            .replace("${window}", &self.window.to_string())
            .replace("${scrape}", &self.scrape.to_string())
            .replace("${for}", &self.hold.to_string());
        if let Some(memory) = self.memory {
            text = text.replace("${memory}", &memory.to_string());
        }
        if let Some(within) = self.within {
            text = text.replace("${within.seconds}", &within.as_secs_f64().to_string());
            text = text.replace("${within}", &within.to_string());
        }
        if let Some(above) = self.above {
            text = text.replace("${above.duration}", &in_seconds(above).to_string());
        }
        for (name, number) in [("${above}", self.above), ("${traffic}", self.traffic)] {
            if let Some(number) = number {
                text = text.replace(name, &number.to_string());
            }
        }
        text
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "thresholds are 0 or more")]
fn in_seconds(seconds: f64) -> PromDuration {
    PromDuration::millis((seconds * 1000.0).round() as u64)
}
