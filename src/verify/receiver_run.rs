//! Sends the test alerts of `verify-receivers` and watches whether the receivers get them. No fault is caused: the alerts
//! are posted to Alertmanager itself, and end by themselves.

use std::time::Duration;

use jiff::SignedDuration;
use tokio::time::{Instant, sleep, timeout};

use super::deliveries::Inbox;
use super::observer::within;
use super::receiver_test::ReceiverTest;
use super::receiver_verdict::{ReceiverResult, ReceiverSight, ReceiverTracker, ReceiverVerdict};
use crate::cancel::Cancel;
use crate::error::{Error, Exit, Result};
use crate::event::Events;
use crate::http::alertmanager::{Alertmanager, Counters, HeldAlert, PostedAlert, ReceiverKind};
use crate::timing::phrases;

/// Time between looks.
const PERIOD: Duration = Duration::from_millis(250);
/// Time between readings of Alertmanager's log.
const LOG_PERIOD: Duration = Duration::from_secs(1);
/// How much later than expected a message may arrive; Alertmanager repeats a failed request several times in it.
const GRACE: Duration = Duration::from_secs(10);
/// How long the test alerts outlive the longest wait, if monctl is killed.
const LEFT: SignedDuration = SignedDuration::from_secs(20);
/// Time that an interrupted run has to end the test alerts.
const HURRY: Duration = Duration::from_millis(1_200);

/// Tests receivers. `log` returns what Alertmanager logged in the last seconds.
///
/// # Errors
/// When Alertmanager does not answer before the test begins, or the run was interrupted. A receiver that does not get
/// its message is a result.
pub async fn test_receivers(
    tests: &[ReceiverTest],
    alertmanager: &Alertmanager,
    inbox: Inbox,
    log: impl AsyncFn(u64) -> Result<String>,
    events: &Events,
    cancel: &Cancel,
) -> Result<Vec<ReceiverResult>> {
    let run = ReceiverRun { tests, alertmanager, inbox, log, events };
    tokio::select! {
        results = Box::pin(run.follow()) => results,
        () = cancel.raised() => {
            let error = Error::new(Exit::Interrupted, "`verify-receivers` was interrupted");
            Err(match timeout(HURRY, end(tests, alertmanager)).await {
                Ok(Ok(())) => error.remedy("its test alerts were ended; run it again"),
                _ => error.remedy("its test alerts end by themselves soon; then run it again"),
            })
        }
    }
}

struct ReceiverRun<'a, L> {
    tests: &'a [ReceiverTest],
    alertmanager: &'a Alertmanager,
    inbox: Inbox,
    log: L,
    events: &'a Events,
}

