//! The route of one alert: its receiver, delays, repeats and mute times, computed from the spec and the alert's labels.
//! `render` writes Alertmanager's receivers from it; `verify` predicts, proves and explains with it.

use std::collections::BTreeMap;
use std::fmt;

use super::catalogue::WATCHDOG;
use super::names::SeverityName;
use super::notify::{Message, Notify};
use super::secret_ref::SecretRef;
use super::severity::{Mute, Severity};
use crate::duration::PromDuration;

/// Alertmanager's defaults (`DefaultRouteOpts` of its dispatcher).
const GROUP_WAIT: PromDuration = PromDuration::seconds(30);
pub(crate) const GROUP_INTERVAL: PromDuration = PromDuration::seconds(5 * 60);
const REPEAT_INTERVAL: PromDuration = PromDuration::seconds(4 * 3600);

/// Those of the heartbeat's route in `templates/alertmanager.yml`.
const HEARTBEAT_WAIT: PromDuration = PromDuration::seconds(0);
const HEARTBEAT_INTERVAL: PromDuration = PromDuration::seconds(30);

/// The label by which alerts are routed.
const SEVERITY: &str = "severity";

/// The route of one alert.
#[derive(Debug, Clone, Copy)]
pub struct AlertRoute<'a> {
    notify: &'a Notify,
    severity: Option<(&'a SeverityName, &'a Severity)>,
    is_heartbeat: bool,
}

impl Notify {
    /// The route of an alert with these labels. A severity that is a template is known only once the alert fires; it is
    /// treated as one without settings.
    pub fn route(&self, alert: &str, labels: &BTreeMap<String, String>) -> AlertRoute<'_> {
        let is_heartbeat = alert == WATCHDOG && self.heartbeat_url.is_some();
        let severity = labels.get(SEVERITY).filter(|_| !is_heartbeat);
        let severity = severity.and_then(|severity| self.severities.get_key_value(severity.as_str()));
        AlertRoute { notify: self, severity, is_heartbeat }
    }

    /// The route of alerts of a severity.
    pub fn route_of<'a>(&'a self, name: &'a SeverityName, severity: &'a Severity) -> AlertRoute<'a> {
        AlertRoute { notify: self, severity: Some((name, severity)), is_heartbeat: false }
    }

    /// The route of alerts without settings of their own.
    pub const fn default_route(&self) -> AlertRoute<'_> {
        AlertRoute { notify: self, severity: None, is_heartbeat: false }
    }

    /// All routes: the default one, those of severities with settings, and that of the heartbeat.
    pub fn routes(&self) -> Vec<AlertRoute<'_>> {
        let severities = self.severities.iter().map(|(name, severity)| self.route_of(name, severity));
        let heartbeat = AlertRoute { notify: self, severity: None, is_heartbeat: true };
        let heartbeat = self.heartbeat_url.iter().map(|_| heartbeat);
        std::iter::once(self.default_route()).chain(severities).chain(heartbeat).collect()
    }
}

/// The route as people read it.
impl fmt::Display for AlertRoute<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.is_heartbeat, self.severity) {
            (true, _) => f.write_str("heartbeat"),
            (false, Some((name, _))) => write!(f, "severity {name}"),
            (false, None) if self.notify.severities.is_empty() => f.write_str("all alerts"),
            (false, None) => f.write_str("other alerts"),
        }
    }
}

