//! How ssh reaches the hosts: each has a configuration file with the settings that monctl requires, which then
//! includes the user's own, so that aliases, keys, agents and jump hosts work as they do by hand.

use std::fs;
use std::path::{Path, PathBuf};

use super::folder::{self, cannot};
use super::host_registry::NamedHost;
use crate::error::{Error, Result};
use crate::host::{SshTarget, Trust};
use crate::remote::{self, HostKey, SshRoute};
use crate::spec::{Fingerprint, SshUser};

/// Settings for every host, and the `Include` of the user's own configuration.
const EVERY_HOST: &str = include_str!("ssh_config");

/// The files of one host in the project's folder.
#[derive(Debug, Clone)]
pub(super) struct HostSshFiles {
    pub config: PathBuf,
    /// The only accepted host key, if the spec has its fingerprint.
    pub pinned: PathBuf,
    alias: String,
}

impl HostSshFiles {
    /// Writes the configuration of a host unless it is up to date.
    pub fn write(project: &Path, host: &NamedHost) -> Result<Self> {
        let ssh = project.join("ssh");
        folder::create(&ssh)?;
        let access = Self {
            config: ssh.join(host.file_name()),
            pinned: ssh.join(format!("{}.known_hosts", host.file_name())),
            alias: host.settings.ssh.host().to_owned(),
        };
        let text = access.text(host);
        // A file that cannot be read is rewritten.
        if fs::read_to_string(&access.config).ok().as_ref() != Some(&text) {
            folder::write(&access.config, &text)?;
        }
        Ok(access)
    }

    fn text(&self, host: &NamedHost) -> String {
        let settings = &host.settings;
        let user = settings.user.as_ref().map(SshUser::as_str).or_else(|| settings.ssh.user());
        let key = settings.key.as_ref().map(|key| quoted(key));
        let pin = settings.host_key.as_ref().map(|_| quoted(&self.pinned));
        let options = [
            user.map(|user| format!("User {user}")),
            settings.port.map(|port| format!("Port {port}")),
            key.map(|key| format!("IdentityFile {key}\n    IdentitiesOnly yes")),
            pin.as_ref().map(|_| format!("HostKeyAlias {}", self.key_alias())),
            pin.map(|file| {
                format!(
                    "UserKnownHostsFile {file}\n    GlobalKnownHostsFile none\n    KnownHostsCommand none"
                )
            }),
        ];
        let options: Vec<String> =
            options.into_iter().flatten().map(|option| format!("    {option}\n")).collect();
        let alias = &self.alias;
        format!(
            "# Managed by monctl; use it with `ssh -F THIS-FILE {alias}`.\nHost {alias}\n{}{EVERY_HOST}",
            options.concat()
        )
    }

    /// The name under which the pinned key is stored; not used by any other host.
    fn key_alias(&self) -> String {
        format!("monctl.{}", self.alias.replace(':', "."))
    }

    /// The route that ssh would take. Does not connect.
    pub async fn route(&self) -> Result<SshRoute> {
        remote::route(&self.config, &self.alias).await
    }

    pub fn target(&self, route: &SshRoute) -> SshTarget {
        SshTarget {
            alias: self.alias.clone(),
            config: self.config.clone(),
            root: route.user == "root",
            trust: Trust::Given,
        }
    }

    /// Pins the key with this fingerprint, unless it is pinned. Succeeds if the host presents no key at all: the
    /// connection then fails with the reason.
    ///
    /// # Errors
    /// The host presents other keys only.
    pub async fn pin(&self, wanted: &Fingerprint) -> Result<()> {
        let is_it = |key: &HostKey| key.fingerprint() == wanted.as_str();
        let alias = self.key_alias();
        let line = |key: &HostKey| format!("{alias} {} {}\n", key.kind, key.key);
        if let Some(kept) = folder::read(&self.pinned)? {
            if HostKey::of_line(&kept).is_some_and(|key| is_it(&key) && kept == line(&key)) {
                return Ok(());
            }
            fs::remove_file(&self.pinned).map_err(|error| cannot("remove", &self.pinned, error))?;
        }
        let Ok(keys) = remote::presented(&self.config, &self.alias, is_it).await else { return Ok(()) };
        match keys.iter().find(|key| is_it(key)) {
            Some(key) => folder::write(&self.pinned, &line(key)),
            None => Err(other_key(&self.alias, wanted, &keys)),
        }
    }
}

fn other_key(alias: &str, wanted: &Fingerprint, keys: &[HostKey]) -> Error {
    let shown: Vec<String> = keys.iter().map(HostKey::fingerprint).collect();
    let files: Vec<String> = keys.iter().map(|key| format!("`ssh-keygen -lf {}`", key.file())).collect();
    Error::could_not_run(format!(
        "`{alias}` does not present the host key of the spec, {wanted}, but {}",
        shown.join(", ")
    ))
    .remedy(format!(
        "another machine may answer at this address; compare with the fingerprint on the host itself, for example \
         on its console ({}), and correct `host_key` only if it matches",
        files.join(", ")
    ))
}

/// A path quoted for an ssh configuration file.
fn quoted(path: &Path) -> String {
    format!("\"{}\"", path.display().to_string().replace('%', "%%"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::ExistingHost;

    fn host(json: &str) -> NamedHost {
        let host: ExistingHost = serde_json::from_str(json).unwrap();
        NamedHost::new(crate::host::HostName::app(1), host.settings())
    }

    fn config(json: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        fs::read_to_string(HostSshFiles::write(folder.path(), &host(json)).unwrap().config).unwrap()
    }

    #[test]
    fn settings_of_the_spec_come_before_the_users_own_configuration() {
        let text = config(r#"{"ssh": "web1", "user": "deploy", "port": 2222, "key": "/keys/50%"}"#);
        let before = "Host web1\n    User deploy\n    Port 2222\n    IdentityFile \"/keys/50%%\"\n    IdentitiesOnly yes\n";
        assert!(text.contains(before), "{text}");
        let strict = text.find("StrictHostKeyChecking yes").unwrap();
        assert!(strict < text.find("Include ~/.ssh/config").unwrap(), "{text}");
    }

    #[test]
    fn a_bare_destination_leaves_everything_but_strictness_to_the_user() {
        let text = config(r#""me@web1""#);
        assert!(text.contains("Host web1\n    User me\n# Settings that monctl"), "{text}");
        assert!(!text.contains("UserKnownHostsFile"), "{text}");
    }

    #[test]
    fn a_fingerprint_in_the_spec_excludes_all_other_keys() {
        let text =
            config(r#"{"ssh": "web1", "host_key": "SHA256:H4HyiwQ/z2xV+/KYe56drGuo8NHH1Tys90IQikqNFYQ"}"#);
        for line in ["GlobalKnownHostsFile none", "KnownHostsCommand none", "HostKeyAlias monctl.web1"] {
            assert!(text.contains(line), "{text}");
        }
    }
}
