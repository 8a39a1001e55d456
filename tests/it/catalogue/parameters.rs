//! The rule tests follow the user's parameters: with other thresholds, times and intervals each alert passes the tests
//! generated for them.

use monctl::spec::{CatalogueAlert, Counts, ThresholdUnit};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::promises::failures;
use super::spec;
use crate::support::tools::program;

/// Parameters as a user may choose them, for all alerts together.
#[derive(Debug, Clone)]
struct Choice {
    scrape: u64,
    evaluation: u64,
    /// A place in the range of thresholds, from 0 to 1.
    above: f64,
    hold: &'static str,
    /// The window in scrapes, or the catalogue's.
    window: Option<u64>,
    within: &'static str,
    traffic: f64,
    labels: &'static str,
}

fn choice() -> impl Strategy<Value = Choice> {
    let interval = || prop::sample::select(vec![2_u64, 5, 7, 10, 15, 30, 60]);
    let hold = prop::sample::select(vec!["0s", "10s", "1m", "3m30s", "15m"]);
    let window = prop::option::of(2_u64..40);
    let within = prop::sample::select(vec!["4h", "1d", "1w"]);
    let traffic = prop::sample::select(vec![0.0, 0.03, 1.0, 250.0]);
    let labels = prop::sample::select(vec!["", ", severity: page, labels: {team: 'web {{ x }}', zone: ''}"]);
    (interval(), interval(), 0.0..1.0, hold, window, within, traffic, labels).prop_map(
        |(scrape, evaluation, above, hold, window, within, traffic, labels)| Choice {
            scrape,
            evaluation,
            above,
            hold,
            window,
            within,
            traffic,
            labels,
        },
    )
}

impl Choice {
    /// The alert's line in the spec, with the parameters that apply to it.
    fn line(&self, name: &str, entry: &CatalogueAlert) -> String {
        let mut keys = vec![format!("for: {}", self.hold)];
        keys.extend(entry.unit.map(|unit| format!("above: {}", self.threshold(unit))));
        if entry.has_window() {
            keys.extend(self.window.map(|scrapes| format!("window: {}s", self.window_of(scrapes, entry))));
        }
        keys.extend(entry.within.map(|_| format!("within: {}", self.within)));
        keys.extend(entry.traffic.map(|_| format!("traffic: {}", self.traffic)));
        format!("  {name}: {{{}{}}}\n", keys.join(", "), self.labels)
    }

    /// The window in seconds; longer if counters increase less often.
    fn window_of(&self, scrapes: u64, entry: &CatalogueAlert) -> u64 {
        let window = scrapes * self.scrape;
        match entry.counts {
            Counts::Evaluations => window.max(self.evaluation + 2 * self.scrape),
            Counts::Scrapes | Counts::Messages => window,
        }
    }

    fn threshold(&self, unit: ThresholdUnit) -> f64 {
        let digits = |number: f64| (number * 100.0).round() / 100.0;
        match unit {
            ThresholdUnit::Percent => digits(self.above * 100.0),
            ThresholdUnit::Seconds => digits(self.above * 10.0),
            ThresholdUnit::Count => (self.above * 8.0).floor(),
        }
    }
}

#[test]
fn every_alert_passes_its_tests_with_any_parameters() {
    let Some(promtool) = program("promtool") else { return };
    // The same choices each time, so that failures are reproducible.
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let config = Config { cases: 5, failure_persistence: None, max_shrink_iters: 0, ..Config::default() };
    let result = TestRunner::new_with_rng(config, random).run(&choice(), |choice| {
        let catalogue = super::catalogue();
        let lines: String =
            catalogue.names().map(|name| choice.line(name, catalogue.alert(name).unwrap())).collect();
        let intervals = format!(
            "monitoring: {{scrape_interval: {}s, evaluation_interval: {}s}}\n",
            choice.scrape, choice.evaluation
        );
        let failed = failures(&promtool, &spec(&lines, &intervals));
        prop_assert!(failed.is_empty(), "{}", failed.join("\n"));
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}
