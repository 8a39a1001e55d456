//! Tests on real machines of the local provider: one module per area, `support` makes and clears the projects.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, its helpers too")]

mod at_hand;
#[cfg(feature = "aws")]
mod aws;
#[path = "../support/mod.rs"]
mod binary;
mod drills;
#[cfg(feature = "aws")]
#[path = "../support/ec2_double.rs"]
mod ec2_double;
#[cfg(feature = "aws")]
mod ec2_machines;
mod existing;
mod faults;
mod grafana;
#[cfg(feature = "aws")]
#[path = "../aws/hand.rs"]
mod hand;
mod hosts;
mod machines;
mod operator;
mod programs;
#[path = "../support/relay.rs"]
#[allow(dead_code, reason = "each test binary uses its part")]
mod relay;
#[path = "../support/release_mirror.rs"]
mod release_mirror;
mod scenarios;
mod secrets;
mod site;
mod slack;
mod software;
mod support;
#[path = "../support/test_grafana.rs"]
#[allow(dead_code, reason = "each test binary uses its part")]
mod test_grafana;
mod traces;
mod trust;

use release_mirror::grafana_release;
