//! `monctl plan`.

use super::{Context, Outcome};
use crate::error::{Error, Result};

/// # Errors
/// Until it is there.
#[expect(clippy::unused_async, reason = "awaits once it is written")]
pub(super) async fn run(_context: &Context) -> Result<Outcome> {
    Err(Error::could_not_run("`plan` is not there yet"))
}
