//! The rule tests are effective: each small change of a rule makes at least one of its tests fail.

use std::path::Path;

use monctl::render::rules;
use monctl::rule_tests::{RuleTests, rule_tests};

use super::all;
use super::judge::{Trial, judge};
use super::mutants::{Mutant, mutants, tokens};
use super::promises::file;
use super::table::Table;
use crate::support::tools::program;

/// The result of the last run.
const PAGE: &str = include_str!("../../../docs/mutations.md");

#[test]
fn every_change_of_a_rule_makes_a_test_fail() {
    let Some(promtool) = program("promtool") else { return };
    let spec = all();
    let tests = rule_tests(&spec).unwrap();
    let mut mutated: Vec<(&RuleTests, Mutant)> = Vec::new();
    for (rule, tests) in rules(&spec).iter().zip(&tests) {
        assert_eq!(rule.name, tests.alert);
        mutated.extend(mutants(rule, tests.evaluation_interval).into_iter().map(|mutant| (tests, mutant)));
    }
    let mut table = Table::default();
    for (tests, mutant) in &mutated {
        table.count(&tests.alert, mutant.kind);
    }
    assert!(table.mutants() > 500, "only {} mutants", table.mutants());
    let survivors = survivors(&promtool, mutated);
    for (tests, mutant) in &survivors {
        table.survived(&tests.alert, mutant);
    }
    assert!(survivors.is_empty(), "{}", table.page());
    assert_eq!(table.page(), PAGE, "docs/mutations.md is out of date; it should be:\n{}", table.page());
}

/// The mutants that pass all cases. Most fail an early one; later cases test only the rest.
fn survivors<'a>(promtool: &Path, mut alive: Vec<(&'a RuleTests, Mutant)>) -> Vec<(&'a RuleTests, Mutant)> {
    let longest = alive.iter().map(|(tests, _)| tests.cases.len()).max().unwrap_or(0);
    for case in 0..longest {
        let (tested, done): (Vec<_>, Vec<_>) =
            alive.into_iter().partition(|(tests, _)| case < tests.cases.len());
        let trials: Vec<Trial> = tested.iter().map(|(tests, mutant)| trial(tests, mutant, case)).collect();
        let verdicts = judge(promtool, &trials);
        let standing = tested.into_iter().zip(verdicts).filter(|(_, verdict)| verdict.is_ok());
        alive = done.into_iter().chain(standing.map(|(mutant, _)| mutant)).collect();
    }
    alive
}

/// One case of a mutant.
fn trial(tests: &RuleTests, mutant: &Mutant, case: usize) -> Trial {
    let cases = [tests.cases[case].as_str()];
    Trial { rule: file(&mutant.rule), tests: tests.with_cases("rules.yml", cases) }
}

#[test]
fn tokens_of_an_expression_concatenate_to_it() {
    for rule in rules(&all()) {
        assert_eq!(tokens(&rule.expr).concat(), rule.expr);
    }
    let parts = tokens(r#"rate(a{b=~"c d"}[5m]) >= -1.5"#);
    let shown: Vec<&str> = parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty()).collect();
    assert_eq!(
        shown,
        ["rate", "(", "a", "{", "b", "=~", "\"c d\"", "}", "[", "5m", "]", ")", ">=", "-", "1.5"]
    );
}
