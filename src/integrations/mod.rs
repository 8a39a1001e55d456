//! Integrations: what is watched, as data. Each is a folder with everything that belongs to one watched thing: scrape
//! jobs, install steps, units, alerts, dashboards, runbooks. docs/integrations.md says how to write one.
//!
//! This room reads the folders, those in the program and those of the user. What their files mean is decided where it
//! is needed: alerts in `spec`, steps in `playbook`, units and dashboards in `render`.

mod flag;
mod folder;
mod integration;
mod manifest;

pub use flag::Flag;
pub use integration::Integration;
pub use manifest::{PathSetting, PortSetting, Program, ScrapeJob, ScrapePath, ScrapePort};
