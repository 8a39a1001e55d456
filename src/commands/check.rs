//! `monctl check`: rules that can never fire or never arrive, in what the live Prometheus and Alertmanager hold.
//! Reads only.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use super::open::{monitoring, port};
use super::{Context, Outcome};
use crate::cli::Web;
use crate::error::{Exit, Result};
use crate::http::Endpoint;
use crate::http::alertmanager::Alertmanager;
use crate::http::prometheus::Prometheus;
use crate::provider::Provider;
use crate::remote::Remote;
use crate::spec::{Loaded, Location, load};
use crate::verify::{Finding, Snapshot, Weight, check, take};

/// A host that runs answers at once, unless it was started a moment ago.
const ANSWERS_WITHIN: Duration = Duration::from_secs(20);

/// # Errors
/// When the spec is wrong, the monitoring host does not run, or one of its services does not answer. What is wrong with
/// rules is part of the outcome, which then ends with [`Exit::Findings`].
pub(super) async fn run(context: &Context) -> Result<Outcome> {
    let loaded = load(&context.spec)?;
    let provider = Provider::of(&loaded, &context.events).await?;
    let remote = Remote::connect(&monitoring(&provider).await?, ANSWERS_WITHIN).await?;
    let prometheus = Prometheus::new(&Endpoint::Unix(remote.forward(port(Web::Prometheus)).await?))?;
    let alertmanager = Alertmanager::new(&Endpoint::Unix(remote.forward(port(Web::Alertmanager)).await?))?;
    let snapshot = take(&loaded.spec, &prometheus, &alertmanager).await?;
    Ok(outcome(&loaded, &snapshot, &check(&snapshot)))
}

fn outcome(loaded: &Loaded, snapshot: &Snapshot, findings: &[Finding]) -> Outcome {
    let wrong = findings.iter().filter(|finding| finding.weight == Weight::Wrong).count();
    let exit = if wrong > 0 { Exit::Findings } else { Exit::Success };
    let mut text = String::new();
    for finding in findings {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}\n", shown(loaded, snapshot, finding));
    }
    text.push_str(&summary(snapshot.rules.len(), wrong, findings.len() - wrong));
    let documents: Vec<Value> = findings.iter().map(|finding| document(loaded, snapshot, finding)).collect();
    let json = json!({ "rules": snapshot.rules.len(), "findings": documents });
    Outcome { exit, text, json }
}

fn summary(rules: usize, wrong: usize, doubtful: usize) -> String {
    let rules = if rules == 1 { "1 rule".to_owned() } else { format!("{rules} rules") };
    match (wrong, doubtful) {
        (0, 0) => format!("{rules} looked at: nothing is wrong"),
        (wrong, 0) => format!("{rules} looked at: {wrong} wrong"),
        (wrong, doubtful) => format!("{rules} looked at: {wrong} wrong, {doubtful} doubtful"),
    }
}

/// Where a finding stands in the spec; none where it is not about a rule of the spec.
fn location(loaded: &Loaded, snapshot: &Snapshot, finding: &Finding) -> Option<Location> {
    let name = finding.rule.as_deref()?;
    let rule = snapshot.rules.iter().find(|rule| rule.name == name)?;
    rule.is_of_spec.then(|| loaded.locate(&["alerts", name, finding.key]))
}

/// The file on the monitoring host that holds a rule of nobody's spec.
fn file<'a>(snapshot: &'a Snapshot, finding: &Finding) -> Option<&'a str> {
    let name = finding.rule.as_deref()?;
    snapshot.rules.iter().find(|rule| rule.name == name)?.file.as_deref()
}

fn shown(loaded: &Loaded, snapshot: &Snapshot, finding: &Finding) -> String {
    let place = location(loaded, snapshot, finding);
    let at = match (&place, file(snapshot, finding)) {
        (Some(Location { file, line, column, .. }), _) => format!("{}:{line}:{column}: ", file.display()),
        (None, Some(file)) => format!("monitoring:{file}: "),
        (None, None) => String::new(),
    };
    let rule = finding.rule.as_ref().map(|rule| format!("`{rule}`: ")).unwrap_or_default();
    let doubt = if finding.weight == Weight::Doubtful { "doubtful: " } else { "" };
    let mut text = format!("{at}{doubt}{rule}{}", finding.evidence);
    if let Some(place) = place {
        let _ = write!(text, "\n{}", place.excerpt);
    }
    let _ = write!(text, "\n  {}: {}", finding.kind.word(), finding.remedy);
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
    })
}
