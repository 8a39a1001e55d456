//! What a Grafana serves below `/apis`.

/// What a Grafana serves below `/apis`.
#[derive(Debug)]
pub(super) struct Apis {
    /// The namespace of its resources.
    pub namespace: String,
    /// The versions of dashboards.
    pub dashboards: Vec<String>,
    /// The versions of folders.
    pub folders: Vec<String>,
}
