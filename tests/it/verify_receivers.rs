//! Test alerts through a real Alertmanager: receivers that get them, that refuse them, and that must not get them.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use crate::support::alertmanager::RunningAlertmanager;
use crate::support::binary::{Project, SPEC};
use crate::support::pipeline::Here;
use crate::support::slack::{Slack, TOKEN};
use monctl::cancel::Cancel;
use monctl::error::{Exit, Result};
use monctl::event::Events;
use monctl::http::Endpoint;
use monctl::http::alertmanager::{Alertmanager, Matcher, NewSilence};
use monctl::http::slack::{Reply, SlackReceiver};
use monctl::secret::Secret;
use monctl::spec::{SecretName, Secrets, Spec, load};
use monctl::verify::{
    Inbox, MessageChannels, Reader, ReceiverResult, ReceiverTest, ReceiverVerdict, TEST_LABEL, Witness,
    test_receivers,
};
use serde_json::json;

/// A spec with an alert of each of these severities.
fn spec(severities: &[&str], notify: &str) -> Spec {
    let (before, _) = SPEC.split_once("alerts:").unwrap();
    let alerts: Vec<String> = severities
        .iter()
        .map(|severity| format!("  Of{severity}: {{expr: up == 0, severity: {severity}}}\n"))
        .collect();
    let alerts = alerts.concat();
    let watchdog = if notify.contains("heartbeat_url") { "  Watchdog: {}\n" } else { "" };
    let text = format!("{before}alerts:\n{watchdog}  HostDown: {{}}\n{alerts}notify:\n{notify}");
    load(&Project::with_spec(&text).path("monctl.yaml")).unwrap().spec
}

fn of_severity(name: &str) -> SecretName {
    SecretName::SeverityWebhookUrl(name.parse().unwrap())
}

async fn receiver(replies: Vec<Reply>) -> (SlackReceiver, Secret) {
    let (receiver, address) = SlackReceiver::on_tcp((Ipv4Addr::LOCALHOST, 0).into(), replies).await.unwrap();
    (receiver, Secret::new(format!("http://{address}/services/T/B/x")))
}

/// Tests the receivers by Alertmanager's counters, until interrupted.
async fn counted(
    spec: &Spec,
    running: &RunningAlertmanager,
    cancel: &Cancel,
) -> Result<BTreeMap<String, ReceiverVerdict>> {
    let (events, _seen) = Events::channel();
    tested(spec, running, Inbox::of_counters(&events), &events, cancel).await
}

async fn tested(
    spec: &Spec,
    running: &RunningAlertmanager,
    inbox: Inbox,
    events: &Events,
    cancel: &Cancel,
) -> Result<BTreeMap<String, ReceiverVerdict>> {
    let alertmanager = Alertmanager::new(&Endpoint::Tcp(running.address)).unwrap();
    let tests = ReceiverTest::of_routes(&spec.notify.routes());
    let log = async |_| Ok(running.log());
    let results = test_receivers(&tests, &alertmanager, inbox, log, events, cancel).await?;
    Ok(results.into_iter().map(|ReceiverResult { route, verdict, .. }| (route, verdict)).collect())
}

/// How many test alerts Alertmanager has.
async fn active(running: &RunningAlertmanager) -> usize {
    let alertmanager = Alertmanager::new(&Endpoint::Tcp(running.address)).unwrap();
    let alerts = alertmanager.alerts().await.unwrap();
    alerts.iter().filter(|alert| alert.labels.contains_key(TEST_LABEL)).count()
}

#[track_caller]
fn is_delivered(verdict: &ReceiverVerdict, by: Witness) {
    assert!(matches!(verdict, ReceiverVerdict::Delivered { witness, .. } if *witness == by), "{verdict:?}");
}

#[track_caller]
fn fails(verdict: &ReceiverVerdict, expected: &str) {
    let ReceiverVerdict::Failed { cause, remedy } = verdict else { panic!("{verdict:?}") };
    assert!(cause.contains(expected) && !remedy.is_empty(), "{verdict:?}");
}

