//! The data of Alertmanager's template: receivers, routes by severity, inhibitions.

use serde::Serialize;

use super::mute::{Interval, intervals};
use super::quote::{go_text, slack_text};
use super::rules::Rule;
use crate::duration::PromDuration;
use crate::spec::{
    BaseUrl, HOST_DOWN, Message, NOTIFICATIONS_FAILING, Severity, SeverityName, Slack, Spec, WATCHDOG,
    is_template,
};

/// The file with the webhook's URL, and the folder with those of severities, on the monitoring host.
const WEBHOOK: &str = "/etc/monctl/monitoring/slack-webhook-url";
const WEBHOOKS: &str = "/etc/monctl/monitoring/webhooks";
/// The file in that folder with the bot's token, if the bot posts. No severity can have this name.
pub(super) const BOT_TOKEN: &str = "slack.bot-token";

/// Parts of Alertmanager's configuration that are not copied from the spec.
#[derive(Debug, Serialize)]
pub(super) struct Delivery {
    /// Whether alerts of different names are grouped separately. With one name only, this is left out.
    pub by_name: bool,
    /// The receivers, the default one first.
    pub receivers: Vec<RenderedReceiver>,
    /// Overrides for severities.
    pub routes: Vec<SeverityRoute>,
    /// The mute times of severities that have some.
    pub mutes: Vec<SeverityMute>,
    /// The placeholder for the heartbeat's URL, which is a secret, if there is a heartbeat.
    pub heartbeat: Option<&'static str>,
    /// The proxy for the heartbeat.
    pub heartbeat_proxy: Option<BaseUrl>,
    /// Whether `HostDown` inhibits other alerts of its host.
    pub host_down: bool,
    /// Whether failing notifications stop the heartbeat, so that the dead man's switch notifies.
    pub failing_stops_heartbeat: bool,
}

/// A receiver of messages.
#[derive(Debug, Serialize)]
pub(super) struct RenderedReceiver {
    pub name: String,
    pub api_url_file: String,
    /// The file with the token of a bot that posts.
    pub token_file: Option<String>,
    pub proxy_url: Option<BaseUrl>,
    pub channel: Option<String>,
    /// The user's title and text, as templates.
    pub title: Option<String>,
    pub text: Option<String>,
    pub send_resolved: bool,
    /// Whether the text is monctl's default, not the user's.
    pub ours: bool,
    /// Whether footer and fallback identify the alerts of the message.
    pub marked: bool,
}

/// Overrides for the alerts of a severity.
#[derive(Debug, Serialize)]
pub(super) struct SeverityRoute {
    pub severity: String,
    pub receiver: Option<String>,
    pub repeat_interval: Option<PromDuration>,
    pub muted: bool,
}

/// The mute times of the alerts of a severity.
#[derive(Debug, Serialize)]
pub(super) struct SeverityMute {
    pub severity: String,
    pub times: Vec<Interval>,
}

/// The placeholder in rendered text for the heartbeat's URL, until the bundle inserts the reference. A spec cannot
/// contain this character.
pub(super) const HEARTBEAT_MARK: &str = "\u{0}";

impl Delivery {
    pub fn of(spec: &Spec, rules: &[Rule]) -> Self {
        let has = |name: &str| rules.iter().any(|rule| rule.name == name);
        let usual = spec.notify.default_route().receiver_name();
        let usual = RenderedReceiver::new(spec, usual, None, &spec.notify.message());
        let others = spec.notify.severities.iter().filter(|(_, severity)| severity.has_receiver());
        let heartbeat = spec.notify.heartbeat_url.is_some() && has(WATCHDOG);
        Self {
            by_name: rules.len() > 1,
            receivers: [usual].into_iter().chain(others.map(|it| RenderedReceiver::of(it, spec))).collect(),
            routes: spec.notify.severities.iter().map(|it| SeverityRoute::of(it, spec)).collect(),
            mutes: spec.notify.severities.iter().filter_map(SeverityMute::of).collect(),
            heartbeat: heartbeat.then_some(HEARTBEAT_MARK),
            heartbeat_proxy: proxy(spec),
            host_down: has(HOST_DOWN) && rules.len() > 1,
            failing_stops_heartbeat: heartbeat && has(NOTIFICATIONS_FAILING),
        }
    }
}

impl RenderedReceiver {
    /// A receiver with the webhook in a file, or with the default one.
    fn new(spec: &Spec, name: String, webhook: Option<String>, message: &Message) -> Self {
        let bot_posts = webhook.is_none() && spec.notify.slack.as_ref().is_some_and(Slack::bot_posts);
        let template =
            |text: &String| if is_template(text) { text.clone() } else { go_text(&slack_text(text)) };
        Self {
            name,
            api_url_file: webhook.unwrap_or_else(|| WEBHOOK.to_owned()),
            token_file: bot_posts.then(|| format!("{WEBHOOKS}/{BOT_TOKEN}")),
            proxy_url: proxy(spec),
            channel: message.channel.clone(),
            title: message.title.as_ref().map(template),
            text: message.text.as_ref().map(template),
            send_resolved: message.send_resolved(),
            ours: message.is_ours(),
            marked: spec.notify.is_marked(),
        }
    }

    fn of((name, severity): (&SeverityName, &Severity), spec: &Spec) -> Self {
        let route = spec.notify.route_of(name, severity);
        let file = route.own_webhook().map(|_| format!("{WEBHOOKS}/{name}"));
        Self::new(spec, route.receiver_name(), file, &route.message())
    }
}

fn proxy(spec: &Spec) -> Option<BaseUrl> {
    spec.notify.slack.as_ref()?.proxy_url.clone()
}

impl SeverityRoute {
    fn of((name, severity): (&SeverityName, &Severity), spec: &Spec) -> Self {
        let receiver = || spec.notify.route_of(name, severity).receiver_name();
        Self {
            severity: name.to_string(),
            receiver: severity.has_receiver().then(receiver),
            repeat_interval: severity.repeat_interval,
            muted: !severity.mute.is_empty(),
        }
    }
}

impl SeverityMute {
    fn of((name, severity): (&SeverityName, &Severity)) -> Option<Self> {
        let times: Vec<_> = severity.mute.iter().flat_map(intervals).collect();
        (!times.is_empty()).then(|| Self { severity: name.to_string(), times })
    }
}
