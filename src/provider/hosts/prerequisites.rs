//! What this computer needs to reach hosts: the ssh client, and nothing else.

use std::env;

use crate::error::{Error, Result};

/// The tools of Debian's package openssh-client.
const TOOLS: [&str; 2] = ["ssh", "ssh-keygen"];

pub(in crate::provider) fn check() -> Result<()> {
    let path = env::var_os("PATH").unwrap_or_default();
    let is_there = |tool: &str| env::split_paths(&path).any(|folder| folder.join(tool).is_file());
    let missing: Vec<&str> = TOOLS.into_iter().filter(|tool| !is_there(tool)).collect();
    verdict(&missing)
}

fn verdict(missing: &[&str]) -> Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    let tools: Vec<String> = missing.iter().map(|tool| format!("`{tool}`")).collect();
    Err(Error::could_not_run(format!("hosts cannot be reached from here: {} missing", tools.join(", ")))
        .remedy("install the OpenSSH client, on Debian with `sudo apt-get install openssh-client`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_client_is_named_with_its_package() {
        let error = verdict(&TOOLS).unwrap_err();
        assert!(error.message().contains("`ssh`, `ssh-keygen` missing"), "{error}");
        assert!(error.hint().unwrap().contains("openssh-client"));
        assert!(verdict(&[]).is_ok());
    }
}
