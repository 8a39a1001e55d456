//! Checks the parameters of the spec's alerts.

use super::super::alert::Alert;
use super::super::app::Metrics;
use super::super::catalogue::{Catalogue, CatalogueAlert, Counts};
use super::super::drill::DrillKind;
use super::super::lack::lacks;
use super::super::model::Spec;
use super::super::monitoring::Monitoring;
use super::super::names::AlertName;
use super::super::promql::{PromqlFault, fault as promql_fault};
use super::super::rule_file::path_of_rule;
use super::super::template;
use super::{KeyPath, SpecFinding};
use crate::duration::PromDuration;
use crate::promql::is_cpu_usage;
use crate::spec::suggest::suggestion;

/// Checks all alerts; `mentions` returns whether the project's settings name something.
pub(super) fn check(spec: &Spec, mentions: &dyn Fn(&str) -> bool, findings: &mut Vec<SpecFinding>) {
    let rules = spec.alerts.iter().flat_map(|(name, alert)| {
        alert.each().enumerate().map(move |(number, rule)| (name, path_of_rule(name, number), rule))
    });
    for (name, at, alert) in rules {
        let mut find = |keys: &[&str], message: String| {
            let path = keys.iter().fold(at.clone(), |path, key| path.and(key));
            findings.push(SpecFinding::new(path, message));
        };
        one(name, alert, &spec.catalogue, &mut find);
        drill(name, alert, spec, &mut find);
        annotations(alert, &mut find);
        labels(alert, spec.catalogue.entry(name.as_str(), alert).is_some(), &mut find);
        let Some(entry) = spec.catalogue.entry(name.as_str(), alert) else {
            templates(&at, alert, findings);
            continue;
        };
        if let Some(message) = beyond_all(alert, entry, spec, mentions) {
            find(&["above"], message);
        }
        if let Some(what) = lacks(name.as_str(), spec) {
            find(&[], format!("this alert can never fire usefully: {what}"));
        }
        if let Some(message) = too_short(alert, entry, &spec.monitoring) {
            let finding = SpecFinding::new(at.and("window"), message).about("monitoring.scrape_interval");
            findings.push(finding.about("monitoring.evaluation_interval"));
        }
    }
}

fn one(name: &AlertName, alert: &Alert, catalogue: &Catalogue, find: &mut impl FnMut(&[&str], String)) {
    match (&alert.expr, catalogue.alert(name.as_str())) {
        (Some(expr), _) => {
            own(expr, find);
            for (key, given) in given(alert) {
                if given {
                    find(
                        &[key],
                        "a rule with its own `expr` has its numbers in `expr`; leave this out".to_owned(),
                    );
                }
            }
        }
        (None, Some(entry)) => parameters(alert, entry, find),
        (None, None) => {
            let near = suggestion(name.as_str(), catalogue.names());
            find(&[], format!("the catalogue has no alert `{name}`, and this one has no `expr`{near}"));
        }
    }
}

/// A drill that cannot cause what the alert detects.
fn drill(name: &AlertName, alert: &Alert, spec: &Spec, find: &mut impl FnMut(&[&str], String)) {
    let Some(drill) = &alert.drill else { return };
    let jobs = spec.scraped();
    if let Some((key, message)) = drill.fault(jobs.iter().map(|job| job.job)) {
        find(&["drill", key], message);
    }
    let of_catalogue = spec.catalogue.entry(name.as_str(), alert);
    let is_of_cpu = match (&alert.expr, of_catalogue) {
        (Some(expr), _) => spec.meaning(expr, alert.origin.as_ref()).known().is_some_and(is_cpu_usage),
        (None, entry) => entry.is_some_and(|entry| entry.drill == DrillKind::Cpu),
    };
    if *drill == DrillKind::Cpu && !is_of_cpu {
        find(
            &["drill"],
            "this drill makes CPUs busy, and the alert is not about the usage of CPUs in percent".to_owned(),
        );
    }
    let needs_exporter = matches!(drill, DrillKind::Requests { .. } | DrillKind::SlowRequests);
    if needs_exporter && spec.app.metrics() == Metrics::Builtin {
        let message = "with `metrics: builtin` monctl cannot answer requests in place of the application";
        find(&["drill"], message.to_owned());
    }
}

/// Faults of the user's own rule that no Prometheus accepts. `render` warns of those that a newer one may accept.
fn own(expr: &str, find: &mut impl FnMut(&[&str], String)) {
    if let Some(PromqlFault::Wrong(message)) = promql_fault(expr) {
        find(&["expr"], message);
    }
}

/// Texts of the user's own rule that Prometheus cannot parse as templates, or cannot fill.
fn templates(at: &KeyPath, alert: &Alert, findings: &mut Vec<SpecFinding>) {
    let texts =
        [("summary", &alert.summary), ("description", &alert.description), ("severity", &alert.severity)];
    let texts = texts.into_iter().filter_map(|(key, text)| Some((at.and(key), text.as_ref()?)));
    let labels = alert.labels.iter().map(|(name, text)| (at.and("labels").and(name), text));
    let annotations = alert.annotations.iter().map(|(name, text)| (at.and("annotations").and(name), text));
    for (path, text) in texts.chain(labels).chain(annotations) {
        let fault = template::fault(text, &template::PROMETHEUS);
        findings.extend(fault.map(|it| SpecFinding::new(path, it.message).within(it.at, it.width)));
    }
}

