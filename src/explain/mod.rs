//! What an alert needs to reach its receiver, how long that takes, and which setting makes it faster. Pure:
//! a spec and one of its rules in, an [`Explanation`] out; `text` renders it as sentences and a chart.
//!
//! Called by `commands/explain`.

mod chart;
mod first_event;
mod savings;
#[cfg(test)]
mod tests;
mod text;

use std::time::Duration;

use serde::Serialize;

use crate::duration::Millis;
use crate::promql::{
    Bounds, Comparison, Conditions, Reading, Signal, Threshold, conditions, is_cpu_usage, read,
};
use crate::render::Rule;
use crate::spec::{AlertRoute, Mute, Receiver, RuleMeaning, Spec};
use crate::timing::{
    Effect, Ending, Fault, Prediction, Remedies, StressCommand, TimingSettings, chance_of, is_certain,
    phrases, predict,
};
pub use first_event::FirstEvent;
pub use savings::Saving;

/// The explanation of one alert.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// Its name.
    pub alert: String,
    /// Its expression.
    pub expression: String,
    /// Its receiver, in words.
    pub receiver: String,
    /// The interval at which the notification of a firing alert is repeated.
    pub repeat_interval: Millis,
    /// The mute times, in which no notification is sent.
    pub mute: Vec<Mute>,
    /// Why monctl does not predict the alert, if it cannot follow the expression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown: Option<&'static str>,
    /// The prediction; `None` if the expression does not compare a value with a number.
    pub way: Option<AlertPath>,
}

/// The path of an alert from the fault to its receiver.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AlertPath {
    /// The explained condition if the expression has several: the first one.
    pub condition: Option<String>,
    /// The conditions beside it.
    pub conditions: Conditions,
    /// The settings that decide.
    pub settings: TimingSettings,
    /// Why the first event may be missed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_event: Option<FirstEvent>,
    /// The fault for which the times are predicted.
    pub fault: Fault,
    /// When each stage is reached.
    pub prediction: Prediction,
    /// How long faults of several sizes have to last.
    pub sizes: Vec<Size>,
    /// Changes that make the alert faster, largest gain first.
    pub savings: Vec<Saving>,
    /// The odds of one fault: the user's own, or the classic command.
    pub trial: Option<FaultOdds>,
}

/// How long a fault of one size has to last.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Size {
    /// The value that the expression reaches, in its unit.
    pub value: f64,
    /// A fault no longer than this is never delivered.
    pub never: Millis,
    /// A fault at least this long is always delivered.
    pub always: Option<Millis>,
}

/// One fault of a given size and length.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FaultOdds {
    /// The fault in words.
    pub what: String,
    /// The odds of the same CPU load on hosts with other numbers of CPUs.
    pub elsewhere: Vec<Elsewhere>,
    /// The share of tries that reach the receiver, from 0 to 1.
    pub chance: f64,
    /// The share of tries in which the first notification is due at the moment at which the alert resolves.
    pub race: f64,
    /// The measured result of this fault with these settings.
    pub measured: Option<&'static str>,
    /// Why the other tries do not reach it.
    pub reason: Option<String>,
    /// Changes that make delivery certain.
    pub remedies: Remedies,
}

/// The same command on a host of another size.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Elsewhere {
    /// How many CPUs it has.
    pub host_cpus: u16,
    /// The share of tries that reach the receiver, from 0 to 1.
    pub chance: f64,
}

/// A fault described by the user.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct CustomFault {
    /// The value that the expression reaches.
    pub value: Option<f64>,
    /// How long it lasts.
    pub lasting: Option<Duration>,
}

impl Explanation {
    /// Explains one of the spec's rules.
    pub fn new(spec: &Spec, rule: &Rule, custom: CustomFault) -> Self {
        let route = spec.notify.route(&rule.name, &rule.labels);
        Self {
            alert: rule.name.clone(),
            expression: rule.expr.clone(),
            receiver: receiver(spec, route),
            repeat_interval: Millis(route.repeat_interval().get()),
            mute: route.mute().to_vec(),
            unknown: match &rule.meaning {
                RuleMeaning::Known(_) => None,
                RuleMeaning::Unknown(why) => Some(*why),
            },
            way: AlertPath::new(spec, rule, custom),
        }
    }
}

