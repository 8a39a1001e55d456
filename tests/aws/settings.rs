//! Settings for all resources: the user's own tags, CPU credits, protection.

use crate::computer::{Computer, is_one_set};
use crate::pool::{each, with_double};
use crate::support::ec2_double::Ec2 as _;
use crate::support::hand::Hand;

#[test]
fn the_users_own_tags_are_set_by_the_call_that_creates_a_resource() {
    with_double(|double| {
        let computer = Computer::new(double);
        let tags = "tags: {cost-center: \"4711\", owner: web team}";
        computer.spec(&[tags, "elastic_ip: true"], 1);
        computer.up();
        let all = double.inventory();
        for (kind, pieces) in all.as_object().unwrap() {
            for piece in pieces.as_array().unwrap() {
                assert_eq!(piece["tags"]["cost-center"], "4711", "of {kind}: {piece:#}");
                assert_eq!(piece["tags"]["owner"], "web team", "of {kind}: {piece:#}");
            }
        }
        let calls = double.calls();
        assert!(!calls.iter().any(|call| call["action"] == "CreateTags"), "written after the fact");
        computer.spec(&["tags: {cost-center: \"4712\"}", "elastic_ip: true"], 1);
        assert!(computer.plan_text().contains("cost-center = 4712"));
    });
}

#[test]
fn tags_reserved_by_monctl_or_aws_are_rejected_with_their_place() {
    for tags in ["{\"aws:x\": y}", "{\"monctl:project\": other}", "{Name: x}", "{a: \"b\\n\"}"] {
        with_double(|double| {
            let computer = Computer::new(double);
            computer.spec(&[&format!("tags: {tags}")], 1);
            computer.run("plan").code(2).stderr_contains("monctl.yaml:");
        });
    }
}

#[test]
fn the_credit_specification_is_in_the_plan_and_can_be_switched() {
    let cases = [("t3.small", "unlimited"), ("t2.small", "standard")];
    each(cases, |(kind, usual), double| {
        let (computer, hand) = (Computer::new(double), Hand::new(double));
        computer.spec(&[&format!("instance_type: {kind}")], 1);
        let plan = computer.plan_text();
        assert!(plan.contains(&format!("CPU credits: {usual}")), "{plan}");
        computer.up();
        assert_eq!(hand.credits("app"), *usual);
        let other = if *usual == "standard" { "unlimited" } else { "standard" };
        computer.spec(&[&format!("instance_type: {kind}"), &format!("credit_specification: {other}")], 1);
        let plan = computer.plan_text();
        assert!(plan.contains(&format!("CPU credits must be {other}")), "{plan}");
        computer.up();
        assert_eq!((hand.credits("app").as_str(), hand.credits("monitoring").as_str()), (other, other));
        is_one_set(double);
    });
}

#[test]
fn protection_is_read_from_ec2_and_not_from_a_tag() {
    with_double(|double| {
        let (computer, hand) = (Computer::new(double), Hand::new(double));
        computer.spec(&["termination_protection: true"], 1);
        computer.up();
        hand.protect("app", false);
        let plan = computer.plan_text();
        assert!(plan.contains("machine app: not protected from termination"), "{plan}");
        computer.up();
        assert!(hand.is_protected("app"));
        computer.spec(&["termination_protection: false"], 1);
        computer.up();
        assert!(!hand.is_protected("app") && !hand.is_protected("monitoring"));
    });
}
