//! The spec's section `provider`: where the machines come from.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::aws::AwsSettings;
use super::names::{Destination, Fingerprint, Port, SshUser};
use crate::host::{HostName, Role};

/// Where the machines come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Provider")]
pub enum ProviderSettings {
    /// systemd machines on this computer.
    Local,
    /// Instances of EC2.
    Aws(Box<AwsSettings>),
    /// Hosts that exist already.
    Hosts(Box<ExistingHosts>),
}

/// Hosts that exist already, by role. Each further key is a role of your own, such as `db: [db1, db2]`: its hosts are
/// watched, and nothing but exporters is installed there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExistingHosts {
    /// The application hosts.
    pub app: Vec<ExistingHost>,
    /// The monitoring host.
    pub monitoring: ExistingHost,
    /// The hosts of further roles.
    #[serde(flatten)]
    pub others: BTreeMap<Role, Vec<ExistingHost>>,
}

impl ExistingHosts {
    /// All of them by name.
    pub fn all(&self) -> BTreeMap<HostName, &ExistingHost> {
        named(&self.app, &self.others, &self.monitoring)
    }

    /// The same, to change them.
    pub(super) fn all_mut(&mut self) -> BTreeMap<HostName, &mut ExistingHost> {
        named(&mut self.app, &mut self.others, &mut self.monitoring)
    }

    /// Where a host stands in the spec, such as `provider.hosts.app.0`.
    pub fn place(host: HostName) -> String {
        match host {
            HostName::MONITORING => "provider.hosts.monitoring".to_owned(),
            _ => format!("provider.hosts.{}.{}", host.role(), host.number() - 1),
        }
    }
}

/// Hosts by name, numbered within their roles.
fn named<'a, H, L: IntoIterator<Item = H>>(
    app: L,
    others: impl IntoIterator<Item = (&'a Role, L)>,
    monitoring: H,
) -> BTreeMap<HostName, H> {
    let lists = others.into_iter().map(|(role, hosts)| (*role, hosts)).chain([(Role::APP, app)]);
    lists
        .flat_map(|(role, hosts)| (1..).map(move |number| HostName::new(role, number)).zip(hosts))
        .chain([(HostName::MONITORING, monitoring)])
        .collect()
}

/// A host that exists: a destination as ssh understands it, or one with settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ExistingHost {
    /// A name, an address or an alias of your ssh configuration, with `USER@` before it where you like.
    Bare(Destination),
    /// With settings beside it.
    With(HostSettings),
}

impl ExistingHost {
    /// The host with all its settings; a bare destination has none.
    pub fn settings(&self) -> HostSettings {
        match self {
            Self::Bare(ssh) => HostSettings {
                ssh: ssh.clone(),
                address: None,
                user: None,
                port: None,
                key: None,
                host_key: None,
            },
            Self::With(settings) => settings.clone(),
        }
    }
}

/// A host's destination and what your ssh configuration does not say of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HostSettings {
    /// A name, an address or an alias of your ssh configuration.
    pub ssh: Destination,
    /// The address under which the other hosts reach it; found by the destination's name where absent.
    #[serde(default)]
    pub address: Option<std::net::IpAddr>,
    /// The user to log in as: root, or one who may use sudo without a password.
    #[serde(default)]
    pub user: Option<SshUser>,
    /// The port of its sshd.
    #[serde(default)]
    pub port: Option<Port>,
    /// A private key, relative to the spec.
    #[serde(default)]
    pub key: Option<PathBuf>,
    /// The fingerprint of its host key, such as `SHA256:…`; your `known_hosts` decides where absent.
    #[serde(default)]
    pub host_key: Option<Fingerprint>,
}
