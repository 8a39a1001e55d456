//! The fault of a drill, or a hypothetical one, in numbers: its effect on the value that an alert watches, and its end.

use std::time::Duration;

use serde::Serialize;

use super::stress_command::StressCommand;
use crate::duration::millis;
use crate::promql::Threshold;

/// When the fault ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// After this time, whatever happens.
    After(#[serde(serialize_with = "millis")] Duration),
    /// When the alert is delivered.
    WhenDelivered,
}

/// Something that goes wrong on one host.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Fault {
    /// What it does.
    #[serde(flatten)]
    pub effect: Effect,
    /// When it ends.
    pub ending: Ending,
}

/// The effect of a fault on the value that an alert watches: the left side of the rule's comparison, in its unit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// CPUs are kept busy.
    Load(CpuLoad),
    /// The value goes from one level to another and stays there.
    Level {
        /// The value without the fault.
        normal: f64,
        /// The value of the expression once its whole range lies in the fault.
        faulty: f64,
        /// How long the linear change from one to the other takes; zero for a step.
        #[serde(serialize_with = "millis")]
        rise: Duration,
    },
    /// A drill sends requests in addition to those of users; the alert watches the share of bad ones, in percent.
    Requests {
        /// The requests of users.
        users: Traffic,
        /// The requests of the drill.
        drill: Traffic,
    },
    /// An event repeats, the first time at once, and the expression counts the events within its range.
    Repeated {
        /// The count before the fault.
        normal: f64,
        /// The count of a range that lies in the fault.
        faulty: f64,
        /// The time from one event to the next.
        #[serde(serialize_with = "millis")]
        every: Duration,
    },
    /// A target does not answer: `up` goes from 1 to 0, and its other series are missing.
    Silence {
        /// How long a scrape takes to fail: zero for a refused connection, the scrape's timeout if there is no answer.
        #[serde(serialize_with = "millis")]
        noticed_after: Duration,
    },
}

/// CPU load put on one host.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CpuLoad {
    /// How many CPUs are loaded.
    pub workers: u16,
    /// How many CPUs node exporter reports on that host.
    pub host_cpus: u16,
    /// How busy each loaded CPU is made, in percent.
    pub load: f64,
    /// How busy the host is without the drill, in percent of all its CPUs.
    pub baseline: f64,
}

/// A stream of requests.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Traffic {
    /// Requests per second.
    pub per_second: f64,
    /// The share of bad ones (failed, or slower than the threshold), from 0 to 1.
    pub bad: f64,
}

impl CpuLoad {
    /// How busy the host is under load, in percent of all its CPUs, at most 100. Workers that share a CPU take longer
    /// and rest longer, so more workers than CPUs load all CPUs.
    pub fn utilisation(&self) -> f64 {
        let loaded = f64::from(self.workers) / f64::from(self.host_cpus.max(1));
        (self.baseline + loaded * self.load).clamp(0.0, 100.0)
    }
}

impl Fault {
    /// The load of a command on a host with `host_cpus` CPUs that are already busy by `baseline` percent.
    pub fn of_command(command: &StressCommand, host_cpus: u16, baseline: f64) -> Self {
        let load =
            CpuLoad { workers: command.workers, host_cpus, load: command.load_percent.into(), baseline };
        Self { effect: Effect::Load(load), ending: Ending::After(command.timeout) }
    }

    /// Every CPU loaded by `load` percent until the alert is delivered.
    pub const fn load(host_cpus: u16, load: f64, baseline: f64) -> Self {
        let load = CpuLoad { workers: host_cpus, host_cpus, load, baseline };
        Self { effect: Effect::Load(load), ending: Ending::WhenDelivered }
    }

    /// A step from one value to another until the alert is delivered.
    pub const fn level(normal: f64, faulty: f64) -> Self {
        let effect = Effect::Level { normal, faulty, rise: Duration::ZERO };
        Self { effect, ending: Ending::WhenDelivered }
    }

    /// A target that refuses connections until the alert is delivered.
    pub const fn silence() -> Self {
        let effect = Effect::Silence { noticed_after: Duration::ZERO };
        Self { effect, ending: Ending::WhenDelivered }
    }

    /// The same fault with a fixed duration.
    #[must_use]
    pub const fn lasting(self, time: Duration) -> Self {
        Self { ending: Ending::After(time), ..self }
    }

    /// The value of the expression when its whole range lies in the fault.
    pub fn peak(&self) -> f64 {
        match self.effect {
            Effect::Load(load) => load.utilisation(),
            _ => self.effect.value(1.0).unwrap_or(0.0),
        }
    }
}

impl Effect {
    /// The value when this share of the expression's range lies in the fault; `None` without requests.
    pub fn value(&self, share: f64) -> Option<f64> {
        let between = |normal: f64, faulty: f64| Some(normal + share * (faulty - normal));
        match self {
            Self::Load(load) => between(load.baseline, load.utilisation()),
            Self::Level { normal, faulty, .. } => between(*normal, *faulty),
            Self::Repeated { normal, faulty, .. } => between(*normal, *normal + *faulty),
            Self::Silence { .. } => between(1.0, 0.0),
            Self::Requests { users, drill } => {
                let all = users.per_second + share * drill.per_second;
                let bad = users.per_second * users.bad + share * drill.per_second * drill.bad;
                (all > 0.0).then(|| bad / all * 100.0)
            }
        }
    }

    /// The share of requests beyond the threshold when this share of the expression's range lies in the fault.
    pub fn broken(&self, share: f64, threshold: &Threshold) -> f64 {
        let broken = |value: Option<f64>| f64::from(u8::from(value.is_some_and(|it| threshold.holds(it))));
        match self {
            Self::Requests { .. } => self.value(share).unwrap_or(0.0) / 100.0,
            _ => (1.0 - share) * broken(self.value(0.0)) + share * broken(self.value(1.0)),
        }
    }

    /// How long the change from the normal value to the faulty one takes.
    pub const fn rise(&self) -> Duration {
        match self {
            Self::Level { rise, .. } => *rise,
            _ => Duration::ZERO,
        }
    }

    /// The time between two steps of the value; zero if it changes continuously or at once.
    pub const fn grain(&self) -> Duration {
        match self {
            Self::Repeated { every, .. } => *every,
            _ => Duration::ZERO,
        }
    }

    /// How much later than usual the result of a scrape is known.
    pub const fn noticed_after(&self) -> Duration {
        match self {
            Self::Silence { noticed_after } => *noticed_after,
            _ => Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_workers_of_85_percent_fill_two_cpus_and_half_of_eight() {
        for (cpus, busy) in [(1, 100.0), (2, 100.0), (4, 85.0), (8, 42.5)] {
            assert!(
                (Fault::of_command(&StressCommand::CLASSIC, cpus, 0.0).peak() - busy).abs() < 1e-9,
                "{cpus}"
            );
        }
        assert!((Fault::load(4, 100.0, 30.0).peak() - 100.0).abs() < 1e-9);
    }

    #[test]
    fn a_drills_requests_are_added_to_those_of_users() {
        let drill = Traffic { per_second: 10.0, bad: 1.0 };
        let alone = Effect::Requests { users: Traffic { per_second: 0.0, bad: 0.0 }, drill };
        assert_eq!([0.0, 0.1, 1.0].map(|share| alone.value(share)), [None, Some(100.0), Some(100.0)]);
        let beside = Effect::Requests { users: Traffic { per_second: 30.0, bad: 0.0 }, drill };
        assert_eq!([0.0, 1.0].map(|share| beside.value(share)), [Some(0.0), Some(25.0)]);
    }
}
