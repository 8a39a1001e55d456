//! Causes the fault of a drill on a host, checks that it is there, and undoes it.
//!
//! `choice`, `safety` and `schedule` decide and are pure; `drill_host` runs `drill.sh` on the host.

mod choice;
mod drill_host;
mod host_command;
mod safety;
mod schedule;
mod traffic;

pub use choice::{Application, Drill, DrillPlan, Measured, Options};
pub use drill_host::{DrillHosts, KeptFile, Site, StopFailure, alertmanager_log, beat, kept};
pub use host_command::{BEAT, HostFault, LEASE, Order, UNDOING, unit_name};
pub use safety::{Footprint, HostResource, Safety, safety, watched_job};
pub use schedule::waves;
pub use traffic::{begin_traffic, end_traffic, keep_traffic};
