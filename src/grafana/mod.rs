//! Grafana: wait for it, read what it holds, tell what differs from what is wanted, make it so.
//!
//! Reading and writing are apart, as everywhere: [`GrafanaClient::observe`] only reads, [`diff`] is pure, and
//! [`GrafanaClient::apply`] follows the changes that people saw. How each kind of thing is compared, read and
//! written stands in its own file below: by `/api`, and by `/apis` what that cannot hold or no longer serves. Called by
//! `apply` and `commands`.

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
mod found;
mod grafana_state;
mod history;
mod leftovers;
pub mod panels;
mod query;
mod resource;
mod schema;
mod stray;
mod sync;
mod thing;
mod version;

pub use annotation::{Annotation, Occasion};
pub use change::{GrafanaChange, diff};
pub use client::GrafanaClient;
pub use dashboard::Dashboard;
pub use data_source::DataSource;
pub use desired::Desired;
pub use folder::{FOLDER_UID, Folder, FoundFolder};
pub use found::{Drift, FoundDashboard};
pub use grafana_state::GrafanaState;
pub use leftovers::Leftovers;
pub use query::{Answered, Frames, NamedSource, PanelQuery};
pub use stray::Stray;
pub use thing::Ask;

pub use crate::spec::DATA_SOURCE_UID;
