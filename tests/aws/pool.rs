//! Doubles that several cases use one after the other, and cases that run beside each other.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

use crate::ec2_double::Ec2Double;

/// So many doubles at most: each keeps a core busy while it answers.
const DOUBLES: usize = 4;

#[derive(Default)]
struct Pool {
    free: Vec<Ec2Double>,
    made: usize,
}

static POOL: Mutex<Pool> = Mutex::new(Pool { free: Vec::new(), made: 0 });
static RETURNED: Condvar = Condvar::new();

/// Lends a double with an empty account in which nothing takes time.
pub fn with_double<T>(work: impl FnOnce(&Ec2Double) -> T) -> T {
    let double = take();
    let result = catch_unwind(AssertUnwindSafe(|| work(&double)));
    give_back(double);
    result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn take() -> Ec2Double {
    let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        if let Some(double) = pool.free.pop() {
            drop(pool);
            double.reset();
            return double;
        }
        if pool.made < DOUBLES {
            pool.made += 1;
            drop(pool);
            return Ec2Double::start();
        }
        pool = RETURNED.wait(pool).unwrap_or_else(PoisonError::into_inner);
    }
}

fn give_back(double: Ec2Double) {
    POOL.lock().unwrap_or_else(PoisonError::into_inner).free.push(double);
    RETURNED.notify_one();
}

/// Runs a table of cases beside each other, each with a double of its own, and fails with all that failed.
#[track_caller]
pub fn each<C: Send + std::fmt::Debug>(
    cases: impl IntoIterator<Item = C>,
    work: impl Fn(&C, &Ec2Double) + Sync,
) {
    let queue: Mutex<VecDeque<C>> = Mutex::new(cases.into_iter().collect());
    let failures = Mutex::new(Vec::new());
    assert!(!queue.lock().unwrap().is_empty(), "a table without cases proves nothing");
    thread::scope(|scope| {
        for _ in 0..DOUBLES {
            scope.spawn(|| {
                loop {
                    let Some(case) = queue.lock().unwrap().pop_front() else { return };
                    let done = catch_unwind(AssertUnwindSafe(|| with_double(|double| work(&case, double))));
                    if let Err(panic) = done {
                        failures.lock().unwrap().push(format!("{case:?}: {}", said(&*panic)));
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{} cases failed:\n{}", failures.len(), failures.join("\n\n"));
}

/// What a panic said.
fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic").to_owned()
}
