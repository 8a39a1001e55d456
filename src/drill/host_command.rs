//! The fault of a drill, as arguments for `drill.sh`: which one, how large, for how long at most.
//! Pure; `choice` chooses it, `drill_host` runs it.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::digest::Sha256;

/// A drill ends after this time without a heartbeat: monctl was killed, or the network is down.
pub const LEASE: Duration = Duration::from_secs(20);
/// Interval of monctl's heartbeats.
pub const BEAT: Duration = Duration::from_secs(4);
/// Timeout of an undo, such as a service that starts again.
pub const UNDOING: Duration = Duration::from_secs(10);

/// A fault on purpose. The caller checks its parameters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum HostFault {
    /// CPUs kept busy by stress-ng.
    Cpu {
        /// How many.
        workers: u16,
        /// How busy each is made, in percent.
        percent: u8,
        /// Niceness: 19 lets everything else on the host go first. The load is the same to node exporter.
        nice: u8,
    },
    /// Memory in use, by other processes and stress-ng together.
    Memory {
        /// In percent of all memory.
        percent: u8,
    },
    /// A small file system of its own, filled.
    Disk {
        /// In percent of its size.
        percent: u8,
    },
    /// A small file system of its own whose inodes are used up.
    Inodes {
        /// In percent of its inodes.
        percent: u8,
    },
    /// Services stopped, and started again afterwards.
    Stop {
        /// systemd's names, in the order in which they are stopped.
        units: Vec<String>,
    },
    /// A unit of its own that fails.
    FailingUnit,
    /// Requests to the application that its instrumentation handles.
    Requests {
        /// The application's port.
        port: u16,
        /// The status of each response.
        status: u16,
        /// How long each response takes, in milliseconds.
        delay: u32,
        /// Requests per second.
        rate: u16,
        /// Maximum number of concurrent requests.
        together: u16,
    },
    /// Workers of the application restarted, one after the other.
    ReplacedWorkers {
        /// The port of the application's metrics.
        port: u16,
        /// Number of workers while none is being replaced.
        workers: u16,
        /// The time from one to the next, in milliseconds.
        every: u32,
    },
    /// A command on the host, and the one that ends what it caused.
    Run {
        /// What causes the fault.
        run: Vec<String>,
        /// What ends it.
        undo: Vec<String>,
        /// What succeeds only if it has ended; empty if nothing checks it.
        undone: Vec<String>,
    },
    /// A visitor's requests, and in between a few of each class of responses.
    Traffic {
        /// The application's port.
        port: u16,
        /// Requests per second.
        rate: u16,
    },
}

/// A cause for one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The drill's name on the host, part of its unit's; see [`unit_name`].
    pub name: String,
    /// Time limit in seconds.
    pub seconds: u64,
    /// The fault.
    pub cause: HostFault,
}

impl HostFault {
    /// The words for `drill.sh`: the kind and its parameters.
    pub fn words(&self) -> Vec<String> {
        match self {
            Self::Cpu { workers, percent, nice } => words("cpu", &[workers, percent, nice]),
            Self::Memory { percent } => words("memory", &[percent]),
            Self::Disk { percent } => words("disk", &[percent]),
            Self::Inodes { percent } => words("inodes", &[percent]),
            Self::Stop { units } => ["stop".to_owned()].into_iter().chain(units.iter().cloned()).collect(),
            Self::FailingUnit => words("failing-unit", &[]),
            Self::Requests { port, status, delay, rate, together } => {
                words("requests", &[port, status, delay, rate, together])
            }
            Self::ReplacedWorkers { port, workers, every } => {
                words("replaced-workers", &[port, workers, every])
            }
            Self::Run { run, undo, undone } => {
                let begin = ["run".to_owned(), run.len().to_string(), undo.len().to_string()].into_iter();
                begin.chain([run, undo, undone].into_iter().flatten().cloned()).collect()
            }
            Self::Traffic { port, rate } => words("traffic", &[port, rate]),
        }
    }
}

impl fmt::Display for HostFault {
    /// The fault in words or as a command.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu { workers, percent: 100, .. } => write!(f, "stress-ng --cpu {workers}"),
            Self::Cpu { workers, percent, .. } => write!(f, "stress-ng --cpu {workers} --cpu-load {percent}"),
            Self::Memory { percent } => write!(f, "stress-ng until {percent}% of the memory is in use"),
            Self::Disk { percent } => write!(f, "a file system of 16 MB, filled to {percent}%"),
            Self::Inodes { percent } => write!(f, "a file system of 1000 inodes, {percent}% of them in use"),
            Self::Stop { units } => write!(f, "systemctl stop {}", units.join(" ")),
            Self::FailingUnit => f.write_str("a unit that fails"),
            Self::Requests { status, delay: 0, rate, .. } => {
                write!(f, "{rate} requests per second, answered with {status}")
            }
            Self::Requests { delay, together, .. } => {
                write!(f, "requests, {together} at a time, answered after {delay} ms")
            }
            Self::ReplacedWorkers { every, .. } => {
                write!(f, "a worker restarted every {:.1} s", f64::from(*every) / 1000.0)
            }
            Self::Run { run, .. } => f.write_str(&run.join(" ")),
            Self::Traffic { rate, .. } => write!(f, "a visitor's requests, {rate} per second"),
        }
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cause {
            HostFault::Cpu { .. } => write!(f, "{} --timeout {}s", self.cause, self.seconds),
            _ => write!(f, "{}, for {} s at most", self.cause, self.seconds),
        }
    }
}

fn words(kind: &str, numbers: &[&dyn fmt::Display]) -> Vec<String> {
    [kind.to_owned()].into_iter().chain(numbers.iter().map(ToString::to_string)).collect()
}

/// The name of an alert's drill on the host.
pub fn unit_name(alert: &str) -> String {
    let name: String = alert.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if name == alert {
        return name;
    }
    // Names that differ only in replaced characters stay distinct.
    format!("{name}_{}", &Sha256::of(alert.as_bytes()).to_string()[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_has_arguments_for_the_host_and_a_description_for_people() {
        let cpu = HostFault::Cpu { workers: 2, percent: 85, nice: 19 };
        assert_eq!(cpu.words(), ["cpu", "2", "85", "19"]);
        let order = Order { name: unit_name("High-CPU"), seconds: 53, cause: cpu };
        assert_eq!(order.to_string(), "stress-ng --cpu 2 --cpu-load 85 --timeout 53s");
        assert!(order.name.starts_with("High_CPU_") && order.name.len() == 17, "{}", order.name);
        assert_eq!(unit_name("High_CPU"), "High_CPU");
        assert_ne!(unit_name("High CPU"), unit_name("High-CPU"));
        let stop = HostFault::Stop { units: vec!["a.socket".into(), "a.service".into()] };
        assert_eq!(stop.words(), ["stop", "a.socket", "a.service"]);
        let slow = HostFault::Requests { port: 8000, status: 200, delay: 1700, rate: 2, together: 2 };
        assert_eq!(slow.words(), ["requests", "8000", "200", "1700", "2", "2"]);
        let order = Order { seconds: 60, cause: slow, ..order };
        assert_eq!(order.to_string(), "requests, 2 at a time, answered after 1700 ms, for 60 s at most");
    }
}
