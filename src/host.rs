//! Hosts by role and name, and how a machine is reached. Shared by every room; does nothing itself.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::Error;

/// A project's name: a DNS label, since it is part of the names of folders, tables and tags.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend(
    "pattern" = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
    "patternErrorMessage" = PROJECT_NAME_RULE,
    "examples" = ["shop"],
))]
pub struct ProjectName(String);

const PROJECT_NAME_RULE: &str =
    "use 1 to 63 lower-case letters, digits and hyphens, with a letter or digit at both ends";

impl ProjectName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ProjectName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let is_label = (1..=63).contains(&text.len())
            && text.bytes().all(inner)
            && !text.starts_with('-')
            && !text.ends_with('-');
        if is_label {
            return Ok(Self(text.to_owned()));
        }
        Err(Error::invalid(format!("`{text}` is not a valid project name")).remedy(PROJECT_NAME_RULE))
    }
}

/// The role of a host: `app` runs the Django application, `monitoring` runs Prometheus, Alertmanager and Grafana, and
/// hosts of any other role, such as `db`, are watched.
///
/// A run has few roles, so their names are leaked, which makes a role `Copy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, JsonSchema)]
#[schemars(with = "String", extend(
    "pattern" = Role::RULE.0,
    "patternErrorMessage" = Role::RULE.1,
    "examples" = ["db"],
))]
pub struct Role(&'static str);

impl Role {
    /// The pattern that a name must match, and the message for other names.
    pub(crate) const RULE: (&str, &str) =
        ("^[a-z][a-z0-9]{0,19}$", "use 1 to 20 lower-case letters and digits, with a letter first");
    /// Runs the Django application.
    pub const APP: Self = Self("app");
    /// Runs Prometheus, Alertmanager and Grafana.
    pub const MONITORING: Self = Self("monitoring");

    /// The name as text.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl FromStr for Role {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if let Some(known) = [Self::APP, Self::MONITORING].into_iter().find(|known| known.0 == text) {
            return Ok(known);
        }
        let is_role = (1..=20).contains(&text.len())
            && text.starts_with(|first: char| first.is_ascii_lowercase())
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if is_role {
            return Ok(Self(text.to_owned().leak()));
        }
        Err(Error::invalid(format!("`{text}` is not a valid name of a role")).remedy(Self::RULE.1))
    }
}

impl<'de> Deserialize<'de> for Role {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A host's name on the command line: its role, with a number from the second one on: `app`, `app-2`, `app-3` …,
/// `monitoring`, `db`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostName {
    role: Role,
    /// 1 for the first host of a role.
    number: u16,
}

impl HostName {
    /// The one monitoring host.
    pub const MONITORING: Self = Self { role: Role::MONITORING, number: 1 };

    /// The application host with this number, counted from 1 (0 is taken as 1).
    pub const fn app(number: u16) -> Self {
        Self::new(Role::APP, number)
    }

    /// The host of a role with this number, counted from 1 (0 is taken as 1).
    pub const fn new(role: Role, number: u16) -> Self {
        Self { role, number: if number == 0 { 1 } else { number } }
    }

    /// The role of the host.
    pub const fn role(self) -> Role {
        self.role
    }

    /// The number within the role, counted from 1.
    pub const fn number(self) -> u16 {
        self.number
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            1 => write!(f, "{}", self.role),
            number => write!(f, "{}-{number}", self.role),
        }
    }
}

impl FromStr for HostName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let number = |digits: &str| {
            // Anything else is not part of a host name and is refused below.
            digits.parse().ok().filter(|&number: &u16| number > 1 && !digits.starts_with(['0', '+']))
        };
        let (role, number) = match text.split_once('-') {
            None => (text, Some(1)),
            Some((role, digits)) => (role, number(digits)),
        };
        // There is one monitoring host.
        if let (Ok(role), Some(number)) = (role.parse(), number)
            && (role != Role::MONITORING || number == 1)
        {
            return Ok(Self::new(role, number));
        }
        Err(Error::invalid(format!("`{text}` is not a valid host name")).remedy(
            "hosts are named `app`, `app-2`, `app-3` …, `monitoring`, and by further roles of the spec, such as `db`",
        ))
    }
}

impl TryFrom<String> for ProjectName {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<ProjectName> for String {
    fn from(name: ProjectName) -> Self {
        name.0
    }
}

impl Serialize for HostName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A machine that exists, and how to reach it by ssh.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// Its name in this project.
    pub name: HostName,
    /// The address under which the project's other machines reach it.
    pub address: IpAddr,
    /// Its public address, if that is another one.
    #[serde(skip)]
    pub public: Option<IpAddr>,
    /// How this side reaches it.
    #[serde(skip)]
    pub ssh: SshTarget,
}

/// What `ssh` needs: an alias, and the configuration file with the rest (address, user, key, known hosts).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshTarget {
    /// The `Host` alias in the configuration file.
    pub alias: String,
    /// The file for `ssh -F`; it pins the host key and forbids any other.
    pub config: PathBuf,
    /// Whether the login user is root; other users use sudo.
    pub root: bool,
    /// Where the trust in the host's key comes from; decides how to handle a different key.
    pub trust: Trust,
}

/// Where the trust in a host's key comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// monctl created the machine and its key. The machine may still be booting.
    Made,
    /// The machine existed before: the user's `known_hosts`, or a fingerprint in the spec.
    Given,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_are_parsed_as_they_are_printed() {
        for text in ["app", "app-2", "app-300", "monitoring", "db", "db-2"] {
            assert_eq!(text.parse::<HostName>().unwrap().to_string(), text);
        }
        assert_eq!("app-2".parse::<HostName>().unwrap(), HostName::app(2));
        assert_eq!("monitoring".parse::<HostName>().unwrap(), HostName::MONITORING);
    }

    #[test]
    fn a_project_name_is_a_dns_label() {
        for text in ["a", "shop-2", "0day", &"x".repeat(63)] {
            assert!(text.parse::<ProjectName>().is_ok(), "{text}");
        }
        for text in ["", "-a", "a-", "Shop", "a.b", "../x", "a b", "a/b", "ä", &"x".repeat(64)] {
            assert!(text.parse::<ProjectName>().is_err(), "{text}");
        }
    }

    #[test]
    fn other_words_are_not_host_names() {
        for text in ["", "app-", "app-0", "app-1", "app-02", "app-+2", "App", "monitoring-2", "my-db", "../x"]
        {
            assert!(text.parse::<HostName>().is_err(), "{text}");
        }
    }
}
