//! The spec's section `notify`: where and when alerts are sent, and the text of their messages.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::names::{BaseUrl, SeverityName};
use super::secret_ref::SecretRef;
use super::severity::Severity;
use crate::duration::PromDuration;

/// Where alerts are sent, and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Notify {
    /// Slack, by an incoming webhook. Exactly one of `slack` and `capture` is given.
    #[serde(default)]
    pub slack: Option<Slack>,
    /// Without a webhook: monctl itself receives messages, while `verify-alert` runs.
    #[serde(default)]
    pub capture: Option<Capture>,
    /// How long the first alert of a group waits for others. Defaults to Alertmanager's default (30s).
    #[serde(default)]
    pub group_wait: Option<PromDuration>,
    /// How long after a notification changes of the group are sent. Defaults to Alertmanager's default (5m).
    #[serde(default)]
    pub group_interval: Option<PromDuration>,
    /// How long until an alert that still fires is sent again. Defaults to Alertmanager's default (4h).
    #[serde(default)]
    pub repeat_interval: Option<PromDuration>,
    /// How long an alert without updates from its sender stays active before it counts as resolved.
    #[serde(default = "default_resolve_timeout")]
    pub resolve_timeout: PromDuration,
    /// Overrides for alerts of a severity, by its name.
    #[serde(default)]
    pub severities: BTreeMap<SeverityName, Severity>,
    /// The URL of a dead man's switch, which is a secret: Alertmanager calls it about every minute while alerts can be
    /// sent, and the service notifies you when calls stop. Needs the alert `Watchdog`.
    #[serde(default)]
    pub heartbeat_url: Option<SecretRef>,
    /// The base URL of your copies of the runbooks (`monctl runbook NAME`): messages then link to `NAME.md` below it.
    #[serde(default)]
    pub runbooks: Option<BaseUrl>,
}

impl Notify {
    /// Where alerts are sent. Loading ensures exactly one place; `capture` if there is none.
    pub fn receiver(&self) -> Receiver<'_> {
        match &self.slack {
            Some(slack) => Receiver::Slack(slack),
            None => Receiver::Capture,
        }
    }

    /// Whether messages carry a mark of their alerts, by which monctl's own receiver or the bot in the channel finds
    /// them.
    pub fn is_marked(&self) -> bool {
        self.slack.as_ref().is_none_or(|slack| slack.bot_token.is_some())
    }

    /// The message, for any receiver.
    pub fn message(&self) -> Message {
        let slack = self.slack.as_ref().map(|slack| &slack.message);
        let capture = || self.capture.as_ref().map(|capture| &capture.message);
        slack.or_else(capture).cloned().unwrap_or_default()
    }
}

/// The one place to which alerts are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receiver<'a> {
    /// Slack.
    Slack(&'a Slack),
    /// The receiver inside monctl.
    Capture,
}

/// A Slack channel, behind an incoming webhook or with a bot in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Slack {
    /// The webhook's URL, which is a secret. Without it, the bot posts to `channel`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_url: Option<SecretRef>,
    /// A bot's token, which is a secret: `verify-alert` then looks for the message in the channel. The bot needs
    /// the scopes `channels:history` and `channels:read` (`groups:…` for a private channel), and to be in it; without
    /// `webhook_url` also `chat:write`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bot_token: Option<SecretRef>,
    /// The HTTP proxy through which the monitoring host reaches Slack and the heartbeat's URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_url: Option<BaseUrl>,
    /// The base URL of Slack's API, for workspaces outside slack.com.
    #[serde(default = "default_api_url")]
    pub api_url: String,
    /// The message.
    #[serde(flatten)]
    pub message: Message,
}

/// The receiver inside monctl.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Capture {
    /// The message.
    #[serde(flatten)]
    pub message: Message,
}

/// The content of a message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Message {
    /// The channel; app webhooks ignore it.
    pub channel: Option<String>,
    /// The title: plain text, or an Alertmanager template if it contains `{{`. Defaults to the alert's name and state.
    pub title: Option<String>,
    /// The text: plain text, or an Alertmanager template if it contains `{{`. Defaults to what fires, where, since
    /// when, the value and what to do.
    pub text: Option<String>,
    /// Whether resolved notifications are sent. Defaults to true.
    pub send_resolved: Option<bool>,
}

impl Slack {
    /// Whether the bot posts, since there is no webhook.
    pub const fn bot_posts(&self) -> bool {
        self.webhook_url.is_none()
    }
}

impl Message {
    /// Whether the text is monctl's default. Nothing is added to your own text.
    pub const fn is_ours(&self) -> bool {
        self.text.is_none()
    }

    /// Whether resolved notifications are sent.
    pub fn send_resolved(&self) -> bool {
        self.send_resolved.unwrap_or(true)
    }
}

fn default_api_url() -> String {
    "https://slack.com/api".to_owned()
}

const fn default_resolve_timeout() -> PromDuration {
    PromDuration::seconds(60)
}
