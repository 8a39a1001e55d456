//! The drill of a catalogue alert as its file declares it: which fault is caused on purpose, or why none is.

use serde::Deserialize;

/// How an alert of the catalogue is proven.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum DrillKind {
    /// Every CPU of the host is kept busy.
    Cpu,
    /// Memory of the host is taken until a little more than the threshold is in use.
    Memory,
    /// A small file system of its own is mounted and filled.
    Disk,
    /// A small file system of its own is mounted and its inodes are used up.
    Inodes,
    /// Services are stopped.
    Stop {
        /// systemd's names; a socket stands before its service.
        units: Vec<String>,
    },
    /// A unit that is made for it fails.
    FailingUnit,
    /// Real requests are answered with a status, by the instrumentation in place of the application.
    Requests {
        /// The status of the answers.
        status: u16,
    },
    /// Real requests are answered later than the threshold.
    SlowRequests,
    /// Workers of the application are asked to end, one after the other, and are replaced.
    ReplacedWorkers,
    /// Nothing is caused: the alert's rule tests alone hold it to its promise.
    None {
        /// Why a drill would do harm, or could not do it: a sentence without its full stop.
        because: String,
    },
}
