//! The spec's `app.services`: servers that monctl installs for the application.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A server that monctl installs for the application alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AppService {
    /// PostgreSQL with a database for the application, which gets its address as `DATABASE_URL`.
    Postgresql,
    /// Redis, whose address the application gets as `REDIS_URL`.
    Redis,
}

impl AppService {
    /// Its name in the spec.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Postgresql => "postgresql",
            Self::Redis => "redis",
        }
    }

    /// Its name for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Postgresql => "PostgreSQL",
            Self::Redis => "Redis",
        }
    }

    /// The variables of the application's environment that lead to it; the first one is its address.
    pub const fn variables(self) -> &'static [&'static str] {
        match self {
            Self::Postgresql => &["DATABASE_URL", "PGHOST"],
            Self::Redis => &["REDIS_URL"],
        }
    }

    /// The port on which it listens on the application host, on loopback only.
    pub const fn port(self) -> Option<u16> {
        match self {
            Self::Postgresql => None,
            Self::Redis => Some(6390),
        }
    }
}
