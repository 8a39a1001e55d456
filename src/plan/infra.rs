//! The diff of infrastructure: which machines to make, start or remove.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::aws;
use crate::host::HostName;

/// A machine as the provider found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MachineFact {
    /// It was begun and not finished.
    Unfinished,
    /// It is whole and does not run.
    Stopped,
    /// It runs.
    Running,
}

/// One action of the provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "action", content = "host", rename_all = "snake_case")]
pub enum InfraAction {
    /// The network between the machines, keys, and the way out.
    CreateNetwork,
    /// A machine is made and booted.
    CreateMachine(HostName),
    /// A machine that is there is booted.
    StartMachine(HostName),
    /// A machine that the spec does not want any more is removed with its disk.
    RemoveMachine(HostName),
    /// Something in EC2.
    #[serde(untagged)]
    Aws(aws::Action),
}

impl InfraAction {
    /// `+` for what is new, `~` for what changes, `-` for what goes.
    pub const fn sign(&self) -> char {
        match self {
            Self::CreateNetwork | Self::CreateMachine(_) => '+',
            Self::StartMachine(_) => '~',
            Self::RemoveMachine(_) => '-',
            Self::Aws(action) => action.sign(),
        }
    }

    /// The action in EC2, where it is one.
    pub const fn of_aws(&self) -> Option<&aws::Action> {
        match self {
            Self::Aws(action) => Some(action),
            _ => None,
        }
    }

    /// What it costs in service, where it stops or replaces a machine that the spec wants.
    pub fn disruption(&self) -> Option<String> {
        match self {
            Self::Aws(action) => action.disruption(),
            _ => None,
        }
    }

    /// What a person wants to know besides, a line each.
    pub fn details(&self) -> Vec<String> {
        match self {
            Self::Aws(action) => action.details(),
            _ => Vec::new(),
        }
    }
}

impl fmt::Display for InfraAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateNetwork => f.write_str("network: absent or incomplete"),
            Self::CreateMachine(host) => write!(f, "machine {host}: absent"),
            Self::StartMachine(host) => write!(f, "machine {host}: not running"),
            Self::RemoveMachine(host) => {
                write!(f, "machine {host}: not in the spec any more; its disk goes, too")
            }
            Self::Aws(action) => action.fmt(f),
        }
    }
}

/// The actions that turn what was found into what the spec wants, in order.
pub fn infrastructure(
    wanted: impl IntoIterator<Item = HostName>,
    network: bool,
    found: &BTreeMap<HostName, MachineFact>,
) -> Vec<InfraAction> {
    let wanted: Vec<HostName> = wanted.into_iter().collect();
    let mut actions = Vec::new();
    if !network {
        actions.push(InfraAction::CreateNetwork);
    }
    actions.extend(wanted.iter().filter_map(|host| match found.get(host) {
        None | Some(MachineFact::Unfinished) => Some(InfraAction::CreateMachine(*host)),
        Some(MachineFact::Stopped) => Some(InfraAction::StartMachine(*host)),
        Some(MachineFact::Running) => None,
    }));
    actions.extend(
        found.keys().filter(|host| !wanted.contains(host)).map(|host| InfraAction::RemoveMachine(*host)),
    );
    actions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_has_its_action() {
        let [app, second, third] = [1, 2, 3].map(HostName::app);
        let wanted = [app, second, HostName::MONITORING];
        let found = [
            (app, MachineFact::Running),
            (second, MachineFact::Stopped),
            (third, MachineFact::Running),
            (HostName::MONITORING, MachineFact::Unfinished),
        ]
        .into();
        assert_eq!(
            infrastructure(wanted, true, &found),
            [
                InfraAction::StartMachine(second),
                InfraAction::CreateMachine(HostName::MONITORING),
                InfraAction::RemoveMachine(third),
            ]
        );
    }

    #[test]
    fn nothing_is_due_where_everything_runs() {
        let wanted = [HostName::app(1), HostName::app(2), HostName::MONITORING];
        let found = wanted.map(|host| (host, MachineFact::Running)).into();
        assert_eq!(infrastructure(wanted, true, &found), []);
        assert_eq!(infrastructure([], false, &BTreeMap::new()), [InfraAction::CreateNetwork]);
    }
}