impl AlertPath {
    fn new(spec: &Spec, rule: &Rule, custom: CustomFault) -> Option<Self> {
        let settings = TimingSettings::of_rule(spec, rule)?;
        let meaning = rule.meaning.known()?;
        let reading = read(meaning, settings.scrape_interval)?;
        let fault = typical(&settings, &reading);
        let prediction = predict(&settings, &fault);
        let conditions = conditions(meaning)?;
        let has_others = conditions.alternatives > 1 || conditions.asks_more;
        Some(Self {
            condition: has_others.then(|| format!("{} is {}", reading.left, settings.threshold)),
            conditions,
            first_event: FirstEvent::of(&settings, rule, &spec.catalogue),
            sizes: sizes(&settings, &fault),
            savings: savings::savings(spec, rule, &settings, &fault),
            trial: trial(&settings, &fault, custom).or_else(|| classic(&settings, rule)),
            settings,
            fault,
            prediction,
        })
    }
}

fn receiver(spec: &Spec, route: AlertRoute<'_>) -> String {
    if route.is_heartbeat() {
        return "the dead man's switch at `notify.heartbeat_url` only".into();
    }
    match (spec.notify.receiver(), route.channel(), route.severity()) {
        (Receiver::Capture, ..) => "the receiver inside monctl, while monctl runs".into(),
        (Receiver::Slack(_), Some(channel), _) => format!("Slack, {channel}"),
        (Receiver::Slack(_), None, Some(severity)) if route.own_webhook().is_some() => {
            format!("Slack, through the webhook of severity `{severity}`")
        }
        (Receiver::Slack(_), None, _) => "Slack".into(),
    }
}

/// The simplest fault that the alert detects; it lasts until the alert is delivered.
fn typical(settings: &TimingSettings, reading: &Reading) -> Fault {
    let Threshold { comparison, value, unit } = settings.threshold;
    let Bounds { low, high } = reading.bounds;
    let double = (2.0 * value.abs()).max(1.0);
    let whole = if unit == "%" { 100.0 } else { double }.min(high).max(value);
    // A value with a threshold above zero is rarely negative.
    let least = low.max(if value > 0.0 { 0.0 } else { -double }).min(value);
    let mentions_up = reading.left.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "up");
    match (settings.signal, comparison) {
        (Signal::Missing { .. }, _) => Fault::silence(),
        (Signal::Latest, Comparison::Equal) if mentions_up && value == 0.0 => Fault::silence(),
        (Signal::Trend { ahead, .. }, Comparison::Less | Comparison::AtMost) => {
            trend(value + double, value, ahead)
        }
        (Signal::Trend { ahead, .. }, _) => trend(value - double, value, ahead),
        (Signal::Count { range }, _) => Fault::level(0.0, frequency(settings, range)),
        (_, Comparison::More | Comparison::AtLeast) => Fault::level(least.max(0.0).min(value), whole),
        (_, Comparison::Less | Comparison::AtMost) => Fault::level(whole.max(value + 1.0).min(high), least),
        (_, Comparison::Equal) if value == 0.0 => Fault::level(1.0, 0.0),
        (_, Comparison::Equal) => Fault::level(0.0, value),
        (_, Comparison::Unequal) => Fault::level(value, value + 1.0),
    }
}

/// The typical number of rare events within a range: enough to reach the threshold within a quarter of it, but at most
/// one per scrape, which is all that `changes` can see.
fn frequency(settings: &TimingSettings, range: Duration) -> f64 {
    let scrapes = range.as_secs_f64() / settings.scrape_interval.as_secs_f64().max(0.001);
    (4.0 * settings.threshold.least_count()).min(scrapes)
}

/// A value that moves towards the threshold and reaches it in half of the time that the rule looks ahead.
fn trend(normal: f64, faulty: f64, ahead: Duration) -> Fault {
    Fault { effect: Effect::Level { normal, faulty, rise: ahead / 2 }, ending: Ending::WhenDelivered }
}

/// How long faults of a few sizes have to last. One size is enough where the size does not matter.
fn sizes(settings: &TimingSettings, typical: &Fault) -> Vec<Size> {
    let Effect::Level { normal, faulty, rise } = typical.effect else {
        return size(settings, typical, typical.peak()).into_iter().collect();
    };
    let is_mean = matches!(settings.signal, Signal::Rate { .. } | Signal::Mean { .. });
    let value = settings.threshold.value;
    let steps: &[f64] =
        if is_mean && (value - normal).abs() > f64::EPSILON { &[0.25, 0.5, 1.0] } else { &[1.0] };
    let of_share = |share: &f64| {
        let faulty = value + share * (faulty - value);
        let faulty = if settings.threshold.unit == "%" { faulty.round() } else { faulty };
        size(settings, &Fault { effect: Effect::Level { normal, faulty, rise }, ..*typical }, faulty)
    };
    let mut sizes: Vec<Size> = steps.iter().filter_map(of_share).collect();
    // All steps are equal if the faulty value is the threshold itself.
    sizes.dedup();
    sizes
}

