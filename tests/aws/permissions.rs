//! `docs/iam-policy.json` is sufficient and minimal: without any one of its actions, some run fails, and the error
//! names that action.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::computer::{Computer, is_empty, is_one_set};
use crate::pool::{each, with_double};
use crate::support::hand::Hand;

fn policy() -> Value {
    serde_json::from_str(include_str!("../../docs/iam-policy.json")).unwrap()
}

fn actions(policy: &Value) -> BTreeSet<String> {
    let statements = policy["Statement"].as_array().unwrap();
    let actions = statements.iter().flat_map(|statement| match &statement["Action"] {
        Value::Array(list) => list.clone(),
        one => vec![one.clone()],
    });
    actions.map(|action| action.as_str().unwrap().to_owned()).collect()
}

/// The policy without one action.
fn without(action: &str) -> Value {
    let mut policy = policy();
    for statement in policy["Statement"].as_array_mut().unwrap() {
        match &mut statement["Action"] {
            Value::Array(list) => list.retain(|one| one != action),
            one if one == action => *one = json!([]),
            _ => {}
        }
    }
    let statements = policy["Statement"].as_array_mut().unwrap();
    statements.retain(|statement| statement["Action"].as_array().is_none_or(|list| !list.is_empty()));
    policy
}

/// A situation in which monctl needs an action.
struct Need {
    action: &'static str,
    /// Settings of an `up` that an administrator runs beforehand; `None` for an empty account.
    before: Option<&'static [&'static str]>,
    /// The change by hand after that.
    by_hand: fn(&Hand<'_>),
    /// The settings and the command that need the action.
    settings: &'static [&'static str],
    command: &'static str,
    /// The exit code without it: 5 if nothing was changed yet.
    exit: i32,
}

const UP: &str = "up --yes";
const DOWN: &str = "down --yes";

impl Need {
    /// A query before any change.
    const fn look(action: &'static str) -> Self {
        Self { action, before: None, by_hand: |_| {}, settings: &[], command: "plan", exit: 5 }
    }

    /// A change that the first `up` makes.
    const fn make(action: &'static str) -> Self {
        Self { command: UP, exit: 1, ..Self::look(action) }
    }

    /// A change that reverts the change by hand.
    const fn mend(action: &'static str, by_hand: fn(&Hand<'_>)) -> Self {
        Self { before: Some(&[]), by_hand, ..Self::make(action) }
    }

    const fn change(
        action: &'static str,
        before: &'static [&'static str],
        settings: &'static [&'static str],
    ) -> Self {
        Self { before: Some(before), settings, ..Self::make(action) }
    }

    const fn remove(action: &'static str, before: &'static [&'static str]) -> Self {
        Self { before: Some(before), settings: before, command: DOWN, ..Self::make(action) }
    }
}

const ELASTIC: &[&str] = &["elastic_ip: true"];
const CREDITS: &[&str] = &["credit_specification: standard"];
const PROFILE: &[&str] = &["instance_profile: monctl-monitoring"];