#[tokio::test]
async fn each_receiver_has_its_own_verdict_and_refusals_are_explained() {
    let severities = ["forbidden", "gone", "limited", "closed", "fine"];
    let settings: Vec<String> =
        severities.iter().map(|name| format!("    {name}: {{webhook_url: {{env: A}}}}\n")).collect();
    let settings = settings.concat();
    let spec = spec(
        &severities,
        &format!("  slack: {{webhook_url: {{env: A}}}}\n  group_wait: 1s\n  severities:\n{settings}"),
    );
    let (_usual, usual) = receiver(vec![]).await;
    let (_forbidden, forbidden) = receiver(vec![Reply::Refused(403, "invalid_token"); 9]).await;
    let (_gone, gone) = receiver(vec![Reply::Refused(404, "no_service"); 9]).await;
    let (_limited, limited) = receiver(vec![Reply::RateLimited(1); 9]).await;
    let (mut fine, fine_url) = receiver(vec![]).await;
    let secrets = Secrets::from_iter([
        (SecretName::SlackWebhookUrl, usual),
        (of_severity("forbidden"), forbidden),
        (of_severity("gone"), gone),
        (of_severity("limited"), limited),
        (of_severity("closed"), Secret::new("http://127.0.0.1:9/services/x")),
        (of_severity("fine"), fine_url),
    ]);
    let Some(running) = RunningAlertmanager::start(&spec, &secrets).await else { return };
    let verdicts = counted(&spec, &running, &Cancel::default()).await.unwrap();
    is_delivered(&verdicts["other alerts"], Witness::Counters);
    is_delivered(&verdicts["severity fine"], Witness::Counters);
    fails(&verdicts["severity forbidden"], "`invalid_token`: the webhook's URL is wrong");
    fails(&verdicts["severity gone"], "`no_service`");
    fails(&verdicts["severity limited"], "too many messages");
    fails(&verdicts["severity closed"], "the connection was refused");
    assert_eq!(active(&running).await, 0, "the test alerts are ended");
    let message = fine.take().remove(0).message.unwrap();
    assert!(message.title.starts_with("[FIRING] ReceiverTest_"), "{}", message.title);
    assert!(
        message.text.contains("Test of the receivers by monctl: this is only a test"),
        "{}",
        message.text
    );
}

