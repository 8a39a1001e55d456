//! Predictions in words.

use super::predict::{Obstacle, Remedies};
use super::{Ending, Fault, Settings};
use crate::event::Millis;

/// How likely it is that an alert with this chance reaches its receiver: a phrase that follows a subject.
pub fn likelihood(chance: f64) -> String {
    if chance <= 0.0 {
        "never reaches its receiver".into()
    } else if chance < 0.5 {
        format!("reaches its receiver in about 1 of {:.0} tries", 1.0 / chance)
    } else {
        format!("reaches its receiver in about {:.0} of 100 tries", (chance * 100.0).min(99.0))
    }
}

/// Why the alert does not arrive, for this fault.
pub fn reason(settings: &Settings, fault: &Fault, obstacle: Obstacle) -> String {
    let reached = format!("{:.0}%", fault.utilisation());
    let above = format!("{}%", settings.above);
    match obstacle {
        Obstacle::TooLittleLoad => format!(
            "{} busy CPUs of {} at {}% bring the host to {reached}, and the rule asks for more than {above}",
            fault.workers, fault.host_cpus, fault.load
        ),
        Obstacle::EndsBeforeAbove => format!(
            "{lasting} of {reached} end before `rate[{range}]`, which looks back over {seen}, shows more than {above}",
            lasting = lasting(fault),
            range = seconds(settings.range),
            seen = seconds(settings.seen_by_rate()),
        ),
        Obstacle::EndsBeforeFiring => format!(
            "{lasting} of {reached} do not keep the expression above {above} for the {hold} that `for` asks",
            lasting = lasting(fault),
            hold = seconds(settings.hold),
        ),
        Obstacle::ResolvedBeforeFlush => format!(
            "after {lasting} of {reached} the alert is resolved before Alertmanager's `group_wait` of {wait} has passed",
            lasting = lasting(fault),
            wait = seconds(settings.group_wait),
        ),
    }
}

/// What works instead, one phrase each.
pub fn remedies(remedies: &Remedies) -> Vec<String> {
    let mut phrases = Vec::new();
    if let Some(Millis(duration)) = remedies.duration {
        phrases.push(format!("{} of the same load", seconds(duration)));
    }
    if let Some(load) = remedies.load {
        phrases.push(format!("{load}% on each CPU for the same time"));
    }
    if let Some(workers) = remedies.workers {
        phrases.push(format!("`--cpu {workers}`"));
    }
    if let Some(Millis(wait)) = remedies.group_wait {
        phrases.push(format!("`group_wait: {}`", seconds(wait)));
    }
    if phrases.is_empty()
        && let Some(Millis(duration)) = remedies.full
    {
        phrases.push(format!("{} with every CPU at 100%", seconds(duration)));
    }
    phrases
}

fn lasting(fault: &Fault) -> String {
    match fault.ending {
        Ending::After(time) => seconds(time),
        Ending::WhenDelivered => "endless load".into(),
    }
}

fn seconds(duration: std::time::Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds.fract() == 0.0 { format!("{seconds:.0} s") } else { format!("{seconds:.1} s") }
}
