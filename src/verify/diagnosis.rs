//! Why an alert was not delivered or not resolved: the likely cause and its remedy, from what was observed. Pure.

use std::time::Duration;

use serde::Serialize;

use super::notification_failure::NotificationFailure;
use super::tracker::Tracker;
use crate::http::slack::Reply;
use crate::spec::DrillKind;
use crate::timing::{Fault, Prediction, Stage, TimingSettings, phrases};

/// Facts collected after the alert was not delivered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The instance that the drill's host is scraped under.
    pub instance: String,
    /// The host by name.
    pub host: String,
    /// The drill's name there.
    pub drill: String,
    /// Why the target cannot be scraped, where it is down.
    pub target_down: Option<String>,
    /// Why the rule cannot be evaluated.
    pub rule_error: Option<String>,
    /// Whether the fault was still there when monctl ended it.
    pub load_was_on: Option<bool>,
    /// How many Alertmanagers Prometheus sends to.
    pub alertmanagers: usize,
    /// The end of Alertmanager's log.
    pub log: String,
}

/// The stage that an alert did not reach, why, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// The first stage that was not reached.
    pub stage: Stage,
    /// The likely cause.
    pub cause: String,
    /// What to do next.
    pub remedy: String,
}

/// Input of a diagnosis.
#[derive(Debug)]
pub struct FailedDrill<'a> {
    /// What was seen.
    pub tracker: &'a Tracker,
    /// The settings of the rule and of Alertmanager.
    pub settings: &'a TimingSettings,
    /// The kind of the drill.
    pub kind: &'a DrillKind,
    /// The fault.
    pub fault: &'a Fault,
    /// What was predicted.
    pub prediction: &'a Prediction,
    /// What was found out afterwards.
    pub evidence: &'a Evidence,
}

