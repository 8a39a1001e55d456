//! Killed anywhere: at each call that `up` and `down` make, before EC2 did it and after. Whatever was cut short, the
//! next run makes exactly one set of it, or nothing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::binary::DEADLINE;
use crate::computer::{Computer, is_empty, is_one_set};
use crate::ec2_double::Ec2Double;
use crate::pool::{each, with_double};

/// A moment in a run: the `nth` call of an action.
#[derive(Debug, Clone)]
struct Moment {
    action: String,
    nth: usize,
    /// Whether EC2 has done it by then.
    done: bool,
}

/// Each call of a run that was not disturbed, twice.
fn moments(actions: &[String]) -> Vec<Moment> {
    let mut counts: BTreeMap<&String, usize> = BTreeMap::new();
    let mut moments = Vec::new();
    for action in actions {
        let nth = *counts.entry(action).and_modify(|count| *count += 1).or_insert(1);
        moments.extend([false, true].map(|done| Moment { action: action.clone(), nth, done }));
    }
    moments
}

/// Runs the binary and ends it without warning at the moment. False where it ended before.
fn kill_at(computer: &Computer<'_>, moment: &Moment, words: &str) -> bool {
    let double = computer.double;
    let how = if moment.done { "hold_after" } else { "hold" };
    double.fault(&json!({"action": moment.action, "do": how, "nth": moment.nth}));
    let mut running = computer.call(words).spawn();
    let deadline = Instant::now() + DEADLINE;
    let mut reached = false;
    while !reached && !running.has_ended() {
        assert!(Instant::now() < deadline, "`{words}` neither ends nor comes to the call");
        reached = double.held(Duration::from_millis(100)).is_some();
    }
    if reached {
        running.signal("KILL");
    }
    running.wait();
    double.clear_faults();
    reached
}

/// How often a run looks whether something is done by now is chance; all other calls come each time.
fn is_a_look(moment: &Moment) -> bool {
    moment.nth > 1 && moment.action.starts_with("Describe")
}

#[track_caller]
fn killed_at(computer: &Computer<'_>, moment: &Moment, words: &str) {
    let reached = kill_at(computer, moment, words);
    assert!(reached || is_a_look(moment), "`{words}` did not come to the call");
}

#[track_caller]
fn leaves_nothing(computer: &Computer<'_>) {
    is_empty(computer.double);
    assert_eq!(computer.remembered(), Vec::<std::path::PathBuf>::new());
}

/// The calls of `up` in an empty account and of the `down` that follows.
fn undisturbed(double: &Ec2Double) -> (Vec<Moment>, Vec<Moment>) {
    let computer = Computer::new(double);
    computer.up();
    is_one_set(double);
    let up = moments(&double.actions());
    double.forget_calls();
    computer.down();
    leaves_nothing(&computer);
    (up, moments(&double.actions()))
}

#[test]
fn a_run_that_is_killed_at_any_call_leaves_nothing_lost_or_doubled() {
    let (ups, downs) = with_double(undisturbed);
    assert!(ups.len() >= 20 && downs.len() >= 10, "{ups:?} {downs:?}");
    // Each case ends one `up` early, and one `down` of what came of it; there are more moments of the one kind.
    let cases = (0..ups.len().max(downs.len()))
        .map(|at| (at < ups.len(), &ups[at % ups.len()], &downs[at % downs.len()]));
    each(cases, |(is_new, up, down), double| {
        let computer = Computer::new(double);
        killed_at(&computer, up, "up --yes");
        computer.up();
        is_one_set(double);
        killed_at(&computer, down, "down --yes");
        computer.down();
        leaves_nothing(&computer);
        if *is_new {
            killed_at(&computer, up, "up --yes");
            computer.down();
            leaves_nothing(&computer);
        }
    });
}

/// How long reads lag behind what was just made, in seconds; longer than a fresh run takes to its launches.
const STALE: u32 = 3;

#[test]
fn what_a_killed_run_made_and_no_call_shows_yet_is_neither_doubled_nor_left() {
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
