//! What garde checks of durations.

use crate::duration::PromDuration;

/// Holds a duration of the spec to more than nothing.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "garde calls it so")]
pub(super) fn positive(duration: &PromDuration, (): &()) -> garde::Result {
    if duration.as_millis() > 0 { Ok(()) } else { Err(garde::Error::new("it has to be longer than nothing")) }
}
