//! Derives the stages reached from looks at the pipeline: a state machine without clock or network.
//!
//! A stage that was passed between two looks is reported together with the next one that was seen.
//!
//! A marked message names the alerts that it is about. Of unmarked messages and counted requests, the first one after
//! the alert joined Alertmanager's group includes it; earlier ones, and those while the alert is suppressed, are about
//! other alerts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;

use super::observation::{AlertIdentity, Arrival, Expression, Held, RuleState, Sight, SlackRequests};
use crate::http::slack::Reply;
use crate::promql::Threshold;
use crate::timing::Stage;

/// The source that confirms a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Witness {
    /// The receiver inside monctl, which received it.
    Receiver,
    /// The channel, in which a bot found it.
    Channel,
    /// Alertmanager's counters: requests minus failed requests.
    Counters,
}

/// A stage that was reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// The stage.
    pub stage: Stage,
    /// Since the load went on.
    pub at: Duration,
    /// What was seen.
    pub detail: String,
}

/// Follows one drill.
#[derive(Debug)]
pub struct Tracker {
    witness: Witness,
    /// Has the same unit as the values.
    threshold: Threshold,
    reached: BTreeMap<Stage, Duration>,
    /// Arrivals from before the rule was seen firing, or before the alert's identity was known.
    early: Vec<Arrival>,
    identities: BTreeSet<AlertIdentity>,
    /// Whether Alertmanager also sends notifications of other alerts.
    crowded: bool,
    /// What Alertmanager had sent before it could send this alert.
    others: SlackRequests,
    /// Accepted requests in the previous look, and when that number was first seen.
    accepted: (u64, Duration),
    /// Accepted requests when the rule was last seen firing.
    accepted_while_firing: u64,
    refusals: Vec<Reply>,
    failed: u64,
    highest: Option<f64>,
    suppressed: Option<String>,
}

impl Tracker {
    /// A tracker of a drill whose load goes on now; `crowded` if Alertmanager also sends notifications of other alerts.
    pub fn new(witness: Witness, crowded: bool, threshold: Threshold) -> Self {
        Self {
            witness,
            threshold,
            crowded,
            others: SlackRequests::default(),
            reached: BTreeMap::from([(Stage::LoadOn, Duration::ZERO)]),
            early: Vec::new(),
            identities: BTreeSet::new(),
            accepted: (0, Duration::ZERO),
            accepted_while_firing: 0,
            refusals: Vec::new(),
            failed: 0,
            highest: None,
            suppressed: None,
        }
    }

    /// When a stage was reached.
    pub fn when(&self, stage: Stage) -> Option<Duration> {
        self.reached.get(&stage).copied()
    }

    /// Whether a stage was reached.
    pub fn has(&self, stage: Stage) -> bool {
        self.reached.contains_key(&stage)
    }

    /// Replies of the receiver inside monctl that did not accept a message.
    pub fn refusals(&self) -> &[Reply] {
        &self.refusals
    }

    /// The alerts as Alertmanager identifies them.
    pub fn identities(&self) -> Vec<AlertIdentity> {
        self.identities.iter().cloned().collect()
    }

    /// Requests that failed, by Alertmanager's counters.
    pub fn failed(&self) -> u64 {
        self.failed
    }

    /// The highest value of the expression's left side.
    pub fn highest(&self) -> Option<f64> {
        self.highest
    }

    /// What suppressed the alert, if anything did.
    pub fn suppressed(&self) -> Option<&str> {
        self.suppressed.as_deref()
    }

    /// Marks the end of the load.
    pub fn load_off(&mut self, at: Duration, detail: &str) -> Option<Reached> {
        self.reach(Stage::LoadOff, at, detail.to_owned())
    }

    /// Takes a look into account; returns the stages that are new, in their order.
    pub fn see(&mut self, sight: &Sight) -> Vec<Reached> {
        let mut news = Vec::new();
        self.identities.extend(sight.identities.iter().cloned());
        self.early.extend(sight.messages.iter().cloned());
        let known_at = self.known_at(sight);
        self.rule(sight, known_at, &mut news);
        let was_held = self.has(Stage::InAlertmanager);
        self.held(sight, known_at, &mut news);
        let can_be_sent = if self.crowded { was_held } else { self.has(Stage::Firing) };
        if can_be_sent && !matches!(sight.held, Some(Held::Suppressed(_))) {
            self.arrivals(&mut news);
            self.traffic(sight, &mut news);
        } else if let Some(traffic) = sight.traffic {
            self.others = traffic;
        }
        self.fall(sight, &mut news);
        news
    }

