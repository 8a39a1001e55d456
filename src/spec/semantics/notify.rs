//! Checks where and when alerts are sent: severities, mute times, the heartbeat.

use std::collections::BTreeSet;

use super::super::catalogue::WATCHDOG;
use super::super::model::Spec;
use super::super::names::BaseUrl;
use super::super::notify::{Notify, Slack};
use super::super::rule_file;
use super::super::severity::Mute;
use super::{KeyPath, SpecFinding};
use crate::spec::suggest::suggestion;
use crate::spec::template;

pub(super) fn check(spec: &Spec, findings: &mut Vec<SpecFinding>) {
    findings.extend(not_one_place(&spec.notify));
    let known = severities(spec);
    for (name, severity) in &spec.notify.severities {
        let path = KeyPath::from("notify.severities").and(name);
        if let Some(known) = known.as_ref().filter(|known| !known.contains(name.as_str())) {
            let near = suggestion(name.as_str(), known.iter().map(String::as_str));
            let finding = SpecFinding::new(path.clone(), format!("no alert has the severity `{name}`{near}"));
            let of_alerts =
                spec.alerts.keys().map(|alert| KeyPath::from("alerts").and(alert).and("severity"));
            findings.push(of_alerts.fold(finding.about(rule_file::KEY), SpecFinding::about));
        }
        if severity.webhook_url.is_some() && spec.notify.slack.is_none() {
            let message = "`capture` receives everything; a webhook for one severity needs `notify.slack`";
            findings.push(SpecFinding::new(path.and("webhook_url"), message).about("notify.slack"));
        }
        for (index, mute) in severity.mute.iter().enumerate() {
            let at = path.and("mute").and(index);
            findings.extend(without_length(mute).map(|message| {
                SpecFinding::new(at.clone(), message).about(at.and("from")).about(at.and("to"))
            }));
            findings.extend(wrong_zone(mute).map(|message| SpecFinding::new(at.and("time_zone"), message)));
        }
    }
    if let Some(slack) = &spec.notify.slack
        && !(slack.api_url.starts_with("https://")
            || slack.api_url.parse::<BaseUrl>().is_ok_and(|url| url.is_loopback()))
    {
        let message = "the bot's token is sent there: use a URL with `https://` (`http://` only to 127.0.0.1, [::1] or \
                       localhost)";
        findings.push(SpecFinding::new("notify.slack.api_url", message));
    }
    if spec.notify.heartbeat_url.is_some() && !spec.alerts.keys().any(|name| name.as_str() == WATCHDOG) {
        let message =
            format!("a heartbeat needs the alert that always fires: add `{WATCHDOG}: {{}}` to `alerts`");
        findings.push(
            SpecFinding::new("notify.heartbeat_url", message).about(KeyPath::from("alerts").and(WATCHDOG)),
        );
    }
    messages(spec, findings);
    findings.extend(spec.notify.slack.as_ref().and_then(without_way));
}

/// Alerts go to exactly one place.
fn not_one_place(notify: &Notify) -> Option<SpecFinding> {
    let message = match (&notify.slack, &notify.capture) {
        (Some(_), Some(_)) => "`slack` and `capture` exclude each other; keep one of them",
        (None, None) => "one of `slack` and `capture` is needed; `capture: {}` needs no settings",
        _ => return None,
    };
    Some(SpecFinding::new("notify.slack", message).about("notify.capture"))
}

/// What `slack` lacks to send messages.
fn without_way(slack: &Slack) -> Option<SpecFinding> {
    let message = match (&slack.webhook_url, &slack.bot_token, &slack.message.channel) {
        (Some(_), ..) | (None, Some(_), Some(_)) => return None,
        (None, None, _) => {
            "messages need a `webhook_url` or a `bot_token`: add `webhook_url: {env: SLACK_WEBHOOK_URL}`"
        }
        (None, Some(_), None) => "a bot needs a channel: add `channel: \"#alerts\"`, or the channel's id",
    };
    let finding = SpecFinding::new("notify.slack", message).about("notify.slack.webhook_url");
    Some(finding.about("notify.slack.bot_token").about("notify.slack.channel"))
}

/// The severities of all alerts; none if a template can produce any.
fn severities(spec: &Spec) -> Option<BTreeSet<String>> {
    let mut known = BTreeSet::new();
    for (name, alert) in
        spec.alerts.iter().flat_map(|(name, alert)| alert.each().map(move |rule| (name, rule)))
    {
        match (&alert.severity, spec.catalogue.entry(name.as_str(), alert)) {
            (Some(severity), None) => known.extend(template::words(severity)?),
            (Some(severity), Some(_)) => drop(known.insert(severity.clone())),
            (None, entry) => known.extend(entry.map(|entry| entry.severity.clone())),
        }
    }
    Some(known)
}

/// Titles and texts that Alertmanager cannot parse as templates, or cannot fill.
fn messages(spec: &Spec, findings: &mut Vec<SpecFinding>) {
    let message = spec.notify.message();
    let receiver = KeyPath::from("notify").and(if spec.notify.slack.is_some() { "slack" } else { "capture" });
    for (key, text) in [("title", &message.title), ("text", &message.text)] {
        let fault = text.as_deref().and_then(|text| template::fault(text, &template::ALERTMANAGER));
        findings
            .extend(fault.map(|it| SpecFinding::new(receiver.and(key), it.message).within(it.at, it.width)));
    }
}

fn without_length(mute: &Mute) -> Option<String> {
    (mute.from == mute.to).then(|| format!("the time from {} to {} is empty", mute.from, mute.to))
}

fn wrong_zone(mute: &Mute) -> Option<String> {
    let zone = mute.time_zone.as_deref()?;
    let known = jiff::tz::db();
    // Without a time zone database on this computer, the host decides.
    if known.get(zone).is_ok() || known.is_definitively_empty() {
        return None;
    }
    let names: Vec<String> = known.available().map(|name| name.to_string()).collect();
    let near = suggestion(zone, names.iter().map(String::as_str));
    Some(format!("`{zone}` is not a time zone such as `Europe/Berlin`{near}"))
}