#[tokio::test]
async fn what_is_withheld_is_not_a_failure_of_its_receiver() {
    let slack = Slack::on((Ipv4Addr::LOCALHOST, 0).into());
    let notify = format!(
        "  slack: {{webhook_url: {{env: A}}, bot_token: {{env: B}}, channel: '#alerts', api_url: '{}'}}\n  group_wait: 1s\n  \
         severities:\n    critical: {{channel: '#on-call'}}\n    night: {{mute: [{{from: '00:00', to: '24:00'}}]}}\n    \
         quiet: {{repeat_interval: 1h}}\n  heartbeat_url: {{env: C}}\n",
        slack.api()
    );
    let spec = spec(&["critical", "night", "quiet"], &notify);
    // Its requests are not Slack's.
    let (mut beat, beat_url) = receiver(vec![Reply::Ok; 9]).await;
    let secrets = Secrets::from_iter([
        (SecretName::SlackWebhookUrl, Secret::new(slack.webhook())),
        (SecretName::SlackBotToken, Secret::new(TOKEN)),
        (SecretName::HeartbeatUrl, beat_url),
    ]);
    let Some(running) = RunningAlertmanager::start(&spec, &secrets).await else { return };
    let alertmanager = Alertmanager::new(&Endpoint::Tcp(running.address)).unwrap();
    let matcher = Matcher { name: "severity".into(), value: "quiet".into(), is_regex: false, is_equal: true };
    let now = jiff::Timestamp::now();
    let silence = NewSilence {
        matchers: vec![matcher],
        starts_at: now,
        ends_at: now + jiff::SignedDuration::from_hours(2),
        created_by: "jo@desk".into(),
        comment: "a migration".into(),
    };
    let id = alertmanager.silence(&silence).await.unwrap();
    let routes = spec.notify.routes();
    let places: MessageChannels = routes.iter().copied().filter(|route| !route.is_heartbeat()).collect();
    let test = async || {
        let (events, _seen) = Events::channel();
        let (shell, token, cancel) = (&Here, Secret::new(TOKEN), Cancel::default());
        let reader = Reader { shell, api_url: slack.api(), token, proxy_url: None };
        let watched = reader.watch(&places).await.unwrap();
        let (inbox, slot) = Inbox::of_channel(&events);
        tokio::select! {
            verdicts = tested(&spec, &running, inbox, &events, &cancel) => verdicts.unwrap(),
            never = watched.follow(&slot) => match never {},
        }
    };
    let withheld = |verdict: &ReceiverVerdict, expected: &str| {
        let ReceiverVerdict::Withheld { cause, .. } = verdict else { panic!("{verdict:?}") };
        assert!(cause.contains(expected), "{cause}");
    };
    let verdicts = test().await;
    is_delivered(&verdicts["other alerts"], Witness::Channel);
    is_delivered(&verdicts["severity critical"], Witness::Channel);
    is_delivered(&verdicts["heartbeat"], Witness::Counters);
    withheld(&verdicts["severity night"], "alerts of severity `night` are muted all the time");
    let expected = format!("the test is silenced by {id}, created by `jo@desk` (a migration), until 20");
    withheld(&verdicts["severity quiet"], &expected);
    assert_eq!((slack.count("#on-call"), slack.count("#alerts")), (1, 1));
    assert_eq!(beat.take().len(), 1);

    let matchers: Vec<String> =
        alertmanager.silences().await.unwrap()[0].matchers.iter().map(ToString::to_string).collect();
    assert_eq!(matchers, ["severity=\"quiet\""]);
    alertmanager.end_silence(&id).await.unwrap();
    assert_eq!(alertmanager.silences().await.unwrap(), []);
    // Labels that both alerts lack are equal.
    running.post(&json!([{"labels": {"alertname": "HostDown"}, "endsAt": "2099-01-01T00:00:00Z"}])).await;
    let verdicts = test().await;
    withheld(&verdicts["severity critical"], "the test is inhibited by");
    assert_eq!(active(&running).await, 0, "the test alerts are ended");
}

#[tokio::test]
async fn routes_that_differ_from_the_spec_are_found() {
    let notify = |severities: &str| {
        format!("  slack: {{webhook_url: {{env: A}}}}\n  group_wait: 1s\n  severities: {{{severities}}}\n")
    };
    let (_receiver, url) = receiver(vec![]).await;
    let secrets = Secrets::from_iter([(SecretName::SlackWebhookUrl, url)]);
    let before = spec(&["night"], &notify("night: {repeat_interval: 1h}"));
    let Some(running) = RunningAlertmanager::start(&before, &secrets).await else { return };
    let after = spec(&["night"], &notify("night: {send_resolved: false}"));
    let verdicts = counted(&after, &running, &Cancel::default()).await.unwrap();
    fails(&verdicts["severity night"], "Alertmanager routes it to `slack-notifications` instead");
}

#[tokio::test]
async fn an_interruption_ends_the_test_alerts_before_they_are_sent() {
    let spec = spec(&["night"], "  slack: {webhook_url: {env: A}}\n  group_wait: 3s\n");
    let (mut receiver, url) = receiver(vec![]).await;
    let secrets = Secrets::from_iter([(SecretName::SlackWebhookUrl, url)]);
    let Some(running) = RunningAlertmanager::start(&spec, &secrets).await else { return };
    let cancel = Cancel::default();
    let raise = async {
        while active(&running).await == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        cancel.raise();
    };
    let (verdicts, ()) = tokio::join!(counted(&spec, &running, &cancel), raise);
    let error = verdicts.unwrap_err();
    assert_eq!(error.exit(), Exit::Interrupted);
    assert_eq!(error.hint(), Some("its test alerts were ended; run it again"));
    assert_eq!(active(&running).await, 0);
    // A later alert is sent first.
    running.post(&json!([{"labels": {"alertname": "Later"}, "endsAt": "2099-01-01T00:00:00Z"}])).await;
    let first = tokio::time::timeout(Duration::from_mins(1), receiver.next()).await.unwrap().unwrap();
    assert_eq!(first.message.unwrap().title, "[FIRING] Later");
}