impl FailedDrill<'_> {
    /// The diagnosis for the first stage that was not reached.
    pub fn diagnose(&self) -> Diagnosis {
        let expected = |stage: &Stage| *stage != Stage::ResolvedDelivered || self.settings.send_resolved;
        let stage = Stage::ALL
            .into_iter()
            .filter(expected)
            .find(|&stage| !self.tracker.has(stage) && stage != Stage::LoadOff && stage != Stage::Below)
            .unwrap_or(Stage::ResolvedDelivered);
        let (cause, remedy) = match stage {
            Stage::LoadOn | Stage::Above => self.not_above(),
            Stage::Pending => self.not_pending(),
            Stage::Firing => self.not_firing(),
            Stage::InAlertmanager => self.not_in_alertmanager(),
            Stage::Sent => self.not_sent(),
            Stage::Delivered => self.not_delivered(),
            Stage::LoadOff | Stage::Below | Stage::Resolved => self.not_resolved(),
            Stage::ResolvedDelivered => self.resolved_not_delivered(),
        };
        Diagnosis { stage, cause, remedy }
    }

    fn not_above(&self) -> (String, String) {
        let Evidence { host, drill, load_was_on, .. } = self.evidence;
        if let Some(down) = self.target_is_down() {
            return down;
        }
        if *load_was_on == Some(false) && self.tracker.when(Stage::LoadOff).is_none() {
            return (
                "the fault ended too early".into(),
                format!("see why: `monctl ssh {host} -- journalctl -u monctl-drill-{drill}`"),
            );
        }
        if let Some(predicted) = self.predicted() {
            return predicted;
        }
        let show = |value: f64| self.settings.threshold.show((value * 10.0).round() / 10.0);
        let highest =
            self.tracker.highest().map(|value| format!(" (highest: {})", show(value))).unwrap_or_default();
        (
            format!("the expression was never {}{highest}", self.settings.threshold),
            "see the expression's curve in Prometheus: `monctl open prometheus`".into(),
        )
    }

    fn not_pending(&self) -> (String, String) {
        match &self.evidence.rule_error {
            Some(error) => (
                format!("Prometheus cannot evaluate the rule: {error}"),
                "correct its expression in the spec, then `monctl up`".into(),
            ),
            None => self.predicted().unwrap_or_else(|| {
                (
                    "the expression was not above its threshold at any evaluation of the rule".into(),
                    "let the fault last longer: `--duration`".into(),
                )
            }),
        }
    }

    fn not_firing(&self) -> (String, String) {
        if let Some(down) = self.target_is_down() {
            return down;
        }
        self.predicted().unwrap_or_else(|| {
            (
                format!("the expression fell back from {} before `for` had passed", self.settings.threshold),
                match self.kind {
                    DrillKind::Cpu => "load the host more or longer: `--cpu-load`, `--duration`".into(),
                    _ => "let the fault last longer: `--duration`".into(),
                },
            )
        })
    }

    fn not_in_alertmanager(&self) -> (String, String) {
        let cause = match self.evidence.alertmanagers {
            0 => "Prometheus sends alerts to no Alertmanager",
            _ => "the alert fires in Prometheus, but Alertmanager does not list it",
        };
        (cause.into(), "check both with `monctl status`; `monctl up` repairs them".into())
    }

    fn not_sent(&self) -> (String, String) {
        if let Some(by) = self.tracker.suppressed() {
            return (format!("the alert is {by}"), suppression_remedy(by));
        }
        if self.tracker.has(Stage::Resolved) {
            return self.resolved_too_soon();
        }
        (
            "Alertmanager has the alert but sent no request to a Slack receiver".into(),
            "see its log: `monctl ssh monitoring -- journalctl -u monctl-alertmanager`".into(),
        )
    }

    fn resolved_too_soon(&self) -> (String, String) {
        let lasted = self
            .tracker
            .when(Stage::Resolved)
            .unwrap_or_default()
            .saturating_sub(self.tracker.when(Stage::Firing).unwrap_or_default());
        (
            format!(
                "the alert was resolved {} after it fired, before Alertmanager's `group_wait` of {} had passed",
                phrases::seconds(round(lasted)),
                phrases::seconds(self.settings.group_wait)
            ),
            phrases::remedies(&self.prediction.remedies),
        )
    }

    fn not_delivered(&self) -> (String, String) {
        if let Some(refusal) = self.tracker.refusals().last() {
            return refused(refusal);
        }
        if let Some(NotificationFailure { cause, remedy, .. }) =
            NotificationFailure::in_log(&self.evidence.log, None)
        {
            return (cause, remedy);
        }
        (
            "the receiver accepted no request".into(),
            "see Alertmanager's log: `monctl ssh monitoring -- journalctl -u monctl-alertmanager`".into(),
        )
    }

    fn not_resolved(&self) -> (String, String) {
        if let Some(down) = self.target_is_down() {
            return down;
        }
        (
            format!(
                "the alert still fires after the end of the drill; something else keeps the expression at {}",
                self.settings.threshold
            ),
            format!("see what: {}", self.where_to_look()),
        )
    }

    fn resolved_not_delivered(&self) -> (String, String) {
        if let Some(Reply::Refused(..) | Reply::RateLimited(_)) = self.tracker.refusals().last() {
            return self.not_delivered();
        }
        (
            "the alert resolved, but no resolved notification was delivered".into(),
            "see Alertmanager's log: `monctl ssh monitoring -- journalctl -u monctl-alertmanager`".into(),
        )
    }

    /// Whether the target that exposes the drill is down, and not because the drill stopped it.
    fn target_is_down(&self) -> Option<(String, String)> {
        let Evidence { instance, target_down, .. } = self.evidence;
        let is_meant = matches!(self.kind, DrillKind::Stop { .. }) && !self.tracker.has(Stage::LoadOff);
        target_down.as_ref().filter(|_| !is_meant).map(|error| target_is_down(instance, error))
    }

    /// The command that shows what is wrong with a host or its application.
    fn where_to_look(&self) -> String {
        let host = &self.evidence.host;
        let command = match self.kind {
            DrillKind::Cpu | DrillKind::Memory | DrillKind::None { .. } => "top -b -n 1".to_owned(),
            DrillKind::Disk => "df -h".to_owned(),
            DrillKind::Inodes => "df -i".to_owned(),
            DrillKind::FailingUnit => "systemctl --failed".to_owned(),
            DrillKind::Stop { units, .. } => format!("systemctl status {}", units.join(" ")),
            DrillKind::Run { .. } => "journalctl -n 50".to_owned(),
            DrillKind::Requests { .. } | DrillKind::SlowRequests | DrillKind::ReplacedWorkers => {
                "journalctl -u monctl-app -n 50".to_owned()
            }
        };
        format!("`monctl ssh {host} -- {command}`")
    }

    /// The obstacle that was predicted, if any.
    fn predicted(&self) -> Option<(String, String)> {
        let obstacle = self.prediction.obstacle?;
        Some((
            phrases::reason(self.settings, self.fault, obstacle),
            phrases::remedies(&self.prediction.remedies),
        ))
    }
}

/// A target that cannot be scraped.
pub fn target_is_down(instance: &str, error: &str) -> (String, String) {
    let error = if error.is_empty() { "no answer" } else { error };
    (
        format!("Prometheus cannot scrape `{instance}`: {error}"),
        "see `monctl status`; `monctl up` repairs node exporter and firewall".into(),
    )
}

/// How to end a suppression, by its first word.
pub(super) fn suppression_remedy(by: &str) -> String {
    if by.starts_with("silenced") {
        "end the silence (`monctl silence --list`, `--end`), or wait until it ends".into()
    } else {
        "see Alertmanager's inhibition rules and time intervals: `monctl open alertmanager`".into()
    }
}

