//! Reads the key that a host presents, without revealing any secret: the key exchange comes before the
//! client authenticates, and here the client then offers no credentials. Uses the route of the user's ssh
//! configuration, including jump hosts, which `ssh-keyscan` does not support.

use std::fs;
use std::path::Path;

use base64::Engine as _;

use super::client;
use crate::digest::Sha256;
use crate::error::{Error, Result};

/// The kinds of keys to request, the most common one first; RSA is negotiated by the names of its signatures.
const ALGORITHMS: [&str; 3] = [
    "ssh-ed25519",
    "ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521",
    "rsa-sha2-512,rsa-sha2-256",
];

/// A public host key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostKey {
    /// Its kind as `known_hosts` has it: `ssh-ed25519`.
    pub kind: String,
    /// The key in base64.
    pub key: String,
}

impl HostKey {
    /// Reads the key of a line of `known_hosts`; `None` if it is not base64.
    pub fn of_line(line: &str) -> Option<Self> {
        let mut words = line.split(' ').skip(1).map(str::to_owned);
        let found = Self { kind: words.next()?, key: words.next()? };
        base64::engine::general_purpose::STANDARD.decode(&found.key).is_ok().then_some(found)
    }

    /// `SHA256:…`, as `ssh-keygen -lf` prints it.
    pub fn fingerprint(&self) -> String {
        // A key is base64, see `of_line`; an empty key would have a fingerprint that no other key has.
        let bytes = base64::engine::general_purpose::STANDARD.decode(&self.key).unwrap_or_default();
        format!("SHA256:{}", Sha256::of(bytes).base64())
    }

    /// The file that holds the key on a host.
    pub fn file(&self) -> &'static str {
        match self.kind.as_str() {
            "ssh-ed25519" => "/etc/ssh/ssh_host_ed25519_key.pub",
            "ssh-rsa" => "/etc/ssh/ssh_host_rsa_key.pub",
            _ => "/etc/ssh/ssh_host_ecdsa_key.pub",
        }
    }
}

/// The keys that a host presents, until one is `enough`.
///
/// # Errors
/// When the host does not answer, with the output of ssh as the cause.
pub async fn presented(
    config: &Path,
    alias: &str,
    enough: impl Fn(&HostKey) -> bool,
) -> Result<Vec<HostKey>> {
    let mut found = Vec::new();
    let mut last_complaint = String::new();
    for algorithms in ALGORITHMS {
        let (key, complaint) = ask(config, alias, algorithms).await?;
        let done = key.as_ref().is_some_and(&enough);
        found.extend(key);
        // A host without a key of this kind reports that; other failures do not depend on the kind.
        if done || (found.is_empty() && !complaint.contains("no matching host key type")) {
            last_complaint = complaint;
            break;
        }
    }
    if found.is_empty() {
        return Err(Error::could_not_run(format!("`{alias}` presents no host key")).because(last_complaint));
    }
    Ok(found)
}

/// Requests a key of these kinds. Also returns the output of ssh, in case there is no key.
async fn ask(config: &Path, alias: &str, algorithms: &str) -> Result<(Option<HostKey>, String)> {
    let folder = tempfile::tempdir()
        .map_err(|error| Error::failed("cannot make a folder for temporary files").because(error))?;
    let file = folder.path().join("known_hosts");
    let options = [
        format!("UserKnownHostsFile={}", file.display()),
        format!("HostKeyAlgorithms={algorithms}"),
        "GlobalKnownHostsFile=none".to_owned(),
        "KnownHostsCommand=none".to_owned(),
        "StrictHostKeyChecking=accept-new".to_owned(),
        "HashKnownHosts=no".to_owned(),
        // No credentials are offered.
        "PreferredAuthentications=none".to_owned(),
        "ConnectTimeout=15".to_owned(),
    ];
    let words: Vec<&str> = options.iter().flat_map(|option| ["-o", option.as_str()]).collect();
    let output = client::ssh(config, alias, &words, &["true"]).await?;
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        // ssh writes no file if the host presents no key.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(Error::failed("cannot read the host's key").because(error)),
    };
    Ok((text.lines().find_map(HostKey::of_line), output.stderr.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_the_one_that_ssh_keygen_prints() {
        let line = "web1 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEmGhKZyPdSdfWUGg2yDwSyGdlhLFgCUOJ8fjBuMvxZh";
        let key = HostKey::of_line(line).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key.pub");
        fs::write(&file, format!("{} {}\n", key.kind, key.key)).unwrap();
        let printed = std::process::Command::new("ssh-keygen").arg("-lf").arg(&file).output().unwrap();
        let printed = String::from_utf8(printed.stdout).unwrap();
        assert_eq!(printed.split(' ').nth(1), Some(key.fingerprint().as_str()));
        assert_eq!(key.file(), "/etc/ssh/ssh_host_ed25519_key.pub");
        assert_eq!(HostKey::of_line("web1 ssh-ed25519"), None);
    }
}
