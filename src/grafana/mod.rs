//! Grafana: wait until it is ready, read its state, compare it with the desired state, and apply the changes.
//!
//! Reading and writing are separate, as everywhere: [`GrafanaClient::observe`] only reads, [`diff`] is pure, and
//! [`GrafanaClient::apply`] applies the changes that the plan showed. Each kind of object has its own file below, which
//! compares, reads and writes it. Objects use `/api`; those that `/api` cannot hold or no longer serves use `/apis`.
//! Called by `apply` and `commands`.

mod account;
mod annotation;
mod apis;
mod change;
mod client;
mod compare;
mod dashboard;
mod data_source;
mod desired;
mod document;
mod folder;
mod remote_dashboard;
mod grafana_state;
mod history;
mod residue;
pub mod panels;
mod query;
mod resource;
mod schema;
mod orphaned_dashboards;
mod sync;
mod object_change;
mod version;

pub use annotation::{Annotation, Occasion};
pub use change::{GrafanaChange, diff};
pub use client::GrafanaClient;
pub use dashboard::Dashboard;
pub use data_source::DataSource;
pub use desired::Desired;
pub use folder::{FOLDER_UID, Folder, FoundFolder};
pub use remote_dashboard::{Drift, FoundDashboard};
pub use grafana_state::GrafanaState;
pub use residue::Leftovers;
pub use query::{Answered, Frames, NamedSource, PanelQuery};
pub use orphaned_dashboards::Stray;
pub use object_change::Ask;

pub use crate::spec::DATA_SOURCE_UID;
