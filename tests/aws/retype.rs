//! No machine is stopped or terminated in vain: `DryRun` calls check the change first, and a change that still fails
//! leaves the machine running as it was.

use std::time::Duration;

use serde_json::json;

use crate::computer::{Computer, is_one_set};
use crate::pool::{each, with_double};
use crate::support::ec2_double::{Ec2 as _, Ec2Double};
use crate::support::hand::Hand;

const DISRUPTIVE: &str = "up --yes --allow-downtime";

/// The calls that stop, start or terminate a machine, without dry runs.
fn moves(double: &Ec2Double) -> Vec<String> {
    let moving = ["StopInstances", "StartInstances", "TerminateInstances", "ModifyInstanceAttribute"];
    let calls = double.calls();
    let done = calls.iter().filter(|call| call["parameters"]["DryRun"] != "true");
    let names = done.map(|call| call["action"].as_str().unwrap().to_owned());
    names.filter(|name| moving.contains(&name.as_str())).collect()
}

#[test]
fn an_unavailable_type_is_rejected_before_any_machine_is_stopped() {
    let cases = [
        ("t4g.small", "boots arm64 only"),
        ("t9.small", "no instance type `t9.small`"),
        ("t3.smal", "no instance type `t3.smal`"),
    ];
    each(cases, |(kind, wanted), double| {
        let (computer, hand) = (Computer::new(double), Hand::new(double));
        computer.up();
        double.forget_calls();
        computer.spec(&[&format!("instance_type: {kind}")], 1);
        for words in ["plan", DISRUPTIVE] {
            computer.run(words).code(2).stderr_contains(wanted).stderr_contains("provider.aws.instance_type");
        }
        assert_eq!(moves(double), Vec::<String>::new());
        for host in ["app", "monitoring"] {
            let found = hand.instance(host);
            assert_eq!(found.state().unwrap().name().unwrap().as_str(), "running", "{host}");
        }
    });
}

#[test]
fn a_change_of_type_without_permission_stops_nothing() {
    let cases = ["StopInstances", "ModifyInstanceAttribute", "StartInstances"];
    each(cases, |action, double| {
        let computer = Computer::new(double);
        computer.up();
        double.forget_calls();
        // The first call of the action is the dry run.
        let refusal = json!({"action": action, "do": "refuse", "code": "UnauthorizedOperation", "message": "No.", "times": null});
        double.fault(&refusal);
        computer.spec(&["instance_type: t3.large"], 1);
        computer.run(DISRUPTIVE).code(1).stderr_contains(&format!("`ec2:{action}`"));
        assert_eq!(moves(double), Vec::<String>::new());
    });
}

#[test]
fn a_machine_whose_new_type_fails_runs_again_with_its_old_one() {
    // The second call of each action is the real one; the first is the dry run.
    let cases = [
        json!({"action": "StartInstances", "do": "refuse", "code": "InsufficientInstanceCapacity", "message": "None.", "nth": 2, "times": 1}),
        json!({"action": "ModifyInstanceAttribute", "do": "refuse", "code": "InvalidInstanceAttributeValue", "message": "No.", "nth": 2, "times": 1}),
    ];
    each(cases, |fault, double| {
        let (computer, hand) = (Computer::new(double), Hand::new(double));
        computer.up();
        double.fault(fault);
        computer.spec(&["instance_type: {app: t3.large, monitoring: t3.small}"], 1);
        let ran = computer.run(DISRUPTIVE).code(1).stderr_contains("was started again as t3.small");
        ran.stderr_contains(fault["code"].as_str().unwrap()).stderr_contains(&hand.id("instances", "app"));
        let found = hand.instance("app");
        assert_eq!(found.instance_type().unwrap().as_str(), "t3.small");
        assert_eq!(found.state().unwrap().name().unwrap().as_str(), "running");
        computer.run(DISRUPTIVE).stderr_contains("machines: done");
        assert_eq!(hand.instance("app").instance_type().unwrap().as_str(), "t3.large");
        is_one_set(double);
    });
}

#[test]
fn a_machine_that_falls_back_to_stopped_is_reported_at_once_with_ec2s_reason() {
    with_double(|double| {
        let (computer, hand) = (Computer::new(double), Hand::new(double));
        computer.up();
        hand.stop("app");
        double.set(&json!({"failing_start": "Client.InternalError", "pending": 1}));
        let ran = computer.run("up --yes").code(1).within(Duration::from_secs(90));
        ran.stderr_contains("fell back to `stopped`")
            .stderr_contains("Client.InternalError")
            .stderr_contains("app (i-")
            .stderr_contains("kms:CreateGrant");
        double.set(&json!({"failing_start": null}));
        computer.up();
        is_one_set(double);
    });
}

#[test]
fn states_that_lag_behind_are_not_taken_for_a_failed_start() {
    with_double(|double| {
        let (computer, hand) = (Computer::new(double), Hand::new(double));
        computer.up();
        hand.stop("app");
        // The state before the start has the reason of a failed start.
        double.set(&json!({"failing_start": "Client.InternalError"}));
        computer.run("up --yes").code(1).stderr_contains("Client.InternalError");
        double.set(&json!({"failing_start": null, "stale_states": 3}));
        computer.up();
        computer.spec(&["instance_type: t3.large"], 1);
        computer.run(DISRUPTIVE).stderr_contains("machines: done");
        double.set(&json!({"stale_states": 0}));
        assert_eq!(hand.instance("app").instance_type().unwrap().as_str(), "t3.large");
        is_one_set(double);
    });
}

#[test]
fn an_unusable_kms_key_of_a_new_machine_is_reported() {
    with_double(|double| {
        let computer = Computer::new(double);
        computer.spec(&["kms_key: alias/team"], 1);
        let ran = computer.run("up --yes").code(1).stderr_contains("Client.InternalError");
        ran.stderr_contains("KMS key");
        double.set(&json!({"kms_keys": ["alias/team"]}));
        computer.up();
        is_one_set(double);
    });
}

#[test]
fn a_machine_is_replaced_only_if_the_new_one_may_be_launched() {
    with_double(|double| {
        let (computer, hand) = (Computer::new(double), Hand::new(double));
        computer.up();
        let before = hand.id("instances", "app");
        let other = hand.image("136693071363", "debian-13-amd64-20250814");
        computer.spec(&[&format!("image: {other}")], 1);
        double.fault(&json!({
            "action": "RunInstances", "do": "refuse", "code": "UnauthorizedOperation", "message": "No.", "times": null
        }));
        computer.run(DISRUPTIVE).code(1).stderr_contains("`ec2:RunInstances`");
        assert_eq!(hand.id("instances", "app"), before);
        assert_eq!(hand.instance("app").state().unwrap().name().unwrap().as_str(), "running");
        double.clear_faults();
        computer.run(DISRUPTIVE).stderr_contains("machines: done");
        is_one_set(double);
    });
}
