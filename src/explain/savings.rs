//! Settings of the spec that make an alert faster, by how much, and at what cost: each one is halved in a copy of the
//! spec, and the prediction is repeated. Changes that `monctl check` would report are not offered.

use std::time::Duration;

use serde::Serialize;

use crate::duration::{Millis, PromDuration};
use crate::lint::{EVALUATIONS, SCRAPES};
use crate::promql::Signal;
use crate::render::{Rule, rules};
use crate::spec::{Alert, AlertName, Spec};
use crate::timing::{Effect, Fault, Prediction, Stage, TimingSettings, predict};

/// Smaller gains are not offered.
const WORTHWHILE: Duration = Duration::from_millis(100);

/// The gain of one changed setting.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Saving {
    /// The setting's path in the spec.
    pub setting: String,
    /// Its value now.
    pub now: String,
    /// The value that was tried.
    pub then: String,
    /// How much earlier the alert is delivered, on average.
    pub sooner: Millis,
    /// How much earlier the resolved notification is delivered, on average, counted from the end of the fault.
    pub over_sooner: Millis,
    /// What it costs.
    pub price: String,
}

/// A changed spec.
struct Change {
    setting: String,
    now: String,
    then: String,
    price: String,
    spec: Spec,
}

/// All changes that make the alert faster, largest gain first.
pub(super) fn savings(spec: &Spec, rule: &Rule, settings: &TimingSettings, fault: &Fault) -> Vec<Saving> {
    let before = predict(settings, fault);
    let mut savings: Vec<Saving> = changes(spec, rule, settings)
        .into_iter()
        .filter_map(|change| saving(change, rule, settings, &before, fault))
        .filter(|saving| saving.sooner.0 >= WORTHWHILE || saving.over_sooner.0 >= WORTHWHILE)
        .collect();
    savings.sort_by_key(|saving| std::cmp::Reverse((saving.sooner, saving.over_sooner)));
    savings
}

fn saving(
    change: Change,
    rule: &Rule,
    now: &TimingSettings,
    before: &Prediction,
    fault: &Fault,
) -> Option<Saving> {
    let is_it = |other: &Rule| (&other.name, &other.origin) == (&rule.name, &rule.origin);
    let rule = rules(&change.spec).into_iter().find(is_it)?;
    let settings = TimingSettings::of_rule(&change.spec, &rule)?;
    if makes_too_short(now, &settings) {
        return None;
    }
    let after = predict(&settings, &over(fault, now, &settings));
    let earlier =
        |of: fn(&Prediction) -> Option<Duration>| Some(Millis(of(before)?.saturating_sub(of(&after)?)));
    Some(Saving {
        price: price(&change, now, &settings),
        setting: change.setting,
        now: change.now,
        then: change.then,
        sooner: earlier(delivered).unwrap_or(Millis(Duration::ZERO)),
        // A trend that is delivered earlier has moved less far and recovers sooner: not a gain of the setting.
        over_sooner: earlier(resolved_delay)
            .filter(|_| !matches!(settings.signal, Signal::Trend { .. }))
            .unwrap_or(Millis(Duration::ZERO)),
    })
}

/// Whether `monctl check` would report the `for` or the range that a change makes shorter.
fn makes_too_short(now: &TimingSettings, then: &TimingSettings) -> bool {
    let hold = then.hold < now.hold && then.hold < EVALUATIONS * then.evaluation_interval;
    let range = then.range() < now.range() && then.range() < SCRAPES * then.scrape_interval;
    hold || range
}

/// The cost of a change and its consequence: a range that the spec does not set covers four scrapes.
fn price(change: &Change, now: &TimingSettings, then: &TimingSettings) -> String {
    let scrapes_more = then.scrape_interval < now.scrape_interval;
    if scrapes_more && then.range() < now.range() {
        format!("{}; the range shrinks with it, to {}", change.price, show(then.range()))
    } else {
        change.price.clone()
    }
}

/// The same fault under other settings: events are as frequent as before, whatever range counts them.
fn over(fault: &Fault, now: &TimingSettings, then: &TimingSettings) -> Fault {
    match (now.signal, fault.effect) {
        (Signal::Count { .. }, Effect::Level { normal, faulty, rise }) => {
            let faulty = faulty * then.range().as_secs_f64() / now.range().as_secs_f64();
            Fault { effect: Effect::Level { normal, faulty, rise }, ..*fault }
        }
        _ => *fault,
    }
}

/// When the alert is delivered, on average.
fn delivered(prediction: &Prediction) -> Option<Duration> {
    Some(prediction.window(Stage::Delivered)?.expected.0)
}

