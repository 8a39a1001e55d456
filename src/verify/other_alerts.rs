//! Other alerts that fire while drills run: expected ones, inhibited ones, and false alarms.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::time::Duration;

use serde::Serialize;
use tokio::time::sleep;

use super::observer::{Services, suppression};
use super::request::Request;
use crate::drill::Footprint;
use crate::error::{Error, Result};
use crate::http::prometheus::{ActiveAlert, AlertState};
use crate::retry::Patience;
use crate::spec::{Catalogue, CatalogueAlert};

/// Timeout of the first query, before the first fault.
const FIRST_WITHIN: Duration = Duration::from_secs(10);
/// How often Prometheus and Alertmanager are polled.
const PERIOD: Duration = Duration::from_secs(1);

/// An alert that fired besides the drilled ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bystander {
    /// The alert.
    pub alert: String,
    /// What it was about; empty where it is about no instance.
    pub instance: String,
    /// Why it fired.
    pub verdict: BystanderVerdict,
}

/// Why another alert fired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum BystanderVerdict {
    /// A drill disturbs what it watches.
    Expected {
        /// The alert whose drill it was.
        of: String,
    },
    /// It fired, and no notification was sent.
    Inhibited {
        /// What suppressed it: `inhibited by …`, `silenced by …`.
        by: String,
    },
    /// No drill explains it.
    FalseAlarm,
    /// It is unknown whether it fired before, or whether it was suppressed.
    Unknown {
        /// What did not answer.
        why: String,
    },
}

/// Watches for other alerts.
pub struct Lookout {
    services: Services,
    drills: Vec<(String, Footprint)>,
    catalogue: Catalogue,
    /// The alerts that fired before, which no drill caused. An error if that could not be observed.
    before: Result<BTreeSet<Name>>,
    seen: BTreeMap<Name, BystanderVerdict>,
    /// Why a later look failed.
    missed: Option<String>,
}

/// Alert and instance.
type Name = (String, String);

impl Lookout {
    /// Records which alerts fire now.
    pub async fn new(services: Services, wave: impl Iterator<Item = &Request>, catalogue: Catalogue) -> Self {
        let footprint =
            |request: &Request| Some((request.subject.alert.clone(), Footprint::of(&request.kind)?));
        let drills = wave.filter_map(footprint).collect();
        let before = Ok(BTreeSet::new());
        let mut lookout = Self { services, drills, catalogue, before, seen: BTreeMap::new(), missed: None };
        let mut patience = Patience::new(FIRST_WITHIN);
        lookout.before = loop {
            match lookout.firing().await {
                Ok(firing) => break Ok(firing.into_iter().collect()),
                Err(error) => {
                    if let Err(error) = patience.again(error).await {
                        break Err(error);
                    }
                }
            }
        };
        lookout
    }

    /// Watches forever.
    pub async fn watch(&mut self) -> Infallible {
        loop {
            match self.firing().await {
                Ok(firing) => {
                    let is_old = |name: &Name| self.before.as_ref().is_ok_and(|before| before.contains(name));
                    let new: Vec<Name> = firing.into_iter().filter(|name| !is_old(name)).collect();
                    if !new.is_empty() {
                        self.judge(new).await;
                    }
                }
                Err(error) => self.missed = Some(error.in_one_line()),
            }
            sleep(PERIOD).await;
        }
    }

    /// Why a look failed, if one did: an alert that fired only then was missed.
    pub fn missed(&self) -> Option<&str> {
        self.missed.as_deref()
    }

    /// The other alerts that fired.
    pub fn seen(self) -> Vec<Bystander> {
        let bystander = |((alert, instance), verdict)| Bystander { alert, instance, verdict };
        self.seen.into_iter().map(bystander).collect()
    }

    /// The alerts that fire and that no drill is about.
    async fn firing(&self) -> Result<Vec<Name>> {
        let alerts = self.services.prometheus.alerts().await?;
        let is_other = |alert: &&ActiveAlert| {
            alert.state == AlertState::Firing
                && self.drills.iter().all(|(drilled, _)| alert.name() != drilled)
        };
        let instance = |alert: &ActiveAlert| alert.labels.get("instance").cloned().unwrap_or_default();
        Ok(alerts.iter().filter(is_other).map(|alert| (alert.name().to_owned(), instance(alert))).collect())
    }

