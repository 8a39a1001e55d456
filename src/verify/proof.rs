//! The outcome of a drill: what was seen and when, what was predicted, and the diagnosis if a stage was not reached.
//! Stored on the monitoring host, where `status` finds it.

use serde::{Deserialize, Serialize};

use super::diagnosis::Diagnosis;
use super::observation::AlertIdentity;
use super::tracker::Witness;
use crate::drill::{HostFault, KeptFile, Site, unit_name};
use crate::duration::Millis;
use crate::error::{Error, Result};
use crate::host::HostName;
use crate::remote::Remote;
use crate::timing::{Fault, Prediction, Stage, TimingSettings};

/// The outcome of a drill.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Proof {
    /// The alert.
    pub alert: String,
    /// The host that was loaded.
    pub host: HostName,
    /// Whether the alert reached every stage.
    pub proven: bool,
    /// Whether the observation was lost, so that there is no verdict: the diagnosis has the reason.
    pub lost: bool,
    /// When the load went on.
    pub at: jiff::Timestamp,
    /// The source that confirms deliveries.
    pub witness: Witness,
    /// The settings that decide the times.
    pub settings: TimingSettings,
    /// The fault on the host; none if there was none.
    pub cause: Option<HostFault>,
    /// The fault.
    pub fault: Fault,
    /// What was predicted.
    pub prediction: Prediction,
    /// What was seen.
    pub timeline: Vec<Entry>,
    /// The stage at which the alert or the observation stopped, and why; none if it did not.
    pub diagnosis: Option<Diagnosis>,
    /// The alerts as Alertmanager identifies them, to tell their messages from others.
    #[serde(skip)]
    pub identities: Vec<AlertIdentity>,
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

/// A stored proof, as shown by `status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastProof {
    /// The alert.
    pub alert: String,
    /// Whether it reached every stage.
    pub proven: bool,
    /// When the fault began.
    pub at: jiff::Timestamp,
    /// When the fault of the last successful proof began.
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

    /// The verdict in one line.
    pub fn in_one_line(&self) -> String {
        let Self { alert, host, .. } = self;
        match &self.diagnosis {
            None => format!("{alert} is proven on {host}"),
            Some(Diagnosis { cause, .. }) if self.lost => {
                format!("{alert} could not be observed on {host}: {cause}")
            }
            Some(Diagnosis { stage, cause, .. }) => {
                format!("{alert} is not proven on {host}: it stopped before `{stage}`: {cause}")
            }
        }
    }

    /// The part that is stored.
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

/// Stores a proof on the monitoring host. A failed one keeps the time at which the alert was last proven; a lost
/// observation is not a verdict and changes nothing.
///
/// # Errors
/// When it cannot be written there, or when the alert's earlier proof cannot be read.
pub async fn keep(site: &impl Site, proof: &Proof) -> Result<()> {
    if proof.lost {
        return Ok(());
    }
    let file = file_name(&proof.alert);
    let kept = KeptProofs::read(&site.kept().await?);
    let before = kept.proofs.iter().find(|kept| kept.alert == proof.alert);
    let mut summary = proof.summary();
    summary.last_proven = summary.last_proven.or(before.and_then(|before| before.last_proven));
    let json = serde_json::to_vec(&summary)
        .map_err(|error| Error::failed("cannot write the proof as JSON").because(error))?;
    site.keep(&file, &json).await?;
    match kept.unreadable.into_iter().find(|one| one.file == file) {
        Some(torn) if !proof.proven => Err(torn.error().remedy(format!(
            "it was replaced by this verdict; when the alert was last proven is unknown until the next              `monctl verify-alert {}`",
            proof.alert
        ))),
        _ => Ok(()),
    }
}

/// Exports when each of these alerts was last proven, as [`METRIC`]. An alert whose proof cannot be read has no value.
///
/// # Errors
/// When the monitoring host does not answer, or a proof there cannot be read; the readable ones are exported then.
pub async fn publish(site: &impl Site, alerts: &[String]) -> Result<()> {
    let kept = KeptProofs::read(&site.kept().await?);
    site.export(rules(alerts, &kept).as_bytes()).await?;
    kept.unreadable.into_iter().next().map_or(Ok(()), |torn| Err(torn.error()))
}

