//! Keys of ssh, made by `ssh-keygen`: the client's and the hosts'.

use std::fs;
use std::path::Path;

use super::command::{run, tool};
use super::files::{self, cannot};
use crate::error::Result;

/// Makes an ed25519 key without a passphrase; one that is there is replaced.
pub(super) async fn make(path: &Path, comment: &str) -> Result<()> {
    files::remove(path).await?;
    run(tool("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f"]).arg(path)).await?;
    Ok(())
}

/// The public half of a key, without its comment.
pub(super) fn public(private: &Path) -> Result<String> {
    let path = private.with_extension("pub");
    let text = fs::read_to_string(&path).map_err(|error| cannot("read", &path, error))?;
    Ok(text.split(' ').take(2).collect::<Vec<_>>().join(" ").trim().to_owned())
}
