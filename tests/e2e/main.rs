//! Tests on real machines of the local provider: one module per area, `support` makes and clears the projects.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, its helpers too")]

mod at_hand;
#[path = "../support/mod.rs"]
mod binary;
mod drills;
mod existing;
mod grafana;
mod hosts;
mod machines;
mod operator;
#[path = "../support/release_mirror.rs"]
mod release_mirror;
mod secrets;
mod site;
mod slack;
mod software;
mod support;
mod traces;