    async fn judge(&mut self, names: Vec<Name>) {
        let held = self.services.alertmanager.alerts().await;
        for name in names {
            let (alert, instance) = (&name.0, &name.1);
            let is_it = |labels: &BTreeMap<String, String>| {
                labels.get("alertname") == Some(alert)
                    && labels.get("instance").map_or("", String::as_str) == instance
            };
            let held = held.as_ref().map(|held| held.iter().find(|held| is_it(&held.labels)));
            let by = held.map(|held| held.and_then(|held| suppression(&held.status)));
            let verdict =
                verdict(by, explained(&self.drills, self.catalogue.alert(alert)), self.before.as_ref().err());
            // Once inhibited, always inhibited: Alertmanager may take a moment to see the inhibiting alert.
            if !matches!(self.seen.get(&name), Some(BystanderVerdict::Inhibited { .. })) {
                self.seen.insert(name, verdict);
            }
        }
    }
}

/// The verdict on an alert, from what suppresses it in Alertmanager, whether a drill explains it, and why it is unknown
/// which alerts fired before the drills.
fn verdict(
    by: Result<Option<String>, &Error>,
    explained: BystanderVerdict,
    before_unknown: Option<&Error>,
) -> BystanderVerdict {
    match (by, explained) {
        (Ok(Some(by)), _) => BystanderVerdict::Inhibited { by },
        (by, BystanderVerdict::FalseAlarm) => match by.err().or(before_unknown) {
            Some(error) => BystanderVerdict::Unknown { why: error.in_one_line() },
            None => BystanderVerdict::FalseAlarm,
        },
        (_, explained) => explained,
    }
}

/// Whether a drill disturbs what the alert watches.
fn explained(drills: &[(String, Footprint)], alert: Option<&CatalogueAlert>) -> BystanderVerdict {
    let watched = alert.and_then(|entry| Footprint::of(&entry.drill));
    let disturbed = |watched: &Footprint| {
        drills.iter().find(|(_, footprint)| !footprint.leaves(watched)).map(|(of, _)| of.clone())
    };
    watched
        .as_ref()
        .and_then(disturbed)
        .map_or(BystanderVerdict::FalseAlarm, |of| BystanderVerdict::Expected { of })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::DrillKind;

    #[test]
    fn an_alert_is_a_false_alarm_only_if_every_possible_explanation_was_checked() {
        let error = Error::failed("Prometheus did not answer");
        let unknown = BystanderVerdict::Unknown { why: "Prometheus did not answer".into() };
        assert_eq!(verdict(Ok(None), BystanderVerdict::FalseAlarm, None), BystanderVerdict::FalseAlarm);
        assert_eq!(verdict(Ok(None), BystanderVerdict::FalseAlarm, Some(&error)), unknown);
        assert_eq!(verdict(Err(&error), BystanderVerdict::FalseAlarm, None), unknown);
        let expected = BystanderVerdict::Expected { of: "X".into() };
        assert_eq!(verdict(Err(&error), expected.clone(), Some(&error)), expected);
        let inhibited = BystanderVerdict::Inhibited { by: "silenced by 7".into() };
        assert_eq!(
            verdict(Ok(Some("silenced by 7".into())), BystanderVerdict::FalseAlarm, Some(&error)),
            inhibited
        );
    }

    #[test]
    fn only_an_alert_that_watches_what_a_drill_disturbs_is_expected() {
        let stopped = DrillKind::Stop { units: vec!["monctl-node-exporter.service".into()], job: None };
        let drills = [("ExporterGone".to_owned(), Footprint::of(&stopped).unwrap())];
        let catalogue = Catalogue::default();
        let explained = |alert| explained(&drills, catalogue.alert(alert));
        assert_eq!(explained("HighCPUUsage"), BystanderVerdict::Expected { of: "ExporterGone".into() });
        for alert in ["HighLatency", "AlertUnproven", "OfTheUsersOwn"] {
            assert_eq!(explained(alert), BystanderVerdict::FalseAlarm, "{alert}");
        }
    }
}
