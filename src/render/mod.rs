//! Renders a spec to all files for the hosts: the [`Bundle`]. Pure, except for [`check`], which runs promtool and
//! amtool if they are installed. Called by `plan/` and by `monctl render`.

mod addresses;
mod bundle;
mod check;
mod content;
mod context;
mod dashboards;
mod delivery;
mod environment;
mod intervals;
mod mute;
mod parameters;
mod quote;
mod rules;
mod targets;
mod templates;
mod warnings;

pub use addresses::Addresses;
pub use bundle::Bundle;
pub use check::{Tool, ToolVerdict, check};
pub use content::Content;
pub use dashboards::{OVERVIEW_UID, dashboards};
pub use intervals::RuleIntervals;
pub use parameters::Parameters;
pub use quote::yaml as yaml_scalar;
pub use rules::{Rule, rules};
pub use warnings::warnings;
