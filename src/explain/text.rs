//! An explanation in words.

use super::chart::chart;
use super::first_event::FirstEvent;
use super::savings::Saving;
use super::{AlertPath, Conditions, Elsewhere, Explanation, FaultOdds, Size};
use crate::duration::{Millis, PromDuration};
use crate::promql::Signal;
use crate::spec::Mute;
use crate::timing::{Effect, Stage, TimingSettings, phrases};

/// Maximum line length: longer lines are hard to read on any screen.
const WIDEST: usize = 110;

impl Explanation {
    /// The explanation as text for a screen of `width` columns.
    pub fn text(&self, width: usize) -> String {
        let mut text = format!("{}: {}\n", self.alert, self.expression);
        let wide = width.min(WIDEST);
        if let Some(why) = self.unknown {
            let unknown = format!(
                "no prediction: {why}; the alert is active while the expression returns a value, and is sent to {}",
                self.receiver
            );
            return text + "\n" + &fill(&unknown, wide, 0);
        }
        let Some(way) = &self.way else {
            let silent = format!(
                "the expression does not compare a value with a number, so a fault has no size; \
                 the alert is active whenever the expression returns a value, and is sent to {}",
                self.receiver
            );
            return text + "\n" + &fill(&silent, wide, 0);
        };
        if let Some(condition) = &way.condition {
            let others = format!("{}: {condition}", others(way.conditions));
            text = text + "\n" + &fill(&others, wide, 2) + "\n";
        }
        let parts = [
            self.steps(way, wide),
            way.first_event.as_ref().map(|of| first_event(of, wide)).unwrap_or_default(),
            picture(way, width),
            lasting(way, wide),
            savings(&way.savings, wide),
            way.trial.as_ref().map(|of| trial(of, wide)).unwrap_or_default(),
        ];
        for part in parts.iter().filter(|part| !part.is_empty()) {
            text.push_str(&format!("\n{part}\n"));
        }
        text.trim_end().to_owned()
    }
}

