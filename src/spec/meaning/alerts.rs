//! Whether the alerts of a spec have the parameters of their kind.

use super::Finding;
use crate::spec::suggest::suggestion;
use crate::spec::{
    Alert, CatalogueAlert, PromDuration, RuleName, Spec, catalogue_alert, catalogue_names, lacks,
};

pub(super) fn check(spec: &Spec, findings: &mut Vec<Finding>) {
    for (name, alert) in &spec.alerts {
        let mut find = |key: &str, message: String| findings.push((format!("alerts.{name}{key}"), message));
        one(name, alert, spec.monitoring.scrape_interval, &mut find);
        if let Some(what) = lacks(name.as_str(), spec).filter(|_| alert.expr.is_none()) {
            find("", format!("this alert can never tell anything: {what}"));
        }
    }
}

fn one(name: &RuleName, alert: &Alert, scrape_interval: PromDuration, find: &mut impl FnMut(&str, String)) {
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
        (None, Some(entry)) => parameters(alert, entry, scrape_interval, find),
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
    scrape_interval: PromDuration,
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
    if alert.window.is_some_and(|window| window.get() < scrape_interval.get() * 2) {
        let message = format!(
            "a rate needs two scrapes, which come every {scrape_interval}: the alert could never fire"
        );
        find(".window", message);
    }
    if alert.within.is_some_and(|within| within.get().is_zero()) {
        find(".within", "it has to be longer than nothing".to_owned());
    }
    if alert.traffic.is_some_and(|traffic| !(traffic.is_finite() && traffic >= 0.0)) {
        find(".traffic", "it is a number per second, 0 or more".to_owned());
    }
}
