//! `monctl check`: checks the live rules and routes for alerts that can never fire or never be delivered. Read-only.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::context::Context;
use crate::error::{Exit, Result};
use crate::lint::{Finding, Snapshot, Weight, check, exporter, take};
use crate::provider;
use crate::remote::{ANSWERS_WITHIN, Remote};
use crate::report::Outcome;
use crate::services::{self, monitoring};
use crate::spec::{Loaded, Location, load};

/// # Errors
/// When the spec is invalid, the monitoring host does not run, or one of its services does not answer. Findings are
/// part of the outcome, whose exit code is then [`Exit::Findings`].
pub(super) async fn run(context: &Context) -> Result<Outcome> {
    let loaded = load(&context.spec)?;
    let provider = provider::of(&loaded, &context.events).await?;
    let machines = provider.observe().await?.running();
    let remote = Remote::connect(monitoring(&machines)?, ANSWERS_WITHIN, &context.events).await?;
    let prometheus = services::prometheus(&remote).await?;
    let alertmanager = services::alertmanager(&remote).await?;
    let snapshot = take(&loaded.spec, &prometheus, &alertmanager).await?;
    Ok(outcome(&loaded, &snapshot, &check(&snapshot)))
}

fn outcome(loaded: &Loaded, snapshot: &Snapshot, findings: &[Finding]) -> Outcome {
    let wrong = findings.iter().filter(|finding| finding.weight == Weight::Wrong).count();
    let exit = if wrong > 0 { Exit::Findings } else { Exit::Success };
    let mut text = String::new();
    for group in grouped(findings) {
        let shown = match group.as_slice() {
            [alone] => shown(loaded, snapshot, alone),
            together => shown_together(loaded, snapshot, together),
        };
        text.push_str(&format!("{shown}\n\n"));
    }
    text.push_str(&summary(snapshot.rules.len(), wrong, findings.len() - wrong));
    let documents: Vec<Value> = findings.iter().map(|finding| document(loaded, snapshot, finding)).collect();
    let json = json!({ "rules": snapshot.rules.len(), "findings": documents });
    Outcome { exit, text, json }
}

fn summary(rules: usize, wrong: usize, doubtful: usize) -> String {
    let rules = if rules == 1 { "1 rule".to_owned() } else { format!("{rules} rules") };
    match (wrong, doubtful) {
        (0, 0) => format!("{rules} checked: nothing is wrong"),
        (wrong, 0) => format!("{rules} checked: {wrong} wrong"),
        (wrong, doubtful) => format!("{rules} checked: {wrong} wrong, {doubtful} doubtful"),
    }
}

/// The place of a finding in the spec; `None` if it is not about a rule of the spec.
fn location(loaded: &Loaded, snapshot: &Snapshot, finding: &Finding) -> Option<Location> {
    let name = finding.rule.as_deref()?;
    let rule = snapshot.rules.iter().find(|rule| rule.name == name)?;
    rule.is_of_spec.then(|| loaded.locate(&["alerts", name, finding.key]))
}

/// The file on the monitoring host that contains the rule of a finding.
fn file<'a>(snapshot: &'a Snapshot, finding: &Finding) -> Option<&'a str> {
    let name = finding.rule.as_deref()?;
    snapshot.rules.iter().find(|rule| rule.name == name)?.file.as_deref()
}

/// The findings in order; those about the same missing exporter are grouped at the place of the first one.
fn grouped(findings: &[Finding]) -> Vec<Vec<&Finding>> {
    let mut groups: Vec<Vec<&Finding>> = Vec::new();
    for finding in findings {
        let belongs = |group: &&mut Vec<&Finding>| {
            finding.family.is_some() && group[0].family == finding.family && group[0].weight == finding.weight
        };
        match groups.iter_mut().find(belongs) {
            Some(group) => group.push(finding),
            None => groups.push(vec![finding]),
        }
    }
    groups
}

