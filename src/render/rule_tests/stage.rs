//! From a trial to the cases that every alert has to stand, and to those that only this one has.

mod own;
mod usual;

use std::collections::BTreeSet;

use super::super::rules::Rule;
use super::group::{Check, TestGroup};
use super::numbers::Numbers;
use super::scene::{Actor, Labelled, Scene};
use super::setup::{Setup, shown};
use super::texts::{Texts, filled, is_steady};
use super::time::TestMillis;
use crate::host::Role;
use crate::spec::{Scraped, Series, Usual};

/// A trial, the rule that is tried, and what both need.
pub(super) struct RuleTrial<'a> {
    pub rule: &'a Rule,
    pub setup: Setup<'a>,
    /// The metrics without which the alert cannot fire.
    pub needs: &'a [String],
    /// Where the application's metrics are.
    /// What is scraped.
    pub target: Option<&'a Scraped<'a>>,
    /// Whether the parameters are those of the catalogue, with which arithmetic at the threshold is exact.
    pub exact: bool,
}

impl RuleTrial<'_> {
    /// All cases.
    ///
    /// # Errors
    /// A trial that is written wrong.
    pub fn groups(&self) -> Result<Vec<TestGroup>, String> {
        let mut groups = Vec::new();
        for usual in usual::ALL.into_iter().filter(|usual| !self.setup.trial.skip.contains(usual)) {
            groups.extend(self.usual(usual)?);
        }
        for case in &self.setup.trial.cases {
            groups.extend(self.own(case)?);
        }
        for group in &mut groups {
            if let Some(by) = &self.setup.trial.by {
                group.name = format!("by {by}: {}", group.name);
            }
        }
        Ok(groups)
    }

    /// The trial's own series.
    fn series(&self) -> Vec<&Series> {
        self.setup.trial.series.iter().collect()
    }

    /// A case with them.
    fn group(&self, name: &str, actors: &[Actor], checks: Vec<Check>) -> Result<TestGroup, String> {
        self.group_of(name, actors, &self.series(), &self.setup.numbers, checks)
    }

    fn group_of(
        &self,
        name: &str,
        actors: &[Actor],
        series: &[&Series],
        numbers: &Numbers,
        mut checks: Vec<Check>,
    ) -> Result<TestGroup, String> {
        checks.sort_by_key(Check::at);
        let scene = Scene {
            numbers,
            target: self.target,
            scrape: self.setup.clock.scrape,
            until: TestGroup::until(&checks),
        };
        let mut lines = Vec::new();
        for actor in actors {
            lines.extend(scene.series(actor, series)?);
        }
        // Actors may share series, such as `up` of one host.
        let mut seen = BTreeSet::new();
        lines.retain(|(name, _)| seen.insert(name.clone()));
        Ok(TestGroup { name: name.to_owned(), series: lines, checks })
    }

    /// The alerts of these actors as they arrive; only their number where the value is not certain to the last digit.
    fn alerts(
        &self,
        at: TestMillis,
        actors: &[&Actor],
        series: &[&Series],
        numbers: &Numbers,
    ) -> Result<Check, String> {
        let mut alerts = Vec::new();
        for actor in actors {
            let level = actor.course.last().map_or(0.0, |(_, level)| *level);
            let value = shown(self.setup.trial, numbers, level)?;
            if !self.rule.annotations.values().all(|text| is_steady(text, value)) {
                return Ok(Check::Firing(at, actors.len()));
            }
            let labels = self.kept(actor, series, numbers)?;
            alerts.push(arriving(self.rule, &labels, value)?);
        }
        Ok(Check::Alerts(at, alerts))
    }

    /// The labels that the expression keeps of an actor's first series.
    fn kept(&self, actor: &Actor, series: &[&Series], numbers: &Numbers) -> Result<Texts, String> {
        let Some(first) = series.first() else { return Ok(Texts::new()) };
        let name = Labelled::parse(&numbers.fill(&first.name)?)?;
        let mut labels = actor.labels(&name, self.target);
        labels.retain(|name, _| self.setup.trial.keeps.contains(name));
        Ok(labels)
    }

    /// Whether there can be several of what is scraped.
    fn has_neighbours(&self) -> bool {
        self.target.is_some_and(|job| job.roles.contains(&Role::APP))
    }
}

/// Labels and annotations of an alert as they arrive: templates are filled, and an empty label is none.
fn arriving(rule: &Rule, series: &Texts, value: f64) -> Result<(Texts, Texts), String> {
    let fill = |(name, text): (String, &String)| Ok((name, filled(text, series, value)?));
    let own = rule.labels.iter().map(|(name, text)| fill((name.clone(), text)));
    let own = own.collect::<Result<Texts, String>>()?;
    let mut labels: Texts = series.clone().into_iter().chain(own).collect();
    labels.retain(|_, text| !text.is_empty());
    let annotations = rule.annotations.iter().map(|(name, text)| fill(((*name).to_owned(), text)));
    Ok((labels, annotations.collect::<Result<_, String>>()?))
}

/// The words of a usual case.
const fn words(usual: Usual) -> &'static str {
    match usual {
        Usual::Fires => "fires as soon as the fault has lasted long enough",
        Usual::Below => "is quiet just below the threshold",
        Usual::At => "is quiet exactly at the threshold",
        Usual::Spike => "is quiet on a short spike",
        Usual::Window => "sees a fault come and go in its time",
        Usual::Missing => "is quiet without data",
        Usual::Vanishing => "ends with its data",
        Usual::Survives => "survives a scrape that fails",
        Usual::Reset => "is not moved by counters that begin anew",
        Usual::Several => "names the one of several that is at fault",
    }
}
