//! Pools of doubles and emulators of EC2, which several cases use in turn, and concurrent execution of cases.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

use crate::emulator::{Emulator, Kind};
use crate::support::ec2_double::Ec2Double;

/// Maximum number of doubles. A case mostly waits; a double that answers keeps a core busy.
const DOUBLES: usize = 6;
/// Maximum number of each emulator: moto needs 3 s of CPU time to start.
const EMULATORS: usize = 2;

struct Free<T> {
    free: Vec<T>,
    made: usize,
}

struct Pool<T> {
    free: Mutex<Free<T>>,
    returned: Condvar,
}

static DOUBLE: Pool<Ec2Double> = Pool::new();
static MOTO: Pool<Emulator> = Pool::new();
static MINISTACK: Pool<Emulator> = Pool::new();

impl<T> Pool<T> {
    const fn new() -> Self {
        Self { free: Mutex::new(Free { free: Vec::new(), made: 0 }), returned: Condvar::new() }
    }

    /// Lends one with an empty account; starts a new one if there are fewer than `most`.
    fn lend<R>(
        &self,
        most: usize,
        start: impl FnOnce() -> T,
        reset: impl FnOnce(&T),
        work: impl FnOnce(&T) -> R,
    ) -> R {
        let lent = self.take(most, start, reset);
        let result = catch_unwind(AssertUnwindSafe(|| work(&lent)));
        self.free.lock().unwrap_or_else(PoisonError::into_inner).free.push(lent);
        self.returned.notify_one();
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    fn take(&self, most: usize, start: impl FnOnce() -> T, reset: impl FnOnce(&T)) -> T {
        let mut pool = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(lent) = pool.free.pop() {
                drop(pool);
                reset(&lent);
                return lent;
            }
            if pool.made < most {
                pool.made += 1;
                drop(pool);
                return start();
            }
            pool = self.returned.wait(pool).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Lends a double with an empty account and without delays.
pub fn with_double<T>(work: impl FnOnce(&Ec2Double) -> T) -> T {
    DOUBLE.lend(DOUBLES, Ec2Double::start, Ec2Double::reset, work)
}

/// Lends an emulator with an empty account.
pub fn with_emulator<T>(kind: Kind, work: impl FnOnce(&Emulator) -> T) -> T {
    let pool = match kind {
        Kind::Moto => &MOTO,
        Kind::Ministack => &MINISTACK,
    };
    pool.lend(EMULATORS, || Emulator::start(kind), Emulator::reset, work)
}

/// Runs a table of cases concurrently, each with its own double, and fails with a list of all failed cases.
#[track_caller]
pub fn each<C: Send + std::fmt::Debug>(
    cases: impl IntoIterator<Item = C>,
    work: impl Fn(&C, &Ec2Double) + Sync,
) {
    run(DOUBLES, cases, |case| with_double(|double| work(case, double)));
}

/// The same on an emulator.
#[track_caller]
pub fn each_on<C: Send + std::fmt::Debug>(
    kind: Kind,
    cases: impl IntoIterator<Item = C>,
    work: impl Fn(&C, &Emulator) + Sync,
) {
    run(EMULATORS, cases, |case| with_emulator(kind, |emulator| work(case, emulator)));
}

#[track_caller]
fn run<C: Send + std::fmt::Debug>(
    at_once: usize,
    cases: impl IntoIterator<Item = C>,
    work: impl Fn(&C) + Sync,
) {
    let queue: Mutex<VecDeque<C>> = Mutex::new(cases.into_iter().collect());
    let failures = Mutex::new(Vec::new());
    assert!(!queue.lock().unwrap().is_empty(), "a table without cases proves nothing");
    thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                loop {
                    let Some(case) = queue.lock().unwrap().pop_front() else { return };
                    let done = catch_unwind(AssertUnwindSafe(|| work(&case)));
                    if let Err(panic) = done {
                        failures.lock().unwrap().push(format!("{case:?}: {}", message(&*panic)));
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{} cases failed:\n{}", failures.len(), failures.join("\n\n"));
}

/// The message of a panic.
fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic").to_owned()
}
