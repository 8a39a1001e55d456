//! The user's spec: model, loading, validation, JSON Schema, secret references.
//!
//! A [`Spec`] that exists is valid: later rooms never check it again. Nothing here knows of machines.

mod duration;
mod model;

pub use duration::PromDuration;
pub use model::*;
