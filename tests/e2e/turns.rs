//! Schedules the cores of this computer. Drills are compared with predictions of seconds, and an installation keeps
//! every core busy: they never run at the same time, not even in two runs of the tests. Drills may run together;
//! installations run one at a time.

use std::fs::File;
use std::io;

/// The file that is locked.
const LOCK: &str = "/var/lib/monctl/test-turns";
/// The file that the next one in the queue locks, so that later drills do not overtake it.
const QUEUE: &str = "/var/lib/monctl/test-turns-queue";

/// A turn, for as long as it lives.
#[derive(Debug)]
#[must_use = "the turn ends where this is dropped"]
pub struct Turn(#[allow(dead_code, reason = "closing it unlocks it")] File);

impl Turn {
    fn wait(lock: impl FnOnce(&File) -> io::Result<()>) -> Self {
        let next = File::create(QUEUE).unwrap();
        next.lock().unwrap();
        let file = File::create(LOCK).unwrap();
        lock(&file).unwrap();
        Self(file)
    }
}

/// A turn for measurements.
pub fn measured() -> Turn {
    Turn::wait(File::lock_shared)
}

/// A turn for work that keeps every core busy.
pub fn busy() -> Turn {
    Turn::wait(File::lock)
}

/// The turn that a call of the binary with these words needs, if any.
pub fn of<'a>(words: impl IntoIterator<Item = &'a str>) -> Option<Turn> {
    words.into_iter().find_map(|word| match word {
        "up" | "down" => Some(busy()),
        "verify-alert" => Some(measured()),
        _ => None,
    })
}
