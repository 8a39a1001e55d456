//! Other alerts that fire while drills run: what was to be expected, what was inhibited, and what is a false alarm.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::time::Duration;

use serde::Serialize;
use tokio::time::sleep;

use super::kind::Footprint;
use super::prove::Request;
use super::watch::{Services, suppression};
use crate::http::prometheus::{ActiveAlert, AlertState};
use crate::spec::catalogue_alert;

/// How often Prometheus and Alertmanager are asked.
const PERIOD: Duration = Duration::from_secs(1);

/// An alert that fired and was not meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bystander {
    /// The alert.
    pub alert: String,
    /// What it was about; empty where it is about no instance.
    pub instance: String,
    /// Why it fired.
    pub verdict: Verdict,
}

/// Why another alert fired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// A drill disturbs what it watches.
    Expected {
        /// The alert whose drill it was.
        of: String,
    },
    /// It fired, and was not told.
    Inhibited {
        /// What kept it: `inhibited by …`, `silenced by …`.
        by: String,
    },
    /// Nothing that a drill does explains it.
    FalseAlarm,
}

/// Watches for other alerts.
pub struct Lookout {
    services: Services,
    drills: Vec<(String, Footprint)>,
    /// What fired before: it is nobody's consequence.
    before: BTreeSet<Name>,
    seen: BTreeMap<Name, Verdict>,
}

/// Alert and instance.
type Name = (String, String);

impl Lookout {
    /// Looks at what fires now.
    pub async fn new(services: Services, wave: impl Iterator<Item = &Request>) -> Self {
        let footprint =
            |request: &Request| Some((request.subject.alert.clone(), Footprint::of(&request.kind)?));
        let drills = wave.filter_map(footprint).collect();
        let mut lookout = Self { services, drills, before: BTreeSet::new(), seen: BTreeMap::new() };
        lookout.before = lookout.firing().await.into_iter().collect();
        lookout
    }

    /// Watches for ever.
    pub async fn watch(&mut self) -> Infallible {
        loop {
            let new: Vec<Name> =
                self.firing().await.into_iter().filter(|name| !self.before.contains(name)).collect();
            if !new.is_empty() {
                self.judge(new).await;
            }
            sleep(PERIOD).await;
        }
    }

    /// What fired in between.
    pub fn seen(self) -> Vec<Bystander> {
        let bystander = |((alert, instance), verdict)| Bystander { alert, instance, verdict };
        self.seen.into_iter().map(bystander).collect()
    }

    /// The alerts that fire and that no drill is about.
    async fn firing(&self) -> Vec<Name> {
        let alerts = self.services.prometheus.alerts().await.unwrap_or_default();
        let is_other = |alert: &&ActiveAlert| {
            alert.state == AlertState::Firing
                && self.drills.iter().all(|(drilled, _)| alert.name() != drilled)
        };
        let instance = |alert: &ActiveAlert| alert.labels.get("instance").cloned().unwrap_or_default();
        alerts.iter().filter(is_other).map(|alert| (alert.name().to_owned(), instance(alert))).collect()
    }

    async fn judge(&mut self, names: Vec<Name>) {
        let held = self.services.alertmanager.alerts().await.unwrap_or_default();
        for name in names {
            let (alert, instance) = (&name.0, &name.1);
            let is_it = |labels: &BTreeMap<String, String>| {
                labels.get("alertname") == Some(alert)
                    && labels.get("instance").map_or("", String::as_str) == instance
            };
            let by = held.iter().find(|held| is_it(&held.labels)).and_then(|held| suppression(&held.status));
            let verdict = match by {
                Some(by) => Verdict::Inhibited { by },
                None => explained(&self.drills, alert),
            };
            // Inhibited once is inhibited: Alertmanager needs a moment to see the alert that inhibits.
            if !matches!(self.seen.get(&name), Some(Verdict::Inhibited { .. })) {
                self.seen.insert(name, verdict);
            }
        }
    }
}

/// Whether a drill disturbs what the alert watches.
fn explained(drills: &[(String, Footprint)], alert: &str) -> Verdict {
    let watched = catalogue_alert(alert).and_then(|entry| Footprint::of(&entry.drill));
    let disturbed = |watched: &Footprint| {
        drills.iter().find(|(_, footprint)| !footprint.leaves(watched)).map(|(of, _)| of.clone())
    };
    watched.as_ref().and_then(disturbed).map_or(Verdict::FalseAlarm, |of| Verdict::Expected { of })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::DrillKind;

    #[test]
    fn an_alert_that_watches_what_a_drill_disturbs_is_to_be_expected_and_no_other() {
        let stopped = DrillKind::Stop { units: vec!["monctl-node-exporter.service".into()] };
        let drills = [("ExporterGone".to_owned(), Footprint::of(&stopped).unwrap())];
        assert_eq!(explained(&drills, "HighCPUUsage"), Verdict::Expected { of: "ExporterGone".into() });
        for alert in ["HighLatency", "AlertUnproven", "OfTheUsersOwn"] {
            assert_eq!(explained(&drills, alert), Verdict::FalseAlarm, "{alert}");
        }
    }
}
