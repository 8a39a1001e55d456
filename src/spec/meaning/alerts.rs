//! Whether the alerts of a spec have the parameters of their kind.

use super::Finding;
use crate::spec::suggest::suggestion;
use crate::spec::{
    Alert, CatalogueAlert, Counts, Monitoring, PromDuration, RuleName, Spec, catalogue_alert,
    catalogue_names, lacks,
};

pub(super) fn check(spec: &Spec, findings: &mut Vec<Finding>) {
    for (name, alert) in &spec.alerts {
        let mut find = |key: &str, message: String| findings.push((format!("alerts.{name}{key}"), message));
        one(name, alert, &spec.monitoring, &mut find);
        if let Some(what) = lacks(name.as_str(), spec).filter(|_| alert.expr.is_none()) {
            find("", format!("this alert can never tell anything: {what}"));
        }
    }
}

fn one(name: &RuleName, alert: &Alert, monitoring: &Monitoring, find: &mut impl FnMut(&str, String)) {
    match (&alert.expr, catalogue_alert(name.as_str())) {
        (Some(expr), _) => {
            if expr.trim().is_empty() {
                find(".expr", "the expression is empty".to_owned());
            }
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
