//! `verify-alert --junit FILE`: the results of the drills for a pipeline, one test case for each alert.

use crate::error::{Error, Exit};
use crate::verify::{Proof, Round};

/// The name of the test suite, and of the class of its cases.
const SUITE: &str = "monctl verify-alert";

/// The result of an alert.
#[derive(Debug, Clone, PartialEq)]
struct Case {
    alert: String,
    /// From the fault to the last stage.
    seconds: f64,
    result: CaseResult,
}

#[derive(Debug, Clone, PartialEq)]
enum CaseResult {
    Proven,
    /// The alert did not reach every stage: the reason, and the remedy.
    NotProven(String, String),
    /// There is no verdict: the reason, and the remedy.
    NoVerdict(String, String),
    /// There is no drill, with the reason.
    Skipped(String),
}

/// The document: the verdicts of a round, `error` for each of the `drilled` alerts without one, and the alerts that have
/// no drill, each with the reason.
pub(super) fn document(
    drilled: &[String],
    round: &Round,
    error: Option<&Error>,
    without_drill: &[(String, String)],
) -> String {
    let not_run = round.not_run();
    let of_drill = |alert: &String| {
        if let Some(proof) = round.proofs().find(|proof| proof.alert == *alert) {
            return of_proof(proof);
        }
        let (why, remedy) = match not_run.iter().find(|it| it.alert == *alert) {
            Some(it) => (it.error.clone(), it.remedy.clone().unwrap_or_default()),
            None => of_run(error),
        };
        Case { alert: alert.clone(), seconds: 0.0, result: CaseResult::NoVerdict(why, remedy) }
    };
    let skipped = without_drill.iter().map(|(alert, because)| Case {
        alert: alert.clone(),
        seconds: 0.0,
        result: CaseResult::Skipped(because.clone()),
    });
    written(&drilled.iter().map(of_drill).chain(skipped).collect::<Vec<_>>())
}

fn of_proof(proof: &Proof) -> Case {
    let last = proof.timeline.iter().map(|entry| entry.after.0).max().unwrap_or_default();
    let result = match &proof.diagnosis {
        None => CaseResult::Proven,
        Some(diagnosis) if proof.lost => CaseResult::NoVerdict(proof.in_one_line(), diagnosis.remedy.clone()),
        Some(diagnosis) => CaseResult::NotProven(proof.in_one_line(), diagnosis.remedy.clone()),
    };
    Case { alert: proof.alert.clone(), seconds: last.as_secs_f64(), result }
}

/// Why the run ended before this alert had a verdict.
fn of_run(error: Option<&Error>) -> (String, String) {
    match error {
        Some(error) if error.exit() == Exit::Interrupted => {
            ("the run was interrupted before there was a verdict".to_owned(), hint(error))
        }
        Some(error) => (error.in_one_line(), hint(error)),
        None => ("the drill gave no verdict".to_owned(), "run it again".to_owned()),
    }
}

fn hint(error: &Error) -> String {
    error.hint().unwrap_or_default().to_owned()
}

fn written(cases: &[Case]) -> String {
    let count =
        |is_meant: fn(&CaseResult) -> bool| cases.iter().filter(|case| is_meant(&case.result)).count();
    let counts = format!(
        r#"tests="{}" failures="{}" errors="{}" skipped="{}" time="{:.3}""#,
        cases.len(),
        count(|result| matches!(result, CaseResult::NotProven(..))),
        count(|result| matches!(result, CaseResult::NoVerdict(..))),
        count(|result| matches!(result, CaseResult::Skipped(_))),
        cases.iter().map(|case| case.seconds).sum::<f64>(),
    );
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"{SUITE}\" {counts}>\n  \
         <testsuite name=\"{SUITE}\" {counts}>\n"
    );
    for Case { alert, seconds, result } in cases {
        let alert = escaped(alert);
        let begin = format!(r#"    <testcase classname="{SUITE}" name="{alert}" time="{seconds:.3}""#);
        let with = |kind: &str, why: &str, remedy: &str| {
            let why = escaped(why);
            let remedy =
                if remedy.is_empty() { String::new() } else { format!("\nhelp: {}", escaped(remedy)) };
            format!("{begin}>\n      <{kind} message=\"{why}\">{why}{remedy}</{kind}>\n    </testcase>\n")
        };
        let case = match result {
            CaseResult::Proven => format!("{begin}/>\n"),
            CaseResult::NotProven(why, remedy) => with("failure", why, remedy),
            CaseResult::NoVerdict(why, remedy) => with("error", why, remedy),
            CaseResult::Skipped(because) => {
                format!("{begin}>\n      <skipped message=\"{}\"/>\n    </testcase>\n", escaped(because))
            }
        };
        text.push_str(&case);
    }
    text.push_str("  </testsuite>\n</testsuites>\n");
    text
}

/// Text for an attribute or an element. XML has no way to write most control characters.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            // Otherwise, an attribute would lose it.
            '\n' => escaped.push_str("&#10;"),
            '\t' => escaped.push_str("&#9;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_alert_is_a_test_case_also_after_an_interruption() {
        let refused = Error::could_not_run("cannot cause the fault: <no> \"stress-ng\" & \u{1b}[1m")
            .remedy("`monctl up` installs it");
        let round = Round { verdicts: vec![("A".to_owned(), Err(refused))], ..Round::default() };
        let interrupted =
            Error::new(Exit::Interrupted, "`verify-alert` was interrupted").remedy("run it again");
        let without = [("C".to_owned(), "it monitors the drills\nthemselves".to_owned())];
        let text = document(&["A".to_owned(), "B".to_owned()], &round, Some(&interrupted), &without);
        let why = "cannot cause the fault: &lt;no&gt; &quot;stress-ng&quot; &amp; \u{fffd}[1m";
        for expected in [
            r#"<testsuite name="monctl verify-alert" tests="3" failures="0" errors="2" skipped="1" time="0.000">"#,
            r#"name="A" time="0.000">"#,
            &format!("<error message=\"{why}\">{why}\nhelp: `monctl up` installs it</error>"),
            "<error message=\"the run was interrupted before there was a verdict\">",
            r#"<skipped message="it monitors the drills&#10;themselves"/>"#,
        ] {
            assert!(text.contains(expected), "{expected}\n{text}");
        }
    }
}
