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
mod drift_copy;
mod external_instance;
mod folder;
mod grafana_diff;
mod grafana_state;
mod history;
mod local_secrets;
mod object_change;
mod orphaned_dashboards;
pub mod panels;
mod query;
mod remote_dashboard;
mod residue;
mod resource;
mod schema;
mod session;
mod sync;
mod version;

pub use annotation::{Annotation, Occasion};
pub use change::{GrafanaChange, diff};
pub use client::GrafanaClient;
pub use dashboard::Dashboard;
pub use data_source::DataSource;
pub use desired::Desired;
pub use drift_copy::{copy_place, spare};
pub use external_instance::ExternalInstance;
pub use folder::{FOLDER_UID, Folder, FoundFolder};
pub use grafana_diff::{GrafanaDiff, WantedDashboards, compare, desired};
pub use grafana_state::GrafanaState;
pub use object_change::Ask;
pub use orphaned_dashboards::OrphanedDashboard;
pub use query::{Answered, Frames, NamedSource, PanelQuery};
pub use remote_dashboard::{Drift, FoundDashboard};
pub use residue::GrafanaResidue;
pub use session::{GrafanaAccess, Writers};

pub use crate::spec::DATA_SOURCE_UID;

/// The port of monctl's own Grafana on the loopback of the monitoring host.
pub const PORT: u16 = 3000;
/// Its unit.
pub const UNIT: &str = "monctl-grafana.service";
/// The administrator's password on the monitoring host, read by Grafana at its first start.
pub const PASSWORD_FILE: &str = "/etc/monctl/grafana/admin-password";
