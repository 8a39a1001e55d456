//! The series of a case: the samples of each scrape while faults begin and end, counters reset, and targets disappear.

use std::collections::BTreeMap;

use super::notation::{TestSample, notation};
use super::numbers::Numbers;
use super::setup::seconds;
use super::time::TestMillis;
use crate::host::Role;
use crate::spec::{Amount, Scraped, Series};

/// A counter's minimum start value, and the seconds it seems to have counted before: near zero, Prometheus extrapolates
/// less, and only a restart should lead there.
const BEGINNING: f64 = 1_000_000.0;
const COUNTED: f64 = 1_000_000.0;

/// One of several hosts, and what happens to it.
#[derive(Debug, Clone)]
pub(super) struct Actor {
    /// Its number, from 1.
    pub number: u8,
    /// Levels and their start times; the first applies from the beginning.
    pub course: Vec<(TestMillis, f64)>,
    /// The time from which it is not scraped.
    pub gone: Option<TestMillis>,
    /// The time from which its scrapes fail.
    pub dies: Option<TestMillis>,
    /// The only metric that disappears; all of them if none.
    pub going: Option<String>,
    /// Scrapes that fail.
    pub missed: Vec<TestMillis>,
    /// The time of its restart: its counters then count from the scrape before.
    pub reset: Option<TestMillis>,
    /// Labels that replace those of its series.
    pub labels: Vec<(String, String)>,
}

impl Actor {
    pub fn new(number: u8, level: f64) -> Self {
        Self {
            number,
            course: vec![(0, level)],
            gone: None,
            dies: None,
            going: None,
            missed: Vec::new(),
            reset: None,
            labels: Vec::new(),
        }
    }

    fn level(&self, at: TestMillis) -> f64 {
        let now = self.course.iter().take_while(|(since, _)| *since <= at).last();
        now.or(self.course.first()).map_or(0.0, |(_, level)| *level)
    }

    /// Whether its scrape fails: `up` is 0, and all other series end.
    fn fails(&self, at: TestMillis) -> bool {
        self.missed.contains(&at) || self.dies.is_some_and(|since| at >= since)
    }

    /// The labels of one of its series.
    pub fn labels(&self, series: &Labelled, target: Option<&Scraped>) -> BTreeMap<String, String> {
        let number = self.number;
        let mut labels = BTreeMap::new();
        if let Some(Scraped { job, roles, port, .. }) = target {
            let instance = if roles.contains(&Role::APP) {
                format!("192.0.2.{number}:{port}")
            } else {
                format!("monitoring:{port}")
            };
            labels.extend([("job".to_owned(), (*job).to_owned()), ("instance".to_owned(), instance)]);
        }
        labels.extend(series.labels.clone());
        for (name, value) in &self.labels {
            if labels.contains_key(name) {
                labels.insert(name.clone(), value.clone());
            }
        }
        labels
    }
}

/// A series' name taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Labelled {
    pub metric: String,
    pub labels: BTreeMap<String, String>,
}

impl Labelled {
    /// Parses `metric{name="value", …}`; values contain neither quotes nor backslashes.
    ///
    /// # Errors
    /// Any other text.
    pub fn parse(name: &str) -> Result<Self, String> {
        let wrong = || format!("`{name}` is not a series");
        let Some((metric, inside)) = name.split_once('{') else {
            return Ok(Self { metric: name.to_owned(), labels: BTreeMap::new() });
        };
        let mut rest = inside.strip_suffix('}').ok_or_else(wrong)?;
        let mut labels = BTreeMap::new();
        while !rest.is_empty() {
            let (label, value) = rest.split_once("=\"").ok_or_else(wrong)?;
            let (value, behind) = value.split_once('"').ok_or_else(wrong)?;
            labels.insert(label.trim().to_owned(), value.to_owned());
            rest = behind.trim_start_matches([',', ' ']);
        }
        Ok(Self { metric: metric.to_owned(), labels })
    }
}

/// The series of a case by their names, and their end.
pub(super) struct Scenario<'a> {
    pub numbers: &'a Numbers,
    /// What is scraped; see [`crate::spec::Trial::target`].
    pub target: Option<&'a Scraped<'a>>,
    pub scrape: TestMillis,
    pub until: TestMillis,
}

