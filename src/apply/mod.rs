//! Applies a plan: infrastructure in parallel, then one script per host. Sends events, prints
//! nothing, and decides nothing that the plan has not decided.

mod first_contact;
mod health;
mod hosts;

pub use first_contact::{grow_file_systems, renew_host_keys};
pub use health::{UnitHealth, troubles, units};
pub use hosts::{Connected, HostResult, apply, gather};