/// How long after the end of the fault the resolved notification is delivered, on average.
fn resolved_delay(prediction: &Prediction) -> Option<Duration> {
    let delivered = prediction.window(Stage::ResolvedDelivered)?.expected.0;
    Some(delivered.saturating_sub(prediction.window(Stage::LoadOff)?.expected.0))
}

/// Half of a duration; from one second on rounded up to whole seconds.
fn half(duration: Duration) -> PromDuration {
    let millis = u64::try_from(duration.as_millis() / 2).unwrap_or(u64::MAX);
    if millis >= 1_000 { PromDuration::seconds(millis.div_ceil(1_000)) } else { PromDuration::millis(millis) }
}

fn show(duration: Duration) -> String {
    PromDuration::millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)).to_string()
}

fn changes(spec: &Spec, rule: &Rule, settings: &TimingSettings) -> Vec<Change> {
    let change =
        |setting: String, now: Duration, then: PromDuration, price: &str, edit: &dyn Fn(&mut Spec)| {
            let mut spec = spec.clone();
            edit(&mut spec);
            Change { setting, now: show(now), then: then.to_string(), price: price.to_owned(), spec }
        };
    let of_alert = |key: &str| match &rule.origin {
        Some(origin) => format!("{}: {}.{key}", origin.file, rule.name),
        None => format!("alerts.{}.{key}", rule.name),
    };
    let mut changes = Vec::new();
    if !settings.hold.is_zero() {
        let then = half(settings.hold);
        let price = "the alert also fires for faults half as long";
        changes.push(change(of_alert("for"), settings.hold, then, price, &|spec| {
            edit(spec, rule, |alert| alert.hold = Some(then));
        }));
    }
    let then = half(settings.scrape_interval);
    let price = "twice as many scrapes and stored samples";
    changes.push(change(
        "monitoring.scrape_interval".into(),
        settings.scrape_interval,
        then,
        price,
        &|spec| {
            spec.monitoring.scrape_interval = then;
        },
    ));
    let then = half(settings.evaluation_interval);
    let price = "rules are evaluated twice as often";
    let name = "monitoring.evaluation_interval".into();
    changes.push(change(name, settings.evaluation_interval, then, price, &|spec| {
        spec.monitoring.evaluation_interval = then;
    }));
    let then = half(settings.group_wait);
    let price = "alerts with one cause are split over more notifications";
    changes.push(change("notify.group_wait".into(), settings.group_wait, then, price, &|spec| {
        spec.notify.group_wait = Some(then);
    }));
    let then = half(settings.group_interval);
    let price = "up to twice as many notifications if a group changes often";
    changes.push(change("notify.group_interval".into(), settings.group_interval, then, price, &|spec| {
        spec.notify.group_interval = Some(then);
    }));
    if let Some(window) = rule.window {
        let then = half(window.get());
        let price = match settings.signal {
            Signal::Count { .. } => "events further apart no longer make the alert fire",
            _ => "short spikes weigh more",
        };
        changes.push(change(of_alert("window"), window.get(), then, price, &|spec| {
            edit(spec, rule, |alert| alert.window = Some(then));
        }));
    }
    changes.extend(lower_threshold(spec, rule, settings));
    changes
}

/// Lowers the threshold `above` by a tenth, or by one event.
fn lower_threshold(spec: &Spec, rule: &Rule, settings: &TimingSettings) -> Option<Change> {
    let above = rule.above.filter(|&above| above > 0.0)?;
    let (then, price) = match settings.signal {
        Signal::Count { .. } => ((above - 1.0).max(0.0), "the alert also fires for one event fewer"),
        _ => ((above * 0.9 * 100.0).round() / 100.0, "the alert also fires for smaller faults"),
    };
    let mut spec = spec.clone();
    edit(&mut spec, rule, |alert| alert.above = Some(then));
    Some(Change {
        setting: format!("alerts.{}.above", rule.name),
        now: above.to_string(),
        then: then.to_string(),
        price: price.into(),
        spec,
    })
}

fn edit(spec: &mut Spec, rule: &Rule, edit: impl FnOnce(&mut Alert)) {
    // A name that is not valid for an alert is not in the spec.
    let Some(alert) = rule.name.parse::<AlertName>().ok().and_then(|name| spec.alerts.get_mut(&name)) else {
        return;
    };
    if alert.origin == rule.origin {
        edit(alert);
    } else if let Some(alert) = alert.others.iter_mut().find(|alert| alert.origin == rule.origin) {
        edit(alert);
    }
}
