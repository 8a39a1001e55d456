//! Proof that an alert arrives: what a drill should look like on the clock, the drill itself, what
//! was seen of it, and why it stopped where it did.
//!
//! `settings`, `walk`, `predict`, `tracker` and `diagnose` are pure; `drill` and `run` have the
//! effects. Called by `commands/verify_alert` and, for its warnings, by `commands/render`.

mod fault;
#[cfg(test)]
mod naive;
mod predict;
mod settings;
mod stage;
mod walk;
mod words;

pub use fault::{Ending, Fault};
pub use predict::{Obstacle, Prediction, Remedies, Window, predict, warnings_for};
pub use settings::Settings;
pub use stage::Stage;
