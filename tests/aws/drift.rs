//! Changes behind monctl's back: `plan` lists them, `up` repairs them, and actions that stop or replace a machine are
//! marked as such.

use serde_json::json;

use crate::computer::{Computer, is_one_set};
use crate::pool::{each, with_double};
use crate::support::ec2_double::Ec2 as _;
use crate::support::hand::Hand;

/// One change by hand.
#[derive(Clone)]
struct Drift {
    name: &'static str,
    by_hand: fn(&Hand<'_>),
    /// Texts in the output of `plan`.
    shows: &'static [&'static str],
    /// Whether `up --yes` alone repairs it, without `--allow-downtime`.
    is_harmless: bool,
    /// Condition that must hold after `up`.
    mended: fn(&Hand<'_>) -> bool,
}

impl std::fmt::Debug for Drift {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

const HERE: &str = "127.0.0.0/8";

fn drifts() -> [Drift; 9] {
    [
        Drift {
            name: "a rule added",
            by_hand: |hand| hand.open("app", 3306, "0.0.0.0/0"),
            shows: &["security group app", "3306", "0.0.0.0/0", "not in the spec"],
            is_harmless: true,
            mended: |hand| !hand.openings("app").iter().any(|(port, _)| *port == 3306),
        },
        Drift {
            name: "a rule removed",
            by_hand: |hand| hand.close("app", 22, HERE),
            shows: &["security group app", "tcp 22 from 127.0.0.0/8", "missing"],
            is_harmless: true,
            mended: |hand| hand.openings("app").contains(&(22, HERE.to_owned())),
        },
        Drift {
            name: "a machine stopped",
            by_hand: |hand| hand.stop("app"),
            shows: &["machine app", "not running"],
            is_harmless: true,
            mended: runs,
        },
        Drift {
            name: "a machine terminated",
            by_hand: |hand| hand.terminate("app"),
            shows: &["machine app", "terminated"],
            is_harmless: true,
            mended: runs,
        },
        Drift {
            name: "another type",
            by_hand: |hand| hand.retype("app", "t3.large"),
            shows: &["machine app", "t3.large", "t3.small", "stops the machine"],
            is_harmless: false,
            mended: |hand| hand.instance("app").instance_type().unwrap().as_str() == "t3.small",
        },
        Drift {
            name: "the host's tag of a machine missing",
            by_hand: |hand| hand.untag(&hand.id("instances", "app"), "monctl:host"),
            shows: &["machine app", "tags are missing", "monctl:host"],
            is_harmless: true,
            mended: |hand| hand.has_tag("instances", "app", "monctl:host"),
        },
        Drift {
            name: "all tags of a machine missing",
            by_hand: |hand| {
                let id = hand.id("instances", "app");
                for key in ["monctl:project", "monctl:host", "Name"] {
                    hand.untag(&id, key);
                }
            },
            shows: &["machine app", "tags are missing", "monctl:project"],
            is_harmless: true,
            mended: |hand| hand.has_tag("instances", "app", "monctl:project"),
        },
        Drift {
            name: "the key pair missing",
            by_hand: |hand| hand.delete_key(),
            shows: &["key pair: absent"],
            is_harmless: true,
            mended: |hand| hand.has_key(),
        },
        Drift {
            name: "metadata without IMDSv2",
            by_hand: |hand| hand.unguard_metadata(),
            shows: &["machine app", "IMDSv2"],
            is_harmless: true,
            mended: |hand| {
                let options = hand.instance("app").metadata_options().unwrap().clone();
                options.http_tokens().unwrap().as_str() == "required"
            },
        },
    ]
}

fn runs(hand: &Hand<'_>) -> bool {
    let inventory = hand.double.inventory();
    let mut instances = inventory["instances"].as_array().unwrap().iter();
    instances.any(|it| it["tags"]["monctl:host"] == "app" && it["state"] == "running")
}

#[test]
fn changes_by_hand_are_listed_and_repaired() {
    each(drifts(), |drift, double| {
        let computer = Computer::new(double);
        computer.up();
        let hand = Hand::new(double);
        (drift.by_hand)(&hand);
        assert!(!(drift.mended)(&hand), "the change by hand did not happen");
        let plan = computer.plan_text();
        for words in drift.shows {
            assert!(plan.contains(words), "no {words:?} in\n{plan}");
        }
        if !drift.is_harmless {
            computer.run("up --yes").code(5).stderr_contains("app");
            assert!(!(drift.mended)(&hand), "it was repaired without `--allow-downtime`");
        }
        let words = if drift.is_harmless { "up --yes" } else { DISRUPTIVE };
        computer.run(words).stderr_contains("machines: done");
        assert!((drift.mended)(&hand), "`up` did not repair it");
        is_one_set(double);
    });
}

/// The command that may stop and replace machines.
const DISRUPTIVE: &str = "up --yes --allow-downtime";

#[test]
fn a_larger_disk_in_the_spec_grows_the_machines_disks() {
    with_double(|double| {
        let computer = Computer::new(double);
        computer.up();
        computer.spec(&["disk: 40"], 1);
        let plan = computer.plan_text();
        assert!(plan.contains("disk of app: has 20 GiB, must have 40"), "{plan}");
        computer.up();
        let sizes = double.inventory()["volumes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["size"].clone())
            .collect::<Vec<_>>();
        assert_eq!(sizes, [json!(40), json!(40)]);
    });
}

#[test]
fn a_newer_image_replaces_nothing_unless_the_spec_names_it() {
    with_double(|double| {
        let (computer, hand) = (Computer::new(double), Hand::new(double));
        computer.up();
        let before = hand.instance("app").image_id().unwrap().to_owned();
        let other = hand.image("136693071363", "debian-13-amd64-20250814");
        assert_ne!(before, other);
        computer.spec(&[&format!("image: {other}")], 1);
        let plan = computer.plan_text();
        assert!(plan.contains("a new machine replaces") && plan.contains(&other), "{plan}");
        computer.run("up --yes").code(5);
        assert_eq!(
            hand.instance("app").image_id(),
            Some(before.as_str()),
            "it was replaced without `--allow-downtime`"
        );
        computer.run(DISRUPTIVE).stderr_contains("machines: done");
        assert_eq!(hand.instance("app").image_id(), Some(other.as_str()));
        is_one_set(double);
    });
}

#[test]
fn adding_and_removing_application_hosts_leaves_the_others_alone() {
    with_double(|double| {
        let (computer, hand) = (Computer::new(double), Hand::new(double));
        computer.up();
        let (app, monitoring) = (hand.id("instances", "app"), hand.id("instances", "monitoring"));
        computer.spec(&[], 3);
        computer.up();
        assert_eq!(double.counts()["instances"], 4);
        assert_eq!(
            (hand.id("instances", "app"), hand.id("instances", "monitoring")),
            (app.clone(), monitoring.clone())
        );
        computer.spec(&[], 1);
        let plan = computer.plan_text();
        assert!(plan.contains("machine app-2") && plan.contains("machine app-3"), "{plan}");
        computer.up();
        is_one_set(double);
        assert_eq!((hand.id("instances", "app"), hand.id("instances", "monitoring")), (app, monitoring));
    });
}
