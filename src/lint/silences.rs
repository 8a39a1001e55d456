//! Silences without end: Alertmanager requires an end, so people choose one in the distant future.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::finding::{Finding, FindingKind, Weight};
use super::snapshot::Snapshot;
use crate::http::alertmanager::{Matcher, Silence};

/// A silence that lasts longer than this from now on counts as endless.
const LONG: SignedDuration = SignedDuration::from_hours(90 * 24);

pub(super) fn endless(snapshot: &Snapshot) -> Vec<Finding> {
    // The client rejects a response with invalid end times.
    let ends = |silence: &Silence| silence.ends_at.parse::<Timestamp>().ok();
    let is_endless =
        |silence: &&Silence| ends(silence).is_some_and(|end| end.duration_since(snapshot.now) > LONG);
    snapshot.silences.iter().filter(is_endless).map(|silence| finding(snapshot, silence)).collect()
}

fn finding(snapshot: &Snapshot, silence: &Silence) -> Finding {
    let silenced: Vec<String> = snapshot
        .rules
        .iter()
        .filter(|rule| silence.matches(&labels(&rule.name, &rule.labels)))
        .map(|rule| format!("`{}`", rule.name))
        .collect();
    let what = match silenced.as_slice() {
        [] => "it silences every alert that matches".to_owned(),
        names => format!("it silences {} and every other alert that matches", names.join(", ")),
    };
    let matchers: Vec<String> = silence.matchers.iter().map(shown).collect();
    Finding {
        kind: FindingKind::EndlessSilence,
        weight: Weight::Wrong,
        rule: None,
        key: "",
        evidence: format!(
            "silence {} of `{}` ends {}: {what} `{{{}}}`",
            silence.id,
            silence.created_by,
            silence.ends_at,
            matchers.join(", ")
        ),
        remedy: "expire it in Alertmanager; then silence for a limited time, or remove the rule".into(),
        family: None,
    }
}

fn labels(name: &str, labels: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut labels = labels.clone();
    labels.insert("alertname".into(), name.to_owned());
    labels
}

fn shown(matcher: &Matcher) -> String {
    let operator = match (matcher.is_regex, matcher.is_equal) {
        (false, true) => "=",
        (false, false) => "!=",
        (true, true) => "=~",
        (true, false) => "!~",
    };
    format!("{}{operator}\"{}\"", matcher.name, matcher.value)
}
