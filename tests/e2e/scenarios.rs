//! Scenarios that share machines: they run one after the other, and one that fails does not end the others.
//! `MONCTL_TEST_SCENARIOS=rolled_back,down` runs those with one of these words in their names.

use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

/// A promise, and its check.
pub type Scenario<T> = (&'static str, fn(&T));

/// Pairs each scenario with its name, which is what it promises.
macro_rules! scenarios {
    ($of:ty: $($scenario:path),* $(,)?) => { [$((stringify!($scenario), $scenario as fn(&$of))),*] };
}
pub(crate) use scenarios;

/// Runs them on their `subject`; the first `always` of them in any case. `repair` gets the result of `before`, and
/// prepares the subject for the next scenario.
pub fn run<T, S>(
    subject: &T,
    scenarios: &[Scenario<T>],
    always: usize,
    before: impl Fn(&T) -> S,
    repair: impl Fn(&T, S),
) {
    let only = std::env::var("MONCTL_TEST_SCENARIOS").unwrap_or_default();
    let is_asked_for = |promise: &str| only.is_empty() || only.split(',').any(|word| promise.contains(word));
    let mut failed = Vec::new();
    for (index, (promise, scenario)) in scenarios.iter().enumerate() {
        if index >= always && !is_asked_for(promise) {
            continue;
        }
        let begun = Instant::now();
        let state = before(subject);
        let kept = catch_unwind(AssertUnwindSafe(|| scenario(subject))).is_ok();
        let word = if kept { "ok" } else { "FAILED" };
        // Bypasses the capture of the test harness, since this takes minutes.
        let _ = writeln!(std::io::stderr(), "{word:6} {:4} s  {promise}", begun.elapsed().as_secs());
        if !kept {
            failed.push(promise);
            repair(subject, state);
        }
    }
    assert!(failed.is_empty(), "failed: {failed:?}");
}