    /// A value for display.
    fn show(&self, value: f64) -> String {
        self.threshold.show((value * 10.0).round() / 10.0)
    }

    /// The time from which the state in this look is known: a message about the alert was sent after it fired, possibly
    /// before the look.
    fn known_at(&self, sight: &Sight) -> Duration {
        let meant = |arrival: &&Arrival| {
            arrival
                .marks
                .iter()
                .any(|mark| !mark.is_over && self.identities.iter().any(|it| it.is_meant(mark)))
        };
        let first = self.early.iter().filter(meant).map(|arrival| arrival.at).min();
        first.map_or(sight.at, |first| first.min(sight.at))
    }

    fn rule(&mut self, sight: &Sight, at: Duration, news: &mut Vec<Reached>) {
        if let Some(Expression::Above(value) | Expression::NotAbove(Some(value))) = sight.expression {
            self.highest = Some(self.highest.map_or(value, |highest| highest.max(value)));
        }
        if let Some(Expression::Above(value)) = sight.expression {
            news.extend(self.rise(Stage::Above, at, self.show(value)));
        }
        match sight.rule {
            Some(RuleState::Firing) => news.extend(self.rise(Stage::Firing, at, String::new())),
            Some(RuleState::Pending) => news.extend(self.rise(Stage::Pending, at, String::new())),
            Some(RuleState::Inactive) | None => {}
        }
    }

    fn held(&mut self, sight: &Sight, at: Duration, news: &mut Vec<Reached>) {
        match &sight.held {
            Some(Held::Suppressed(by)) => {
                self.suppressed = Some(by.clone());
                news.extend(self.rise(Stage::InAlertmanager, at, by.clone()));
            }
            Some(Held::Yes) => news.extend(self.rise(Stage::InAlertmanager, at, String::new())),
            Some(Held::No) | None => {}
        }
    }

    /// Messages of the receiver or of the channel.
    fn arrivals(&mut self, news: &mut Vec<Reached>) {
        if self.witness == Witness::Counters {
            return self.early.clear();
        }
        for arrival in std::mem::take(&mut self.early) {
            if !arrival.marks.is_empty() && self.identities.is_empty() {
                self.early.push(arrival);
                continue;
            }
            let Some(is_over) = self.is_over(&arrival) else { continue };
            let at = arrival.at;
            if is_over && !self.has(Stage::Delivered) {
                // Another alert resolved; ours was not delivered yet.
                continue;
            }
            if !is_over {
                news.extend(self.rise(Stage::Sent, at, String::new()));
            }
            let seen =
                if self.witness == Witness::Channel { "found in the channel" } else { "received by monctl" };
            match arrival.reply {
                Reply::Ok if is_over => news.extend(self.resolved_delivered(at, seen)),
                Reply::Ok => news.extend(self.rise(Stage::Delivered, at, seen.into())),
                refusal => self.refusals.push(refusal),
            }
        }
    }

    /// Whether a message reports the alert as resolved; none if it is about other alerts.
    fn is_over(&self, arrival: &Arrival) -> Option<bool> {
        if arrival.marks.is_empty() {
            let first = if self.crowded { Stage::InAlertmanager } else { Stage::Pending };
            let began = self.when(first).unwrap_or_default();
            return (arrival.at >= began).then_some(arrival.is_over || self.has(Stage::Resolved));
        }
        let meant = |identity: &AlertIdentity| arrival.marks.iter().find(|mark| identity.is_meant(mark));
        let ours: Vec<_> = self.identities.iter().filter_map(meant).collect();
        (!ours.is_empty()).then(|| ours.iter().all(|mark| mark.is_over))
    }

