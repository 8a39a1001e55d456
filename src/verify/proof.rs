//! The outcome of a drill: what was seen and when, beside what was predicted, and the diagnosis where it
//! did not make the whole way. Kept on the monitoring host, where `status` finds it.

use serde::{Deserialize, Serialize};

use super::diagnose::Diagnosis;
use super::site::Site;
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
    /// Who says that messages were delivered: `receiver` or `counters`.
    pub witness: &'static str,
    /// The settings that decide the times.
    pub settings: Settings,
    /// The load.
    pub fault: Fault,
    /// What was predicted.
    pub prediction: Prediction,
    /// What was seen.
    pub timeline: Vec<Entry>,
    /// Where the way ended and why; none where it did not.
    pub diagnosis: Option<Diagnosis>,
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
    /// When the load went on.
    pub at: jiff::Timestamp,
    /// The host that was loaded.
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
            host: self.host.to_string(),
            delivered_after: self.when(Stage::Delivered).map(millis),
            stopped_at: self.diagnosis.as_ref().map(stopped),
        }
    }
}

/// Keeps a proof on the monitoring host.
///
/// # Errors
/// When it cannot be written there.
pub async fn keep(site: &impl Site, proof: &Proof) -> Result<()> {
    let json = serde_json::to_vec(&proof.summary())
        .map_err(|error| Error::failed("cannot write the proof as JSON").because(error))?;
    site.keep(&file_name(&proof.alert), &json).await
}

/// The file name under which the proof of an alert is kept.
fn file_name(alert: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    format!("{}.json", alert.chars().map(safe).collect::<String>())
}

/// The last proof of each alert, from the monitoring host. What cannot be read there is left out.
///
/// # Errors
/// When the connection breaks.
pub async fn last_proofs(monitoring: &Remote) -> Result<Vec<LastProof>> {
    let text = super::site::kept(monitoring).await?;
    let mut proofs: Vec<LastProof> =
        serde_json::Deserializer::from_str(&text).into_iter().map_while(Result::ok).collect();
    proofs.sort_by(|a, b| a.alert.cmp(&b.alert));
    Ok(proofs)
}
