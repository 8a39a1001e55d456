//! Which load a drill puts on: from the user's wishes, the settings and the host to a fault, its
//! prediction and the numbers for stress-ng. Pure.

use std::time::Duration;

use super::site::Load;
use super::{Fault, Prediction, Settings, predict};
use crate::error::{Error, Result};
use crate::verify::words;

/// The load is allowed to last this much longer than the unluckiest prediction.
const MARGIN: Duration = Duration::from_secs(30);
/// Everything else on the host goes first.
const POLITE: u8 = 19;

/// What the user wishes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Keep the load for its full time.
    pub keep: bool,
    /// Exactly the reference's load.
    pub like_reference: bool,
    /// The load on each CPU, in percent.
    pub cpu_load: Option<u8>,
    /// How long the load lasts at most.
    pub duration: Option<Duration>,
}

/// A drill that is decided on.
#[derive(Debug, Clone, PartialEq)]
pub struct Drill {
    /// The load as numbers of the prediction.
    pub fault: Fault,
    /// What is to be expected.
    pub prediction: Prediction,
    /// The load as numbers for the host.
    pub load: Load,
    /// Whether the load goes on to its end after the alert was delivered.
    pub keep: bool,
}

impl Drill {
    /// Decides on a drill. `extra` is how much later than predicted the alert may be delivered.
    pub fn choose(
        settings: &Settings,
        options: Options,
        host_cpus: u16,
        baseline: f64,
        extra: Duration,
    ) -> Self {
        if options.like_reference {
            let fault = Fault::of_reference(host_cpus, baseline);
            let load = Load { workers: 4, percent: 85, seconds: 120, nice: 0 };
            return Self { fault, prediction: predict(settings, &fault), load, keep: true };
        }
        let percent = options.cpu_load.unwrap_or(100);
        let until_delivered = Fault::load(host_cpus, percent.into(), baseline);
        let open = predict(settings, &until_delivered);
        let limit = options.duration.unwrap_or_else(|| open.longest() + extra + MARGIN);
        let seconds = limit.as_secs() + u64::from(limit.subsec_nanos() > 0);
        let limited = until_delivered.lasting(Duration::from_secs(seconds));
        let closed = predict(settings, &limited);
        // Where the time is long enough, the drill ends at delivery.
        let (fault, prediction) =
            if options.keep || !closed.is_certain() { (limited, closed) } else { (until_delivered, open) };
        let load = Load { workers: host_cpus, percent, seconds, nice: POLITE };
        Self { fault, prediction, load, keep: options.keep }
    }

    /// The command as a person would type it.
    pub fn command(&self) -> String {
        let Load { workers, percent, seconds, .. } = self.load;
        let share = if percent == 100 { String::new() } else { format!(" --cpu-load {percent}") };
        format!("stress-ng --cpu {workers}{share} --timeout {seconds}s")
    }

    /// What a person has to know before the load goes on; none where the alert always arrives.
    pub fn warning(&self, settings: &Settings) -> Option<String> {
        Some(format!(
            "the alert {}: {}; {}",
            words::likelihood(self.prediction.chance),
            words::reason(settings, &self.fault, self.prediction.obstacle?),
            words::remedies(&self.prediction.remedies),
        ))
    }

    /// Refuses a drill that cannot succeed, unless exactly this one was asked for.
    ///
    /// # Errors
    /// When the alert arrives in no phase.
    pub fn check(&self, settings: &Settings, options: Options) -> Result<()> {
        match self.prediction.obstacle {
            Some(obstacle) if self.prediction.chance <= 0.0 && !options.like_reference => {
                Err(Error::could_not_run(format!(
                    "this load cannot make the alert arrive: {}",
                    words::reason(settings, &self.fault, obstacle)
                ))
                .remedy(words::remedies(&self.prediction.remedies)))
            }
            _ => Ok(()),
        }
    }
}
