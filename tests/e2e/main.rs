//! Tests on real machines of the local provider: one module per area, `support` makes and clears the projects.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, its helpers too")]

mod at_hand;
#[cfg(feature = "aws")]
mod aws;
mod domain;
mod drills;
#[cfg(feature = "aws")]
mod ec2_machines;
mod existing;
mod faults;
mod fleet;
mod grafana;
mod hosts;
mod integrations;
mod layouts;
mod machines;
mod operator;
mod packages;
mod processes;
mod programs;
mod projects;
mod scenarios;
mod secrets;
mod site;
mod slack;
mod software;
#[path = "../support/mod.rs"]
mod support;
mod test_project;
mod traces;
mod trust;
mod turns;
mod watched;
