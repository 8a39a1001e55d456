//! One version of a dashboard in a history.

/// One version of a dashboard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Version {
    pub message: String,
    /// Who wrote it, in the notation of the interface: a name, a number, `user:UID`.
    pub author: String,
}