/// Several findings about one missing exporter.
fn shown_together(loaded: &Loaded, snapshot: &Snapshot, findings: &[&Finding]) -> String {
    let (first, family) = (findings[0], findings[0].family.as_deref().unwrap_or_default());
    let rules: BTreeSet<_> = findings.iter().filter_map(|finding| finding.rule.as_deref()).collect();
    let doubt = if first.weight == Weight::Doubtful { "doubtful: " } else { "" };
    let by = exporter(family).map(|name| format!(" ({name})")).unwrap_or_default();
    let what = match rules.len() {
        1 => "a rule queries such metrics".to_owned(),
        count => format!("{count} rules query such metrics"),
    };
    let mut text = format!("{doubt}no target has metrics that begin with `{family}_`{by}, and {what}:");
    for finding in findings {
        let rule = finding.rule.as_ref().map(|rule| format!("`{rule}`: ")).unwrap_or_default();
        let evidence = finding.evidence.split(", nor any other").next().unwrap_or(&finding.evidence);
        text.push_str(&format!("\n  {}{rule}{evidence}", at(loaded, snapshot, finding)));
    }
    text.push_str(&format!("\n  {}: {}", first.kind.word(), first.remedy));
    text
}

/// The place of a finding, as a prefix of its text.
fn at(loaded: &Loaded, snapshot: &Snapshot, finding: &Finding) -> String {
    match (location(loaded, snapshot, finding), file(snapshot, finding)) {
        (Some(Location { file, line, column, .. }), _) => format!("{}:{line}:{column}: ", file.display()),
        (None, Some(file)) => format!("monitoring:{file}: "),
        (None, None) => String::new(),
    }
}

fn shown(loaded: &Loaded, snapshot: &Snapshot, finding: &Finding) -> String {
    let place = location(loaded, snapshot, finding);
    let at = at(loaded, snapshot, finding);
    let rule = finding.rule.as_ref().map(|rule| format!("`{rule}`: ")).unwrap_or_default();
    let doubt = if finding.weight == Weight::Doubtful { "doubtful: " } else { "" };
    let mut text = format!("{at}{doubt}{rule}{}", finding.evidence);
    if let Some(place) = place {
        text.push_str(&format!("\n{}", place.excerpt));
    }
    text.push_str(&format!("\n  {}: {}", finding.kind.word(), finding.remedy));
    text
}

