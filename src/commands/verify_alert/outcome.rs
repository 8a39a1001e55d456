//! The results of the drills, for people and for programs.

use serde_json::{Value, json};

use super::{Outcome, VerifyArgs};
use crate::error::{Error, Exit, Result};
use crate::report::duration;
use crate::timing::Stage;
use crate::verify::{Bystander, BystanderVerdict, Coverage, NotRun, Proof, Round};

/// A single requested alert gives its proof, or the error that prevented its drill; several alerts give a document with
/// all of them.
pub(super) fn of(round: Round, args: &VerifyArgs) -> Result<Outcome> {
    if !args.all && args.alerts.len() == 1 {
        return alone(round);
    }
    let proofs: Vec<&Proof> = round.proofs().collect();
    let not_run = round.not_run();
    let exit = if !round.undo_failed.is_empty() {
        Exit::Failed
    } else if proofs.iter().any(|proof| !proof.proven && !proof.lost) {
        Exit::NotProven
    } else if proofs.iter().any(|proof| proof.lost) {
        Exit::ObservationLost
    } else if not_run.is_empty() {
        Exit::Success
    } else {
        Exit::CouldNotRun
    };
    let mut lines: Vec<String> = proofs.iter().map(|proof| text(proof)).collect();
    lines.extend(not_run.iter().map(not_run_line));
    lines.extend(round.others.iter().map(other));
    let proven = proofs.iter().filter(|proof| proof.proven).count();
    lines.push(format!("{proven} of {} alerts are proven", proofs.len() + not_run.len()));
    let json = json!({
        "proven": exit == Exit::Success,
        "proofs": in_json(&proofs)?,
        "not_run": in_json(&not_run)?,
        "others": in_json(&round.others)?,
    });
    Ok(Outcome::success(lines.join("\n"), json).with_exit(exit))
}

/// Adds the share of proven rules, and fails if it is lower than required.
pub(super) fn with_coverage(
    mut outcome: Outcome,
    coverage: &Coverage,
    required: Option<u8>,
) -> Result<Outcome> {
    outcome.text = format!("{}\n{}", outcome.text, coverage.text());
    outcome.json["coverage"] = in_json(coverage)?;
    let Some(percent) = required.filter(|percent| !coverage.reaches(*percent)) else { return Ok(outcome) };
    outcome.text = format!(
        "{}\nfewer than {percent} % of the rules are proven\n  help: `monctl verify-alert --list` shows which have no drill",
        outcome.text
    );
    // A fault that may still be there matters more.
    Ok(if outcome.exit == Exit::Failed { outcome } else { outcome.with_exit(Exit::NotProven) })
}

fn alone(round: Round) -> Result<Outcome> {
    let Round { verdicts, others, .. } = round;
    let missing = || Error::failed("the drill gave no verdict");
    let (_, verdict) = verdicts.into_iter().next().ok_or_else(missing)?;
    let proof = verdict?;
    let mut json = in_json(&proof)?;
    if let Value::Object(members) = &mut json {
        members.insert("others".to_owned(), in_json(&others)?);
    }
    let exit = match (proof.proven, proof.lost) {
        (true, _) => Exit::Success,
        (false, true) => Exit::ObservationLost,
        (false, false) => Exit::NotProven,
    };
    let lines: Vec<String> = [text(&proof)].into_iter().chain(others.iter().map(other)).collect();
    Ok(Outcome::success(lines.join("\n"), json).with_exit(exit))
}

fn in_json(value: &impl serde::Serialize) -> Result<Value> {
    serde_json::to_value(value)
        .map_err(|error| Error::failed("cannot write the proof as JSON").because(error))
}

fn text(proof: &Proof) -> String {
    let Proof { alert, host, .. } = proof;
    let after = |stage| proof.when(stage).map(|millis| millis.0);
    let Some(diagnosis) = &proof.diagnosis else {
        let mut text = format!("{alert} is proven on {host}");
        let off = after(Stage::LoadOff).unwrap_or_default();
        if let Some(delivered) = after(Stage::Delivered) {
            text.push_str(&format!(": delivered {} after the fault began", duration(delivered)));
        }
        if let Some(resolved) = after(Stage::Resolved) {
            text.push_str(&format!(", resolved {} after it ended", duration(resolved.saturating_sub(off))));
        }
        if let Some(notified) = after(Stage::ResolvedDelivered) {
            let after_end = duration(notified.saturating_sub(off));
            text.push_str(&format!(", resolved notification delivered {after_end} after it ended"));
        }
        return text;
    };
    let last = proof.timeline.iter().map(|entry| entry.stage).filter(|stage| *stage < diagnosis.stage).max();
    let reached = last.map_or("before the fault began".into(), |stage| format!("after `{stage}`"));
    if proof.lost {
        return format!(
            "{alert} could not be observed on {host}: there is no verdict; the observation was lost {reached}\n  because: \
             {}\n  help: {}",
            diagnosis.cause, diagnosis.remedy
        );
    }
    format!(
        "{alert} is not proven on {host}: it stopped {reached}, before `{}`\n  because: {}\n  help: {}",
        diagnosis.stage, diagnosis.cause, diagnosis.remedy
    )
}

