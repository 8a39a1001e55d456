//! Removal: everything, in the right order, checked again; and what must not be removed.

use serde_json::json;

use crate::computer::{Computer, is_empty, is_one_set};
use crate::emulator::Kind;
use crate::pool::{each, with_double, with_emulator};
use crate::support::ec2_double::Ec2 as _;
use crate::support::hand::Hand;

#[test]
fn down_lists_everything_that_it_removed_and_leaves_nothing() {
    with_double(|double| {
        let computer = Computer::new(double);
        computer.spec(&["elastic_ip: true"], 1);
        computer.up();
        let hand = Hand::new(double);
        let (app, monitoring) = (hand.id("instances", "app"), hand.id("instances", "monitoring"));
        hand.leave_a_volume();
        hand.leave_an_interface();
        let ran = computer.down();
        for id in [app, monitoring] {
            assert!(ran.stdout.contains(&id), "no {id} in {ran}");
        }
        for kind in ["volume", "security group", "key pair", "address", "interface"] {
            assert!(ran.stdout.contains(kind), "no {kind} in {ran}");
        }
        is_empty(double);
        assert!(computer.remembered().is_empty(), "{:?}", computer.remembered());
        computer.down();
    });
}

#[test]
fn down_changes_nothing_of_another_project() {
    with_double(|double| {
        let (ours, theirs) = (Computer::new(double), Computer::new(double));
        theirs.rename("other");
        ours.up();
        theirs.up();
        assert_eq!(double.counts()["instances"], 4);
        ours.down();
        let left = double.inventory();
        assert_eq!(double.counts()["instances"], 2);
        assert!(
            left["instances"].as_array().unwrap().iter().all(|it| it["tags"]["monctl:project"] == "other")
        );
        theirs.down();
        is_empty(double);
    });
}

#[test]
fn protected_machines_stay_and_the_error_names_them_with_the_remedy() {
    with_double(|double| {
        let (computer, hand) = (Computer::new(double), Hand::new(double));
        computer.spec(&["termination_protection: true"], 1);
        computer.up();
        assert!(hand.is_protected("app") && hand.is_protected("monitoring"));
        let ran = computer.run("down --yes").code(1).stderr_contains("protected from termination");
        let ran = ran
            .stderr_contains(&hand.id("instances", "app"))
            .stderr_contains("termination_protection: false");
        assert_eq!(double.counts()["instances"], 2, "{ran}");
        computer.spec(&["termination_protection: false"], 1);
        computer.up();
        computer.down();
        is_empty(double);
    });
}

#[test]
fn a_project_whose_spec_is_lost_is_removed_by_its_name() {
    with_double(|double| {
        let computer = Computer::new(double);
        computer.up();
        computer.forget_spec();
        let call = computer.call("down --yes --project shop --region eu-central-1");
        let ran = call.env("AWS_ENDPOINT_URL", &double.endpoint).run();
        ran.success().stdout_contains("nothing is left of the project");
        is_empty(double);
    });
}

#[test]
fn machines_of_other_projects_are_shown_only_with_all() {
    with_double(|double| {
        let (ours, theirs) = (Computer::new(double), Computer::new(double));
        theirs.rename("other");
        theirs.up();
        let id = Hand::new(double).id_of("other", "instances", "app");
        let ran = ours.run("status --all");
        assert!(ran.stdout.contains(&id) && ran.stdout.contains("other"), "{ran}");
        let ran = ours.run("status");
        assert!(!ran.stdout.contains(&id), "{ran}");
    });
}

#[test]
fn another_computer_without_the_key_gets_an_error_and_may_remove_everything() {
    with_double(|double| {
        let (one, other) = (Computer::new(double), Computer::new(double));
        one.up();
        other.run("up --yes").code(5).stderr_contains("not on this computer");
        is_one_set(double);
        other.down();
        is_empty(double);
    });
}

#[test]
fn a_denied_removal_is_ignored_only_if_the_resource_is_gone() {
    // `fail` carries out the call and answers with the denial; `refuse` does not carry it out.
    for action in ["DeleteKeyPair", "DeleteSecurityGroup"] {
        each(["fail", "refuse"], |how, double| {
            let computer = Computer::new(double);
            computer.up();
            let code = "UnauthorizedOperation";
            double
                .fault(&json!({"action": action, "do": how, "code": code, "message": "No.", "times": null}));
            if *how == "fail" {
                computer.down();
                is_empty(double);
            } else {
                computer.run("down --yes").code(1).stderr_contains(&format!("`ec2:{action}`"));
            }
        });
    }
}

#[test]
fn unfiltered_answers_change_nothing_of_other_projects() {
    with_emulator(Kind::Moto, |emulator| {
        let (ours, theirs) = (Computer::new(emulator), Computer::new(emulator));
        theirs.rename("other");
        theirs.up();
        let before = emulator.inventory();
        emulator.ignore_filters();
        ours.up();
        assert_eq!(emulator.counts()["instances"], 4);
        ours.down();
        assert_eq!(emulator.inventory(), before);
    });
}