/// The metric: seconds since 1970, 0 if the alert was never proven; its label `alert` names the alert.
pub const METRIC: &str = "monctl_alert_last_proven_timestamp_seconds";

/// Recording rules that set the metric's values: a rule file that Prometheus reads needs no exporter.
fn rules(alerts: &[String], kept: &KeptProofs) -> String {
    let known: Vec<&String> = alerts
        .iter()
        .filter(|alert| kept.unreadable.iter().all(|torn| torn.file != file_name(alert)))
        .collect();
    let mut text = String::from("groups:\n  - name: monctl-proofs\n    rules:");
    text.push_str(if known.is_empty() { " []\n" } else { "\n" });
    for alert in known {
        let last = kept.proofs.iter().find(|kept| kept.alert == *alert).and_then(|kept| kept.last_proven);
        let seconds = last.map_or(0, jiff::Timestamp::as_second);
        let name = serde_json::Value::from(alert.as_str());
        text.push_str(&format!(
            "      - record: {METRIC}\n        expr: vector({seconds})\n        labels: {{alert: {name}}}\n"
        ));
    }
    text
}

/// The file name of an alert's stored proof.
fn file_name(alert: &str) -> String {
    format!("{}.json", unit_name(alert))
}

/// The proofs on the monitoring host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeptProofs {
    /// The last proof of each alert, by name.
    pub proofs: Vec<LastProof>,
    /// The files that cannot be read.
    pub unreadable: Vec<TornProof>,
}

/// A stored proof that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TornProof {
    /// Its file's name.
    pub file: String,
    /// Why.
    pub why: String,
}

impl TornProof {
    fn error(self) -> Error {
        Error::failed(format!("the stored proof `{}` cannot be read", self.file))
            .at("monitoring")
            .because(self.why)
            .remedy("run `monctl verify-alert` for that alert to replace it")
    }
}

impl KeptProofs {
    fn read(files: &[KeptFile]) -> Self {
        let mut kept = Self::default();
        for KeptFile { name, content } in files {
            match serde_json::from_slice(content) {
                Ok(proof) => kept.proofs.push(proof),
                Err(error) => {
                    kept.unreadable.push(TornProof { file: name.clone(), why: error.to_string() });
                }
            }
        }
        kept.proofs.sort_by(|one: &LastProof, other| one.alert.cmp(&other.alert));
        kept
    }
}

/// The last proof of each alert, from the monitoring host, and the files that cannot be read.
///
/// # Errors
/// When the connection breaks, or the host cannot list them.
pub async fn last_proofs(monitoring: &Remote) -> Result<KeptProofs> {
    Ok(KeptProofs::read(&crate::drill::kept(monitoring).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, content: &str) -> KeptFile {
        KeptFile { name: name.into(), content: content.into() }
    }

    const PROVEN: &str = r#"{"alert":"B","proven":false,"at":"2026-11-24T03:00:00Z","host":"app","delivered_after":null,
        "stopped_at":null,"last_proven":"2026-11-17T03:00:00Z"}"#;

    #[test]
    fn alerts_that_were_never_proven_are_exported_too() {
        let kept = KeptProofs::read(&[file("B.json", PROVEN)]);
        let text = rules(&["A".to_owned(), "B".to_owned()], &kept);
        assert!(text.contains("expr: vector(0)\n        labels: {alert: \"A\"}"), "{text}");
        assert!(text.contains("expr: vector(1794884400)\n        labels: {alert: \"B\"}"), "{text}");
        assert!(rules(&[], &kept).ends_with("rules: []\n"));
    }

    #[test]
    fn a_torn_proof_is_reported_without_a_value_and_does_not_hide_others() {
        let kept = KeptProofs::read(&[file("A.json", "{\"alert\":\"A"), file("B.json", PROVEN)]);
        assert_eq!(kept.proofs.len(), 1, "{kept:?}");
        assert_eq!(kept.unreadable[0].file, "A.json");
        let text = rules(&["A".to_owned(), "B".to_owned()], &kept);
        assert!(!text.contains("\"A\"") && text.contains("\"B\""), "{text}");
        assert!(rules(&["A".to_owned()], &kept).ends_with("rules: []\n"), "{text}");
    }
}