impl<L: AsyncFn(u64) -> Result<String>> ReceiverRun<'_, L> {
    async fn follow(mut self) -> Result<Vec<ReceiverResult>> {
        let mut tracker = ReceiverTracker::new(self.tests, self.inbox.witness());
        for (test, verdict) in self.withheld().await? {
            tracker.decide(test, &verdict);
        }
        let sent: Vec<&ReceiverTest> = tracker.pending().into_iter().map(|test| &self.tests[test]).collect();
        if sent.is_empty() {
            return Ok(tracker.results());
        }
        let mut latest = Duration::ZERO;
        for test in &sent {
            latest = latest.max(test.latest(self.joins(test).await?));
        }
        self.events.note(format!(
            "{} test alert{}; expected within {} (`group_wait`), given up after {}",
            sent.len(),
            if sent.len() == 1 { "" } else { "s" },
            phrases::seconds(latest),
            phrases::seconds(latest + GRACE)
        ));
        self.inbox.take();
        let before = self.alertmanager.counters().await?;
        let alerts: Vec<PostedAlert> = sent.iter().map(|test| test.alert()).collect();
        self.alertmanager.post(&alerts).await?;
        let begun = Instant::now();
        let watched = async {
            self.limit(alerts, latest).await?;
            self.watch(&mut tracker, &before, begun, latest + GRACE).await;
            Ok(())
        };
        let watched: Result<()> = watched.await;
        if let Err(error) = end(self.tests, self.alertmanager).await {
            self.events.warn(format!("the test alerts end by themselves later: {}", error.in_one_line()));
        }
        watched.map(|()| tracker.results())
    }

    /// The tests that a mute time or a silence would hold back.
    async fn withheld(&self) -> Result<Vec<(usize, ReceiverVerdict)>> {
        let silences = self.alertmanager.silences().await?;
        let mut found = Vec::new();
        for (index, test) in self.tests.iter().enumerate() {
            let silence = silences.iter().find(|silence| silence.matches(&test.labels));
            if let Err(error) = test.mutes.allow("the test", jiff::Timestamp::now(), test.group_wait) {
                let remedy = error.hint().unwrap_or("run it at another time").to_owned();
                found.push((index, ReceiverVerdict::Withheld { cause: error.message().to_owned(), remedy }));
            } else if let Some(silence) = silence {
                let cause = format!("the test is {silence}");
                let remedy = silence.remedy();
                found.push((index, ReceiverVerdict::Withheld { cause, remedy }));
            }
        }
        Ok(found)
    }

    /// Whether Alertmanager would add the test to a group that it may have notified already.
    async fn joins(&self, test: &ReceiverTest) -> Result<bool> {
        let groups = self.alertmanager.groups().await?;
        Ok(groups.iter().any(|group| {
            let is_its = group.receiver.as_ref().is_some_and(|receiver| receiver.name == test.receiver);
            is_its && group.takes(&test.labels)
        }))
    }

    /// Gives the alerts an end, by Alertmanager's clock, from which they count as resolved whatever happens.
    async fn limit(&self, alerts: Vec<PostedAlert>, latest: Duration) -> Result<()> {
        let held = self.alertmanager.alerts().await?;
        let lifetime =
            SignedDuration::try_from(latest + GRACE).unwrap_or(SignedDuration::from_mins(10)) + LEFT;
        let with_end = |alert: PostedAlert| {
            let begin = held.iter().find(|held| held.labels == alert.labels)?.starts_at;
            Some(PostedAlert { times: Some((begin, begin.checked_add(lifetime).ok()?)), ..alert })
        };
        let alerts: Vec<PostedAlert> = alerts.into_iter().filter_map(with_end).collect();
        self.alertmanager.post(&alerts).await
    }

    /// Watches until every test has its verdict, or its time has passed.
    async fn watch(
        &mut self,
        tracker: &mut ReceiverTracker<'_>,
        before: &Counters,
        begun: Instant,
        until: Duration,
    ) {
        let _waiting = self.events.waiting("the test messages");
        let mut logged = Instant::now();
        loop {
            let sight = self.look(before, begun).await;
            let at = sight.at;
            tracker.see(sight);
            let is_last = at >= until;
            if is_last || tracker.has_failures() && logged.elapsed() >= LOG_PERIOD {
                logged = Instant::now();
                match (self.log)(at.as_secs() + 2).await {
                    Ok(log) => tracker.read_log(&log, is_last),
                    Err(error) => self.events.warn(error.in_one_line()),
                }
            }
            if tracker.is_done() || is_last {
                return;
            }
            sleep(PERIOD).await;
        }
    }

    async fn look(&mut self, before: &Counters, begun: Instant) -> ReceiverSight {
        let (held, counters) =
            tokio::join!(within(self.alertmanager.alerts()), within(self.alertmanager.counters()));
        let at = begun.elapsed();
        let mut unseen = self.inbox.silence().map(|silence| silence.why);
        let mut seen = |why: String| unseen = Some(format!("Alertmanager: {why}"));
        let held = match held {
            Ok(held) => Some(held),
            Err(why) => {
                seen(why);
                None
            }
        };
        let sent = match counters {
            Ok(counters) => Some(
                [ReceiverKind::Slack, ReceiverKind::Webhook]
                    .map(|integration| (integration, counters.since(before, integration)))
                    .into(),
            ),
            Err(why) => {
                seen(why);
                None
            }
        };
        let messages = self.inbox.take().into_iter();
        let messages =
            messages.map(|it| (it.at.saturating_duration_since(begun), it.reply, it.marks)).collect();
        ReceiverSight { at, held, sent, messages, unseen }
    }
}

/// Ends the test alerts that Alertmanager has, by its own clock.
async fn end(tests: &[ReceiverTest], alertmanager: &Alertmanager) -> Result<()> {
    let held = alertmanager.alerts().await?;
    let ended = |held: &HeldAlert| {
        let test = tests.iter().find(|test| test.labels == held.labels)?;
        let end = held.starts_at.checked_add(SignedDuration::from_millis(1)).ok()?;
        Some(PostedAlert { times: Some((held.starts_at, end)), ..test.alert() })
    };
    let ended: Vec<PostedAlert> = held.iter().filter_map(ended).collect();
    if ended.is_empty() { Ok(()) } else { alertmanager.post(&ended).await }
}
