//! What `plan` and `up` share, and what other commands read of it: the desired state of a project, its observed state, the
//! plan between them, and the run that converges them.

mod annotations;
pub mod dashboards;
mod deployment;
mod grafana_actions;
mod project_status;
mod up_run;
pub mod up_summary;

pub use annotations::of_drill;
pub use deployment::{Deployment, Look};
pub use grafana_actions::grafana_runs;
pub use project_status::ProjectStatus;
pub use up_run::{Planned, UpRun};
pub use up_summary::UpSummary;
