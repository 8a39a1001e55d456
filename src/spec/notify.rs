//! The spec's section `notify`: where alerts are sent, when, and what the message says.

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
    /// No webhook at hand: monctl itself receives, while `verify-alert` runs.
    #[serde(default)]
    pub capture: Option<Capture>,
    /// How long the first alert of a group waits for others; Alertmanager's default (30s) where absent.
    #[serde(default)]
    pub group_wait: Option<PromDuration>,
    /// How long after a notification changes of the group are sent; Alertmanager's default (5m) where absent.
    #[serde(default)]
    pub group_interval: Option<PromDuration>,
    /// After what time an alert that still fires is sent again; Alertmanager's default (4h) where absent.
    #[serde(default)]
    pub repeat_interval: Option<PromDuration>,
    /// After what silence of the sender an alert counts as resolved.
    #[serde(default = "default_resolve_timeout")]
    pub resolve_timeout: PromDuration,
    /// What is different for alerts of a severity, by its name.
    #[serde(default)]
    pub severities: BTreeMap<SeverityName, Severity>,
    /// A dead man's switch, which is a secret: it is asked every minute or so for as long as alerts can be sent, and
    /// tells you when it was not. Needs the alert `Watchdog`.
    #[serde(default)]
    pub heartbeat_url: Option<SecretRef>,
    /// Where you keep copies of the runbooks (`monctl runbook NAME`): messages then link to `NAME.md` below it.
    #[serde(default)]
    pub runbooks: Option<BaseUrl>,
}

impl Notify {
    /// Where alerts are sent. Loading has made sure that there is exactly one place; capture where there is none.
    pub fn receiver(&self) -> Receiver<'_> {
        match &self.slack {
            Some(slack) => Receiver::Slack(slack),
            None => Receiver::Capture,
        }
    }

    /// Whether messages are marked with the alerts that they are about, for those who look for them: monctl's own
    /// receiver, and a bot in the channel.
    pub fn is_marked(&self) -> bool {
        self.slack.as_ref().is_none_or(|slack| slack.bot_token.is_some())
    }

    /// What the message says, whoever receives it.
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
    /// The webhook's URL, which is a secret. Without it the bot posts, to `channel`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_url: Option<SecretRef>,
    /// A bot's token, which is a secret: `verify-alert` then finds the message itself in the channel. The bot needs
    /// the scopes `channels:history` and `channels:read` (`groups:…` for a private channel), and to be in it; without
    /// `webhook_url` also `chat:write`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bot_token: Option<SecretRef>,
    /// The HTTP proxy through which the monitoring host reaches Slack and the heartbeat's URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_url: Option<BaseUrl>,
    /// Where the bot asks, for workspaces outside slack.com.
    #[serde(default = "default_api_url")]
    pub api_url: String,
    /// What the message says.
    #[serde(flatten)]
    pub message: Message,
}

/// The receiver inside monctl.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(deny_unknown_fields)]
pub struct Capture {
    /// What the message says.
    #[serde(flatten)]
    pub message: Message,
}

/// What a Slack message says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Message {
    /// The channel; app webhooks ignore it.
    pub channel: Option<String>,
    /// The title: plain text, or a template of Alertmanager's where it holds `{{`; one that names the alert and its state
    /// where absent.
    pub title: Option<String>,
    /// The text: plain text, or a template of Alertmanager's where it holds `{{`; what, where, since when, how much and
    /// what to do where absent.
    pub text: Option<String>,
    /// Whether the end of an alert is told, too; yes where absent.
    pub send_resolved: Option<bool>,
}

impl Slack {
    /// Whether the bot posts, as there is no webhook.
    pub const fn bot_posts(&self) -> bool {
        self.webhook_url.is_none()
    }
}

impl Message {
    /// Whether the message says what monctl has it say. With a text of your own, nothing is added to it.
    pub const fn is_ours(&self) -> bool {
        self.text.is_none()
    }

    /// Whether the end of an alert is told, too.
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
