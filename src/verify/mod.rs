//! Proof that an alert arrives: what a drill should look like on the clock, the drill itself, what
//! was seen of it, and why it stopped where it did.
//!
//! `settings`, `walk`, `predict`, `drill`, `tracker` and `diagnose` are pure; `preflight` and `watch` ask,
//! `site` acts on hosts, `prove` puts them together. Called by `commands/verify_alert`, and for warnings by
//! `commands/render`, for kept proofs by `commands/status`.

#[cfg(test)]
mod agreement;
mod check;
mod course;
mod diagnose;
mod drill;
mod explain;
mod expression;
mod fault;
#[cfg(test)]
mod naive;
mod panels;
mod predict;
mod preflight;
mod proof;
mod prove;
mod settings;
mod sight;
mod signal;
mod site;
mod stage;
mod tracker;
mod walk;
mod watch;
mod words;

pub use check::{CheckedRule, Finding, Kind, Snapshot, Weight, check, take};
pub use diagnose::Diagnosis;
pub use drill::Options;
pub use explain::{Asked, Explanation};
pub use fault::{CpuLoad, Effect, Ending, Fault, REFERENCE_COMMAND, Traffic};
pub use panels::{Checked, Shown, panels};
pub use predict::{Obstacle, Prediction, Remedies, Window, predict, warnings_for};
pub use proof::{Entry, LastProof, Proof, keep, last_proofs};
pub use prove::{Request, prove};
pub use settings::{Refusals, Settings};
pub use signal::{Comparison, Signal, Threshold};
pub use site::{Hosts, Load, Site};
pub use stage::Stage;
pub use watch::{Services, Subject};