fn document(loaded: &Loaded, snapshot: &Snapshot, finding: &Finding) -> Value {
    let place = location(loaded, snapshot, finding);
    json!({
        "kind": finding.kind,
        "weight": finding.weight,
        "rule": finding.rule,
        "file": place.as_ref().map(|place| place.file.display().to_string()),
        "line": place.as_ref().map(|place| place.line),
        "column": place.as_ref().map(|place| place.column),
        "evidence": finding.evidence,
        "remedy": finding.remedy,
        "family": finding.family,
        "exporter": finding.family.as_deref().and_then(exporter),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::lint::{CheckedRule, FindingKind, Routing};

    /// A rule, of the spec or from another source.
    fn rule(name: &str, is_of_spec: bool) -> CheckedRule {
        CheckedRule {
            name: name.into(),
            expression: String::new(),
            hold: Duration::ZERO,
            interval: Duration::ZERO,
            labels: [].into(),
            annotations: [].into(),
            entry: None,
            is_of_spec,
            file: Some("/etc/other.yml".into()),
            error: None,
        }
    }

    fn finding(name: &str, weight: Weight) -> Finding {
        Finding {
            kind: FindingKind::ShortHold,
            weight,
            rule: Some(name.into()),
            key: "for",
            evidence: "`for` is 1 s".into(),
            remedy: "make it at least 30s".into(),
            family: None,
        }
    }

    fn outcome_of(findings: &[Finding]) -> Outcome {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("monctl.yaml");
        let notes = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/notes");
        let text = format!(
            "version: 1\nproject: shop\nprovider: local\napp: {{path: {notes}, wsgi: notes.wsgi}}\n\
             alerts:\n  Own:\n    expr: up == 0\n    for: 1s\nnotify: {{capture: {{}}}}\n"
        );
        std::fs::write(&path, text).unwrap();
        let snapshot = Snapshot {
            now: jiff::Timestamp::UNIX_EPOCH,
            rules: vec![rule("Own", true), rule("Theirs", false)],
            metrics: [].into(),
            series: [].into(),
            values: [].into(),
            scrape_intervals: [].into(),
            alertmanagers: 1,
            routing: Routing::default(),
            silences: vec![],
        };
        let mut outcome = outcome(&load(&path).unwrap(), &snapshot, findings);
        outcome.text = outcome.text.replace(&folder.path().display().to_string(), "DIR");
        outcome
    }

    #[test]
    fn a_finding_shows_its_place_in_the_spec_or_the_file_on_the_host() {
        let outcome = outcome_of(&[finding("Own", Weight::Wrong), finding("Theirs", Weight::Doubtful)]);
        assert_eq!(outcome.exit, Exit::Findings);
        assert_eq!(
            outcome.text,
            "DIR/monctl.yaml:8:10: `Own`: `for` is 1 s\n    8 |     for: 1s\n      |          ^^\n  \
             short_hold: make it at least 30s\n\n\
             monitoring:/etc/other.yml: doubtful: `Theirs`: `for` is 1 s\n  short_hold: make it at least 30s\n\n\
             2 rules checked: 1 wrong, 1 doubtful"
        );
        let first = &outcome.json["findings"][0];
        assert_eq!((first["line"].as_u64(), first["column"].as_u64()), (Some(8), Some(10)));
        assert_eq!((first["kind"].as_str(), first["weight"].as_str()), (Some("short_hold"), Some("wrong")));
    }

    #[test]
    fn findings_about_one_missing_exporter_are_shown_together() {
        let absent = |name: &str, metric: &str, family: &str| Finding {
            kind: FindingKind::MatchesNothing,
            key: "expr",
            evidence: format!(
                "no target has a metric `{metric}`, nor any other that begins with `{family}_`"
            ),
            remedy: "see which target should have it".into(),
            family: Some(family.into()),
            ..finding(name, Weight::Wrong)
        };
        let outcome = outcome_of(&[
            absent("Theirs", "mysql_up", "mysql"),
            finding("Own", Weight::Wrong),
            absent("Own", "mysql_threads", "mysql"),
            absent("Theirs", "shop_carts", "shop"),
        ]);
        assert_eq!(
            outcome.text,
            "no target has metrics that begin with `mysql_` (mysqld exporter), and 2 rules query such metrics:\n  \
             monitoring:/etc/other.yml: `Theirs`: no target has a metric `mysql_up`\n  \
             DIR/monctl.yaml:7:11: `Own`: no target has a metric `mysql_threads`\n  \
             matches_nothing: see which target should have it\n\n\
             DIR/monctl.yaml:8:10: `Own`: `for` is 1 s\n    8 |     for: 1s\n      |          ^^\n  \
             short_hold: make it at least 30s\n\n\
             monitoring:/etc/other.yml: `Theirs`: no target has a metric `shop_carts`, nor any other that begins with `shop_`\n  \
             matches_nothing: see which target should have it\n\n\
             2 rules checked: 4 wrong"
        );
        let findings = outcome.json["findings"].as_array().unwrap();
        assert_eq!(findings.len(), 4, "the JSON document has each of them");
        assert_eq!(findings[0]["exporter"], "mysqld exporter");
        assert_eq!((&findings[1]["family"], &findings[3]["exporter"]), (&Value::Null, &Value::Null));
    }

    #[test]
    fn doubtful_findings_alone_are_a_success() {
        assert_eq!(outcome_of(&[finding("Own", Weight::Doubtful)]).exit, Exit::Success);
        assert_eq!(outcome_of(&[]).text, "2 rules checked: nothing is wrong");
    }
}
