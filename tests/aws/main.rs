//! `provider: aws` through the real binary against the stand-in for EC2, mostly without machines: one module per kind
//! of promise. Doubles are pooled, since each takes a second to start; cases run concurrently.

#![cfg(feature = "aws")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, its helpers too")]

mod between;
mod calls;
mod computer;
mod convergence;
mod credentials;
mod discovery;
mod drift;
mod emulator;
mod errors;
mod faults;
mod gaps;
mod host_keys;
mod killed;
mod launch;
mod permissions;
mod places;
mod pool;
mod removal;
mod retype;
mod settings;
#[path = "../support/mod.rs"]
mod support;
