//! The fault of a drill as numbers: how busy it makes a host, from when until when.

use std::time::Duration;

use serde::Serialize;

/// The reference's own test.
pub const REFERENCE_COMMAND: &str = "stress-ng --cpu 4 --cpu-load 85 --timeout 120s";

/// When the load ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// After this time, whatever happens.
    After(#[serde(serialize_with = "super::settings::millis")] Duration),
    /// When the alert was delivered.
    WhenDelivered,
}

/// CPU load put on one host.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Fault {
    /// How many CPUs are loaded.
    pub workers: u16,
    /// How many CPUs node exporter reports on that host.
    pub host_cpus: u16,
    /// How busy each loaded CPU is made, in percent.
    pub load: f64,
    /// How busy the host is without the drill, in percent of all its CPUs.
    pub baseline: f64,
    /// When the load ends.
    pub ending: Ending,
}

impl Fault {
    /// The load of [`REFERENCE_COMMAND`] on a host with so many CPUs.
    pub const fn of_reference(host_cpus: u16) -> Self {
        Self {
            workers: 4,
            host_cpus,
            load: 85.0,
            baseline: 0.0,
            ending: Ending::After(Duration::from_mins(2)),
        }
    }

    /// Every CPU fully loaded until the alert was delivered.
    pub const fn full(host_cpus: u16, baseline: f64) -> Self {
        Self { workers: host_cpus, host_cpus, load: 100.0, baseline, ending: Ending::WhenDelivered }
    }

    /// How busy the host is under load, in percent of all its CPUs. The scheduler gives the drill
    /// what others leave, so that more workers than CPUs or a busy host never make more than 100.
    pub fn utilisation(&self) -> f64 {
        let cpus = f64::from(self.host_cpus.max(1));
        let loaded = f64::from(self.workers.min(self.host_cpus)) / cpus;
        (self.baseline + loaded * self.load).clamp(0.0, 100.0)
    }
}
