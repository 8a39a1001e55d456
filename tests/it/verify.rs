//! Alerts proven and not proven, through a real Prometheus and a real Alertmanager.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use crate::support::pipeline::{Pipeline, Timings};
use crate::support::slack::{Slack, TOKEN};
use monctl::cancel::Cancel;
use monctl::drill::Options;
use monctl::duration::Millis;
use monctl::error::Exit;
use monctl::event::Event;
use monctl::http::slack::{Reply, SlackReceiver};
use monctl::timing::Stage;
use monctl::verify::{Diagnosis, Proof, Witness};
use serde_json::json;

const DEADLINE: Duration = Duration::from_mins(2);

macro_rules! pipeline {
    ($timings:expr, $replies:expr) => {
        match Pipeline::start($timings, $replies).await {
            Some(pipeline) => pipeline,
            None => return,
        }
    };
    () => {
        pipeline!(Timings::default(), vec![])
    };
}

fn diagnosis(proof: &Proof) -> &Diagnosis {
    proof.diagnosis.as_ref().unwrap_or_else(|| panic!("proven: {proof:#?}"))
}

/// Every stage, in order, each within its predicted window, or up to four seconds later if the computer is busy with
/// other tests: the pipeline's steps are only a second apart.
fn assert_whole_way(proof: &Proof) {
    assert!(proof.proven, "{proof:#?}");
    let stages: Vec<Stage> = proof.timeline.iter().map(|entry| entry.stage).collect();
    assert_eq!(stages, Stage::ALL, "{:#?}", proof.timeline);
    let off = proof.timeline.iter().find(|entry| entry.stage == Stage::LoadOff);
    assert_eq!(
        off.map(|entry| entry.detail.as_str()),
        Some("delivered"),
        "the load ends once it has done its work"
    );
    for entry in &proof.timeline {
        let Some((Millis(earliest), Millis(latest))) = entry.predicted else { continue };
        let busy = Duration::from_secs(4);
        assert!(entry.after.0 >= earliest && entry.after.0 <= latest + busy, "{entry:?}");
    }
}

