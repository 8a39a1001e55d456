//! The rules pass their tests.

use std::path::Path;

use monctl::render::{Rule, rules};
use monctl::rule_tests::rule_tests;
use monctl::spec::Spec;

use super::judge::{Trial, judge};
use super::{all, all_with};
use crate::support::tools::program;

/// Runs the tests of a spec's rules.
#[track_caller]
pub fn assert_passes(spec: &Spec) {
    let Some(promtool) = program("promtool") else { return };
    let failed = failures(&promtool, spec);
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// promtool's messages about rules that fail their tests. Each is tested alone, which is much faster.
pub fn failures(promtool: &Path, spec: &Spec) -> Vec<String> {
    let rules = rules(spec);
    let tests = rule_tests(spec).unwrap();
    let rule = |name: &str| rules.iter().find(|rule| rule.name == name).unwrap();
    let trials =
        tests.iter().map(|tests| Trial { rule: file(rule(&tests.alert)), tests: tests.written("rules.yml") });
    judge(promtool, &trials.collect::<Vec<_>>()).into_iter().filter_map(Result::err).collect()
}

/// A rule file with one rule, as JSON, which is YAML.
pub fn file(rule: &Rule) -> String {
    let mut rule_of_file = serde_json::to_value(rule).unwrap();
    let fields = rule_of_file.as_object_mut().unwrap();
    fields.remove("name");
    fields.insert("alert".into(), rule.name.clone().into());
    serde_json::json!({"groups": [{"name": "tried", "rules": [rule_of_file]}]}).to_string()
}

#[test]
fn every_alert_passes_its_tests() {
    assert_passes(&all());
}

/// Counters that increase once for each evaluation are then constant for several scrapes.
#[test]
fn every_alert_passes_its_tests_if_evaluations_are_rarer_than_scrapes() {
    assert_passes(&all_with("monitoring: {scrape_interval: 15s, evaluation_interval: 1m}\n"));
}
