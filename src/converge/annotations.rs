//! What Grafana's annotations say of a run.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::apply::HostResult;
use crate::grafana::{Annotation, Occasion};
use crate::host::{HostName, Role};
use crate::verify::Proof;

/// Steps that deploy another version of the application or of its dependencies.
const DEPLOYING: [&str; 3] = ["python", "venv", "app"];

/// What `up` did, from the steps of all hosts: a deployment, a change of the configuration, or both.
pub fn of_up(results: &BTreeMap<HostName, HostResult>, begin: Timestamp, end: Timestamp) -> Vec<Annotation> {
    let steps = |deploying: bool| {
        let of_host = move |(host, result): (&HostName, &HostResult)| {
            let counts = |step: &str| (host.role() == Role::APP && DEPLOYING.contains(&step)) == deploying;
            let done = result.done.iter().map(String::as_str).filter(|step| counts(step));
            let failed = result.failed.iter().map(|(step, _)| step.as_str()).filter(|step| counts(step));
            let words: Vec<String> =
                done.map(str::to_owned).chain(failed.map(|step| format!("{step} failed"))).collect();
            (!words.is_empty()).then(|| format!("{host}: {}", words.join(", ")))
        };
        results.iter().filter_map(of_host).collect::<Vec<_>>().join("; ")
    };
    [(Occasion::Deployment, steps(true)), (Occasion::Configuration, steps(false))]
        .into_iter()
        .filter(|(_, text)| !text.is_empty())
        .map(|(occasion, text)| Annotation { occasion, text, begin, end })
        .collect()
}

/// A drill, from the fault to the last stage that was observed.
pub fn of_drill(proof: &Proof) -> Annotation {
    let verdict = match &proof.diagnosis {
        None => "proven".to_owned(),
        Some(_) if proof.lost => "not observed to its end".to_owned(),
        Some(diagnosis) => format!("not proven, stopped before `{}`", diagnosis.stage),
    };
    let text = format!("{} on {}: {verdict}", proof.alert, proof.host);
    let longest = proof.timeline.iter().map(|entry| entry.after.0).max().unwrap_or_default();
    let end = proof.at.checked_add(longest).unwrap_or(proof.at);
    Annotation { occasion: Occasion::Drill, text, begin: proof.at, end }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(done: &[&str], failed: &[&str]) -> HostResult {
        let failed = failed.iter().map(|step| ((*step).to_owned(), "output".to_owned())).collect();
        HostResult {
            done: done.iter().map(|step| (*step).to_owned()).collect(),
            failed,
            ..HostResult::default()
        }
    }

    #[test]
    fn steps_become_a_deployment_and_a_change_of_the_configuration() {
        let results = BTreeMap::from([
            (HostName::app(1), result(&["venv", "firewall", "app"], &[])),
            (HostName::app(2), result(&[], &["app"])),
            (HostName::MONITORING, result(&["monitoring"], &["grafana-release"])),
        ]);
        let written: Vec<_> = of_up(&results, Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH)
            .into_iter()
            .map(|one| (one.occasion, one.text))
            .collect();
        let deployed = "app: venv, app; app-2: app failed";
        let changed = "app: firewall; monitoring: monitoring, grafana-release failed";
        assert_eq!(
            written,
            [(Occasion::Deployment, deployed.to_owned()), (Occasion::Configuration, changed.to_owned())]
        );
    }

    #[test]
    fn a_run_that_did_nothing_leaves_no_annotation() {
        let results = BTreeMap::from([(HostName::app(1), result(&[], &[]))]);
        assert_eq!(of_up(&results, Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH), []);
    }
}
