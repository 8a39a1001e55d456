//! Warnings about a valid spec that most likely does not do what the user wants.

use super::intervals::RuleIntervals;
use super::rule_tests::rule_tests;
use crate::spec::{
    Alert, AlertName, HOST_DOWN, HostPort, Loaded, Metrics, PromqlFault, Spec, TARGET_MISSING, TargetScheme,
    is_template, metrics_of, promql_fault,
};

/// The warnings about a spec, each a sentence with its remedy.
pub fn warnings(loaded: &Loaded) -> Vec<String> {
    about(&loaded.spec, |setting| loaded.settings_mention(setting))
}

/// `has` returns whether the project's settings name something.
fn about(spec: &Spec, has: impl Fn(&str) -> bool) -> Vec<String> {
    let of_alert = |(name, alert): (&AlertName, &Alert)| {
        [
            overtakes_host_down(spec, name, alert),
            lacks_its_setting(spec, name, alert, &has),
            newer_than_monctl(name, alert),
            shows_braces(spec, name, alert),
            annotation_shows_braces(spec, name, alert),
        ]
    };
    let of_alerts = spec.alerts.iter().flat_map(|(name, alert)| alert.each().map(move |rule| (name, rule)));
    let of_alerts = of_alerts.flat_map(of_alert).flatten();
    of_alerts.chain(untested(spec)).chain(unwatched_targets(spec)).chain(secrets_in_clear(spec)).collect()
}

/// Catalogue alerts without a test that they fire: with such parameters they may never be able to.
fn untested(spec: &Spec) -> Vec<String> {
    // A broken file of the catalogue is reported where the tests are written.
    let Ok(tests) = rule_tests(spec) else { return Vec::new() };
    let is_tested = |name: &AlertName| tests.iter().any(|tests| tests.alert == name.as_str());
    let of_catalogue =
        spec.alerts.iter().filter(|(name, alert)| spec.catalogue.entry(name.as_str(), alert).is_some());
    let names = of_catalogue.map(|(name, _)| name).filter(|name| !is_tested(name));
    let warning = |name| {
        format!(
            "`{name}` has no rule tests: with these parameters it may never fire; try a lower `above`, a longer `window` or a \
             shorter `for`"
        )
    };
    names.map(warning).collect()
}

/// Scrape targets of the user's own that no alert is about.
fn unwatched_targets(spec: &Spec) -> Option<String> {
    let is_about_targets = |alert: &Alert| {
        alert.expr.as_deref().is_some_and(|expr| metrics_of(expr).iter().any(|name| name == "up"))
    };
    let is_watched = spec.alerts.iter().any(|(name, alert)| {
        spec.catalogue.name(name.as_str()) == Some(TARGET_MISSING) || alert.each().any(is_about_targets)
    });
    let (first, _) = spec.monitoring.targets.iter().next().filter(|_| !is_watched)?;
    Some(format!(
        "no alert fires when a target of `monitoring.targets` such as `{first}` does not answer: add `{TARGET_MISSING}: {{}}` \
         to `alerts`, or a rule about `up`"
    ))
}

/// Credentials of scrape targets that are sent unencrypted.
fn secrets_in_clear(spec: &Spec) -> impl Iterator<Item = String> {
    let is_loopback = |address: &HostPort| {
        ["localhost:", "127.", "[::1]:"].iter().any(|prefix| address.as_str().starts_with(prefix))
    };
    let in_clear = spec.monitoring.targets.iter().filter(move |(_, target)| {
        target.auth.is_some()
            && target.scheme() == TargetScheme::Http
            && !target.address.iter().all(is_loopback)
    });
    in_clear.map(|(name, _)| {
        format!(
            "Prometheus sends the credentials of `{name}` unencrypted at each scrape: use `scheme: https`"
        )
    })
}

