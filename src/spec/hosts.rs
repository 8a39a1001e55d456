//! The hosts of a spec by name and role.

use std::collections::BTreeSet;

use super::model::Spec;
use super::provider::ProviderSettings;
use crate::error::{Error, Result};
use crate::host::{HostName, Role};

impl Spec {
    /// The names of all hosts.
    pub fn hosts(&self) -> BTreeSet<HostName> {
        let of_app = (1..=self.app.count).map(HostName::app);
        let others = match &self.provider {
            ProviderSettings::Hosts(hosts) => {
                hosts.all().into_keys().filter(|host| host.role() != Role::APP).collect()
            }
            ProviderSettings::Local | ProviderSettings::Aws(_) => vec![HostName::MONITORING],
        };
        of_app.chain(others).collect()
    }

    /// Checks that the project has a host of this name.
    ///
    /// # Errors
    /// Where it has none, with the names that it has.
    pub fn check_host(&self, name: HostName) -> Result<()> {
        let hosts = self.hosts();
        if hosts.contains(&name) {
            return Ok(());
        }
        let names: Vec<String> = hosts.iter().map(|host| format!("`{host}`")).collect();
        Err(Error::invalid(format!("the project has no host `{name}`"))
            .remedy(format!("its hosts are {}", names.join(", "))))
    }

    /// The roles that its hosts have.
    pub fn roles(&self) -> BTreeSet<Role> {
        self.hosts().into_iter().map(HostName::role).collect()
    }
}
