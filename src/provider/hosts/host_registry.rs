//! The hosts that were ever changed for the project. Each is recorded before its first change, so that `down` also
//! reverts hosts that the spec no longer names, or whose spec is lost. Contains no secrets.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::folder::{self, cannot};
use crate::error::{Error, Result};
use crate::host::HostName;
use crate::spec::HostSettings;

/// A host with its name in the project and the way to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NamedHost {
    pub name: HostName,
    pub settings: HostSettings,
}

impl NamedHost {
    pub fn new(name: HostName, settings: HostSettings) -> Self {
        Self { name, settings }
    }

    /// Whether both have the same destination and port.
    fn is(&self, other: &Self) -> bool {
        let place = |host: &Self| (host.settings.ssh.host().to_owned(), host.settings.port);
        place(self) == place(other)
    }

    /// The name of its files: two ports of one address are two hosts.
    pub fn file_name(&self) -> String {
        let port = self.settings.port.map(|port| format!("-{port}")).unwrap_or_default();
        format!("{}{port}", self.settings.ssh.host().replace(':', "_"))
    }
}

/// A host as the file stores it.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    name: String,
    #[serde(flatten)]
    settings: HostSettings,
}

pub(super) fn path(project: &Path) -> PathBuf {
    project.join("hosts.json")
}

/// The recorded hosts; empty if there is no file.
pub(super) fn read(project: &Path) -> Result<Vec<NamedHost>> {
    let path = path(project);
    let Some(text) = folder::read(&path)? else { return Ok(Vec::new()) };
    let damaged = |cause: String| {
        Error::could_not_run(format!("cannot parse `{}`", path.display()))
            .because(cause)
            .remedy("repair the file; it lists the hosts that may have something of the project")
    };
    let entries: Vec<Entry> = serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
    let host = |entry: Entry| {
        Ok(NamedHost::new(
            entry.name.parse().map_err(|error: Error| damaged(error.to_string()))?,
            entry.settings,
        ))
    };
    entries.into_iter().map(host).collect()
}

/// Records these hosts in addition to those recorded before, which come last.
pub(super) fn remember(project: &Path, hosts: &[NamedHost]) -> Result<()> {
    let known = read(project)?;
    let all: Vec<NamedHost> = hosts.iter().cloned().chain(others(&known, hosts)).collect();
    if all == known { Ok(()) } else { write(project, &all) }
}

/// Forgets all hosts but these.
pub(super) fn forget_others(project: &Path, hosts: &[NamedHost]) -> Result<()> {
    write(project, hosts)
}

fn write(project: &Path, all: &[NamedHost]) -> Result<()> {
    let entry = |host: &NamedHost| Entry { name: host.name.to_string(), settings: host.settings.clone() };
    let entries: Vec<Entry> = all.iter().map(entry).collect();
    let path = path(project);
    let text =
        serde_json::to_string_pretty(&entries).map_err(|error| cannot("write", &path, error.into()))?;
    folder::write(&path, &format!("{text}\n"))
}

/// The known hosts that are not in `hosts`.
pub(super) fn others(known: &[NamedHost], hosts: &[NamedHost]) -> Vec<NamedHost> {
    known.iter().filter(|known| !hosts.iter().any(|host| host.is(known))).cloned().collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::spec::ExistingHost;

    fn host(name: HostName, ssh: &str) -> NamedHost {
        NamedHost::new(name, ExistingHost::Bare(ssh.parse().unwrap()).settings())
    }

    #[test]
    fn a_host_that_left_the_spec_is_not_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path()).unwrap(), []);
        let [a, b, m] = [(HostName::app(1), "a"), (HostName::app(2), "b"), (HostName::MONITORING, "m")]
            .map(|(name, ssh)| host(name, ssh));
        remember(folder.path(), &[a.clone(), b.clone(), m.clone()]).unwrap();
        let moved = host(HostName::app(1), "me@b");
        remember(folder.path(), &[moved.clone(), m.clone()]).unwrap();
        assert_eq!(read(folder.path()).unwrap(), [moved, m, a]);
    }

    #[test]
    fn a_damaged_file_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(path(folder.path()), "[{").unwrap();
        assert!(read(folder.path()).is_err());
    }
}
