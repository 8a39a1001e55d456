//! Whether messages go somewhere and can be quiet at night: severities, mute times, the heartbeat.

use std::collections::BTreeSet;

use super::Finding;
use crate::spec::suggest::suggestion;
use crate::spec::{Alert, Mute, RuleName, Spec, WATCHDOG};

pub(super) fn check(spec: &Spec, findings: &mut Vec<Finding>) {
    let known: BTreeSet<&str> =
        spec.alerts.iter().filter_map(|(name, alert)| severity(name, alert)).collect();
    for (name, severity) in &spec.notify.severities {
        let path = format!("notify.severities.{name}");
        if !known.contains(name.as_str()) {
            let near = suggestion(name.as_str(), known.iter().copied());
            findings.push((path.clone(), format!("no alert has the severity `{name}`{near}")));
        }
        if severity.webhook_url.is_some() && spec.notify.slack.is_none() {
            let message = "`capture` receives everything; a webhook for one severity needs `notify.slack`";
            findings.push((format!("{path}.webhook_url"), message.to_owned()));
        }
        // Places in lists are not told apart.
        let mutes = severity.mute.iter().filter_map(|mute| Some((format!("{path}.mute"), wrong(mute)?)));
        findings.extend(mutes);
    }
    if spec.notify.heartbeat_url.is_some() && !spec.alerts.keys().any(|name| name.as_str() == WATCHDOG) {
        let message =
            format!("a heartbeat needs the alert that always fires: add `{WATCHDOG}: {{}}` to `alerts`");
        findings.push(("notify.heartbeat_url".to_owned(), message));
    }
}

/// The severity that an alert's label names.
fn severity<'a>(name: &RuleName, alert: &'a Alert) -> Option<&'a str> {
    alert.severity.as_deref().or_else(|| Some(alert.entry(name.as_str())?.severity.as_str()))
}

fn wrong(mute: &Mute) -> Option<String> {
    if mute.from == mute.to {
        return Some(format!("a time from {} to {} has no length", mute.from, mute.to));
    }
    let zone = mute.time_zone.as_deref()?;
    let known = jiff::tz::db();
    // A computer without a database of time zones cannot tell; the host can.
    if known.get(zone).is_ok() || known.is_definitively_empty() {
        return None;
    }
    let names: Vec<String> = known.available().map(|name| name.to_string()).collect();
    let near = suggestion(zone, names.iter().map(String::as_str));
    Some(format!("`{zone}` is no time zone such as `Europe/Berlin`{near}"))
}
