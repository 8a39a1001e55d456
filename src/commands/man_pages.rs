//! `monctl man-pages`: the manual pages, as `packaging/build.sh` puts them into the Debian package.

use std::path::Path;

use clap::CommandFactory as _;
use serde_json::Value;

use super::outcome::Outcome;
use crate::cli::Cli;
use crate::error::{Error, Result};

/// # Errors
/// When the folder does not exist or cannot be written.
pub(super) fn run(folder: &Path) -> Result<Outcome> {
    clap_mangen::generate_to(Cli::command(), folder).map_err(|error| {
        Error::failed("cannot write the manual pages")
            .at(folder.display().to_string())
            .because(error)
            .remedy("name an existing folder that you may write")
    })?;
    Ok(Outcome::success("", Value::Null))
}
