//! The outcome of a drill: what was seen and when, beside what was predicted, and the diagnosis where it
//! did not make the whole way. Kept on the monitoring host, where `status` finds it.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::cause::{Cause, unit_name};
use super::diagnose::Diagnosis;
use super::sight::Identity;
use super::site::Site;
use super::tracker::Witness;
use super::{Fault, Prediction, Settings, Stage};
use crate::error::{Error, Result};
use crate::event::Millis;
use crate::host::HostName;
use crate::remote::Remote;

/// The outcome of a drill.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Proof {
    /// The alert.
    pub alert: String,
    /// The host that was loaded.
    pub host: HostName,
    /// Whether the alert made the whole way.
    pub proven: bool,
    /// When the load went on.
    pub at: jiff::Timestamp,
    /// Who says that messages were delivered.
    pub witness: Witness,
    /// The settings that decide the times.
    pub settings: Settings,
    /// What was done to the host; none where nothing was.
    pub cause: Option<Cause>,
    /// The fault.
    pub fault: Fault,
    /// What was predicted.
    pub prediction: Prediction,
    /// What was seen.
    pub timeline: Vec<Entry>,
    /// Where the way ended and why; none where it did not.
    pub diagnosis: Option<Diagnosis>,
    /// The alerts as Alertmanager names them, by which their messages are told from others.
    #[serde(skip)]
    pub identities: Vec<Identity>,
}

/// A stage that was reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// The stage.
    pub stage: Stage,
    /// Since the load went on.
    pub after: Millis,
    /// Predicted: earliest and latest.
    pub predicted: Option<(Millis, Millis)>,
    /// What was seen.
    pub detail: String,
}

/// A proof as it is kept: what a reader of `status` wants to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastProof {
    /// The alert.
    pub alert: String,
    /// Whether it made the whole way.
    pub proven: bool,
    /// When the fault began.
    pub at: jiff::Timestamp,
    /// When it began the last time that the alert was proven.
    #[serde(default)]
    pub last_proven: Option<jiff::Timestamp>,
    /// The host of the drill.
    pub host: String,
    /// From load to delivery, in milliseconds.
    pub delivered_after: Option<u64>,
    /// The stage that was not reached, and the likely cause.
    pub stopped_at: Option<(String, String)>,
}

impl Proof {
    /// When a stage was reached.
    pub fn when(&self, stage: Stage) -> Option<Millis> {
        self.timeline.iter().find(|entry| entry.stage == stage).map(|entry| entry.after)
    }

    /// What of it is kept.
    pub fn summary(&self) -> LastProof {
        let millis = |Millis(time): Millis| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let stopped = |diagnosis: &Diagnosis| (diagnosis.stage.to_string(), diagnosis.cause.clone());
        LastProof {
            alert: self.alert.clone(),
            proven: self.proven,
            at: self.at,
            last_proven: self.proven.then_some(self.at),
            host: self.host.to_string(),
            delivered_after: self.when(Stage::Delivered).map(millis),
            stopped_at: self.diagnosis.as_ref().map(stopped),
        }
    }
}

/// Keeps a proof on the monitoring host. One that failed does not take away when the alert was last proven.
///
/// # Errors
/// When it cannot be written there.
pub async fn keep(site: &impl Site, proof: &Proof) -> Result<()> {
    let before = read(&site.kept().await?).into_iter().find(|kept| kept.alert == proof.alert);
    let mut summary = proof.summary();
    summary.last_proven = summary.last_proven.or(before.and_then(|before| before.last_proven));
    let json = serde_json::to_vec(&summary)
        .map_err(|error| Error::failed("cannot write the proof as JSON").because(error))?;
    site.keep(&file_name(&proof.alert), &json).await
}

/// Exports when each of these alerts was last proven, as [`METRIC`].
///
/// # Errors
/// When the monitoring host cannot be told.
pub async fn publish(site: &impl Site, alerts: &[String]) -> Result<()> {
    let kept = read(&site.kept().await?);
    site.export(rules(alerts, &kept).as_bytes()).await
}

/// The metric: seconds since 1970, 0 where the alert was never proven; its label `alert` names the alert.
pub const METRIC: &str = "monctl_alert_last_proven_timestamp_seconds";

/// Recording rules that give the metric its values: a file that Prometheus reads needs no process that serves it.
fn rules(alerts: &[String], kept: &[LastProof]) -> String {
    let mut text = String::from("groups:\n  - name: monctl-proofs\n    rules:");
    if alerts.is_empty() {
        text.push_str(" []");
    }
    text.push('\n');
    for alert in alerts {
        let last = kept.iter().find(|kept| kept.alert == *alert).and_then(|kept| kept.last_proven);
        let seconds = last.map_or(0, jiff::Timestamp::as_second);
        let name = serde_json::Value::from(alert.as_str());
        let _ = writeln!(
            text,
            "      - record: {METRIC}\n        expr: vector({seconds})\n        labels: {{alert: {name}}}"
        );
    }
    text
}

/// The file name under which the proof of an alert is kept.
fn file_name(alert: &str) -> String {
    format!("{}.json", unit_name(alert))
}

/// The last proof of each alert, from the monitoring host. What cannot be read there is left out.
///
/// # Errors
/// When the connection breaks.
pub async fn last_proofs(monitoring: &Remote) -> Result<Vec<LastProof>> {
    Ok(read(&super::site::kept(monitoring).await?))
}

fn read(text: &str) -> Vec<LastProof> {
    let mut proofs: Vec<LastProof> =
        serde_json::Deserializer::from_str(text).into_iter().map_while(Result::ok).collect();
    proofs.sort_by(|a, b| a.alert.cmp(&b.alert));
    proofs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_never_proven_is_exported_too() {
        let kept = read(
            r#"{"alert":"B","proven":false,"at":"2026-11-24T03:00:00Z","host":"app","delivered_after":null,
            "stopped_at":null,"last_proven":"2026-11-17T03:00:00Z"}"#,
        );
        let text = rules(&["A".to_owned(), "B".to_owned()], &kept);
        assert!(text.contains("expr: vector(0)\n        labels: {alert: \"A\"}"), "{text}");
        assert!(text.contains("expr: vector(1794884400)\n        labels: {alert: \"B\"}"), "{text}");
        assert!(rules(&[], &kept).ends_with("rules: []\n"));
    }
}
