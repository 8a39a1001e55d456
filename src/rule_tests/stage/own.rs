//! The alert's own cases.

use super::super::setup::millis;
use super::{Actor, Check, RuleTrial, TestGroup};
use crate::spec::{Series, TrialCase};

impl RuleTrial<'_> {
    /// The group of a case; none if no fault can exceed the threshold.
    pub(super) fn own(&self, case: &TrialCase) -> Result<Option<TestGroup>, String> {
        let numbers = self.setup.numbers.and(&case.numbers)?;
        if numbers.optional(case.when.as_ref())?.is_some_and(|when| when <= 0.0) {
            return Ok(None);
        }
        let level = match (&case.level, self.setup.levels.fault) {
            (Some(level), _) => numbers.value(level)?,
            (None, Some(fault)) => fault,
            (None, None) => return Ok(None),
        };
        if case.exact && !self.exact || case.fires && self.setup.levels.fault.is_none() {
            return Ok(None);
        }
        let series = self.cast(case);
        let actors = actors(case, level);
        let at = match &case.at {
            Some(at) => self.setup.clock.tick(millis(numbers.value(at)?)),
            None => self.setup.end,
        };
        let check = match (case.fires, case.alerts) {
            (false, _) => Check::Quiet(at),
            (true, Some(count)) => Check::Firing(at, count),
            (true, None) => self.alerts(at, &actors.iter().collect::<Vec<_>>(), &series, &numbers)?,
        };
        self.group_of(&case.name, &actors, &series, &numbers, vec![check]).map(Some)
    }

    /// The series of a case.
    fn cast<'a>(&'a self, case: &'a TrialCase) -> Vec<&'a Series> {
        let is_out = |series: &&Series| case.without.iter().any(|start| series.name.starts_with(start));
        self.setup.trial.series.iter().filter(|series| !is_out(series)).chain(&case.with).collect()
    }
}

/// One actor for each combination of the case's labels.
fn actors(case: &TrialCase, level: f64) -> Vec<Actor> {
    let mut actors = vec![Actor::new(1, level)];
    for (name, values) in &case.labels {
        let with = |actor: &Actor, value: &String| {
            let mut actor = actor.clone();
            actor.labels.push((name.clone(), value.clone()));
            actor
        };
        actors = actors
            .iter()
            .flat_map(|actor| values.all().iter().map(move |value| with(actor, value)))
            .collect();
    }
    actors
}