fn not_run_line(NotRun { alert, error, remedy, undo_failed }: &NotRun) -> String {
    let help = remedy.as_ref().map(|remedy| format!("\n  help: {remedy}")).unwrap_or_default();
    let what = if *undo_failed { "was drilled, and there is no verdict" } else { "was not drilled" };
    format!("{alert} {what}\n  because: {error}{help}")
}

fn other(Bystander { alert, instance, verdict }: &Bystander) -> String {
    let about = if instance.is_empty() { String::new() } else { format!(" on {instance}") };
    match verdict {
        BystanderVerdict::Expected { of } => {
            format!("{alert}{about} fired, too: expected during the drill for {of}")
        }
        BystanderVerdict::Inhibited { by } => {
            format!("{alert}{about} fired, too, and was not notified: {by}")
        }
        BystanderVerdict::Unknown { why } => {
            format!("{alert}{about} fired, too; whether a drill explains it is unknown: {why}")
        }
        BystanderVerdict::FalseAlarm => {
            format!("{alert}{about} fired, too, and no drill explains it: a false alarm, or another fault")
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use jiff::Timestamp;

    use super::*;
    use crate::cli::{Cli, Command};
    use crate::host::HostName;
    use crate::timing::{Fault, TimingSettings, predict};
    use crate::verify::{Diagnosis, Witness};

    fn proof(proven: bool, lost: bool) -> Proof {
        let (settings, fault) = (TimingSettings::classic(), Fault::silence());
        let (cause, remedy) = ("Prometheus did not answer".to_owned(), "run it again".to_owned());
        Proof {
            alert: "X".into(),
            host: HostName::app(1),
            proven,
            lost,
            at: Timestamp::UNIX_EPOCH,
            witness: Witness::Receiver,
            settings,
            cause: None,
            fault,
            prediction: predict(&settings, &fault),
            timeline: vec![],
            diagnosis: (!proven).then_some(Diagnosis { stage: Stage::Firing, cause, remedy }),
            identities: vec![],
        }
    }

    fn outcome(words: &str, verdicts: Vec<Result<Proof>>) -> Outcome {
        let Command::VerifyAlert(args) = Cli::try_parse_from(words.split(' ')).unwrap().command else {
            panic!("{words}");
        };
        let verdicts = verdicts.into_iter().map(|verdict| ("X".to_owned(), verdict)).collect();
        of(Round { verdicts, ..Round::default() }, &args).unwrap()
    }

    #[test]
    fn a_lost_observation_has_its_own_exit_code_and_does_not_hide_a_failed_proof() {
        let all = |verdicts| outcome("monctl verify-alert --all", verdicts).exit;
        let not_run = || Err(Error::could_not_run("no"));
        assert_eq!(all(vec![Ok(proof(true, false))]), Exit::Success);
        assert_eq!(all(vec![Ok(proof(true, false)), not_run()]), Exit::CouldNotRun);
        assert_eq!(all(vec![Ok(proof(false, true)), not_run()]), Exit::ObservationLost);
        assert_eq!(all(vec![Ok(proof(false, true)), Ok(proof(false, false))]), Exit::NotProven);
        assert_eq!(all(vec![Ok(proof(true, false)), not_run()]), Exit::CouldNotRun);
        let alone = outcome("monctl verify-alert X", vec![Ok(proof(false, true))]);
        assert_eq!(alone.exit, Exit::ObservationLost);
        assert!(
            alone.text.contains("there is no verdict") && !alone.text.contains("not proven"),
            "{}",
            alone.text
        );
    }

    #[test]
    fn a_failed_undo_is_an_error_whatever_else_failed() {
        let Command::VerifyAlert(args) =
            Cli::try_parse_from(["monctl", "verify-alert", "--all"]).unwrap().command
        else {
            panic!("another command");
        };
        let failed =
            Error::failed("the undo of the drill failed").because("no queue").remedy("end it by hand");
        let verdicts = vec![("X".to_owned(), Ok(proof(false, false))), ("Y".to_owned(), Err(failed))];
        let round = Round { verdicts, undo_failed: ["Y".to_owned()].into(), ..Round::default() };
        let outcome = of(round, &args).unwrap();
        assert_eq!(outcome.exit, Exit::Failed);
        let expected = "Y was drilled, and there is no verdict\n  because: the undo of the drill failed: no queue\n  help: end";
        assert!(outcome.text.contains(expected), "{}", outcome.text);
    }

    #[test]
    fn too_few_proven_rules_fail_the_run() {
        let coverage =
            Coverage { rules: 4, proven: 3, not_proven: vec!["Z".into()], wanted_age_seconds: 691_200 };
        let with = |exit: Exit, required| {
            let before = Outcome::success("", json!({})).with_exit(exit);
            with_coverage(before, &coverage, required).unwrap()
        };
        for (exit, required, expected) in [
            (Exit::Success, None, Exit::Success),
            (Exit::Success, Some(75), Exit::Success),
            (Exit::Success, Some(76), Exit::NotProven),
            (Exit::CouldNotRun, Some(75), Exit::CouldNotRun),
            (Exit::CouldNotRun, Some(76), Exit::NotProven),
            (Exit::Failed, Some(76), Exit::Failed),
        ] {
            let outcome = with(exit, required);
            assert_eq!(outcome.exit, expected, "{exit:?} {required:?}");
            assert_eq!(outcome.json["coverage"]["not_proven"], json!(["Z"]));
        }
    }
}
