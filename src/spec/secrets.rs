//! Secret references and their resolution. Only commands that go to hosts resolve; nothing is kept.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::EnvName;

/// Where a secret comes from. The secret itself never stands in the spec.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SecretRef {
    /// An environment variable.
    Env(EnvName),
    /// A file, relative to the spec; one final newline is left out.
    File(PathBuf),
    /// A command with its arguments; its standard output without one final newline.
    Command(Vec<String>),
}
