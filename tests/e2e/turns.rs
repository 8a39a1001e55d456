//! Limits how many installations run at once on this computer, also in several runs of the tests: each keeps a core
//! busy for seconds.

use std::fs::{File, TryLockError};
use std::thread::sleep;
use std::time::Duration;

/// The files that are locked, one for each installation that may run.
const TURNS: [&str; 2] = ["/var/lib/monctl/test-turn-1", "/var/lib/monctl/test-turn-2"];
/// The file that the next one in the queue locks, so that later ones do not overtake it.
const QUEUE: &str = "/var/lib/monctl/test-turns-queue";

/// A turn, for as long as it lives.
#[derive(Debug)]
#[must_use = "the turn ends where this is dropped"]
pub struct Turn(#[allow(dead_code, reason = "closing it unlocks it")] File);

/// A turn for work that keeps a core busy.
pub fn busy() -> Turn {
    let next = File::create(QUEUE).unwrap();
    next.lock().unwrap();
    loop {
        for path in TURNS {
            let file = File::create(path).unwrap();
            match file.try_lock() {
                Ok(()) => return Turn(file),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => panic!("cannot lock {path}: {error}"),
            }
        }
        sleep(Duration::from_millis(50));
    }
}

/// The turn that a call of the binary with these words needs, if any.
pub fn of<'a>(words: impl IntoIterator<Item = &'a str>) -> Option<Turn> {
    words.into_iter().any(|word| ["up", "down"].contains(&word)).then(busy)
}
