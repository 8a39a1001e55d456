//! Whether the alerts of a spec have the parameters of their kind.

use std::path::Path;

use super::Finding;
use crate::spec::detect::settings_mention;
use crate::spec::suggest::suggestion;
use crate::spec::{
    Alert, CatalogueAlert, Counts, Fault, Metrics, Monitoring, PromDuration, RuleName, Spec, catalogue_alert,
    catalogue_names, lacks, promql_fault, template,
};

/// `folder` is that of the application.
pub(super) fn check(spec: &Spec, folder: &Path, findings: &mut Vec<Finding>) {
    for (name, alert) in &spec.alerts {
        let mut find = |key: &str, message: String| findings.push((format!("alerts.{name}{key}"), message));
        one(name, alert, &spec.monitoring, &mut find);
        labels(name, alert, &mut find);
        if let Some(entry) = alert.entry(name.as_str())
            && let Some(message) = beyond_all(alert, entry, spec, folder)
        {
            find(".above", message);
        }
        if let Some(what) = lacks(name.as_str(), spec).filter(|_| alert.expr.is_none()) {
            find("", format!("this alert can never tell anything: {what}"));
        }
    }
}

fn one(name: &RuleName, alert: &Alert, monitoring: &Monitoring, find: &mut impl FnMut(&str, String)) {
    match (&alert.expr, catalogue_alert(name.as_str())) {
        (Some(expr), _) => {
            own(alert, expr, find);
            for (key, given) in given(alert) {
                if given {
                    find(key, "an own rule has its numbers and its times in `expr`".to_owned());
                }
            }
        }
        (None, Some(entry)) => parameters(alert, entry, monitoring, find),
        (None, None) => {
            let near = suggestion(name.as_str(), catalogue_names());
            find("", format!("the catalogue has no alert `{name}`, and it has no `expr` of its own{near}"));
        }
    }
}

/// What of an own rule no Prometheus reads. What only a newer one may read, `render` warns of.
fn own(alert: &Alert, expr: &str, find: &mut impl FnMut(&str, String)) {
    if let Some(Fault::Wrong(message)) = promql_fault(expr) {
        find(".expr", message);
    }
    let texts =
        [(".summary", &alert.summary), (".description", &alert.description), (".severity", &alert.severity)];
    for (key, text) in texts {
        if let Some(message) = text.as_deref().and_then(template::fault) {
            find(key, message);
        }
    }
    for (label, text) in &alert.labels {
        if let Some(message) = template::fault(text) {
            find(&format!(".labels.{label}"), message);
        }
    }
}

/// Labels by which messages find their way, and alerts are told apart or held back.
fn labels(name: &RuleName, alert: &Alert, find: &mut impl FnMut(&str, String)) {
    if alert.severity.as_ref().is_some_and(|severity| severity.trim().is_empty()) {
        find(".severity", "an empty severity is none; leave it out, or name one".to_owned());
    }
    for label in alert.labels.keys() {
        let message = match label.as_str() {
            "severity" => "the severity stands beside `labels`: write `severity: …` there",
            "alertname" => "Prometheus puts the alert's own name there; name the alert so instead",
            "instance" if alert.entry(name.as_str()).is_some() => {
                "this label tells the hosts apart; with one value for all of them nobody knows which one it is"
            }
            "host" if alert.entry(name.as_str()).is_some() => {
                "by this label a host that is down holds back its other alerts; choose another name"
            }
            _ => continue,
        };
        find(&format!(".labels.{label}"), message.to_owned());
    }
}

/// Why a threshold lies where no value ever comes, if so.
fn beyond_all(alert: &Alert, entry: &CatalogueAlert, spec: &Spec, folder: &Path) -> Option<String> {
    let (above, most) = (alert.above?, entry.most?);
    let setting = entry.most_setting.as_deref().filter(|_| spec.app.metrics() == Metrics::Builtin);
    if above < most || setting.is_some_and(|setting| settings_mention(folder, setting)) {
        return None;
    }
    let other =
        setting.map(|setting| format!(", or give the project's settings a `{setting}` that goes further"));
    Some(format!(
        "the value is never more than {most}, so that the alert could never fire; write less{}",
        other.unwrap_or_default()
    ))
}

/// The parameters of catalogue alerts, and whether the user gave them.
const fn given(alert: &Alert) -> [(&'static str, bool); 4] {
    [
        (".above", alert.above.is_some()),
        (".window", alert.window.is_some()),
        (".within", alert.within.is_some()),
        (".traffic", alert.traffic.is_some()),
    ]
}

fn parameters(
    alert: &Alert,
    entry: &CatalogueAlert,
    monitoring: &Monitoring,
    find: &mut impl FnMut(&str, String),
) {
    let has = [
        (entry.unit.is_some(), "threshold"),
        (entry.has_window(), "window: it looks at the last scrape"),
        (entry.within.is_some(), "`within`: it foresees nothing"),
        (entry.traffic.is_some(), "`traffic`: it says the same at any traffic"),
    ];
    for ((key, given), (has, what)) in given(alert).into_iter().zip(has) {
        if given && !has {
            find(key, format!("this alert has no {what}"));
        }
    }
    if let (Some(above), Some(unit)) = (alert.above, entry.unit)
        && let Err(message) = unit.check(above)
    {
        find(".above", message);
    }
    if let Some(message) = too_short(alert, entry, monitoring) {
        find(".window", message);
    }
    if alert.within.is_some_and(|within| within.get().is_zero()) {
        find(".within", "it has to be longer than nothing".to_owned());
    }
    if alert.traffic.is_some_and(|traffic| !(traffic.is_finite() && traffic >= 0.0)) {
        find(".traffic", "it is a number per second, 0 or more".to_owned());
    }
}

/// Why the window of an alert holds nothing to take a rate of, if so.
fn too_short(alert: &Alert, entry: &CatalogueAlert, monitoring: &Monitoring) -> Option<String> {
    let (window, scrape) = (alert.window?.get(), monitoring.scrape_interval);
    if window < scrape.get() * 2 {
        return Some(format!(
            "a rate needs two scrapes, which come every {scrape}: the alert could never fire"
        ));
    }
    let evaluation = monitoring.evaluation_interval;
    let is_step_missed = window < evaluation.get() + scrape.get() * 2;
    (entry.counts == Counts::Evaluations && is_step_missed).then(|| {
        format!(
            "its counters move once for each evaluation, every {evaluation}, and are scraped every {scrape}: \
             the alert would end between any two; write {} or more",
            PromDuration::millis(evaluation.as_millis() + scrape.as_millis() * 2)
        )
    })
}
