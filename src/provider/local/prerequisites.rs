//! What this computer needs before a machine can be created. Everything that is missing is reported at once.

use std::env;
use std::path::Path;

use super::command::search_path;
use super::sys;
use crate::error::{Error, Result};

/// Tools and the Debian packages that contain them.
const TOOLS: [(&str, &str); 6] = [
    ("systemd-nspawn", "systemd-container"),
    ("mmdebstrap", "mmdebstrap"),
    ("nft", "nftables"),
    ("ip", "iproute2"),
    ("ssh", "openssh-client"),
    ("ssh-keygen", "openssh-client"),
];

/// The keys with which mmdebstrap verifies Debian's packages; only Debian has them by default.
const KEYRING: (&str, &str) = ("/usr/share/keyrings/debian-archive-keyring.gpg", "debian-archive-keyring");

/// Fails with everything that is missing and the command that installs it.
pub(in crate::provider) fn check() -> Result<()> {
    if !cfg!(target_os = "linux") {
        return Err(sys::needs_linux());
    }
    let mut missing: Vec<_> = TOOLS.iter().filter(|(tool, _)| !is_in_path(tool)).copied().collect();
    if !Path::new(KEYRING.0).exists() {
        missing.push(KEYRING);
    }
    verdict(sys::is_root(), &missing)
}

/// Fails unless the caller is root; other users cannot see the folders of machines.
pub(super) fn check_root() -> Result<()> {
    if !cfg!(target_os = "linux") {
        return Err(sys::needs_linux());
    }
    verdict(sys::is_root(), &[])
}

fn verdict(is_root: bool, missing: &[(&str, &str)]) -> Result<()> {
    let mut reasons = Vec::new();
    let mut remedies = Vec::new();
    if !missing.is_empty() {
        let tools: Vec<String> = missing.iter().map(|(tool, _)| format!("`{tool}`")).collect();
        reasons.push(format!("{} missing", tools.join(", ")));
        let mut packages: Vec<&str> = missing.iter().map(|(_, package)| *package).collect();
        packages.sort_unstable();
        packages.dedup();
        let sudo = if is_root { "" } else { "sudo " };
        remedies.push(format!(
            "install what is missing with `{sudo}apt-get install --yes {}`",
            packages.join(" ")
        ));
    }
    if !is_root {
        reasons.insert(0, "it needs root".to_owned());
        remedies.push("run monctl as root, for instance with `sudo`".to_owned());
    }
    if reasons.is_empty() {
        return Ok(());
    }
    let message = format!("the local provider cannot work here: {}", reasons.join("; "));
    Err(Error::could_not_run(message).remedy(remedies.join(", then ")))
}

fn is_in_path(tool: &str) -> bool {
    env::split_paths(&search_path()).any(|folder| folder.join(tool).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_missing_is_reported_at_once_with_the_command_that_installs_it() {
        let error = verdict(false, &TOOLS).unwrap_err();
        assert_eq!(
            error.message(),
            "the local provider cannot work here: it needs root; `systemd-nspawn`, `mmdebstrap`, `nft`, `ip`, \
             `ssh`, `ssh-keygen` missing"
        );
        assert_eq!(
            error.hint().unwrap(),
            "install what is missing with `sudo apt-get install --yes iproute2 mmdebstrap nftables \
             openssh-client systemd-container`, then run monctl as root, for instance with `sudo`"
        );
    }

    #[test]
    fn nothing_missing_is_fine() {
        assert!(verdict(true, &[]).is_ok());
        assert!(verdict(false, &[]).is_err());
        assert!(verdict(true, &TOOLS[..1]).is_err());
    }
}
