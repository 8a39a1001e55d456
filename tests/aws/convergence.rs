//! Changes behind monctl's back are repaired, and then nothing is due; also on third-party emulators.

use serde_json::Value;

use crate::computer::{Computer, is_empty, is_one_set};
use crate::emulator::{Emulator, Kind};
use crate::pool::{with_double, with_emulator};
use crate::support::ec2_double::Ec2;
use crate::support::hand::Hand;

/// Differences of an emulator from EC2.
#[derive(Default)]
struct Gaps {
    /// Actions that `plan` lists after the `up` that created a machine, but not after the next one.
    at_first: &'static [&'static str],
    /// Actions that `plan` lists although nothing was changed.
    always: &'static [&'static str],
    /// Instances are never shown with their elastic address.
    no_addresses: bool,
}

impl Gaps {
    const fn of(kind: Kind) -> Self {
        match kind {
            Kind::Moto => Self { at_first: &["set_group"], always: &[], no_addresses: false },
            Kind::Ministack => {
                let always = &["guard_metadata", "set_group", "tag"];
                Self { at_first: always, always, no_addresses: true }
            }
        }
    }
}

/// The kinds of the due actions, each once.
fn due(computer: &Computer<'_, impl Ec2>) -> Vec<String> {
    let kind = |action: &Value| action["action"].as_str().unwrap().to_owned();
    let mut due: Vec<String> = computer.due().iter().map(kind).collect();
    due.sort();
    due.dedup();
    due
}

fn converges<C: Ec2>(double: &C, gaps: &Gaps) {
    let (computer, hand) = (Computer::new(double), Hand::new(double));
    let settled = |what: &str| {
        computer.up();
        let (instances, left) = (double.counts()["instances"], due(&computer));
        assert!(left.iter().all(|it| gaps.at_first.contains(&it.as_str())), "{what}: {left:?}");
        if !left.is_empty() {
            computer.up();
            assert_eq!(due(&computer), gaps.always, "{what}");
        }
        assert_eq!(double.counts()["instances"], instances, "{what}");
    };
    settled("created");
    computer.up();
    is_one_set(double);
    let first = hand.id("instances", "app");

    hand.open("app", 3306, "0.0.0.0/0");
    hand.close("app", 22, "127.0.0.0/8");
    hand.stop("app");
    let plan = due(&computer);
    for wanted in ["close", "open", "start"] {
        assert!(plan.iter().any(|it| it == wanted), "no {wanted} in {plan:?}");
    }
    settled("changed by hand");
    is_one_set(double);
    let here = "127.0.0.0/8".to_owned();
    assert_eq!(hand.openings("app"), [(22, here.clone()), (8000, here)]);
    assert_eq!(hand.id("instances", "app"), first);

    hand.terminate("app");
    settled("terminated by hand");
    is_one_set(double);
    assert_ne!(hand.id("instances", "app"), first);

    let addresses = if gaps.no_addresses { "elastic_ip: false" } else { "elastic_ip: true" };
    computer.spec(&[addresses], 2);
    settled("one more host, and addresses");
    let counts = double.counts();
    assert_eq!(counts["instances"], 3);
    assert_eq!(counts.get("addresses"), (!gaps.no_addresses).then_some(&3));
    computer.spec(&[], 1);
    settled("one host less, and no addresses");
    is_one_set(double);

    computer.down();
    is_empty(double);
    computer.down();
}

#[test]
fn changes_are_repaired_and_then_nothing_is_due() {
    with_double(|double| converges(double, &Gaps::default()));
}

fn on(kind: Kind) {
    with_emulator(kind, |emulator: &Emulator| converges(emulator, &Gaps::of(kind)));
}

#[test]
fn moto_converges_as_the_double_does() {
    on(Kind::Moto);
}

#[test]
fn ministack_converges_as_the_double_does() {
    on(Kind::Ministack);
}
