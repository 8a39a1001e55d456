//! monctl sets up monitoring for a Django team and proves that its alerts are delivered.
//!
//! Data flows one way: a spec is read, rendered to a bundle of files, compared with the facts of
//! machines, planned, applied, and finally proven. Each room (module) below is one stage of that flow and
//! imports only from the rooms above it; `commands` puts them together, one file per subcommand.

#![deny(clippy::let_underscore_must_use)]

pub mod apply;
pub mod bounded;
pub mod cancel;
pub mod cli;
pub mod commands;
pub mod completion;
pub mod digest;
pub mod drill;
pub mod duration;
pub mod error;
pub mod event;
pub mod explain;
pub mod grafana;
pub mod host;
pub mod http;
pub mod init;
pub mod integrations;
pub mod lint;
pub mod own_files;
pub mod plan;
pub mod playbook;
pub mod project;
pub mod promql;
pub mod provider;
pub mod remote;
pub mod render;
pub mod report;
pub mod retry;
pub mod secret;
pub mod spec;
pub mod timing;
pub mod verify;