fn size(settings: &TimingSettings, fault: &Fault, value: f64) -> Option<Size> {
    if matches!(settings.signal, Signal::Trend { .. }) {
        // Whether a trend is seen depends on its steepness more than on its length.
        return None;
    }
    let longest = predict(settings, fault).longest().as_secs().max(1) * 2;
    let chance = |seconds: u64| chance_of(settings, &fault.lasting(Duration::from_secs(seconds)));
    let never = last_without(longest, |seconds| chance(seconds) > 0.0);
    let always = last_without(longest, |seconds| is_certain(chance(seconds))) + 1;
    let seconds = |seconds| Millis(Duration::from_secs(seconds));
    Some(Size { value, never: seconds(never), always: (always <= longest).then(|| seconds(always)) })
}

/// The largest number up to a limit for which the condition does not hold. Assumes that it holds for all larger ones.
fn last_without(limit: u64, holds: impl Fn(u64) -> bool) -> u64 {
    let (mut without, mut with) = (0, limit + 1);
    while with - without > 1 {
        let middle = without.midpoint(with);
        if holds(middle) {
            with = middle;
        } else {
            without = middle;
        }
    }
    without
}

/// The odds of the fault described by the user.
fn trial(settings: &TimingSettings, typical: &Fault, custom: CustomFault) -> Option<FaultOdds> {
    if custom == CustomFault::default() {
        return None;
    }
    let effect = match (custom.value, typical.effect) {
        (Some(faulty), Effect::Level { normal, rise, .. }) => Effect::Level { normal, faulty, rise },
        (_, effect) => effect,
    };
    let fault = Fault { effect, ..*typical };
    let fault = custom.lasting.map_or(fault, |time| fault.lasting(time));
    let what = match fault.ending {
        Ending::After(time) => format!("{} for {}", phrases::size(settings, &fault), phrases::seconds(time)),
        Ending::WhenDelivered => format!("{} for as long as it takes", phrases::size(settings, &fault)),
    };
    Some(tried(settings, &fault, what))
}

/// The odds of the command by which tutorials test an alert on CPU usage. It loads four CPUs, whatever the host has.
fn classic(settings: &TimingSettings, rule: &Rule) -> Option<FaultOdds> {
    const CPUS: u16 = 4;
    let fits = rule.meaning.known().is_some_and(is_cpu_usage);
    let what = || format!("`{}` on an otherwise idle host with {CPUS} CPUs", StressCommand::CLASSIC);
    let on = |host_cpus| {
        let chance = chance_of(settings, &Fault::of_command(&StressCommand::CLASSIC, host_cpus, 0.0));
        Elsewhere { host_cpus, chance }
    };
    let trial = || tried(settings, &Fault::of_command(&StressCommand::CLASSIC, CPUS, 0.0), what());
    let measured = is_classic(settings).then_some(MEASURED);
    fits.then(|| FaultOdds { elsewhere: vec![on(2), on(8)], measured, ..trial() })
}

/// 40 tries of the classic command with a real Prometheus and Alertmanager; details in docs/timing.md.
const MEASURED: &str =
    "1 of 40 tries was delivered, consistent with 1 of 56, and with 1 of 80 if 1 race in 28 is won";

/// Whether all settings that affect the first notification are the classic ones.
fn is_classic(settings: &TimingSettings) -> bool {
    let TimingSettings { joins, send_resolved, refusals, .. } = *settings;
    *settings == TimingSettings { joins, send_resolved, refusals, ..TimingSettings::classic() } && !joins
}

fn tried(settings: &TimingSettings, fault: &Fault, what: String) -> FaultOdds {
    let Prediction { chance, race, obstacle, remedies, .. } = predict(settings, fault);
    let reason = obstacle.map(|obstacle| phrases::reason(settings, fault, obstacle));
    FaultOdds { what, elsewhere: vec![], chance, race, measured: None, reason, remedies }
}
