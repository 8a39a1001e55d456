//! Makes the usual cases and an alert's own cases from a trial.

mod own;
mod usual;

use std::collections::BTreeSet;

use super::group::{Check, TestGroup};
use super::numbers::Numbers;
use super::scenario::{Actor, Labelled, Scenario};
use super::setup::{Setup, shown};
use super::texts::{Texts, filled, is_steady};
use super::time::TestMillis;
use crate::host::Role;
use crate::render::Rule;
use crate::spec::{Scraped, Series, Usual};

/// A trial, the tested rule, and their data.
pub(super) struct RuleTrial<'a> {
    pub rule: &'a Rule,
    pub setup: Setup<'a>,
    /// The metrics that the alert needs to fire.
    pub needs: &'a [String],
    /// What is scraped.
    pub target: Option<&'a Scraped<'a>>,
    /// Whether the parameters are the catalogue's, with which arithmetic at the threshold is exact.
    pub exact: bool,
}

impl RuleTrial<'_> {
    /// All cases.
    ///
    /// # Errors
    /// An invalid trial.
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
        let scene = Scenario {
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

    /// The expected alerts of these actors; only their number if the value is not certain to the last digit.
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

    /// Whether there can be several targets.
    fn has_neighbours(&self) -> bool {
        self.target.is_some_and(|job| job.roles.contains(&Role::APP))
    }
}

/// Labels and annotations of an alert with templates filled in and empty labels removed.
fn arriving(rule: &Rule, series: &Texts, value: f64) -> Result<(Texts, Texts), String> {
    let fill = |(name, text): (String, &String)| Ok((name, filled(text, series, value)?));
    let own = rule.labels.iter().map(|(name, text)| fill((name.clone(), text)));
    let own = own.collect::<Result<Texts, String>>()?;
    let mut labels: Texts = series.clone().into_iter().chain(own).collect();
    labels.retain(|_, text| !text.is_empty());
    let annotations = rule.annotations.iter().map(|(name, text)| fill((name.clone(), text)));
    Ok((labels, annotations.collect::<Result<_, String>>()?))
}

/// The name of a usual case.
const fn words(usual: Usual) -> &'static str {
    match usual {
        Usual::Fires => "fires as soon as the fault has lasted long enough",
        Usual::Below => "does not fire just below the threshold",
        Usual::At => "does not fire exactly at the threshold",
        Usual::Spike => "does not fire on a short spike",
        Usual::Window => "notices the begin and the end of a fault in time",
        Usual::Missing => "does not fire without data",
        Usual::Vanishing => "resolves when its data end",
        Usual::Survives => "survives a failed scrape",
        Usual::Reset => "ignores counter resets",
        Usual::Several => "fires only for the faulty one of several",
    }
}