impl<'a> AlertRoute<'a> {
    /// The severity, if the spec has settings for it.
    pub fn severity(&self) -> Option<&'a SeverityName> {
        self.severity.map(|(name, _)| name)
    }

    /// Whether it goes to the dead man's switch only.
    pub const fn is_heartbeat(&self) -> bool {
        self.is_heartbeat
    }

    /// The name of its receiver in Alertmanager.
    pub fn receiver_name(&self) -> String {
        match self.severity.filter(|(_, severity)| severity.has_receiver()) {
            _ if self.is_heartbeat => "heartbeat".to_owned(),
            Some((name, _)) => format!("slack-{name}"),
            None => "slack-notifications".to_owned(),
        }
    }

    /// The severity's own webhook.
    pub fn own_webhook(&self) -> Option<&'a SecretRef> {
        self.severity.and_then(|(_, severity)| severity.webhook_url.as_ref())
    }

    /// The message, with its channel.
    pub fn message(&self) -> Message {
        let usual = self.notify.message();
        let Some((_, severity)) = self.severity else { return usual };
        Message {
            channel: severity.channel.clone().or(usual.channel),
            send_resolved: severity.send_resolved.or(usual.send_resolved),
            ..usual
        }
    }

    /// The channel that receives the message, as far as the spec names it: a severity's own webhook posts to its own
    /// channel, which only `channel` next to it can name.
    pub fn channel(&self) -> Option<String> {
        match self.severity {
            Some((_, Severity { webhook_url: Some(_), channel, .. })) => channel.clone(),
            _ => self.message().channel,
        }
    }

    /// The key of the spec that names this channel, or could.
    pub fn channel_key(&self) -> String {
        match self.severity {
            Some((name, severity)) if severity.webhook_url.is_some() || severity.channel.is_some() => {
                format!("notify.severities.{name}.channel")
            }
            _ => "notify.slack.channel".to_owned(),
        }
    }

    /// Whether resolved notifications are sent.
    pub fn send_resolved(&self) -> bool {
        !self.is_heartbeat && self.message().send_resolved()
    }

    /// How long Alertmanager waits before the first notification of a group.
    pub fn group_wait(&self) -> PromDuration {
        if self.is_heartbeat {
            return HEARTBEAT_WAIT;
        }
        self.notify.group_wait.unwrap_or(GROUP_WAIT)
    }

    /// How long it waits between notifications of a group.
    pub fn group_interval(&self) -> PromDuration {
        if self.is_heartbeat {
            return HEARTBEAT_INTERVAL;
        }
        self.notify.group_interval.unwrap_or(GROUP_INTERVAL)
    }

    /// How long until an alert that still fires is sent again: at the group's first `group_interval` tick from then on.
    pub fn repeat_interval(&self) -> PromDuration {
        let own = self.severity.and_then(|(_, severity)| severity.repeat_interval);
        own.or(self.notify.repeat_interval).unwrap_or(REPEAT_INTERVAL)
    }

    /// Times in which it is muted.
    pub fn mute(&self) -> &'a [Mute] {
        self.severity.map(|(_, severity)| severity.mute.as_slice()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notify(severities: &str) -> Notify {
        serde_saphyr::from_str(&format!(
            "slack: {{webhook_url: {{env: A}}, channel: '#alerts'}}\ngroup_wait: 5s\nrepeat_interval: 2h\n\
             heartbeat_url: {{env: B}}\nseverities: {{{severities}}}"
        ))
        .unwrap()
    }

    fn labels(severity: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(SEVERITY.to_owned(), severity.to_owned())])
    }

    #[test]
    fn a_severity_changes_what_it_names_and_nothing_else() {
        let notify = notify(
            "critical: {channel: '#on-call', send_resolved: false}, warning: {repeat_interval: 1h, mute: [{from: '22:00', to: '06:00'}]}",
        );
        let critical = notify.route("AppDown", &labels("critical"));
        assert_eq!(critical.channel().as_deref(), Some("#on-call"));
        assert_eq!(critical.channel_key(), "notify.severities.critical.channel");
        assert!(!critical.send_resolved() && critical.mute().is_empty());
        assert_eq!(critical.repeat_interval(), PromDuration::seconds(7200));
        let warning = notify.route("DiskSpaceLow", &labels("warning"));
        assert_eq!(warning.channel().as_deref(), Some("#alerts"));
        assert_eq!(warning.channel_key(), "notify.slack.channel");
        assert!(warning.send_resolved() && warning.mute().len() == 1);
        assert_eq!(warning.repeat_interval(), PromDuration::seconds(3600));
        for other in [notify.route("X", &labels("info")), notify.route("X", &labels("{{ $labels.x }}"))] {
            assert_eq!((other.severity(), other.channel().as_deref()), (None, Some("#alerts")));
            assert!(other.send_resolved() && other.mute().is_empty());
        }
        for route in [critical, warning] {
            assert_eq!(route.group_wait(), PromDuration::seconds(5));
            assert_eq!(route.group_interval(), PromDuration::seconds(300));
        }
    }

    #[test]
    fn a_severity_with_its_own_webhook_has_its_own_channel() {
        let notify =
            notify("critical: {webhook_url: {env: C}}, high: {webhook_url: {env: D}, channel: '#high'}");
        let critical = notify.route("AppDown", &labels("critical"));
        assert_eq!(critical.channel(), None, "the spec does not name the webhook's channel");
        assert_eq!(critical.channel_key(), "notify.severities.critical.channel");
        assert_eq!(critical.message().channel.as_deref(), Some("#alerts"), "app webhooks ignore it");
        assert_eq!(notify.route("AppDown", &labels("high")).channel().as_deref(), Some("#high"));
    }

    #[test]
    fn the_heartbeat_has_its_own_route_whatever_its_severity() {
        let notify = notify("none: {channel: '#x'}");
        let route = notify.route(WATCHDOG, &labels("none"));
        assert!(route.is_heartbeat() && !route.send_resolved() && route.severity().is_none());
        assert!(!notify.route("AppDown", &labels("none")).is_heartbeat());
        let template = include_str!("../../templates/alertmanager.yml");
        let timing = format!(
            "      group_wait: {}\n      group_interval: {}\n",
            route.group_wait(),
            route.group_interval()
        );
        assert!(template.contains(&timing), "{timing}");
    }

    #[test]
    fn every_route_has_its_name_and_its_receiver() {
        let notify = notify("critical: {channel: '#on-call'}, warning: {repeat_interval: 1h}");
        let routes: Vec<(String, String)> =
            notify.routes().iter().map(|route| (route.to_string(), route.receiver_name())).collect();
        let routes: Vec<(&str, &str)> = routes.iter().map(|(route, name)| (&**route, &**name)).collect();
        assert_eq!(
            routes,
            [
                ("other alerts", "slack-notifications"),
                ("severity critical", "slack-critical"),
                ("severity warning", "slack-notifications"),
                ("heartbeat", "heartbeat"),
            ]
        );
    }
}
