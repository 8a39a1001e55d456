//! When an alert reaches each stage between the fault and its notification, simulated in whole milliseconds. Pure.
//!
//! `settings` and `fault_model` are the input, `samples` is what an expression sees, `pipeline` walks one path, and
//! `predict` walks all of them.

mod fault_model;
mod mute;
pub(crate) mod phrases;
mod pipeline;
mod predict;
mod samples;
mod settings;
mod stage;
mod stress_command;
#[cfg(test)]
mod tests;
mod time;

pub use fault_model::{CpuLoad, Effect, Ending, Fault, Traffic};
pub use mute::Mutes;
pub use predict::{EARLY, LATE, Obstacle, Prediction, Remedies, Window, chance_of, is_certain, predict};
pub use settings::{Refusals, TimingSettings};
pub use stage::Stage;
pub use stress_command::StressCommand;
