//! The rules stand their tests.

use std::path::Path;

use monctl::render::{Rule, rule_tests, rules};
use monctl::spec::Spec;

use super::judge::{Trial, judge, promtool};
use super::{all, all_with};

/// Holds a spec's rules to their tests.
#[track_caller]
pub fn stands(spec: &Spec) {
    let Some(promtool) = promtool() else { return };
    let said = failures(&promtool, spec);
    assert!(said.is_empty(), "{}", said.join("\n"));
}

/// What promtool says of the rules that do not stand their tests. Each is tested alone, which is faster by far.
pub fn failures(promtool: &Path, spec: &Spec) -> Vec<String> {
    let rules = rules(spec);
    let tests = rule_tests(spec).unwrap();
    let rule = |name: &str| rules.iter().find(|rule| rule.name == name).unwrap();
    let trials =
        tests.iter().map(|tests| Trial { rule: file(rule(&tests.alert)), tests: tests.written("rules.yml") });
    judge(promtool, &trials.collect::<Vec<_>>()).into_iter().filter_map(Result::err).collect()
}

/// A rule file with one rule, as YAML that JSON is.
pub fn file(rule: &Rule) -> String {
    let mut rule_of_file = serde_json::to_value(rule).unwrap();
    let fields = rule_of_file.as_object_mut().unwrap();
    fields.remove("name");
    fields.insert("alert".into(), rule.name.clone().into());
    serde_json::json!({"groups": [{"name": "tried", "rules": [rule_of_file]}]}).to_string()
}

#[test]
fn every_alert_stands_its_tests() {
    stands(&all());
}

/// What moves once for each evaluation stands still for several scrapes then.
#[test]
fn every_alert_stands_its_tests_where_evaluations_are_rarer_than_scrapes() {
    stands(&all_with("monitoring: {scrape_interval: 15s, evaluation_interval: 1m}\n"));
}
