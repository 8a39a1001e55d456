//! The schemas of dashboards, by the versions of the resource that hold them.

/// The versions of the resource that hold the classic schema. First the one that returns what was written: the others
/// convert it to their own schema.
pub(super) const CLASSIC: [&str; 3] = ["v0alpha1", "v1", "v1beta1"];

/// The versions of the resource that hold schema v2, the stable one first.
pub(super) const V2: [&str; 3] = ["v2", "v2beta1", "v2alpha1"];
