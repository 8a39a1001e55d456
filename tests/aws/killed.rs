//! Runs that are killed at each call that `up` and `down` make, before and after EC2 has carried it out. Whatever was
//! interrupted, the next `up` creates exactly one set, and the next `down` leaves nothing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::computer::{Computer, is_empty, is_one_set};
use crate::emulator::Kind;
use crate::pool::{each, each_on, with_double, with_emulator};
use crate::support::binary::DEADLINE;
use crate::support::ec2_double::Ec2;

/// A moment in a run: the `nth` call of an action.
#[derive(Debug, Clone)]
struct Moment {
    action: String,
    nth: usize,
    /// Whether EC2 has carried it out by then.
    done: bool,
}

/// Each call of an undisturbed run, twice.
fn moments(actions: &[String]) -> Vec<Moment> {
    let mut counts: BTreeMap<&String, usize> = BTreeMap::new();
    let mut moments = Vec::new();
    for action in actions {
        let nth = *counts.entry(action).and_modify(|count| *count += 1).or_insert(1);
        moments.extend([false, true].map(|done| Moment { action: action.clone(), nth, done }));
    }
    moments
}

/// Runs the binary and kills it at the moment. False if it ended before.
fn kill_at(computer: &Computer<'_, impl Ec2>, moment: &Moment, words: &str) -> bool {
    let double = computer.double;
    double.hold(&moment.action, moment.nth, moment.done);
    let mut running = computer.call(words).spawn();
    let deadline = Instant::now() + DEADLINE;
    let mut reached = false;
    while !reached && !running.has_ended() {
        assert!(Instant::now() < deadline, "`{words}` neither ends nor makes the call");
        reached = double.is_held(Duration::from_millis(100));
    }
    if reached {
        running.signal("KILL");
    }
    running.wait();
    double.clear_faults();
    reached
}

/// Whether the call is a repeated query, whose number varies from run to run; all other calls are made in each run.
fn is_a_look(moment: &Moment) -> bool {
    moment.nth > 1 && moment.action.starts_with("Describe")
}

#[track_caller]
fn killed_at(computer: &Computer<'_, impl Ec2>, moment: &Moment, words: &str) {
    let reached = kill_at(computer, moment, words);
    assert!(reached || is_a_look(moment), "`{words}` did not make the call");
}

#[track_caller]
fn leaves_nothing(computer: &Computer<'_, impl Ec2>) {
    is_empty(computer.double);
    assert_eq!(computer.remembered(), Vec::<std::path::PathBuf>::new());
}

/// The calls of `up` in an empty account, and of the following `down`.
fn undisturbed(double: &impl Ec2) -> (Vec<Moment>, Vec<Moment>) {
    let computer = Computer::new(double);
    computer.up();
    is_one_set(double);
    let up = moments(&double.actions());
    double.forget_calls();
    computer.down();
    leaves_nothing(&computer);
    (up, moments(&double.actions()))
}

/// A moment of `up` and one of `down`; `None` if no further moment is left.
type Case = (Option<Moment>, Option<Moment>);

/// Each case kills one `up`, and then one `down`; `up` and `down` have different numbers of moments.
fn cases((ups, downs): (Vec<Moment>, Vec<Moment>)) -> Vec<Case> {
    assert!(ups.len() >= 20 && downs.len() >= 10, "{ups:?} {downs:?}");
    let case = |at: usize| (ups.get(at).cloned(), downs.get(at).cloned());
    (0..ups.len().max(downs.len())).map(case).collect()
}

fn killed((up, down): &Case, double: &impl Ec2) {
    let computer = Computer::new(double);
    if let Some(up) = up {
        killed_at(&computer, up, "up --yes");
    }
    computer.up();
    is_one_set(double);
    if let Some(down) = down {
        killed_at(&computer, down, "down --yes");
    }
    computer.down();
    leaves_nothing(&computer);
    if let Some(up) = up {
        killed_at(&computer, up, "up --yes");
        computer.down();
        leaves_nothing(&computer);
    }
}

#[test]
fn a_run_killed_at_any_call_loses_and_duplicates_nothing() {
    each(cases(with_double(undisturbed)), killed);
}

#[test]
fn the_same_holds_on_moto() {
    each_on(Kind::Moto, cases(with_emulator(Kind::Moto, undisturbed)), killed);
}

/// If this is set, ministack runs every moment instead of every third.
const EVERY_MOMENT: &str = "MONCTL_TEST_EVERY_MOMENT";

#[test]
fn the_same_holds_on_ministack() {
    let all = cases(with_emulator(Kind::Ministack, undisturbed));
    let step = if std::env::var_os(EVERY_MOMENT).is_some() { 1 } else { 3 };
    println!("each {step}. of {} cases; {EVERY_MOMENT}=1 runs all", all.len());
    each_on(Kind::Ministack, all.into_iter().step_by(step), killed);
}

/// Delay in seconds until reads show new resources; longer than a new run needs to reach its launches.
const STALE: u32 = 3;

#[test]
fn hidden_resources_of_a_killed_run_are_neither_duplicated_nor_left() {
    let (ups, _) = with_double(undisturbed);
    let makes = ["CreateSecurityGroup", "ImportKeyPair", "RunInstances"];
    let made: Vec<Moment> =
        ups.into_iter().filter(|moment| moment.done && makes.contains(&&*moment.action)).collect();
    assert_eq!(made.len(), 5, "{made:?}");
    let cases = made.into_iter().flat_map(|moment| [(moment.clone(), "up"), (moment, "down")]);
    each(cases, |(moment, next), double| {
        double.set(&json!({"stale": STALE}));
        let computer = Computer::new(double);
        computer.slow_keys();
        killed_at(&computer, moment, "up --yes");
        if *next == "up" {
            computer.up();
            is_one_set(double);
        }
        computer.down();
        leaves_nothing(&computer);
    });
}