#[tokio::test]
async fn an_alert_is_proven_by_the_receiver_and_every_stage_comes_as_predicted() {
    let mut pipeline = pipeline!();
    let (proof, events) = pipeline.prove(Options::default()).await;
    let proof = proof.unwrap();
    assert_whole_way(&proof);
    assert_eq!(proof.witness, Witness::Receiver);
    assert!(!pipeline.host.is_busy(), "the load ends at delivery");

    let messages: Vec<(&str, &str)> = events
        .iter()
        .filter_map(|event| match event {
            Event::Message { message } => Some((message.title.as_str(), message.colour.as_str())),
            _ => None,
        })
        .collect();
    assert_eq!(messages, [("[FIRING] HighCPUUsage", "warning"), ("[RESOLVED] HighCPUUsage", "good")]);
    let expected = events.iter().position(|event| matches!(event, Event::Expected { .. }));
    let happened = events.iter().position(|event| matches!(event, Event::Stage { .. }));
    assert!(expected < happened, "the prediction is printed first");

    let kept = pipeline.host.kept.lock().unwrap();
    let kept = String::from_utf8_lossy(&kept["HighCPUUsage.json"]);
    assert!(kept.contains(r#""alert":"HighCPUUsage","proven":true"#), "{kept}");
}

#[tokio::test]
async fn without_its_own_receiver_alertmanagers_counters_prove_it() {
    let mut pipeline = pipeline!();
    let _receiver = pipeline.hide_receiver();
    let (proof, _) = pipeline.prove(Options::default()).await;
    let proof = proof.unwrap();
    assert_whole_way(&proof);
    assert_eq!(proof.witness, Witness::Counters);
}

#[tokio::test]
async fn a_severity_with_its_own_channel_is_proven_there_with_its_own_send_resolved() {
    let slack = Slack::on((Ipv4Addr::LOCALHOST, 0).into());
    let notify = "slack: {webhook_url: {env: A}, bot_token: {env: B}, channel: '#alerts'}, \
                  severities: {warning: {channel: '#on-call', send_resolved: false}}";
    let Some(pipeline) = Pipeline::start_to(notify, &slack.webhook(), Timings::default(), None).await else {
        return;
    };
    let (proof, events) = pipeline.prove_in_channel(slack.api(), TOKEN).await;
    let proof = proof.unwrap();
    assert!(proof.proven, "{proof:#?}");
    assert_eq!(proof.witness, Witness::Channel);
    assert!(proof.when(Stage::Resolved).is_some() && proof.when(Stage::ResolvedDelivered).is_none());
    let channels: Vec<&str> = events
        .iter()
        .filter_map(|event| match event {
            Event::Message { message } => Some(message.channel.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(channels, ["#on-call"], "the channel of the severity");
    assert_eq!((slack.count("#on-call"), slack.count("#alerts")), (1, 0));
}

#[tokio::test]
async fn a_muted_alert_is_refused_before_any_load() {
    let (receiver, address) = SlackReceiver::on_tcp((Ipv4Addr::LOCALHOST, 0).into(), vec![]).await.unwrap();
    let notify = "capture: {}, severities: {warning: {mute: [{from: '00:00', to: '24:00'}]}}";
    let webhook = format!("http://{address}/services/T/B/x");
    let started = Pipeline::start_to(notify, &webhook, Timings::default(), Some(receiver)).await;
    let Some(mut pipeline) = started else { return };
    let mut receiver = pipeline.hide_receiver();
    let (proof, _) = pipeline.prove(Options::default()).await;
    let error = proof.unwrap_err();
    assert_eq!(error.exit(), Exit::CouldNotRun);
    assert!(error.message().contains("alerts of severity `warning` are muted all the time"), "{error}");
    assert!(pipeline.host.starts.lock().unwrap().is_empty());

    // Both wait for the same time; the muted one came first.
    for (name, severity) in [("Muted", "warning"), ("Told", "critical")] {
        let labels = json!({"alertname": name, "severity": severity});
        let alert = json!([{"labels": labels, "endsAt": "2099-01-01T00:00:00Z"}]);
        assert!(pipeline.alertmanager.post("/api/v2/alerts", &alert).await.unwrap().is_success());
    }
    let first = tokio::time::timeout(DEADLINE, receiver.next()).await.unwrap().unwrap();
    assert_eq!(first.message.unwrap().title, "[FIRING] Told");
}

#[tokio::test]
async fn a_refusal_by_slack_is_explained_and_not_proven() {
    let mut pipeline = pipeline!(Timings::default(), vec![Reply::Refused(403, "invalid_token"); 9]);
    let (proof, _) = pipeline.prove(Options::default()).await;
    let proof = proof.unwrap();
    let diagnosis = diagnosis(&proof);
    assert_eq!(diagnosis.stage, Stage::Delivered);
    assert!(diagnosis.cause.contains("`invalid_token`: the webhook's URL is wrong"), "{diagnosis:?}");
    assert!(!pipeline.host.is_busy(), "the load ends");
}

#[tokio::test]
async fn a_rate_limit_only_delays_the_proof() {
    let mut pipeline = pipeline!(Timings::default(), vec![Reply::RateLimited(1)]);
    let (proof, _) = pipeline.prove(Options::default()).await;
    let proof = proof.unwrap();
    assert!(proof.proven, "{proof:#?}");
    assert!(proof.when(Stage::Sent) < proof.when(Stage::Delivered));
}

#[tokio::test]
async fn a_refusal_is_found_in_alertmanagers_log() {
    let mut pipeline = pipeline!(Timings::default(), vec![Reply::Refused(410, "channel_is_archived"); 9]);
    let _receiver = pipeline.hide_receiver();
    let (proof, _) = pipeline.prove(Options::default()).await;
    let proof = proof.unwrap();
    let diagnosis = diagnosis(&proof);
    assert_eq!(diagnosis.stage, Stage::Delivered);
    assert!(diagnosis.cause.contains("`channel_is_archived`"), "{diagnosis:?}");
}

#[tokio::test]
async fn an_alert_that_resolves_before_group_wait_has_passed_is_not_proven() {
    let mut pipeline = pipeline!(Timings { group_wait: "20s", ..Timings::default() }, vec![]);
    // The load dies as soon as the alert fires.
    *pipeline.host.dies_after.lock().unwrap() = Some(Duration::from_secs(11));
    let (proof, _) = pipeline.prove(Options::default()).await;
    let proof = proof.unwrap();
    let diagnosis = diagnosis(&proof);
    assert_eq!(diagnosis.stage, Stage::Sent, "{proof:#?}");
    assert!(
        diagnosis.cause.contains("before Alertmanager's `group_wait` of 20 s had passed"),
        "{diagnosis:?}"
    );
    assert!(proof.when(Stage::Resolved).is_some());
}

#[tokio::test]
async fn a_silence_is_detected_before_any_load() {
    let mut pipeline = pipeline!();
    let silence = json!({
        "matchers": [{"name": "instance", "value": "127\\.0\\.0\\.1:.*", "isRegex": true}],
        "startsAt": "2020-01-01T00:00:00Z",
        "endsAt": "2099-01-01T00:00:00Z",
        "createdBy": "jo",
        "comment": "maintenance",
    });
    let answer = pipeline.alertmanager.post("/api/v2/silences", &silence).await.unwrap();
    assert!(answer.is_success(), "{}", answer.message());
    let (proof, _) = pipeline.prove(Options::default()).await;
    let proof = proof.unwrap();
    let diagnosis = diagnosis(&proof);
    assert_eq!(diagnosis.stage, Stage::Sent);
    assert!(diagnosis.cause.contains("silenced by") && diagnosis.cause.contains("`jo`"), "{diagnosis:?}");
    assert!(pipeline.host.starts.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_inhibited_alert_is_not_proven() {
    let mut pipeline = pipeline!();
    let down = json!([{"labels": {"alertname": "HostDown"}, "endsAt": "2099-01-01T00:00:00Z"}]);
    let answer = pipeline.alertmanager.post("/api/v2/alerts", &down).await.unwrap();
    assert!(answer.is_success(), "{}", answer.message());
    let _receiver = pipeline.hide_receiver();
    let (proof, events) = pipeline.prove(Options::default()).await;
    let proof = proof.unwrap();
    assert!(diagnosis(&proof).cause.starts_with("the alert is inhibited by"), "{proof:#?}");
    assert_eq!(proof.when(Stage::Sent), None, "requests about other alerts do not count");
    let noted = |event: &Event| matches!(event, Event::Note { text } if text.contains("already has other alerts (1)"));
    assert!(events.iter().any(noted));
}

#[tokio::test]
async fn an_active_alert_cannot_be_proven() {
    let mut pipeline = pipeline!();
    pipeline.host.busy(0.95);
    let active = async {
        loop {
            let alerts = pipeline.alertmanager.get("/api/v2/alerts").await.unwrap();
            if String::from_utf8_lossy(&alerts.body).contains("HighCPUUsage") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(DEADLINE, active).await.unwrap();
    let (proof, _) = pipeline.prove(Options::default()).await;
    let error = proof.unwrap_err();
    assert_eq!(error.exit(), Exit::CouldNotRun);
    assert!(error.message().contains("is already active, since"), "{error}");
    assert!(pipeline.host.starts.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_target_that_is_down_is_detected_before_any_load() {
    let mut pipeline = pipeline!();
    pipeline.host.go_away();
    tokio::time::timeout(DEADLINE, pipeline.target_is_down()).await.unwrap();
    let (proof, _) = pipeline.prove(Options::default()).await;
    let proof = proof.unwrap();
    let diagnosis = diagnosis(&proof);
    assert_eq!(diagnosis.stage, Stage::Above);
    assert!(diagnosis.cause.starts_with("Prometheus cannot scrape `127.0.0.1`"), "{diagnosis:?}");
    assert!(pipeline.host.starts.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_insufficient_load_is_refused_with_a_sufficient_one() {
    let mut pipeline = pipeline!();
    let (proof, _) = pipeline.prove(Options { cpu_load: Some(60), ..Options::default() }).await;
    let error = proof.unwrap_err();
    assert_eq!(error.exit(), Exit::CouldNotRun);
    assert!(error.message().contains("requires more than 80%"), "{error}");
    let (least, rest) = error.hint().unwrap().strip_prefix("what works: ").unwrap().split_once('%').unwrap();
    assert!((80..=84).contains(&least.parse::<u8>().unwrap()), "{least}");
    assert!(rest.contains("on each of these CPUs"), "{rest}");
    assert!(pipeline.host.starts.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_restart_of_prometheus_gives_no_verdict_and_keeps_the_last_proof() {
    let mut pipeline = pipeline!();
    let before = br#"{"alert":"HighCPUUsage","proven":true}"#.to_vec();
    pipeline.host.kept.lock().unwrap().insert("HighCPUUsage.json".into(), before.clone());
    // The load ends before a restarted Prometheus has reached `for`.
    *pipeline.host.dies_after.lock().unwrap() = Some(Duration::from_secs(4));
    let (host, restart) = (Arc::clone(&pipeline.host), pipeline.restart());
    let sleeps = async {
        while host.starts.lock().unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        restart.stop();
        while host.is_busy() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        restart.start();
    };
    let ((proof, _), ()) = tokio::join!(pipeline.prove(Options::default()), sleeps);
    let proof = proof.unwrap();
    assert!(proof.lost && !proof.proven, "{proof:#?}");
    let cause = &diagnosis(&proof).cause;
    assert!(cause.starts_with("Prometheus did not answer from"), "{cause}");
    assert_eq!(pipeline.host.kept.lock().unwrap()["HighCPUUsage.json"], before);
}

#[tokio::test]
async fn an_alert_is_proven_if_prometheus_is_back_during_the_fault() {
    let mut pipeline = pipeline!();
    let (host, restart) = (Arc::clone(&pipeline.host), pipeline.restart());
    let sleeps = async {
        while host.starts.lock().unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        restart.stop();
        restart.start();
    };
    let ((proof, _), ()) = tokio::join!(pipeline.prove(Options::default()), sleeps);
    let proof = proof.unwrap();
    assert!(proof.proven || proof.lost, "a restart does not fail the alert: {proof:#?}");
}

#[tokio::test]
async fn the_end_of_a_fault_is_recorded_only_if_it_was_observed() {
    let mut pipeline = pipeline!();
    *pipeline.host.is_deaf.lock().unwrap() = true;
    let (proof, _) = pipeline.prove(Options::default()).await;
    let proof = proof.unwrap();
    assert!(proof.when(Stage::Delivered).is_some(), "{proof:#?}");
    let off = proof.timeline.iter().find(|entry| entry.stage == Stage::LoadOff);
    assert_ne!(off.map(|entry| entry.detail.as_str()), Some("delivered"), "the host did not end it");
}

#[tokio::test]
async fn a_failed_undo_ends_the_run_at_once() {
    let mut pipeline = pipeline!();
    *pipeline.host.undo_fails.lock().unwrap() = true;
    let (proof, events) = pipeline.prove(Options::default()).await;
    let error = proof.unwrap_err();
    assert_eq!(error.exit(), Exit::Failed);
    assert_eq!(error.causes(), ["no queue"], "what the command printed");
    let stages: Vec<&str> = events
        .iter()
        .filter_map(|event| match event {
            Event::Stage { stage, .. } => Some(stage.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(stages.last(), Some(&"delivered"), "nothing is waited for after it");
    let is_reported = |event: &Event| matches!(event, Event::Note { text } if text.contains("no queue; end the fault by hand"));
    assert!(events.iter().any(is_reported), "{events:#?}");
    assert!(pipeline.host.kept.lock().unwrap().is_empty(), "there is no verdict to store");
}

#[tokio::test]
async fn an_interruption_ends_the_load() {
    let mut pipeline = pipeline!();
    let cancel = Cancel::default();
    let host = Arc::clone(&pipeline.host);
    let raise = async {
        while host.starts.lock().unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        cancel.raise();
    };
    let ((proof, _), ()) = tokio::join!(pipeline.prove_until(Options::default(), &cancel), raise);
    assert_eq!(proof.unwrap_err().exit(), Exit::Interrupted);
    assert!(!pipeline.host.is_busy());
}