#[expect(clippy::redundant_closure_for_method_calls, reason = "the method is bound to one lifetime")]
fn needs() -> Vec<Need> {
    vec![
        Need::look("ec2:DescribeAddresses"),
        Need::look("ec2:DescribeImages"),
        Need::look("ec2:DescribeInstanceTypeOfferings"),
        Need::look("ec2:DescribeInstanceTypes"),
        Need::look("ec2:DescribeInstances"),
        Need::look("ec2:DescribeKeyPairs"),
        Need::look("ec2:DescribeRouteTables"),
        Need::look("ec2:DescribeSecurityGroups"),
        Need::look("ec2:DescribeSubnets"),
        Need::look("ec2:DescribeVolumes"),
        Need::look("ec2:DescribeVpcs").with(|hand| hand.double.set(&json!({"default_vpc": false}))),
        Need { before: Some(&[]), ..Need::look("ec2:DescribeInstanceAttribute") },
        Need {
            before: Some(&[]),
            settings: CREDITS,
            ..Need::look("ec2:DescribeInstanceCreditSpecifications")
        },
        Need::change("ec2:ModifyInstanceCreditSpecification", &[], CREDITS),
        Need { exit: 5, ..Need::remove("ec2:DescribeNetworkInterfaces", &[]) },
        Need::make("ec2:ImportKeyPair"),
        Need::make("ec2:CreateSecurityGroup"),
        Need::make("ec2:AuthorizeSecurityGroupIngress"),
        Need::make("ec2:RunInstances"),
        Need::make("ec2:CreateTags"),
        Need { settings: ELASTIC, ..Need::make("ec2:AllocateAddress") },
        Need { settings: ELASTIC, ..Need::make("ec2:AssociateAddress") },
        Need { settings: PROFILE, ..Need::make("iam:PassRole") },
        Need::change("ec2:AssociateIamInstanceProfile", &[], PROFILE),
        Need::change("ec2:DescribeIamInstanceProfileAssociations", &[], PROFILE),
        Need::change("ec2:DisassociateIamInstanceProfile", PROFILE, &[]),
        Need::change(
            "ec2:ReplaceIamInstanceProfileAssociation",
            PROFILE,
            &["instance_profile: monctl-other"],
        ),
        Need::change("ec2:ModifyInstanceAttribute", &[], &["termination_protection: true"]),
        Need::change("ec2:ModifyVolume", &[], &["disk: 40"]),
        Need::mend("ec2:RevokeSecurityGroupIngress", |hand| hand.open("app", 3306, "0.0.0.0/0")),
        Need::mend("ec2:StartInstances", |hand| hand.stop("app")),
        Need {
            command: "up --yes --allow-downtime",
            ..Need::mend("ec2:StopInstances", |hand| hand.retype("app", "t3.large"))
        },
        Need::mend("ec2:ModifyInstanceMetadataOptions", |hand| hand.unguard_metadata()),
        Need::mend("ec2:DeleteVolume", |hand| hand.leave_a_volume()),
        Need::remove("ec2:DeleteNetworkInterface", &[]).with(|hand| hand.leave_an_interface()),
        Need::remove("ec2:TerminateInstances", &[]),
        Need::remove("ec2:DeleteSecurityGroup", &[]),
        Need::remove("ec2:DeleteKeyPair", &[]),
        Need::change("ec2:DisassociateAddress", ELASTIC, &[]),
        Need::remove("ec2:ReleaseAddress", ELASTIC),
    ]
}

impl Need {
    fn with(self, by_hand: fn(&Hand<'_>)) -> Self {
        Self { by_hand, ..self }
    }
}

impl std::fmt::Debug for Need {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.action)
    }
}

/// Brings the account into the state in which the action is needed.
fn prepare(need: &Need, computer: &Computer<'_>) {
    let mentions = |settings: &[&str]| settings.iter().any(|line| line.contains("profile"));
    if mentions(need.settings) || need.before.is_some_and(mentions) {
        computer.double.make_profiles(&["monctl-monitoring", "monctl-other"]);
    }
    if let Some(before) = need.before {
        computer.spec(before, 1);
        computer.up();
    }
    (need.by_hand)(&Hand::new(computer.double));
}

/// Actions without which nothing fails: the console output only supplements another error.
const ADDITIONS: [&str; 1] = ["ec2:GetConsoleOutput"];

#[test]
fn the_table_of_permissions_matches_the_policy() {
    let needed: BTreeSet<String> = needs().iter().map(|need| need.action.to_owned()).collect();
    let additions = ADDITIONS.map(str::to_owned).into();
    let table: BTreeSet<String> = needed.union(&additions).cloned().collect();
    assert_eq!(actions(&policy()), table);
}

#[test]
fn the_policy_is_sufficient_to_create_and_to_remove_everything() {
    with_double(|double| {
        double.make_profiles(&["monctl-monitoring"]);
        let computer = Computer::of(double, double.user("least", &policy()));
        computer.up();
        is_one_set(double);
        computer.spec(&["elastic_ip: true", "instance_profile: monctl-monitoring", "disk: 30"], 2);
        computer.up();
        computer.spec(&[], 1);
        computer.up();
        computer.down();
        is_empty(double);
    });
}

#[test]
fn without_each_action_of_the_policy_a_run_fails_and_names_it() {
    each(needs(), |need, double| {
        let mut computer = Computer::new(double);
        prepare(need, &computer);
        computer.caller = Some(double.user("less", &without(need.action)));
        computer.spec(need.settings, 1);
        let ran = computer.run(need.command).code(need.exit).stderr_contains(need.action);
        ran.stderr_contains("iam-policy.json").stderr_lacks("Encoded");
    });
}
