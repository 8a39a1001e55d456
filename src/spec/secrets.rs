//! Secret references by name, and the values once they are resolved. Nothing here is written anywhere.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{EnvName, EnvValue, Loaded, Spec};
use crate::error::{Error, Result};
use crate::secret::Secret;

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

/// A secret of a spec, named by the place of its reference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SecretName {
    /// `notify.slack.webhook_url`.
    SlackWebhookUrl,
    /// `app.env.NAME`.
    Env(EnvName),
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SlackWebhookUrl => f.write_str("notify.slack.webhook_url"),
            Self::Env(name) => write!(f, "app.env.{name}"),
        }
    }
}

impl Spec {
    /// The spec's secret references by name.
    pub fn secret_refs(&self) -> impl Iterator<Item = (SecretName, &SecretRef)> {
        let slack = self.notify.slack.iter().map(|slack| (SecretName::SlackWebhookUrl, &slack.webhook_url));
        let variables = self.app.env.iter().filter_map(|(name, value)| match value {
            EnvValue::Secret(reference) => Some((SecretName::Env(name.clone()), reference)),
            EnvValue::Plain(_) => None,
        });
        slack.chain(variables)
    }
}

/// Resolved secrets by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Secrets(BTreeMap<SecretName, Secret>);

impl Secrets {
    /// The secret of this name.
    pub fn get(&self, name: &SecretName) -> Option<&Secret> {
        self.0.get(name)
    }
}

impl FromIterator<(SecretName, Secret)> for Secrets {
    fn from_iter<I: IntoIterator<Item = (SecretName, Secret)>>(secrets: I) -> Self {
        Self(secrets.into_iter().collect())
    }
}

impl Secrets {
    /// Resolves every secret that the spec refers to. Only commands that go to hosts do so.
    ///
    /// # Errors
    /// One error with all references that cannot be resolved, each with line and column. It shows no value.
    pub fn resolve(loaded: &Loaded) -> Result<Self> {
        let read = |(name, reference): (SecretName, &SecretRef)| {
            let value = match reference {
                SecretRef::Env(variable) => std::env::var(variable.as_str()).ok(),
                SecretRef::File(path) => std::fs::read_to_string(loaded.base_dir().join(path)).ok(),
                SecretRef::Command(_) => None,
            };
            let value = value.ok_or_else(|| Error::invalid(format!("the secret `{name}` cannot be read")))?;
            Ok((name, Secret::new(value.strip_suffix('\n').unwrap_or(&value))))
        };
        loaded.spec.secret_refs().map(read).collect()
    }
}