/// An alert whose metrics the project's own django-prometheus exports only with a setting that is missing.
fn lacks_its_setting(
    spec: &Spec,
    name: &AlertName,
    alert: &Alert,
    has: impl Fn(&str) -> bool,
) -> Option<String> {
    let setting = spec.catalogue.entry(name.as_str(), alert)?.builtin_setting.as_deref()?;
    if spec.app.metrics() != Metrics::Builtin || has(setting) {
        return None;
    }
    Some(format!(
        "`{name}` can never fire: django-prometheus exports its metric only with `{setting} = True` in the project's \
         settings; add it, or remove the alert"
    ))
}

/// An expression that monctl cannot parse and a newer Prometheus may accept.
fn newer_than_monctl(name: &AlertName, alert: &Alert) -> Option<String> {
    let PromqlFault::Unknown(what) = promql_fault(alert.expr.as_deref()?)? else { return None };
    Some(format!(
        "the `expr` of `{name}` was not checked; make sure that your version of Prometheus accepts it: {what}"
    ))
}

/// A plain text that looks like a template: the message would show its braces.
fn shows_braces(spec: &Spec, name: &AlertName, alert: &Alert) -> Option<String> {
    let of_catalogue = spec.catalogue.entry(name.as_str(), alert).is_some();
    let texts =
        [("summary", &alert.summary), ("description", &alert.description), ("severity", &alert.severity)];
    let texts = texts.into_iter().filter(|_| of_catalogue).chain([("action", &alert.action)]);
    let mut texts = texts.filter_map(|(key, text)| Some((key, text.as_deref()?)));
    let (key, _) = texts.find(|(_, text)| is_template(text))?;
    let remedy = if of_catalogue && key != "action" {
        "write it without braces, or give the alert its own `expr`, whose texts are templates"
    } else {
        "write it without braces"
    };
    Some(format!(
        "the `{key}` of `{name}` is plain text, so the message shows `{{{{ … }}}}` literally: {remedy}"
    ))
}

/// The same of an annotation that the user adds to an alert of the catalogue.
fn annotation_shows_braces(spec: &Spec, name: &AlertName, alert: &Alert) -> Option<String> {
    spec.catalogue.entry(name.as_str(), alert)?;
    let (annotation, _) = alert.annotations.iter().find(|(_, text)| is_template(text))?;
    Some(format!(
        "the annotation `{annotation}` of `{name}` is plain text, so the message shows `{{{{ … }}}}` literally: write it \
         without braces"
    ))
}

