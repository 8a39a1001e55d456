//! The unit of all times in a rule test.

/// Milliseconds since the beginning of a test.
pub(super) type TestMillis = u64;
