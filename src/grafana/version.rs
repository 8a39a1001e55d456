//! One version of a dashboard, as a history lists it.

/// One version of a dashboard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Version {
    pub message: String,
    /// Who wrote it, as this way to the history calls them: a name, a number, `user:UID`.
    pub author: String,
}