fn refused(reply: &Reply) -> (String, String) {
    match reply {
        Reply::Ok => ("the receiver accepted it too late".into(), "run it again".into()),
        Reply::Refused(_, word) => slack_error(word),
        Reply::RateLimited(_) => slack_error("rate_limited"),
    }
}

fn slack_error(word: &str) -> (String, String) {
    let NotificationFailure { cause, remedy, .. } = NotificationFailure::of_slack(word);
    (cause, remedy)
}

fn round(duration: Duration) -> Duration {
    Duration::from_millis(
        u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).saturating_add(500) / 1000 * 1000,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timing::predict;
    use crate::verify::observation::{Arrival, Expression, Held, RuleState, Sight};
    use crate::verify::tracker::Witness;

    fn sight(rule: RuleState) -> Sight {
        Sight {
            at: Duration::from_secs(5),
            expression: Some(Expression::Above(90.0)),
            rule: Some(rule),
            held: Some(if rule == RuleState::Firing { Held::Yes } else { Held::No }),
            ..Sight::default()
        }
    }

    /// The diagnosis after these observations, with this evidence.
    fn after(sights: &[Sight], evidence: &Evidence) -> Diagnosis {
        let settings = TimingSettings { send_resolved: true, ..TimingSettings::classic() };
        let fault = Fault::load(2, 100.0, 0.0);
        let mut tracker = Tracker::new(Witness::Receiver, false, settings.threshold);
        for sight in sights {
            tracker.see(sight);
        }
        let prediction = predict(&settings, &fault);
        let kind = &DrillKind::Cpu;
        FailedDrill {
            tracker: &tracker,
            settings: &settings,
            kind,
            fault: &fault,
            prediction: &prediction,
            evidence,
        }
        .diagnose()
    }

    fn cause(sights: &[Sight], evidence: &Evidence) -> (Stage, String) {
        let Diagnosis { stage, cause, remedy } = after(sights, evidence);
        assert!(!remedy.is_empty());
        (stage, cause)
    }

    fn evidence() -> Evidence {
        Evidence { instance: "10.0.0.7".into(), alertmanagers: 1, ..Evidence::default() }
    }

    #[test]
    fn a_target_that_is_down_is_the_cause_at_every_stage() {
        let down = Evidence { target_down: Some("connection refused".into()), ..evidence() };
        let expected = "Prometheus cannot scrape `10.0.0.7`: connection refused";
        assert_eq!(cause(&[], &down), (Stage::Above, expected.into()));
        assert_eq!(cause(&[sight(RuleState::Pending)], &down), (Stage::Firing, expected.into()));
    }

    #[test]
    fn each_stage_has_its_cause() {
        let lost = Evidence { load_was_on: Some(false), ..evidence() };
        assert_eq!(cause(&[], &lost), (Stage::Above, "the fault ended too early".into()));
        let quiet = Sight { expression: Some(Expression::NotAbove(Some(42.0))), ..Sight::default() };
        assert_eq!(
            cause(&[quiet], &evidence()),
            (Stage::Above, "the expression was never more than 80% (highest: 42%)".into())
        );
        let broken = Evidence { rule_error: Some("many-to-many matching".into()), ..evidence() };
        let above = Sight { rule: Some(RuleState::Inactive), ..sight(RuleState::Inactive) };
        assert_eq!(cause(&[above], &broken).1, "Prometheus cannot evaluate the rule: many-to-many matching");
        let alone = Evidence { alertmanagers: 0, ..evidence() };
        let fired = Sight { held: None, ..sight(RuleState::Firing) };
        assert_eq!(
            cause(&[fired], &alone),
            (Stage::InAlertmanager, "Prometheus sends alerts to no Alertmanager".into())
        );
    }

    #[test]
    fn what_keeps_an_alert_from_being_sent_is_named() {
        let silenced =
            Sight { held: Some(Held::Suppressed("silenced by 7f".into())), ..sight(RuleState::Firing) };
        assert_eq!(cause(&[silenced], &evidence()), (Stage::Sent, "the alert is silenced by 7f".into()));
        let over = Sight { at: Duration::from_secs(20), ..sight(RuleState::Inactive) };
        let (stage, text) = cause(&[sight(RuleState::Firing), over], &evidence());
        assert_eq!(stage, Stage::Sent);
        assert!(text.starts_with("the alert was resolved 15 s after it fired"), "{text}");
    }

    #[test]
    fn slack_errors_are_decoded_from_the_response_or_from_the_log() {
        let arrival = Arrival {
            at: Duration::from_secs(6),
            reply: Reply::Refused(404, "no_service"),
            is_over: false,
            marks: vec![],
        };
        let refused = Sight { messages: vec![arrival], ..sight(RuleState::Firing) };
        let (stage, text) = cause(&[refused], &evidence());
        assert_eq!(stage, Stage::Delivered);
        assert!(text.starts_with("Slack responded `no_service`: the webhook is disabled"), "{text}");
    }
}
