//! From looks at the pipeline to stages reached: a state machine without clock or network.
//!
//! A stage that was passed between two looks is reported together with the next one that was seen.
//!
//! monctl's Alertmanager puts all alerts into one group, so that the first request after the alert joined is
//! about it, too. Requests from before then, and requests while the alert is suppressed, are about others.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Stage;
use super::sight::{Arrival, Expression, Held, RuleState, Sight, Traffic};
use crate::http::slack::Reply;

/// Who says that a message was delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Witness {
    /// The receiver inside monctl, which got it.
    Receiver,
    /// Alertmanager's counters of requests less failed requests.
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
    reached: BTreeMap<Stage, Duration>,
    /// Arrivals that came before the rule was seen firing.
    early: Vec<Arrival>,
    /// Whether Alertmanager tells of other alerts, too.
    crowded: bool,
    /// What Alertmanager had sent before it could send this alert.
    others: Traffic,
    /// Accepted requests in the look before, and when they were first seen so many.
    accepted: (u64, Duration),
    /// Accepted requests when the rule was last seen firing.
    accepted_while_firing: u64,
    refusals: Vec<Reply>,
    failed: u64,
    highest: Option<f64>,
    suppressed: Option<String>,
}

impl Tracker {
    /// A tracker of a drill whose load goes on now; `crowded` where Alertmanager tells of other alerts, too.
    pub fn new(witness: Witness, crowded: bool) -> Self {
        Self {
            witness,
            crowded,
            others: Traffic::default(),
            reached: BTreeMap::from([(Stage::LoadOn, Duration::ZERO)]),
            early: Vec::new(),
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

    /// What the receiver inside monctl answered when it did not accept a message.
    pub fn refusals(&self) -> &[Reply] {
        &self.refusals
    }

    /// Requests that failed, by Alertmanager's counters.
    pub fn failed(&self) -> u64 {
        self.failed
    }

    /// The highest value of the expression's left side.
    pub fn highest(&self) -> Option<f64> {
        self.highest
    }

    /// What kept the alert from being sent, if it was seen.
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
        self.rule(sight, &mut news);
        let was_held = self.has(Stage::InAlertmanager);
        self.held(sight, &mut news);
        self.early.extend(sight.messages.iter().cloned());
        let can_be_told = if self.crowded { was_held } else { self.has(Stage::Firing) };
        if can_be_told && !matches!(sight.held, Some(Held::Suppressed(_))) {
            self.arrivals(&mut news);
            self.traffic(sight, &mut news);
        } else if let Some(traffic) = sight.traffic {
            self.others = traffic;
        }
        self.fall(sight, &mut news);
        news
    }

    fn rule(&mut self, sight: &Sight, news: &mut Vec<Reached>) {
        let at = sight.at;
        if let Some(Expression::Above(value) | Expression::NotAbove(Some(value))) = sight.expression {
            self.highest = Some(self.highest.map_or(value, |highest| highest.max(value)));
        }
        if let Some(Expression::Above(value)) = sight.expression {
            news.extend(self.rise(Stage::Above, at, format!("{value:.1}%")));
        }
        match sight.rule {
            Some(RuleState::Firing) => news.extend(self.rise(Stage::Firing, at, String::new())),
            Some(RuleState::Pending) => news.extend(self.rise(Stage::Pending, at, String::new())),
            Some(RuleState::Inactive) | None => {}
        }
    }

    fn held(&mut self, sight: &Sight, news: &mut Vec<Reached>) {
        match &sight.held {
            Some(Held::Suppressed(by)) => {
                self.suppressed = Some(by.clone());
                news.extend(self.rise(Stage::InAlertmanager, sight.at, by.clone()));
            }
            Some(Held::Yes) => news.extend(self.rise(Stage::InAlertmanager, sight.at, String::new())),
            Some(Held::No) | None => {}
        }
    }

    /// The receiver's own word.
    fn arrivals(&mut self, news: &mut Vec<Reached>) {
        for Arrival { at, reply, is_over } in std::mem::take(&mut self.early) {
            let first = if self.crowded { Stage::InAlertmanager } else { Stage::Pending };
            let began = self.when(first).unwrap_or_default();
            if at < began || self.witness != Witness::Receiver {
                continue;
            }
            let is_over = is_over || self.has(Stage::Resolved);
            if is_over && !self.has(Stage::Delivered) {
                // The end of another alert; ours was not told yet.
                continue;
            }
            if !is_over {
                news.extend(self.rise(Stage::Sent, at, String::new()));
            }
            match reply {
                Reply::Ok if is_over => news.extend(self.told(at, "the receiver has it")),
                Reply::Ok => news.extend(self.rise(Stage::Delivered, at, "the receiver has it".into())),
                refusal => self.refusals.push(refusal),
            }
        }
    }

    /// Alertmanager's counters. What they say counts once two looks in a row agree: requests and
    /// failed requests are not counted in the same instant.
    fn traffic(&mut self, sight: &Sight, news: &mut Vec<Reached>) {
        let Some(total) = sight.traffic else { return };
        let requests = total.requests.saturating_sub(self.others.requests);
        let accepted = total.accepted.saturating_sub(self.others.accepted);
        self.failed = self.failed.max(requests.saturating_sub(accepted));
        if requests > 0 {
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
            news.extend(self.told(since, "one more request accepted"));
        }
    }

    fn fall(&mut self, sight: &Sight, news: &mut Vec<Reached>) {
        let is_below = matches!(sight.expression, Some(Expression::NotAbove(_)));
        if is_below && self.has(Stage::Above) && self.has(Stage::LoadOff) {
            let value = match sight.expression {
                Some(Expression::NotAbove(Some(value))) => format!("{value:.1}%"),
                _ => String::new(),
            };
            news.extend(self.reach(Stage::Below, sight.at, value));
        }
        if sight.rule == Some(RuleState::Inactive) && self.has(Stage::Firing) {
            news.extend(self.reach(Stage::Resolved, sight.at, String::new()));
        }
    }

    /// The message that the alert is over; that it is over was not seen by itself then.
    fn told(&mut self, at: Duration, detail: &str) -> Vec<Reached> {
        let resolved = self.reach(Stage::Resolved, at, "seen by the message".into());
        resolved.into_iter().chain(self.reach(Stage::ResolvedDelivered, at, detail.into())).collect()
    }

    /// Reaches a stage of the way up, and those before it that no look has seen.
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
