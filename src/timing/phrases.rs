//! Predictions in words.

use super::fault_model::{Effect, Ending, Fault};
use super::predict::{Obstacle, Remedies, TIE_WON, is_certain};
use super::settings::TimingSettings;
use crate::duration::{Millis, PromDuration};
use crate::promql::Signal;

/// How likely it is that an alert with this chance reaches its receiver: a phrase that follows a subject.
pub fn likelihood(chance: f64) -> String {
    if chance <= 0.0 {
        "never arrives".into()
    } else if chance < 0.5 {
        format!("arrives in about 1 of {:.0} tries", 1.0 / chance)
    } else if is_certain(chance) {
        "always arrives".into()
    } else {
        format!("arrives in about {:.0} of 100 tries", (chance * 100.0).min(99.0))
    }
}

/// The same where a share of the tries ends in a race of the first message with the end of the alert. What arrives
/// without such a race is computed; how many races are won is not, and is said apart.
pub fn fate(chance: f64, race: f64) -> String {
    if race <= 0.0 {
        return likelihood(chance);
    }
    let without = chance - TIE_WON * race;
    format!(
        "{} without luck; in {:.0} of 100 tries the message is due at the very moment at which the alert ends, and \
         where 1 such race of milliseconds in {:.0} is won, it {}",
        likelihood(if without < 1e-6 { 0.0 } else { without }),
        race * 100.0,
        1.0 / TIE_WON,
        likelihood(chance)
    )
}

/// Why the alert does not arrive, for this fault.
pub fn reason(settings: &TimingSettings, fault: &Fault, obstacle: Obstacle) -> String {
    let (reached, asked) = (size(settings, fault), &settings.threshold);
    match obstacle {
        Obstacle::TooSmall => match fault.effect {
            Effect::Load(load) => format!(
                "{} busy CPUs of {} at {}% bring the host to {reached}, and the rule asks for {asked}",
                load.workers, load.host_cpus, load.load
            ),
            _ => format!("the fault brings the expression to {reached}, and the rule asks for {asked}"),
        },
        Obstacle::EndsBeforeAbove if settings.range().is_zero() => {
            format!("{} of {reached} can end before a scrape sees them", lasting(fault))
        }
        Obstacle::EndsBeforeAbove => format!(
            "{lasting} of {reached} end before `{function}[{range}]`, which looks back over {seen}, shows {asked}",
            lasting = lasting(fault),
            function = settings.signal.function(),
            range = seconds(settings.range()),
            seen = seconds(settings.seen_by_rate()),
        ),
        Obstacle::EndsBeforeFiring => format!(
            "{lasting} of {reached} do not keep the expression at {asked} for the {hold} that `for` asks",
            lasting = lasting(fault),
            hold = seconds(settings.hold),
        ),
        Obstacle::ResolvedBeforeFlush if settings.joins => format!(
            "after {lasting} of {reached} the alert is resolved before the group's next message, at most {interval} later",
            lasting = lasting(fault),
            interval = seconds(settings.group_interval),
        ),
        Obstacle::ResolvedBeforeFlush => format!(
            "after {lasting} of {reached} the alert is resolved before Alertmanager's `group_wait` of {wait} has passed",
            lasting = lasting(fault),
            wait = seconds(settings.group_wait),
        ),
    }
}

/// What the fault makes of the value, as people read it.
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

/// What works instead: `what works: …`, or that nothing does.
pub fn remedies(remedies: &Remedies) -> String {
    let Remedies { duration, load, workers, group_wait, full } = *remedies;
    let alone = [
        duration.map(|Millis(time)| format!("the same for {}", seconds(time))),
        load.map(|load| format!("{load}% on each of these CPUs")),
        workers.map(|workers| format!("`--cpu {workers}`")),
        group_wait.map(|Millis(wait)| format!("`group_wait: {}`", PromDuration::seconds(wait.as_secs()))),
    ];
    let mut phrases: Vec<String> = alone.into_iter().flatten().collect();
    if phrases.is_empty() {
        phrases.extend(full.map(|Millis(time)| format!("{} with every CPU at 100%", seconds(time))));
    }
    match phrases.as_slice() {
        [] => "nothing shorter, and no other size, makes it arrive".into(),
        phrases => format!("what works: {}", phrases.join(", or ")),
    }
}

fn lasting(fault: &Fault) -> String {
    match fault.ending {
        Ending::After(time) => seconds(time),
        Ending::WhenDelivered => "any time".into(),
    }
}

/// Seconds as they stand in a sentence.
pub fn seconds(duration: std::time::Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds.fract() == 0.0 { format!("{seconds:.0} s") } else { format!("{seconds:.1} s") }
}
