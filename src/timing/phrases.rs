//! Predictions in words.

use super::fault_model::{Effect, Ending, Fault};
use super::predict::{Obstacle, Remedies, TIE_WON, is_certain};
use super::settings::TimingSettings;
use crate::duration::{Millis, PromDuration};
use crate::promql::Signal;

/// How likely it is that an alert with this chance reaches its receiver: a phrase that follows a subject.
pub fn likelihood(chance: f64) -> String {
    if chance <= 0.0 {
        "is never delivered".into()
    } else if chance < 0.5 {
        format!("is delivered in about 1 of {:.0} tries", 1.0 / chance)
    } else if is_certain(chance) {
        "is always delivered".into()
    } else {
        format!("is delivered in about {:.0} of 100 tries", (chance * 100.0).min(99.0))
    }
}

/// The same, if in a share of the tries the first notification is due exactly when the alert resolves. The odds without
/// these races are computed; the share of races that are won is an assumption, which the phrase names.
pub fn fate(chance: f64, race: f64) -> String {
    if race <= 0.0 {
        return likelihood(chance);
    }
    let without = chance - TIE_WON * race;
    format!(
        "{}; in {:.0} of 100 tries the notification is due exactly when the alert resolves, and 1 of {:.0} of these \
         is assumed to be sent; without them it {}",
        likelihood(chance),
        race * 100.0,
        1.0 / TIE_WON,
        likelihood(if without < 1e-6 { 0.0 } else { without })
    )
}

/// Why the alert is not delivered for this fault.
pub fn reason(settings: &TimingSettings, fault: &Fault, obstacle: Obstacle) -> String {
    let (reached, required) = (size(settings, fault), &settings.threshold);
    match obstacle {
        Obstacle::TooSmall => match fault.effect {
            Effect::Load(load) => format!(
                "{} of {} CPUs at {}% bring the host to {reached}, but the rule requires {required}",
                load.workers, load.host_cpus, load.load
            ),
            _ => format!("the fault brings the expression to {reached}, but the rule requires {required}"),
        },
        Obstacle::EndsBeforeAbove if settings.range().is_zero() => {
            format!("{} of {reached} can pass between two scrapes", lasting(fault))
        }
        Obstacle::EndsBeforeAbove => format!(
            "{lasting} of {reached} end before `{function}[{range}]`, which looks back over {seen}, shows {required}",
            lasting = lasting(fault),
            function = settings.signal.function(),
            range = seconds(settings.range()),
            seen = seconds(settings.seen_by_rate()),
        ),
        Obstacle::EndsBeforeFiring => format!(
            "{lasting} of {reached} do not keep the expression at {required} for the {hold} that `for` requires",
            lasting = lasting(fault),
            hold = seconds(settings.hold),
        ),
        Obstacle::ResolvedBeforeFlush if settings.joins => format!(
            "after {lasting} of {reached} the alert resolves before the group's next notification, up to {interval} later",
            lasting = lasting(fault),
            interval = seconds(settings.group_interval),
        ),
        Obstacle::ResolvedBeforeFlush => format!(
            "after {lasting} of {reached} the alert resolves before Alertmanager's `group_wait` of {wait} has passed",
            lasting = lasting(fault),
            wait = seconds(settings.group_wait),
        ),
    }
}

/// The value that the fault produces, as text.
pub fn size(settings: &TimingSettings, fault: &Fault) -> String {
    match fault.effect {
        Effect::Load(_) => format!("{:.0}%", fault.peak()),
        Effect::Requests { .. } => format!("{:.1}% of the requests", fault.peak()),
        Effect::Level { .. } | Effect::Repeated { .. } => match settings.signal {
            Signal::Count { range } => format!("{:.0} within {}", fault.peak(), seconds(range)),
            _ => settings.threshold.show(fault.peak()),
        },
        Effect::Silence { .. } => "silence".into(),
    }
}

/// The changes that work: `what works: …`, or a phrase that none does.
pub fn remedies(remedies: &Remedies) -> String {
    let Remedies { duration, load, workers, group_wait, full } = *remedies;
    let alone = [
        duration.map(|Millis(time)| format!("the same fault for {}", seconds(time))),
        load.map(|load| format!("{load}% on each of these CPUs")),
        workers.map(|workers| format!("`--cpu {workers}`")),
        group_wait.map(|Millis(wait)| format!("`group_wait: {}`", PromDuration::seconds(wait.as_secs()))),
    ];
    let mut phrases: Vec<String> = alone.into_iter().flatten().collect();
    if phrases.is_empty() {
        phrases.extend(full.map(|Millis(time)| format!("{} with every CPU at 100%", seconds(time))));
    }
    match phrases.as_slice() {
        [] => "no other duration or size of this fault makes the alert reach its receiver".into(),
        phrases => format!("what works: {}", phrases.join(", or ")),
    }
}

fn lasting(fault: &Fault) -> String {
    match fault.ending {
        Ending::After(time) => seconds(time),
        Ending::WhenDelivered => "any time".into(),
    }
}

/// Seconds as text in a sentence.
pub fn seconds(duration: std::time::Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds.fract() == 0.0 { format!("{seconds:.0} s") } else { format!("{seconds:.1} s") }
}
