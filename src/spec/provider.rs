//! The spec's section `provider`: the provider of the machines.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::aws::AwsSettings;
use super::names::{Destination, Fingerprint, Port, SshUser};
use crate::host::{HostName, Role};

/// The provider of the machines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Provider")]
pub enum ProviderSettings {
    /// systemd machines on this computer.
    Local,
    /// EC2 instances.
    Aws(Box<AwsSettings>),
    /// Existing hosts.
    Hosts(Box<ExistingHosts>),
}

/// Existing hosts, by role. Each further key is your own role, such as `db: [db1, db2]`: its hosts are monitored, and
/// only exporters are installed there.
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

    /// The same, mutable.
    pub(super) fn all_mut(&mut self) -> BTreeMap<HostName, &mut ExistingHost> {
        named(&mut self.app, &mut self.others, &mut self.monitoring)
    }

    /// The place of a host in the spec, such as `provider.hosts.app.0`.
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

/// An existing host: an ssh destination, or one with settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ExistingHost {
    /// A name, an address or an alias of your ssh configuration, with an optional `USER@`.
    Bare(Destination),
    /// With settings.
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

/// A host's ssh destination, and settings that your ssh configuration lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HostSettings {
    /// A name, an address or an alias of your ssh configuration.
    pub ssh: Destination,
    /// The address at which the other hosts reach it. Defaults to the address of the destination's name.
    #[serde(default)]
    pub address: Option<std::net::IpAddr>,
    /// The user to log in as: root, or a user with passwordless sudo.
    #[serde(default)]
    pub user: Option<SshUser>,
    /// The port of its sshd.
    #[serde(default)]
    pub port: Option<Port>,
    /// A private key, relative to the spec.
    #[serde(default)]
    pub key: Option<PathBuf>,
    /// The fingerprint of its host key, such as `SHA256:…`; defaults to your `known_hosts`.
    #[serde(default)]
    pub host_key: Option<Fingerprint>,
}
