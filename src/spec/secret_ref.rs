//! The source of a secret, and its purpose.

use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::names::{EnvName, JobName, SeverityName};

/// The source of a secret. The spec never contains the secret itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SecretRef {
    /// An environment variable.
    Env(EnvName),
    /// A file, relative to the spec; one final newline is removed.
    File(PathBuf),
    /// A command with its arguments; its standard output, with one final newline removed.
    Command(Vec<String>),
    /// The value of this name in `app.env_file`. Only loading makes such a reference.
    #[serde(skip_deserializing)]
    EnvFile,
}

/// A secret of a spec, named by the key of its reference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SecretName {
    /// `notify.slack.webhook_url`.
    SlackWebhookUrl,
    /// `notify.slack.bot_token`.
    SlackBotToken,
    /// `notify.severities.NAME.webhook_url`.
    SeverityWebhookUrl(SeverityName),
    /// `notify.heartbeat_url`.
    HeartbeatUrl,
    /// `grafana.token`.
    GrafanaToken,
    /// `app.env.NAME`.
    Env(EnvName),
    /// `monitoring.targets.JOB.auth.basic.password`.
    TargetPassword(JobName),
    /// `monitoring.targets.JOB.auth.bearer`.
    TargetToken(JobName),
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SlackWebhookUrl => f.write_str("notify.slack.webhook_url"),
            Self::SlackBotToken => f.write_str("notify.slack.bot_token"),
            Self::SeverityWebhookUrl(name) => write!(f, "notify.severities.{name}.webhook_url"),
            Self::HeartbeatUrl => f.write_str("notify.heartbeat_url"),
            Self::GrafanaToken => f.write_str("grafana.token"),
            Self::Env(name) => write!(f, "app.env.{name}"),
            Self::TargetPassword(job) => write!(f, "monitoring.targets.{job}.auth.basic.password"),
            Self::TargetToken(job) => write!(f, "monitoring.targets.{job}.auth.bearer"),
        }
    }
}
