//! Tests on real machines of the local provider: one module per area, `support` makes and clears the projects.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, its helpers too")]

mod machines;
mod support;
mod traces;
