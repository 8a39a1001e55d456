//! Watches an alert from the fault to its notification: what was seen, when, and where it stopped.
//!
//! `tracker`, `gaps`, `diagnosis` and `coverage` are pure; `preflight`, `observer` and `other_alerts` query the services,
//! `slack_channel` reads Slack, `run` runs one drill and `batch` several. `receiver_run` sends test alerts instead.

mod batch;
mod coverage;
mod deliveries;
mod diagnosis;
mod gaps;
mod notification_failure;
mod observation;
mod observer;
mod other_alerts;
mod preflight;
mod proof;
mod receiver_run;
mod receiver_test;
mod receiver_verdict;
mod request;
mod run;
mod slack_channel;
mod tracker;

pub use batch::{NotRun, Round, prove};
pub use coverage::Coverage;
pub use deliveries::{ChannelFailure, Inbox, Slot};
pub use diagnosis::Diagnosis;
pub use observation::AlertIdentity;
pub use observer::{Services, Subject};
pub use other_alerts::{Bystander, BystanderVerdict};
pub use proof::{Entry, KeptProofs, LastProof, METRIC, Proof, TornProof, keep, last_proofs, publish};
pub use receiver_run::test_receivers;
pub use receiver_test::{ReceiverTest, TEST_LABEL};
pub use receiver_verdict::{ReceiverResult, ReceiverVerdict};
pub use request::Request;
pub use slack_channel::{MessageChannels, Reader, Shell, Watched};
pub use tracker::Witness;
