//! What a spec may mean and most likely does not: said when it is rendered, and no reason to refuse it.

use super::pace::Pace;
use super::rules::HOST_DOWN;
use crate::spec::{Alert, RuleName, Spec};

/// The warnings about a spec, each a sentence with its remedy.
pub fn warnings(spec: &Spec) -> Vec<String> {
    spec.alerts.iter().filter_map(|(name, alert)| overtakes_host_down(spec, name, alert)).collect()
}

/// An alert that may be told of before the one that holds it back.
fn overtakes_host_down(spec: &Spec, name: &RuleName, alert: &Alert) -> Option<String> {
    let after = alert.entry(name.as_str())?.after.as_ref()?;
    let least = Pace::of(spec).after_host_down();
    let hold = alert.hold.filter(|hold| *hold < least && spec.alerts.contains_key(HOST_DOWN))?;
    Some(format!(
        "`{name}` waits for {hold} and may be told of before `{after}`, which should hold it back: with these intervals \
         it takes {least}; give it `for: {least}` or more, or leave `for` out"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::rules;
    use crate::spec::PromDuration;

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
    fn an_alert_that_overtakes_host_down_is_warned_of() {
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
                "`AppDown` waits for 3m and may be told of before `HostDown`, which should hold it back: with these \
              intervals it takes 3m15s; give it `for: 3m15s` or more, or leave `for` out"
            ]
        );
    }

    #[test]
    fn an_alert_that_nobody_gave_a_for_waits_longer_than_host_down() {
        let hold = |spec: &Spec| rules(spec)[0].hold.map(|hold| hold.to_string());
        assert_eq!(hold(&spec(None, None, 15)).as_deref(), Some("3m"));
        assert_eq!(hold(&spec(None, Some(240), 15)).as_deref(), Some("4m30s"));
        assert_eq!(hold(&spec(None, None, 60)).as_deref(), Some("3m15s"));
        assert_eq!(hold(&spec(Some(5), Some(240), 15)).as_deref(), Some("5s"));
    }
}
