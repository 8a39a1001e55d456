//! How Alertmanager delivers, as its template sees it: receivers, routes by severity, what holds back what.

use serde::Serialize;

use super::mute::{Interval, intervals};
use super::quote::{go_text, slack_text};
use super::rules::Rule;
use crate::duration::PromDuration;
use crate::spec::{BaseUrl, HOST_DOWN, Message, Severity, SeverityName, Slack, Spec, WATCHDOG, is_template};

/// The file with the webhook's URL, and the folder with those of severities, on the monitoring host.
const WEBHOOK: &str = "/etc/monctl/monitoring/slack-webhook-url";
const WEBHOOKS: &str = "/etc/monctl/monitoring/webhooks";
/// The file in that folder with the bot's token, where the bot posts. No severity can be called so.
pub(super) const BOT_TOKEN: &str = "slack.bot-token";

/// Alertmanager's configuration beyond what stands in the spec as it is.
#[derive(Debug, Serialize)]
pub(super) struct Delivery {
    /// Whether alerts of different names are told apart. With one name alone it makes no difference and is left out.
    pub by_name: bool,
    /// The receivers of messages, the usual one first.
    pub receivers: Vec<RenderedReceiver>,
    /// What is different for severities.
    pub routes: Vec<SeverityRoute>,
    /// When which severities are muted; those that never are stand not here.
    pub mutes: Vec<SeverityMute>,
    /// The mark for the heartbeat's URL, which is a secret, where there is a heartbeat.
    pub heartbeat: Option<&'static str>,
    /// The proxy through which it is asked.
    pub heartbeat_proxy: Option<BaseUrl>,
    /// Whether a host that is down holds back its other alerts.
    pub host_down: bool,
    /// Whether the heartbeat stops where messages fail, so that somebody is told all the same.
    pub failing_stops_heartbeat: bool,
}

/// A place to which messages go.
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
    /// Whether the text is monctl's and not the user's.
    pub ours: bool,
    /// Whether footer and fallback say which alerts the message is about.
    pub marked: bool,
}

/// What is different for the alerts of a severity.
#[derive(Debug, Serialize)]
pub(super) struct SeverityRoute {
    pub severity: String,
    pub receiver: Option<String>,
    pub repeat_interval: Option<PromDuration>,
    pub muted: bool,
}

/// When the alerts of a severity are told to nobody.
#[derive(Debug, Serialize)]
pub(super) struct SeverityMute {
    pub severity: String,
    pub times: Vec<Interval>,
}

/// What stands in rendered text for the heartbeat's URL until the bundle puts the reference there. No spec can hold
/// this character.
pub(super) const HEARTBEAT_MARK: &str = "\u{0}";

impl Delivery {
    pub fn of(spec: &Spec, rules: &[Rule]) -> Self {
        let has = |name: &str| rules.iter().any(|rule| rule.name == name);
        let usual =
            RenderedReceiver::new(spec, "slack-notifications".to_owned(), None, &spec.notify.message());
        let others = spec.notify.severities.iter().filter(|(_, severity)| severity.has_receiver());
        let heartbeat = spec.notify.heartbeat_url.is_some() && has(WATCHDOG);
        Self {
            by_name: rules.len() > 1,
            receivers: [usual].into_iter().chain(others.map(|it| RenderedReceiver::of(it, spec))).collect(),
            routes: spec.notify.severities.iter().map(SeverityRoute::of).collect(),
            mutes: spec.notify.severities.iter().filter_map(SeverityMute::of).collect(),
            heartbeat: heartbeat.then_some(HEARTBEAT_MARK),
            heartbeat_proxy: proxy(spec),
            host_down: has(HOST_DOWN) && rules.len() > 1,
            failing_stops_heartbeat: heartbeat && has("NotificationsFailing"),
        }
    }
}

impl RenderedReceiver {
    /// A receiver of messages, which go by the webhook in a file or by the usual way.
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
        Self::new(spec, receiver_name(name), file, &route.message())
    }
}

fn proxy(spec: &Spec) -> Option<BaseUrl> {
    spec.notify.slack.as_ref()?.proxy_url.clone()
}

impl SeverityRoute {
    fn of((name, severity): (&SeverityName, &Severity)) -> Self {
        Self {
            severity: name.to_string(),
            receiver: severity.has_receiver().then(|| receiver_name(name)),
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

fn receiver_name(severity: &SeverityName) -> String {
    format!("slack-{severity}")
}