    /// Alertmanager's counters. They are used once two consecutive looks agree: requests and failed requests are not
    /// counted at the same instant.
    fn traffic(&mut self, sight: &Sight, news: &mut Vec<Reached>) {
        let Some(total) = sight.traffic else { return };
        let requests = total.requests.saturating_sub(self.others.requests);
        let accepted = total.accepted.saturating_sub(self.others.accepted);
        self.failed = self.failed.max(requests.saturating_sub(accepted));
        // Among requests for other alerts, only a message identifies its alert.
        if requests > 0 && (self.witness == Witness::Counters || !self.crowded) {
            news.extend(self.rise(Stage::Sent, sight.at, String::new()));
        }
        let (before, since) = self.accepted;
        if accepted != before {
            self.accepted = (accepted, sight.at);
            return;
        }
        if self.witness != Witness::Counters || accepted == 0 {
            return;
        }
        if !self.has(Stage::Delivered) {
            let detail = format!("{accepted} of {requests} requests accepted");
            news.extend(self.rise(Stage::Delivered, since, detail));
            self.accepted_while_firing = accepted;
        } else if sight.rule == Some(RuleState::Firing) {
            self.accepted_while_firing = accepted;
        } else if self.has(Stage::Resolved) && accepted > self.accepted_while_firing {
            news.extend(self.resolved_delivered(since, "one more request accepted"));
        }
    }

    fn fall(&mut self, sight: &Sight, news: &mut Vec<Reached>) {
        let is_below = matches!(sight.expression, Some(Expression::NotAbove(_)));
        if is_below && self.has(Stage::Above) && self.has(Stage::LoadOff) {
            let value = match sight.expression {
                Some(Expression::NotAbove(Some(value))) => self.show(value),
                _ => String::new(),
            };
            news.extend(self.reach(Stage::Below, sight.at, value));
        }
        if sight.rule == Some(RuleState::Inactive) && self.has(Stage::Firing) {
            news.extend(self.reach(Stage::Resolved, sight.at, String::new()));
        }
    }

    /// Records the resolved notification; it implies `Resolved` if that was not seen before.
    fn resolved_delivered(&mut self, at: Duration, detail: &str) -> Vec<Reached> {
        let mut seen = Vec::new();
        if self.has(Stage::LoadOff) && !self.has(Stage::Resolved) {
            seen.extend(self.reach(Stage::Below, at, "seen by the message".into()));
        }
        seen.extend(self.reach(Stage::Resolved, at, "seen by the message".into()));
        seen.into_iter().chain(self.reach(Stage::ResolvedDelivered, at, detail.into())).collect()
    }

    /// Records a stage up to `Delivered`, and the unseen ones before it.
    fn rise(&mut self, stage: Stage, at: Duration, detail: String) -> Vec<Reached> {
        if self.has(stage) {
            return Vec::new();
        }
        let missed: Vec<Stage> =
            Stage::ALL.into_iter().filter(|&before| before < stage && !self.has(before)).collect();
        let seen_by = format!("seen by: {stage}");
        let missed = missed.into_iter().filter_map(|before| self.reach(before, at, seen_by.clone()));
        let mut news: Vec<Reached> = missed.collect();
        news.extend(self.reach(stage, at, detail));
        news
    }

