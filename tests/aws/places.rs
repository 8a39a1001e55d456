//! Choice of subnets: those in which machines are reachable, and messages about the others.

use serde_json::json;

use crate::computer::{Computer, is_empty, is_one_set};
use crate::pool::with_double;
use crate::support::ec2_double::Ec2Double;
use crate::support::hand::Hand;

/// Creates a VPC with a private subnet, a public one without automatic public addresses, an IPv6-only one, and one in a
/// local zone. Returns the VPC and the public subnet.
fn four_subnets(double: &Ec2Double) -> (String, String) {
    let hand = Hand::new(double);
    let vpc = hand.make_vpc();
    hand.make_subnet_in(&vpc, "eu-central-1a", Some("10.9.1.0/24"));
    let public = hand.make_subnet_in(&vpc, "eu-central-1b", Some("10.9.2.0/24"));
    hand.lead_out(&vpc, &public);
    hand.make_subnet_in(&vpc, "eu-central-1a", None);
    hand.make_subnet_in(&vpc, "eu-central-1-ham-1a", Some("10.9.4.0/24"));
    (vpc, public)
}

#[test]
fn of_a_vpc_with_four_kinds_of_subnets_the_reachable_one_is_used() {
    with_double(|double| {
        let (computer, hand) = (Computer::new(double), Hand::new(double));
        let (vpc, public) = four_subnets(double);
        computer.spec(&[&format!("vpc: {vpc}")], 1);
        let plan = computer.plan_text();
        for words in [
            format!("({public}), public address"),
            "no route to an internet gateway".into(),
            "IPv6 addresses only".into(),
            "local or Wavelength zone".into(),
        ] {
            assert!(plan.contains(&words), "no {words:?} in\n{plan}");
        }
        computer.up();
        is_one_set(double);
        for host in ["app", "monitoring"] {
            let found = hand.instance(host);
            assert_eq!(found.subnet_id(), Some(public.as_str()));
            assert!(found.public_ip_address().is_some(), "{host} has no public address");
        }
        computer.down();
        is_empty(double);
    });
}

#[test]
fn a_plan_with_unreachable_machines_is_rejected() {
    with_double(|double| {
        let (computer, hand) = (Computer::new(double), Hand::new(double));
        let vpc = hand.make_vpc();
        let private = hand.make_subnet_in(&vpc, "eu-central-1a", Some("10.9.1.0/24"));
        for setting in [format!("vpc: {vpc}"), format!("subnet: {private}")] {
            computer.spec(&[&setting], 1);
            for words in ["plan", "up --yes"] {
                let ran = computer.run(words).code(5).stderr_contains("no route to an internet gateway");
                ran.stderr_contains(&private).stderr_contains("ProxyJump").stderr_contains("allow_ssh_from");
            }
        }
        is_empty(double);
    });
}

#[test]
fn a_private_subnet_is_reached_through_the_jump_host_of_the_users_ssh_configuration() {
    with_double(|double| {
        let (computer, hand) = (Computer::new(double), Hand::new(double));
        let vpc = hand.make_vpc();
        let private = hand.make_subnet_in(&vpc, "eu-central-1a", Some("10.9.1.0/24"));
        computer.spec(&[&format!("subnet: {private}")], 1);
        computer.write_ssh_config("Host 10.9.*\n    ProxyJump ops@bastion.example.org:2222\n");
        let plan = computer.plan_text();
        assert!(plan.contains("private address"), "{plan}");
        computer.up();
        is_one_set(double);
        let address = hand.instance("app").private_ip_address().unwrap().to_owned();
        let config = computer.kept("ssh_config");
        assert!(config.contains(&format!("HostName {address}\n")), "{config}");
        let command = "ProxyCommand ssh -W [%h]:%p ssh://ops@bastion.example.org:2222\n";
        assert_eq!(config.matches(command).count(), 2, "{config}");
        computer.down();
    });
}

#[test]
fn if_only_private_networks_are_allowed_private_subnets_and_addresses_are_used() {
    with_double(|double| {
        let (computer, hand) = (Computer::new(double), Hand::new(double));
        let vpc = hand.make_vpc();
        let private = hand.make_subnet_in(&vpc, "eu-central-1a", Some("10.9.1.0/24"));
        computer.spec(&[&format!("subnet: {private}"), "allow_ssh_from: [10.8.0.0/16]"], 1);
        computer.up();
        is_one_set(double);
        assert_eq!(hand.instance("app").public_ip_address(), None);
        computer.down();
    });
}

#[test]
fn a_default_vpc_without_subnets_is_not_reported_as_absent() {
    with_double(|double| {
        double.set(&json!({"default_subnets": false}));
        let computer = Computer::new(double);
        let ran = computer.run("plan").code(5).stderr_contains("has no subnet");
        ran.stderr_contains("create-default-subnet").stderr_lacks("no default VPC");
    });
}

#[test]
fn an_alternative_that_the_region_does_not_have_is_left_out_and_named_in_the_plan() {
    with_double(|double| {
        let (computer, hand) = (Computer::new(double), Hand::new(double));
        computer.spec(&["alternatives: [t9.small, t3a.small]"], 1);
        let plan = computer.plan_text();
        assert!(plan.contains("left out: t9.small (not in eu-central-1)"), "{plan}");
        double.set(&json!({"no_capacity": [{"type": "t3.small"}]}));
        computer.up();
        assert_eq!(hand.instance("app").instance_type().unwrap().as_str(), "t3a.small");
        is_one_set(double);
    });
}