/// Annotations that are keys of their own.
fn annotations(alert: &Alert, find: &mut impl FnMut(&[&str], String)) {
    // In a rule file, all annotations stand together.
    for annotation in alert.annotations.keys().filter(|_| alert.origin.is_none()) {
        let message = match annotation.as_str() {
            key @ ("summary" | "description" | "action" | "runbook_url") => {
                format!("set it next to `annotations`: `{key}: …`")
            }
            "value" | "runbook" => "monctl writes this annotation; choose another name".to_owned(),
            _ => continue,
        };
        find(&["annotations", annotation.as_str()], message);
    }
}

/// Labels that route, identify or inhibit alerts.
fn labels(alert: &Alert, is_of_catalogue: bool, find: &mut impl FnMut(&[&str], String)) {
    if alert.severity.as_ref().is_some_and(|severity| severity.trim().is_empty()) {
        find(&["severity"], "the severity is empty; leave it out, or name one".to_owned());
    }
    for label in alert.labels.keys() {
        let message = match label.as_str() {
            "severity" => "set the severity next to `labels`: `severity: …`",
            "alertname" => "Prometheus sets this label to the alert's name; rename the alert instead",
            "instance" if is_of_catalogue => {
                "this label identifies the host; with a fixed value, alerts no longer name the host"
            }
            "host" if is_of_catalogue => {
                "`HostDown` inhibits other alerts of its host by this label; choose another name"
            }
            _ => continue,
        };
        find(&["labels", label.as_str()], message.to_owned());
    }
}

/// A threshold that no value can reach.
fn beyond_all(
    alert: &Alert,
    entry: &CatalogueAlert,
    spec: &Spec,
    mentions: &dyn Fn(&str) -> bool,
) -> Option<String> {
    let (above, most) = (alert.above?, entry.most?);
    let setting = entry.most_setting.as_deref().filter(|_| spec.app.metrics() == Metrics::Builtin);
    if above < most || setting.is_some_and(mentions) {
        return None;
    }
    let other = setting.map(|setting| format!(", or raise `{setting}` in the project's settings"));
    Some(format!(
        "the value never exceeds {most}, so the alert could never fire; use less{}",
        other.unwrap_or_default()
    ))
}

/// The parameters of catalogue alerts, and whether the user gave them.
const fn given(alert: &Alert) -> [(&'static str, bool); 4] {
    [
        ("above", alert.above.is_some()),
        ("window", alert.window.is_some()),
        ("within", alert.within.is_some()),
        ("traffic", alert.traffic.is_some()),
    ]
}

fn parameters(alert: &Alert, entry: &CatalogueAlert, find: &mut impl FnMut(&[&str], String)) {
    let has = [
        (entry.unit.is_some(), "threshold"),
        (entry.has_window(), "window: it looks at the last scrape"),
        (entry.within.is_some(), "`within`: it predicts nothing"),
        (entry.traffic.is_some(), "`traffic`: it does not depend on traffic"),
    ];
    for ((key, given), (has, what)) in given(alert).into_iter().zip(has) {
        if given && !has {
            find(&[key], format!("this alert has no {what}"));
        }
    }
    if let (Some(above), Some(unit)) = (alert.above, entry.unit)
        && let Err(message) = unit.check(above)
    {
        find(&["above"], message);
    }
    if alert.keep_firing_for.is_some() {
        let message = "only for your own rules: alerts of the catalogue resolve with their cause and survive gaps without it";
        find(&["keep_firing_for"], message.to_owned());
    }
    if alert.within.is_some_and(|within| within.get().is_zero()) {
        find(&["within"], "it must be longer than 0s".to_owned());
    }
    if alert.traffic.is_some_and(|traffic| !(traffic.is_finite() && traffic >= 0.0)) {
        find(&["traffic"], "it must be a number per second, 0 or more".to_owned());
    }
}

/// A window too short for a rate.
fn too_short(alert: &Alert, entry: &CatalogueAlert, monitoring: &Monitoring) -> Option<String> {
    let (window, scrape) = (alert.window?.get(), monitoring.scrape_interval);
    if window < scrape.get() * 2 {
        return Some(format!(
            "the alert could never fire: a rate needs two scrapes, one every {scrape}; use a longer window"
        ));
    }
    let evaluation = monitoring.evaluation_interval;
    let is_step_missed = window < evaluation.get() + scrape.get() * 2;
    (entry.counts == Counts::Evaluations && is_step_missed).then(|| {
        format!(
            "its counters increase at each evaluation, every {evaluation}, and are scraped every {scrape}: \
             the alert would resolve between evaluations; use {} or more",
            PromDuration::millis(evaluation.as_millis() + scrape.as_millis() * 2)
        )
    })
}
