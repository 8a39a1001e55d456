//! Integrations: what is monitored, as data. Each is a folder with everything that belongs to one component: scrape
//! jobs, install steps, units, alerts, dashboards, runbooks. See docs/integrations.md on how to write one.
//!
//! This module reads the folders, the built-in ones and the user's. Other modules interpret their files: `spec` alerts,
//! `playbook` steps, `render` units and dashboards.

mod flag;
mod folder;
mod integration;
mod manifest;

pub use flag::Flag;
pub use integration::Integration;
pub use manifest::{PathSetting, PortSetting, Program, ScrapeJob, ScrapePath, ScrapePort};
