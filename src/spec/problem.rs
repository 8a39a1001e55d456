//! A problem of a spec.

use super::place::Place;

/// One problem. The message shows no value that may be a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub place: Option<Place>,
    pub message: String,
}

impl Problem {
    pub fn new(place: impl Into<Option<Place>>, message: impl Into<String>) -> Self {
        Self { place: place.into(), message: message.into() }
    }
}