impl Scenario<'_> {
    /// An actor's series: names as promtool reads them, and samples.
    ///
    /// # Errors
    /// A series with an unknown number.
    pub fn series(&self, actor: &Actor, series: &[&Series]) -> Result<Vec<(String, String)>, String> {
        let line = |series: &&Series| {
            let name = Labelled::parse(&self.numbers.fill(&series.name)?)?;
            let labels = actor.labels(&name, self.target);
            Ok((written(&name.metric, &labels), notation(&self.samples(actor, series)?)))
        };
        series.iter().map(line).collect()
    }

    fn samples(&self, actor: &Actor, series: &Series) -> Result<Vec<TestSample>, String> {
        let mut samples = Vec::new();
        let mut counter = self.beginning(actor, series)?;
        for at in (0..=self.until.div_ceil(self.scrape)).map(|number| number * self.scrape) {
            if actor.reset == Some(at) {
                counter = 0.0;
            }
            if let (Some(rate), Some(before)) = (&series.rate, at.checked_sub(self.scrape)) {
                counter += self.here(actor, rate, before)? * seconds(self.scrape);
            }
            let fails = actor.fails(at);
            samples.push(match (&series.value, samples.last()) {
                _ if fails && metric_of(&series.name) == "up" => TestSample::Value(0.0),
                (_, Some(TestSample::Value(_))) if self.is_gone(actor, series, at)? => TestSample::Stale,
                _ if self.is_gone(actor, series, at)? => TestSample::Nothing,
                (Some(value), _) => TestSample::Value(self.here(actor, value, at)?),
                (None, _) => TestSample::Value(counter),
            });
        }
        Ok(samples)
    }

    fn is_gone(&self, actor: &Actor, series: &Series, at: TestMillis) -> Result<bool, String> {
        let gone = series.gone.as_ref().map(|gone| self.here(actor, gone, at)).transpose()?;
        let goes = actor.going.as_deref().is_none_or(|metric| metric == metric_of(&series.name));
        let is_over = goes && (actor.gone.is_some_and(|gone| at >= gone) || actor.fails(at));
        Ok(is_over || gone.is_some_and(|gone| gone > 0.0))
    }

    fn beginning(&self, actor: &Actor, series: &Series) -> Result<f64, String> {
        let Some(rate) = &series.rate else { return Ok(BEGINNING) };
        let mut rates = actor.course.iter().map(|(since, _)| self.here(actor, rate, *since));
        rates.try_fold(BEGINNING, |most, rate| Ok(most.max((rate? * COUNTED).ceil())))
    }

    /// An amount at the level of an actor at a moment.
    fn here(&self, actor: &Actor, amount: &Amount, at: TestMillis) -> Result<f64, String> {
        self.numbers.value_with(amount, &[("level", actor.level(at)), ("t", seconds(at))])
    }
}

/// The metric of a series.
pub(super) fn metric_of(name: &str) -> &str {
    name.split('{').next().unwrap_or(name)
}

/// A series as promtool reads it.
fn written(metric: &str, labels: &BTreeMap<String, String>) -> String {
    let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
    format!("{metric}{{{}}}", labels.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Spec;

    #[test]
    fn a_series_is_a_metric_and_its_labels() {
        let read = Labelled::parse(r#"a_total{b="x, y", c="z"}"#).unwrap();
        assert_eq!(written(&read.metric, &read.labels), r#"a_total{b="x, y",c="z"}"#);
        assert_eq!(Labelled::parse("up").unwrap().labels.len(), 0);
        for wrong in ["a{", "a{b}", r#"a{b="c}"#] {
            assert!(Labelled::parse(wrong).is_err(), "{wrong}");
        }
    }

    /// An actor's series with a scrape every 15 s for a minute.
    fn lines(series: &str, actor: &Actor, target: Option<&Scraped>) -> Vec<(String, String)> {
        let series: Series = serde_saphyr::from_str(series).unwrap();
        let numbers = Numbers::default();
        let scene = Scenario { numbers: &numbers, target, scrape: 15_000, until: 60_000 };
        scene.series(actor, &[&series]).unwrap()
    }

    #[test]
    fn a_counter_keeps_counting_after_a_reset() {
        let actor = Actor { reset: Some(30_000), ..Actor::new(1, 2.0) };
        let lines = lines("{name: a_total, rate: level}", &actor, None);
        assert_eq!(lines, [("a_total{}".to_owned(), "2000000+30x1 30+30x2".to_owned())]);
    }

    #[test]
    fn a_scrape_that_fails_ends_all_series_but_up_until_the_next() {
        let actor = Actor { missed: vec![30_000], ..Actor::new(1, 2.0) };
        let lines_of = |series| lines(series, &actor, None)[0].1.clone();
        assert_eq!(lines_of("{name: a, value: level}"), "2x1 stale 2x1");
        assert_eq!(lines_of("{name: a_total, rate: level}"), "2000000+30x1 stale 2000090+30x1");
        assert_eq!(lines_of("{name: 'up{a=\"b\"}', value: 1}"), "1x1 0+1x1 1");
    }

    #[test]
    fn a_gone_series_existed_before() {
        let actor = Actor { gone: Some(30_000), ..Actor::new(1, 2.0) };
        let spec: Spec = serde_saphyr::from_str(
            "{version: 1, project: a, provider: local, app: {path: ., wsgi: a.wsgi}, notify: {capture: {}}}",
        )
        .unwrap();
        let scraped = spec.scraped();
        let node = scraped.iter().find(|job| job.job == "node-exporter");
        let lines = lines("{name: a, value: level + t}", &actor, node);
        assert_eq!(lines[0].0, r#"a{instance="192.0.2.1:9100",job="node-exporter"}"#);
        assert_eq!(lines[0].1, "2+15x1 stale _x2");
    }
}
