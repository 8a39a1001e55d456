//! `monctl verify-alert`.

use super::{Context, Outcome};
use crate::cli::VerifyArgs;
use crate::error::{Error, Result};

/// # Errors
/// Until it is there.
#[expect(clippy::unused_async, reason = "awaits once it is written")]
pub(super) async fn run(_args: &VerifyArgs, _context: &Context) -> Result<Outcome> {
    Err(Error::could_not_run("`verify-alert` is not there yet"))
}
