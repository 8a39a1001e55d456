//! Rules of security groups: source, port and purpose.

use std::fmt;

use ipnet::IpNet;
use serde::Serialize;

/// Source of a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum IngressSource {
    /// A network.
    Network(IpNet),
    /// The members of the project's monitoring group.
    Monitoring,
    /// A source that monctl never allows: another group or a prefix list, by its id.
    Other(String),
}

/// A rule as EC2 has it, for one source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct SecurityGroupRule {
    /// `tcp`, `udp`, `icmp`, a number, or `-1` for everything.
    pub protocol: String,
    /// The first and the last port; none if the protocol has no ports or all are open.
    pub ports: Option<(i32, i32)>,
    /// Who is let in.
    pub source: IngressSource,
}

/// A TCP port that the spec opens, and its purpose.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Opening {
    /// The port.
    pub port: u16,
    /// Who is let in.
    pub source: IngressSource,
    /// The purpose: letters, digits, spaces and commas, which EC2 accepts as a rule's description.
    pub purpose: String,
}

impl Opening {
    /// The rule that opens it.
    pub fn rule(&self) -> SecurityGroupRule {
        let port = i32::from(self.port);
        SecurityGroupRule { protocol: "tcp".into(), ports: Some((port, port)), source: self.source.clone() }
    }
}

impl fmt::Display for IngressSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(net) => net.fmt(f),
            Self::Monitoring => f.write_str("the monitoring host"),
            Self::Other(id) => id.fmt(f),
        }
    }
}

impl fmt::Display for SecurityGroupRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.protocol.as_str(), self.ports) {
            ("-1", _) => f.write_str("everything")?,
            (protocol, Some((first, last))) if first == last => write!(f, "{protocol} {first}")?,
            (protocol, Some((first, last))) => write!(f, "{protocol} {first} to {last}")?,
            (protocol, None) => write!(f, "{protocol}")?,
        }
        write!(f, " from {}", self.source)
    }
}

impl fmt::Display for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.rule(), self.purpose)
    }
}