fn prom(duration: std::time::Duration) -> PromDuration {
    PromDuration::millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

/// Breaks a text into lines; those after the first are indented.
fn fill(text: &str, width: usize, indent: usize) -> String {
    let (mut filled, mut column) = (String::new(), 0);
    for word in text.split_inclusive(' ') {
        let length = word.trim_end().chars().count();
        if column > indent && column + length > width {
            filled.truncate(filled.trim_end().len());
            filled.push_str(&format!("\n{:indent$}", ""));
            column = indent;
        }
        filled.push_str(word);
        column += word.chars().count();
    }
    filled
}

/// Names the conditions beside the explained one.
fn others(Conditions { alternatives, asks_more }: Conditions) -> String {
    match (alternatives, asks_more) {
        (1, _) => "of several conditions the first is explained (the others are assumed to hold)".into(),
        (_, false) => {
            format!("any of {alternatives} conditions makes the rule true; the first is explained")
        }
        (_, true) => format!(
            "any of {alternatives} conditions makes the rule true; the first is explained (its other parts are assumed \
             to hold)"
        ),
    }
}

impl Explanation {
    /// The numbered steps from the fault to the notifications.
    fn steps(&self, way: &AlertPath, width: usize) -> String {
        let settings = &way.settings;
        let (hold, interval) = (prom(settings.hold), prom(settings.group_interval));
        let mut steps = vec![
            format!("the expression is {}: {}", settings.threshold, looks(way)),
            format!(
                "Prometheus evaluates the rule (every {}) and finds it true: the alert is pending",
                prom(settings.evaluation_interval)
            ),
            if settings.hold.is_zero() {
                "the alert fires at once: the rule has no `for`".to_owned()
            } else {
                format!("the rule stays true at every evaluation for {hold} (`for`): the alert fires")
            },
            format!(
                "Alertmanager waits {} for other alerts of the group (`group_wait`) and then, if the alert still \
                 fires, sends to {}; if it has already sent others of the group, it sends at the group's next tick \
                 (every {interval})",
                prom(settings.group_wait),
                self.receiver
            ),
        ];
        steps.extend(self.mute.iter().map(muted));
        steps.push(format!(
            "while the alert keeps firing, Alertmanager repeats the notification every {} (`repeat_interval`)",
            prom(self.repeat_interval.0)
        ));
        let kept = if settings.keep_firing.is_zero() {
            String::new()
        } else {
            format!(" for {} (`keep_firing_for`)", prom(settings.keep_firing))
        };
        steps.push(format!(
            "once the rule is false again{kept}, the alert resolves; {}",
            if settings.send_resolved {
                format!("the resolved notification goes out at the group's next tick (`group_interval`, {interval})")
            } else {
                "no resolved notification is sent (`send_resolved`)".into()
            }
        ));
        let numbered =
            steps.iter().zip(1..).map(|(step, number)| fill(&format!("  {number}. {step}"), width, 5));
        format!("how the alert reaches its receiver\n{}", numbered.collect::<Vec<_>>().join("\n"))
    }
}

/// A mute time.
fn muted(mute: &Mute) -> String {
    let Mute { from, to, days, time_zone } = mute;
    let days: Vec<String> = days.iter().map(ToString::to_string).collect();
    let on = if days.is_empty() { String::new() } else { format!(", on {}", days.join(", ")) };
    let zone = time_zone.as_deref().unwrap_or("UTC");
    format!(
        "from {from} to {to} ({zone}{on}) no notification is sent (`mute`); an alert that still fires afterwards is \
         sent then"
    )
}

/// The warning about a counter that appears only with its first event.
fn first_event(FirstEvent { function, counter, remedy }: &FirstEvent, width: usize) -> String {
    fill(
        &format!(
            "the first event may be missed: `{function}` compares scrapes, and a counter that appears only with its \
             first event, as most counters with labels do, has no earlier scrape. `{counter}` then appears with its \
             full value, and `{function}` returns 0. To avoid that, let the application create the counter with 0 \
             when it starts, or append to the expression: {remedy}"
        ),
        width,
        2,
    )
}

/// How the expression looks back.
fn looks(way: &AlertPath) -> String {
    let settings = &way.settings;
    let (range, scrape) = (prom(settings.range()), prom(settings.scrape_interval));
    let seen = phrases::seconds(settings.seen_by_rate());
    match settings.signal {
        Signal::Latest if matches!(way.fault.effect, Effect::Silence { .. }) => {
            format!("a scrape (every {scrape}) fails; a scrape without any answer fails at its timeout")
        }
        Signal::Latest => format!("the last scrape decides (every {scrape})"),
        Signal::Rate { .. } => format!(
            "it is a mean over the last {range}; scraped every {scrape}, it covers up to {seen}, and the fault has to \
             fill enough of that"
        ),
        Signal::Count { .. } => format!(
            "it counts the events of the last {range}, and event number {} makes the rule true{}; an event is seen by \
             the next scrape (every {scrape})",
            settings.threshold.least_count(),
            if way.first_event.is_some() { " if the counter existed before" } else { "" }
        ),
        Signal::Quantile { quantile, .. } => format!(
            "more than {:.3}% of the requests within {range} are slow; scraped every {scrape}",
            (1.0 - quantile) * 100.0
        )
        .replace(".000%", "%"),
        Signal::Mean { .. } => format!("it is the mean of the scrapes of the last {range} (every {scrape})"),
        Signal::Highest { .. } => format!("the highest scrape of the last {range} decides (every {scrape})"),
        Signal::Lowest { .. } => format!("the lowest scrape of the last {range} decides (every {scrape})"),
        Signal::Trend { ahead, .. } => format!(
            "a straight line through the scrapes of the last {range} gets there within {}; scraped every {scrape}",
            prom(ahead)
        ),
        Signal::Missing { range } if range.is_zero() => {
            format!("a scrape (every {scrape}) does not contain the series")
        }
        Signal::Missing { .. } => {
            format!("no scrape of the last {range} contains the series (every {scrape})")
        }
    }
}

fn picture(way: &AlertPath, width: usize) -> String {
    let shown =
        |stage: Stage| (Stage::Above..=Stage::Delivered).contains(&stage) && stage != Stage::InAlertmanager;
    let windows: Vec<_> = way.prediction.stages.iter().filter(|window| shown(window.stage)).collect();
    let Some(delivered) = way.prediction.window(Stage::Delivered) else {
        return "no fault makes the alert reach its receiver".into();
    };
    let delay = format!(
        "  delivered after {} on average, {} at the earliest, {} at the latest",
        time(delivered.expected),
        time(delivered.earliest),
        time(delivered.latest)
    );
    let wide = width.min(WIDEST);
    format!(
        "{fault}\n{chart}\n{delay}",
        fault = fill(
            &format!("{}; times from its beginning: [ earliest, | average, ] latest", fault(way)),
            wide,
            2
        ),
        chart = chart(&windows, width),
        delay = fill(&delay, wide, 2),
    )
}

/// The fault for which the times are predicted, in words.
fn fault(way: &AlertPath) -> String {
    let TimingSettings { signal, threshold, .. } = way.settings;
    let show = |value| threshold.show(value);
    match way.fault.effect {
        Effect::Level { normal, faulty, .. } if matches!(signal, Signal::Count { .. }) => {
            let every = signal.range().div_f64((faulty - normal).max(1.0));
            format!("an event every {}", prom(whole(every)))
        }
        Effect::Level { normal, faulty, rise } if matches!(signal, Signal::Trend { .. }) => {
            let way = if normal > faulty { "a fall" } else { "a rise" };
            format!("{way} that would reach {} in {}", show(faulty), prom(rise))
        }
        Effect::Level { normal, faulty, rise } if rise.is_zero() => {
            format!("a fault that moves the value from {} to {}", show(normal), show(faulty))
        }
        Effect::Level { normal, faulty, rise } => {
            format!(
                "a fault that moves the value from {} to {} in {}",
                show(normal),
                show(faulty),
                prom(rise)
            )
        }
        Effect::Silence { .. } if matches!(signal, Signal::Missing { .. }) => {
            "a series that disappears".into()
        }
        Effect::Silence { .. } => "a target that refuses connections".into(),
        Effect::Load(_) | Effect::Requests { .. } | Effect::Repeated { .. } => "a fault".into(),
    }
}

fn lasting(way: &AlertPath, width: usize) -> String {
    let many = way.sizes.len() > 1;
    let line = |Size { value, never, always }: &Size| {
        let size = if many { format!("{:>8}  ", way.settings.threshold.show(*value)) } else { String::new() };
        format!("\n{}", fill(&format!("  {size}{}", limits(*never, *always)), width, 4))
    };
    if way.sizes.is_empty() {
        return String::new();
    }
    let of = if way.first_event.is_some() { ", if its counter existed before" } else { "" };
    format!("how long a fault has to last{of}{}", way.sizes.iter().map(line).collect::<String>())
}

/// Up to which duration a fault is never delivered, and from which on always, computed to the second.
fn limits(never: Millis, always: Option<Millis>) -> String {
    let second = std::time::Duration::from_secs(1);
    let up_to = format!("up to {}: never delivered", time(never));
    match always {
        None => format!("{up_to}; longer: not certain"),
        Some(always) if never.0.is_zero() && always.0 <= second => "always delivered, however short".into(),
        Some(always) if always.0 <= never.0 + second => format!("{up_to}; longer: always delivered"),
        Some(always) => {
            format!("{up_to}; from {}: always delivered; in between: depends on timing", time(always))
        }
    }
}

fn savings(savings: &[Saving], width: usize) -> String {
    if savings.is_empty() {
        return String::new();
    }
    let line = |saving: &Saving| {
        let Saving { setting, now, then, sooner, over_sooner, price } = saving;
        let gain = match (sooner.0.is_zero(), over_sooner.0.is_zero()) {
            (false, true) => format!("delivered {} sooner", time(*sooner)),
            (true, _) => format!("resolved notification {} sooner", time(*over_sooner)),
            (false, false) => format!(
                "delivered {} sooner, resolved notification {} sooner",
                time(*sooner),
                time(*over_sooner)
            ),
        };
        let text = format!("  `{setting}: {then}` instead of {now}: {gain}. The cost: {price}");
        format!("\n{}", fill(&text, width, 4))
    };
    format!(
        "what makes it faster, each change alone, largest gain first{}",
        savings.iter().map(line).collect::<String>()
    )
}

fn trial(trial: &FaultOdds, width: usize) -> String {
    let mut text = fill(&trial.what, width, 2);
    let mut line = |sentence: String| {
        text.push_str(&format!("\n{}", fill(&format!("  {sentence}"), width, 2)));
    };
    line(format!("the alert {}", phrases::fate(trial.chance, trial.race)));
    if let Some(reason) = &trial.reason {
        line(format!("why: {reason}"));
    }
    if let Some(measured) = trial.measured {
        line(format!("measured with these settings: {measured}"));
    }
    for Elsewhere { host_cpus, chance } in &trial.elsewhere {
        line(format!("on {host_cpus} CPUs it {}", phrases::likelihood(*chance)));
    }
    if trial.reason.is_some() {
        line(phrases::remedies(&trial.remedies));
    }
    text
}

/// Rounds to whole seconds: the interval of an event is not known more exactly.
fn whole(time: std::time::Duration) -> std::time::Duration {
    std::time::Duration::from_secs_f64(time.as_secs_f64().round())
}

fn time(Millis(time): Millis) -> String {
    if time.as_secs() < 600 {
        phrases::seconds(round(time))
    } else {
        prom(std::time::Duration::from_secs(time.as_secs())).to_string()
    }
}

/// Rounds to tenths of a second below 10 s and to whole seconds above: a prediction is not more exact.
fn round(time: std::time::Duration) -> std::time::Duration {
    let tenths = u64::try_from((time.as_millis() + 50) / 100).unwrap_or(u64::MAX);
    let tenths = if tenths >= 100 { (tenths + 5) / 10 * 10 } else { tenths };
    std::time::Duration::from_millis(tenths * 100)
}
