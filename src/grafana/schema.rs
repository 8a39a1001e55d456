//! The schemas of dashboards, by the versions of the resource that hold them.

/// The versions of the resource that hold the classic schema: first the one that shows what was written, since the others
/// bring it to their own schema on the way.
pub(super) const CLASSIC: [&str; 3] = ["v0alpha1", "v1", "v1beta1"];

/// Those of the schema v2, the one that stays first.
pub(super) const V2: [&str; 3] = ["v2", "v2beta1", "v2alpha1"];