    fn reach(&mut self, stage: Stage, at: Duration, detail: String) -> Option<Reached> {
        if self.has(stage) {
            return None;
        }
        self.reached.insert(stage, at);
        Some(Reached { stage, at, detail })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::slack::Mark;

    fn tracker(witness: Witness, crowded: bool) -> Tracker {
        Tracker::new(witness, crowded, Threshold::above(80.0))
    }

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn at(time: u64) -> Sight {
        Sight { at: seconds(time), ..Sight::default() }
    }

    fn rule(time: u64, rule: RuleState) -> Sight {
        let expression = match rule {
            RuleState::Inactive => Expression::NotAbove(Some(3.0)),
            _ => Expression::Above(91.0),
        };
        Sight { rule: Some(rule), expression: Some(expression), ..at(time) }
    }

    fn sent(time: u64, requests: u64, accepted: u64) -> Sight {
        let traffic = Some(SlackRequests { requests, accepted });
        Sight { traffic, held: Some(Held::Yes), ..rule(time, RuleState::Firing) }
    }

    fn message(time: u64, reply: Reply, is_over: bool) -> Sight {
        Sight {
            messages: vec![Arrival { at: seconds(time), reply, is_over, marks: Vec::new() }],
            ..rule(time, RuleState::Firing)
        }
    }

    fn stages(tracker: &mut Tracker, sights: &[Sight]) -> Vec<Stage> {
        sights.iter().flat_map(|sight| tracker.see(sight)).map(|reached| reached.stage).collect()
    }

    #[test]
    fn an_unseen_stage_is_recorded_with_the_next_one() {
        let mut tracker = tracker(Witness::Receiver, false);
        let news = tracker.see(&rule(9, RuleState::Firing));
        let stages: Vec<Stage> = news.iter().map(|reached| reached.stage).collect();
        assert_eq!(stages, [Stage::Above, Stage::Pending, Stage::Firing]);
        assert_eq!(news[1].detail, "seen by: firing");
        assert!(tracker.see(&rule(10, RuleState::Firing)).is_empty(), "each stage is reported once");
    }

    #[test]
    fn nothing_is_concluded_from_a_look_without_data() {
        let mut tracker = tracker(Witness::Counters, false);
        tracker.see(&rule(9, RuleState::Firing));
        tracker.load_off(seconds(10), "");
        assert!(tracker.see(&at(11)).is_empty());
        assert!(!tracker.has(Stage::Resolved));
    }

    #[test]
    fn a_request_that_failed_is_sent_and_not_delivered() {
        let mut tracker = tracker(Witness::Counters, false);
        let looks = [rule(9, RuleState::Firing), sent(10, 1, 0), sent(11, 1, 0), sent(12, 1, 0)];
        assert_eq!(stages(&mut tracker, &looks).last(), Some(&Stage::Sent));
        assert_eq!(tracker.failed(), 1);
    }

    #[test]
    fn counters_prove_a_delivery_once_two_looks_agree() {
        let mut tracker = tracker(Witness::Counters, false);
        // Between the two counters' increments a failed request looks like an accepted one.
        assert!(!stages(&mut tracker, &[sent(10, 1, 1), sent(11, 1, 0)]).contains(&Stage::Delivered));
        assert_eq!(stages(&mut tracker, &[sent(12, 2, 1), sent(13, 2, 1)]), [Stage::Delivered]);
        assert_eq!(tracker.when(Stage::Delivered), Some(seconds(12)), "the time of the first look");
    }

    #[test]
    fn requests_from_before_the_alert_fired_are_about_others() {
        let mut tracker = tracker(Witness::Counters, false);
        let early = Sight { rule: Some(RuleState::Pending), held: Some(Held::No), ..sent(5, 3, 3) };
        let looks = [early.clone(), early, sent(10, 3, 3), sent(11, 3, 3)];
        assert!(!stages(&mut tracker, &looks).contains(&Stage::Sent));
        assert!(stages(&mut tracker, &[sent(12, 4, 4), sent(13, 4, 4)]).contains(&Stage::Delivered));
    }

    #[test]
    fn among_other_alerts_only_requests_after_the_alert_is_listed_count() {
        let mut tracker = tracker(Witness::Counters, true);
        let looks = [rule(9, RuleState::Firing), sent(10, 1, 1), sent(11, 1, 1), sent(12, 1, 1)];
        assert!(!stages(&mut tracker, &looks).contains(&Stage::Sent));
        assert!(stages(&mut tracker, &[sent(13, 2, 2), sent(14, 2, 2)]).contains(&Stage::Delivered));
    }

    #[test]
    fn requests_about_others_do_not_count_for_this_alert() {
        let mut tracker = tracker(Witness::Receiver, true);
        let looks = [sent(9, 1, 1), sent(10, 2, 2), sent(11, 2, 2)];
        assert!(!stages(&mut tracker, &looks).contains(&Stage::Sent));
    }

    #[test]
    fn a_suppressed_alert_is_not_sent() {
        let mut tracker = tracker(Witness::Counters, false);
        let silenced =
            |time| Sight { held: Some(Held::Suppressed("silenced by x".into())), ..sent(time, time, time) };
        assert_eq!(
            stages(&mut tracker, &[silenced(10), silenced(11), silenced(12)]).last(),
            Some(&Stage::InAlertmanager)
        );
        assert_eq!(tracker.suppressed(), Some("silenced by x"));
    }

    #[test]
    fn a_message_counts_from_its_arrival_even_if_firing_is_seen_later() {
        let mut tracker = tracker(Witness::Receiver, false);
        tracker.see(&rule(4, RuleState::Pending));
        let early = Sight { rule: None, ..message(8, Reply::Ok, false) };
        assert!(stages(&mut tracker, &[early]).is_empty());
        assert!(stages(&mut tracker, &[rule(9, RuleState::Firing)]).contains(&Stage::Delivered));
        assert_eq!(tracker.when(Stage::Delivered), Some(seconds(8)));
    }

    #[test]
    fn the_resolved_notification_of_another_alert_is_not_a_delivery() {
        let mut tracker = tracker(Witness::Receiver, false);
        let looks = [rule(4, RuleState::Firing), message(8, Reply::Ok, true)];
        assert!(!stages(&mut tracker, &looks).contains(&Stage::Delivered));
    }

    #[test]
    fn a_marked_message_counts_only_for_the_alerts_that_it_names() {
        let mark = |fingerprint: &str, is_over| Mark { is_over, fingerprint: fingerprint.into(), since: 7 };
        let marked = |time, marks: &[Mark]| {
            let arrival =
                Arrival { at: seconds(time), reply: Reply::Ok, is_over: false, marks: marks.to_vec() };
            Sight { messages: vec![arrival], ..rule(time, RuleState::Firing) }
        };
        let known = |sight| Sight {
            identities: vec![AlertIdentity { fingerprint: "ours".into(), since: 7 }],
            held: Some(Held::Yes),
            ..sight
        };
        let mut tracker = tracker(Witness::Receiver, false);
        let other = Mark { since: 6, ..mark("ours", false) };
        let looks =
            [marked(4, &[mark("theirs", false)]), marked(5, &[other]), marked(6, &[mark("ours", false)])];
        assert!(
            !stages(&mut tracker, &looks).contains(&Stage::Sent),
            "our alert's identity is not known yet"
        );
        assert!(stages(&mut tracker, &[known(rule(9, RuleState::Firing))]).contains(&Stage::Delivered));
        assert_eq!(tracker.when(Stage::Delivered), Some(seconds(6)), "the time of its arrival");
        let firing = tracker.when(Stage::InAlertmanager);
        assert!(firing <= Some(seconds(6)), "the alert was in Alertmanager before its message: {firing:?}");
        tracker.load_off(seconds(10), "");
        assert!(stages(&mut tracker, &[marked(11, &[mark("theirs", true)])]).is_empty());
        let both = [mark("theirs", false), mark("ours", true)];
        assert!(stages(&mut tracker, &[marked(12, &both)]).contains(&Stage::ResolvedDelivered));
    }

    #[test]
    fn a_refused_message_is_recorded_as_a_refusal() {
        let mut tracker = tracker(Witness::Receiver, false);
        let refusal = Reply::Refused(404, "no_service");
        let looks = [rule(4, RuleState::Firing), message(8, refusal.clone(), false)];
        assert_eq!(stages(&mut tracker, &looks).last(), Some(&Stage::Sent));
        assert_eq!(tracker.refusals(), [refusal]);
    }

    #[test]
    fn a_resolved_notification_is_one_that_is_marked_so_or_follows_the_resolution() {
        for is_over in [true, false] {
            let mut tracker = tracker(Witness::Receiver, false);
            tracker.see(&rule(4, RuleState::Firing));
            tracker.see(&message(8, Reply::Ok, false));
            tracker.load_off(seconds(9), "");
            let over =
                Sight { messages: message(20, Reply::Ok, is_over).messages, ..rule(20, RuleState::Inactive) };
            let looks = [rule(19, RuleState::Inactive), over];
            assert_eq!(
                stages(&mut tracker, &looks),
                [Stage::Below, Stage::Resolved, Stage::ResolvedDelivered]
            );
        }
    }

    #[test]
    fn counters_prove_the_resolved_notification_by_one_more_request() {
        let mut tracker = tracker(Witness::Counters, false);
        stages(&mut tracker, &[sent(10, 1, 1), sent(11, 1, 1)]);
        tracker.load_off(seconds(12), "");
        let over = |time, count| Sight { rule: Some(RuleState::Inactive), ..sent(time, count, count) };
        assert_eq!(stages(&mut tracker, &[over(20, 1), over(21, 1)]), [Stage::Resolved]);
        assert_eq!(stages(&mut tracker, &[over(30, 2), over(31, 2)]), [Stage::ResolvedDelivered]);
    }
}
