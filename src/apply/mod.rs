//! Carries a plan out: infrastructure in parallel, then one script per host. Sends events, knows no
//! screen, and decides nothing that the plan has not decided.

mod hosts;

pub use hosts::{Connected, HostResult, apply, gather};