/// An alert that may be sent before the one that inhibits it fires.
fn overtakes_host_down(spec: &Spec, name: &AlertName, alert: &Alert) -> Option<String> {
    let after = spec.catalogue.entry(name.as_str(), alert)?.after.as_ref()?;
    let least = RuleIntervals::of(spec).after_host_down();
    let hold = alert.hold.filter(|hold| *hold < least && spec.alerts.contains_key(HOST_DOWN))?;
    Some(format!(
        "`{name}` fires after {hold}, possibly before `{after}`, which should inhibit it: set `for: {least}` or more, or \
         leave `for` out"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::duration::PromDuration;
    use crate::render::rules;

    fn warnings(spec: &Spec) -> Vec<String> {
        about(spec, |_| false)
    }

    fn spec(app_down: Option<u64>, host_down: Option<u64>, evaluation: u64) -> Spec {
        let alert =
            |seconds: Option<u64>| Alert { hold: seconds.map(PromDuration::seconds), ..Alert::default() };
        let mut spec: Spec = serde_json::from_value(serde_json::json!({
            "version": 1, "project": "web", "provider": "local",
            "app": {"path": ".", "wsgi": "web.wsgi"}, "notify": {"capture": {}},
        }))
        .unwrap();
        spec.monitoring.evaluation_interval = PromDuration::seconds(evaluation);
        spec.alerts = [("AppDown", alert(app_down)), ("HostDown", alert(host_down))]
            .map(|(name, alert)| (name.parse().unwrap(), alert))
            .into();
        spec
    }

    #[test]
    fn an_alert_that_may_fire_before_host_down_is_warned_of() {
        for (app_down, host_down, warned) in [
            (None, None, false),
            (Some(150), None, false),
            (Some(149), None, true),
            (Some(180), Some(240), true),
            (None, Some(240), false),
        ] {
            let warnings = warnings(&spec(app_down, host_down, 15));
            assert_eq!(!warnings.is_empty(), warned, "{app_down:?} {host_down:?}: {warnings:?}");
        }
        let warnings = warnings(&spec(Some(180), None, 60));
        assert_eq!(
            warnings,
            [
                "`AppDown` fires after 3m, possibly before `HostDown`, which should inhibit it: set `for: 3m15s` or more, or \
              leave `for` out"
            ]
        );
    }

    #[test]
    fn an_alert_without_the_setting_that_it_needs_is_warned_of() {
        let mut spec = spec(None, None, 15);
        spec.alerts = [("UnappliedMigrations".parse().unwrap(), Alert::default())].into();
        assert_eq!(warnings(&spec), [""; 0], "monctl's own exporter needs none");
        spec.app.metrics = Some(Metrics::Builtin);
        let found = warnings(&spec);
        assert!(found[0].contains("`PROMETHEUS_EXPORT_MIGRATIONS = True`"), "{found:?}");
        assert_eq!(about(&spec, |setting| setting == "PROMETHEUS_EXPORT_MIGRATIONS"), [""; 0]);
    }

    #[test]
    fn an_alert_that_may_never_fire_is_warned_of_and_has_no_tests() {
        let mut spec = spec(None, None, 15);
        let above = |above| Alert { above: Some(above), ..Alert::default() };
        spec.alerts = [("PrometheusRestarted".parse().unwrap(), above(5000.0))].into();
        assert!(
            warnings(&spec)[0].starts_with("`PrometheusRestarted` has no rule tests"),
            "{:?}",
            warnings(&spec)
        );
        assert_eq!(rule_tests(&spec).unwrap(), []);
        spec.alerts = [("PrometheusRestarted".parse().unwrap(), above(2.0))].into();
        assert_eq!(warnings(&spec), [""; 0]);
    }

    #[test]
    fn an_expression_that_monctl_cannot_parse_is_warned_of() {
        let mut spec = spec(None, None, 15);
        let own = |expr: &str| Alert { expr: Some(expr.to_owned()), ..Alert::default() };
        spec.alerts = [("Own".parse().unwrap(), own("raet(x[5m]) > 1"))].into();
        assert_eq!(
            warnings(&spec),
            [
                "the `expr` of `Own` was not checked; make sure that your version of Prometheus accepts it: unknown PromQL \
              function `raet`; did you mean `rate`?"
            ]
        );
        spec.alerts = [("Own".parse().unwrap(), own("rate(x[5m]) > 1"))].into();
        assert_eq!(warnings(&spec), [""; 0]);
    }

    #[test]
    fn braces_in_a_plain_text_are_warned_of() {
        let mut spec = spec(None, None, 15);
        let text = || Some("{{ $labels.instance }} is busy".to_owned());
        let summary = Alert { summary: text(), ..Alert::default() };
        let action = Alert { action: text(), ..Alert::default() };
        let own = Alert { expr: Some("up == 0".to_owned()), summary: text(), ..Alert::default() };
        for (alert, key) in [(summary, Some("summary")), (action, Some("action")), (own, None)] {
            spec.alerts = [("HighCPUUsage".parse().unwrap(), alert)].into();
            let found = warnings(&spec);
            let named = key.is_none_or(|key| {
                found[0].starts_with(&format!("the `{key}` of `HighCPUUsage` is plain text"))
            });
            assert_eq!(found.len(), usize::from(key.is_some()), "{found:?}");
            assert!(named, "{found:?}");
        }
    }

    #[test]
    fn an_alert_without_for_is_pending_longer_than_host_down() {
        let hold = |spec: &Spec| rules(spec)[0].hold.map(|hold| hold.to_string());
        assert_eq!(hold(&spec(None, None, 15)).as_deref(), Some("3m"));
        assert_eq!(hold(&spec(None, Some(240), 15)).as_deref(), Some("4m30s"));
        assert_eq!(hold(&spec(None, None, 60)).as_deref(), Some("3m15s"));
        assert_eq!(hold(&spec(Some(5), Some(240), 15)).as_deref(), Some("5s"));
    }
}
