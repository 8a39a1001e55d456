//! Transient and lasting faults between monctl and EC2; and two concurrent runs.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::computer::{Computer, MACHINES_ARE_THERE, is_empty, is_one_set};
use crate::pool::{each, with_double};
use crate::support::ec2_double::{Ec2 as _, Ec2Double};

/// Time limit of a run in which a call keeps failing.
const BOUND: Duration = Duration::from_secs(75);

/// The actions that `up` needs in an empty account, without `GetConsoleOutput`, which is only called if a machine does
/// not answer.
fn actions_of_up(double: &Ec2Double) -> Vec<String> {
    Computer::new(double).up();
    let actions: BTreeSet<String> = double.actions().into_iter().collect();
    actions.into_iter().filter(|action| action != "GetConsoleOutput").collect()
}

/// Each action with each fault.
fn table(troubles: &[Value]) -> Vec<(String, Value)> {
    let actions = with_double(actions_of_up);
    assert!(actions.iter().any(|action| action == "RunInstances"), "{actions:?}");
    let with = |action: String| {
        troubles.iter().map(move |trouble| {
            let mut fault = trouble.clone();
            fault["action"] = json!(action);
            (action.clone(), fault)
        })
    };
    actions.into_iter().flat_map(with).collect()
}

#[test]
fn up_survives_transient_faults_and_creates_one_set() {
    let troubles = [
        json!({"do": "refuse", "code": "RequestLimitExceeded", "status": 503, "times": 2}),
        json!({"do": "refuse", "code": "InternalError", "status": 500, "times": 2}),
        json!({"do": "lose"}),
        json!({"do": "delay", "seconds": 5}),
    ];
    each(table(&troubles), |(_, fault), double| {
        let computer = Computer::new(double);
        double.fault(fault);
        computer.up();
        is_one_set(double);
    });
}

#[test]
fn a_lasting_fault_ends_the_run_in_time_and_the_error_names_the_call() {
    let troubles = [
        json!({"do": "refuse", "code": "RequestLimitExceeded", "status": 503, "times": null}),
        json!({"do": "drop", "times": null}),
    ];
    each(table(&troubles), |(action, fault), double| {
        let computer = Computer::new(double);
        double.fault(fault);
        let ran =
            computer.run("up --yes").within(BOUND).stderr_contains(action).stderr_lacks("service error");
        assert!(!ran.stderr.contains(MACHINES_ARE_THERE));
        let code =
            if ["Describe", "Get"].iter().any(|verb| action.starts_with(verb)) { [1, 5] } else { [1, 1] };
        assert!(ran.exit_code().is_some_and(|found| code.contains(&found)), "{ran}");
        double.clear_faults();
        computer.up();
        is_one_set(double);
    });
}

#[test]
fn two_runs_at_once_on_one_computer_make_one_set() {
    with_double(|double| {
        double.set(&json!({"pending": 1}));
        let computer = Computer::new(double);
        let (first, second) = (computer.call("up --yes").spawn(), computer.call("up --yes").spawn());
        let _ended = (first.wait(), second.wait());
        is_one_set(double);
        computer.down();
        is_empty(double);
    });
}

#[test]
fn two_runs_at_once_on_two_computers_make_one_set() {
    with_double(|double| {
        double.set(&json!({"pending": 1}));
        let (one, other) = (Computer::new(double), Computer::new(double));
        let (first, second) = (one.call("up --yes").spawn(), other.call("up --yes").spawn());
        let ended = (first.wait(), second.wait());
        is_one_set(double);
        let both = format!("{}\n{}", ended.0, ended.1);
        one.down();
        is_empty(double);
        assert!(both.contains("machines: done"), "both runs failed:\n{both}");
    });
}
