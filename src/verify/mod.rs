//! Proof that an alert arrives: what a drill should look like on the clock, the drill itself, what
//! was seen of it, and why it stopped where it did.
//!
//! `settings`, `walk`, `predict`, `kind`, `drill`, `waves`, `tracker` and `diagnose` are pure; `preflight`, `watch` and
//! `bystanders` ask, `channel` reads, `site` acts on hosts, `run` puts one drill together and `prove` several. Called by `commands/verify_alert`, and for warnings by
//! `commands/render`, for kept proofs by `commands/status`.

#[cfg(test)]
mod agreement;
mod bystanders;
mod cause;
mod channel;
mod check;
mod course;
mod cpu_usage;
mod diagnose;
mod drill;
mod explain;
mod expression;
mod fault;
mod gaps;
mod inbox;
mod kind;
mod mute;
#[cfg(test)]
mod naive;
mod predict;
mod preflight;
mod proof;
mod prove;
mod run;
mod settings;
mod sight;
mod signal;
mod site;
mod stage;
mod tracker;
mod traffic;
mod walk;
mod watch;
mod waves;
mod words;

pub use bystanders::{Bystander, Verdict};
pub use cause::{Cause, LEASE, Order, UNDOING, unit_name};
pub use channel::{Places, Reader, Shell, Watched};
pub use check::{CheckedRule, Finding, Kind, Snapshot, Weight, check, exporter, take};
pub use cpu_usage::is_cpu_usage;
pub use diagnose::Diagnosis;
pub use drill::{Application, Options};
pub use explain::{Asked, Explanation};
pub use expression::compared_sides;
pub use fault::{CpuLoad, Effect, Ending, Fault, REFERENCE_COMMAND, Traffic};
pub use inbox::{Inbox, Silence, Slot};
pub use kind::{Resource, Safety, safety};
pub use mute::Mutes;
pub use predict::{Obstacle, Prediction, Remedies, Window, predict, warnings_for};
pub use proof::{Entry, Kept, LastProof, METRIC, Proof, TornProof, keep, last_proofs, publish};
pub use prove::{NotRun, Request, Round, prove};
pub use settings::{Refusals, Settings};
pub use sight::Identity;
pub use signal::{Comparison, Signal, Threshold};
pub use site::{Hosts, KeptFile, Site};
pub use stage::Stage;
pub use tracker::Witness;
pub use traffic::traffic;
pub use watch::{Services, Subject};
