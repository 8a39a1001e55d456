//! The user's spec: model, loading, validation, JSON Schema, secret references.
//!
//! A [`Spec`] is always valid: later modules never check it again. Nothing here depends on machines.

mod alert;
mod app;
mod app_names;
mod app_service;
mod aws;
mod catalogue;
mod deploy;
mod detect;
mod domain;
mod drill;
mod ec2_names;
mod env_file;
mod excerpt;
mod finding;
mod grafana;
mod home;
mod hosts;
mod include;
mod lack;
mod listing;
mod load;
mod model;
mod monitoring;
mod names;
mod notify;
mod place;
mod problem;
mod process;
mod promql;
mod provider;
mod recorded_series;
mod route;
mod rule_file;
mod rule_origin;
mod schema;
mod schema_check;
mod scraping;
mod secret_ref;
mod secrets;
mod semantics;
mod severity;
mod source;
mod suggest;
mod target;
mod template;
mod text_type;
mod tree;

pub use alert::*;
pub use app::*;
pub use app_names::*;
pub use app_service::AppService;
pub use aws::*;
pub use catalogue::{
    Amount, Catalogue, CatalogueAlert, Counts, HOST_DOWN, Inhibition, LabelValues, Sees, Series,
    TARGET_MISSING, ThresholdUnit, Trial, TrialCase, Usual, WATCHDOG,
};
pub(crate) use detect::python;
pub use domain::*;
pub use drill::DrillKind;
pub use ec2_names::*;
pub use grafana::*;
pub use load::{Loaded, Location, load};
pub use model::*;
pub use monitoring::*;
pub use names::*;
pub use notify::*;
pub use process::*;
pub(crate) use promql::{PromqlFault, fault as promql_fault, metrics_of};
pub use provider::*;
pub use route::AlertRoute;
pub(crate) use route::GROUP_INTERVAL;
pub use rule_origin::{RecordingRule, RuleFile, RuleMeaning, RuleOrigin};
pub use schema::json_schema;
pub use scraping::Scraped;
pub use secret_ref::*;
pub use secrets::*;
pub use severity::*;
pub(crate) use suggest::{nearest, suggestion};
pub use target::*;
pub(crate) use template::is_template;
