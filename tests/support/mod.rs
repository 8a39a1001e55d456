//! Shared by the tests of every binary: the program as a user calls it, and the servers that it uses.

#![allow(dead_code, reason = "each test binary uses its part")]

pub mod alertmanager;
pub mod binary;
#[cfg(feature = "aws")]
pub mod ec2_double;
pub mod grafana_release;
#[cfg(feature = "aws")]
pub mod hand;
pub mod pipeline;
pub mod recordings;
pub mod relay;
pub mod release_mirror;
pub mod slack;
pub mod terminal;
pub mod test_grafana;
pub mod test_prometheus;
pub mod tools;
