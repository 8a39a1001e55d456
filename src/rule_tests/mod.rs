//! Rule tests for `promtool test rules`, made from the catalogue's trials and the spec's own parameters: they
//! follow the threshold, `for`, window and scrape interval. Pure.

mod clock;
mod group;
mod memory;
mod notation;
mod numbers;
mod scenario;
mod setup;
mod stage;
mod texts;
mod time;

use self::clock::Clock;
use self::group::TestGroup;
use self::setup::Setup;
use self::stage::RuleTrial;
use crate::duration::PromDuration;
use crate::error::{Error, Result};
use crate::render::{Parameters, Rule, RuleIntervals, rules};
use crate::spec::{Alert, AlertName, CatalogueAlert, Scraped, Spec};

/// The tests of one alert: one file for promtool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleTests {
    /// The alert's name.
    pub alert: String,
    /// How often rules are evaluated in these tests.
    pub evaluation_interval: PromDuration,
    /// One item of `tests` for each case, in the order of the catalogue.
    pub cases: Vec<String>,
}

/// More scrapes than this in a window make a test slow without testing more.
const MOST_SCRAPES: u64 = 360;
/// Prometheus treats a series without a sample for five minutes as stale.
const LONGEST_SCRAPE: u64 = 120_000;

impl RuleTests {
    /// The name of its file beside the rules.
    pub fn file(&self) -> String {
        // A name that extends one of the catalogue's may contain any character.
        format!("tests/{}.yml", self.alert.replace('/', "_"))
    }

    /// Its file, for rules at this path.
    pub fn written(&self, rules: &str) -> String {
        Self::with_cases(self, rules, self.cases.iter().map(String::as_str))
    }

    /// A file with some of its cases.
    pub fn with_cases<'a>(&self, rules: &str, cases: impl IntoIterator<Item = &'a str>) -> String {
        let cases: Vec<&str> = cases.into_iter().collect();
        format!(
            "# Written by monctl: tests of {} for `promtool test rules`.\n\
             rule_files: ['{rules}']\nevaluation_interval: {}\ntests:\n{}\n",
            self.alert,
            self.evaluation_interval,
            cases.join("\n")
        )
    }
}

/// The tests of the spec's catalogue alerts; the user's own rules have none. Without a test that an alert fires, all
/// its tests are left out: one that never fires would pass them.
///
/// # Errors
/// Where a file of the catalogue is broken: a bug in monctl, not the user's error.
pub fn rule_tests(spec: &Spec) -> Result<Vec<RuleTests>> {
    let rules = rules(spec);
    let known = rules.iter().filter_map(|rule| {
        let alert = spec.alerts.get(rule.name.as_str())?;
        Some((rule, alert, spec.catalogue.entry(&rule.name, alert)?))
    });
    let tests = known.map(|(rule, alert, entry)| of_rule(spec, rule, alert, entry));
    tests.filter_map(Result::transpose).collect()
}

/// Warnings about the catalogue alerts without a test that they fire: with such parameters they may never be able to.
pub fn warnings(spec: &Spec) -> Vec<String> {
    // A broken file of the catalogue is reported where the tests are written.
    let Ok(tests) = rule_tests(spec) else { return Vec::new() };
    let is_tested = |name: &AlertName| tests.iter().any(|tests| tests.alert == name.as_str());
    let of_catalogue =
        spec.alerts.iter().filter(|(name, alert)| spec.catalogue.entry(name.as_str(), alert).is_some());
    let names = of_catalogue.map(|(name, _)| name).filter(|name| !is_tested(name));
    let warning = |name| {
        format!(
            "`{name}` has no rule tests: with these parameters it may never fire; try a lower `above`, a longer `window` or a \
             shorter `for`"
        )
    };
    names.map(warning).collect()
}

fn of_rule(spec: &Spec, rule: &Rule, alert: &Alert, entry: &CatalogueAlert) -> Result<Option<RuleTests>> {
    let broken = |why: String| {
        Error::failed(format!("the rule tests of `{}` in monctl's catalogue are broken", rule.name))
            .because(why)
    };
    let pace = RuleIntervals::of(spec);
    let parameters = Parameters::of(alert, entry, &pace);
    let clock = clock(&parameters, &pace);
    let stages = Stages { jobs: spec.scraped(), rule, entry, parameters, pace, clock };
    let groups = stages.groups().map_err(broken)?;
    if !groups.iter().any(TestGroup::fires) {
        return Ok(None);
    }
    Ok(Some(RuleTests {
        alert: rule.name.clone(),
        evaluation_interval: PromDuration::millis(clock.evaluation),
        cases: groups.iter().map(|group| group.written(&rule.name, clock.scrape)).collect(),
    }))
}

/// The spec's own intervals, both multiplied if a window contains very many scrapes.
fn clock(parameters: &Parameters, pace: &RuleIntervals) -> Clock {
    let (scrape, evaluation) = (pace.scrape.as_millis(), pace.evaluation.as_millis());
    let wanted = (parameters.window.as_millis() / scrape.max(1)).div_ceil(MOST_SCRAPES);
    let times = wanted.min(LONGEST_SCRAPE / scrape.max(1)).max(1);
    Clock { scrape: scrape * times, evaluation: evaluation * times, hold: parameters.hold.as_millis() }
}

/// The inputs of all cases of one alert.
struct Stages<'a> {
    jobs: Vec<Scraped<'a>>,
    rule: &'a Rule,
    entry: &'a CatalogueAlert,
    parameters: Parameters,
    pace: RuleIntervals,
    clock: Clock,
}

impl Stages<'_> {
    fn groups(&self) -> std::result::Result<Vec<TestGroup>, String> {
        let usual = Parameters::of(&Alert::default(), self.entry, &RuleIntervals::usual());
        let exact = self.parameters == usual && self.pace == RuleIntervals::usual();
        let value = self.rule.annotations.get("value").map_or("", String::as_str);
        let mut groups = Vec::new();
        for trial in &self.entry.trials {
            if let Some(setup) = Setup::of(trial, &self.parameters, &self.pace, self.clock, value)? {
                let find = |name: &String| {
                    let job = self.jobs.iter().find(|job| job.job == name);
                    job.ok_or_else(|| format!("unknown scrape job `{name}`"))
                };
                let target = trial.target.as_ref().map(find).transpose()?;
                groups.extend(self.stage(setup, target, exact).groups()?);
            }
        }
        Ok(groups)
    }

    fn stage<'a>(&'a self, setup: Setup<'a>, target: Option<&'a Scraped<'a>>, exact: bool) -> RuleTrial<'a> {
        RuleTrial { rule: self.rule, setup, needs: &self.entry.needs, target, exact }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_that_may_never_fire_is_warned_of_and_has_no_tests() {
        let with_threshold = |above| -> Spec {
            serde_json::from_value(serde_json::json!({
                "version": 1, "project": "web", "provider": "local",
                "app": {"path": ".", "wsgi": "web.wsgi"}, "notify": {"capture": {}},
                "alerts": {"PrometheusRestarted": {"above": above}},
            }))
            .unwrap()
        };
        let too_many = with_threshold(5000.0);
        assert_eq!(rule_tests(&too_many).unwrap(), []);
        let found = warnings(&too_many);
        assert!(found[0].starts_with("`PrometheusRestarted` has no rule tests"), "{found:?}");
        assert_eq!(warnings(&with_threshold(2.0)), [""; 0]);
    }
}
