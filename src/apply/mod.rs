//! Applies a plan: infrastructure in parallel, then one script per host, and a second
//! one where application hosts switch in turn. Sends events, prints
//! nothing, and decides nothing that the plan has not decided.

mod certificates;
mod counting;
mod first_contact;
mod health;
mod hosts;
mod rollout;

pub use counting::Counting;
pub use first_contact::{grow_file_systems, renew_host_keys};
pub use health::{UnitHealth, jobs_without_targets, troubles, units};
pub use hosts::{Connected, HostResult, apply, gather};
pub use rollout::roll_out;
