//! The infrastructure diff: which machines to create, start or remove.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::aws;
use crate::host::HostName;

/// A machine as the provider found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MachineFact {
    /// Incomplete.
    Unfinished,
    /// Complete, but not running.
    Stopped,
    /// Running.
    Running,
}

/// One action of the provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "action", content = "host", rename_all = "snake_case")]
pub enum InfraAction {
    /// The network between the machines, keys, and the way out.
    CreateNetwork,
    /// Create and boot a machine.
    CreateMachine(HostName),
    /// Boot an existing machine.
    StartMachine(HostName),
    /// Remove a machine that is no longer in the spec, with its disk.
    RemoveMachine(HostName),
    /// Something in EC2.
    #[serde(untagged)]
    Aws(aws::Action),
}

impl InfraAction {
    /// `+` for a creation, `~` for a change, `-` for a removal.
    pub const fn sign(&self) -> char {
        match self {
            Self::CreateNetwork | Self::CreateMachine(_) => '+',
            Self::StartMachine(_) => '~',
            Self::RemoveMachine(_) => '-',
            Self::Aws(action) => action.sign(),
        }
    }

    /// The action in EC2, if it is one.
    pub const fn of_aws(&self) -> Option<&aws::Action> {
        match self {
            Self::Aws(action) => Some(action),
            _ => None,
        }
    }

    /// The disruption, if it stops or replaces a machine of the spec.
    pub fn disruption(&self) -> Option<String> {
        match self {
            Self::Aws(action) => action.disruption(),
            _ => None,
        }
    }

    /// Further details, one per line.
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
                write!(f, "machine {host}: no longer in the spec; its disk is deleted")
            }
            Self::Aws(action) => action.fmt(f),
        }
    }
}

/// The actions that change the current state to the spec's, in order.
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
    fn nothing_is_planned_if_everything_runs() {
        let wanted = [HostName::app(1), HostName::app(2), HostName::MONITORING];
        let found = wanted.map(|host| (host, MachineFact::Running)).into();
        assert_eq!(infrastructure(wanted, true, &found), []);
        assert_eq!(infrastructure([], false, &BTreeMap::new()), [InfraAction::CreateNetwork]);
    }
}
