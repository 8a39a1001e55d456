//! An explanation in words.

use super::chart::chart;
use super::first_event::FirstEvent;
use super::savings::Saving;
use super::{AlertPath, Conditions, Elsewhere, Explanation, FaultOdds, Size};
use crate::duration::{Millis, PromDuration};
use crate::promql::Signal;
use crate::spec::Mute;
use crate::timing::{Effect, Stage, TimingSettings, phrases};

/// Lines longer than this are hard to read, however wide the screen.
const WIDEST: usize = 110;

impl Explanation {
    /// All of it for people, for a screen of so many columns.
    pub fn text(&self, width: usize) -> String {
        let mut text = format!("{}: {}\n", self.alert, self.expression);
        let wide = width.min(WIDEST);
        let Some(way) = &self.way else {
            let silent = format!(
                "its expression compares nothing with a number, so that there is no size of a fault to speak of; \
                 the alert is active whenever the expression has a value, and is sent to {}",
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

/// What stands beside the condition that is explained.
fn others(Conditions { alternatives, asks_more }: Conditions) -> String {
    match (alternatives, asks_more) {
        (1, _) => "of several conditions the first is explained, the others are taken as given".into(),
        (_, false) => {
            format!("{alternatives} conditions make it true, each by itself; the first is explained")
        }
        (_, true) => format!(
            "{alternatives} conditions make it true, each by itself; the first is explained, and what it asks for \
             besides is taken as given"
        ),
    }
}

impl Explanation {
    /// What must happen, in order.
    fn steps(&self, way: &AlertPath, width: usize) -> String {
        let settings = &way.settings;
        let (hold, interval) = (prom(settings.hold), prom(settings.group_interval));
        let mut steps = vec![
            format!("the expression comes to {}: {}", settings.threshold, looks(way)),
            format!(
                "the rule is evaluated, every {}, and is true: the alert is pending",
                prom(settings.evaluation_interval)
            ),
            if settings.hold.is_zero() {
                "with that the alert fires: it has no `for`".to_owned()
            } else {
                format!("the rule is still true at every evaluation for {hold} (`for`): the alert fires")
            },
            format!(
                "Alertmanager waits {} for others (`group_wait`) and then, if the alert still fires, sends to {}; \
                 where it has told of others in the group already, it sends at the group's next tick, every {interval}",
                prom(settings.group_wait),
                self.receiver
            ),
        ];
        steps.extend(self.mute.iter().map(muted));
        steps.push(format!(
            "while it goes on firing it is told again every {} (`repeat_interval`)",
            prom(self.repeat_interval.0)
        ));
        let kept = if settings.keep_firing.is_zero() {
            String::new()
        } else {
            format!(" for {} (`keep_firing_for`)", prom(settings.keep_firing))
        };
        steps.push(format!(
            "once the rule is false again{kept} the alert is over, {}",
            if settings.send_resolved {
                format!("which is told at the group's next tick, every {interval} (`group_interval`)")
            } else {
                "which nobody is told".into()
            }
        ));
        let numbered =
            steps.iter().zip(1..).map(|(step, number)| fill(&format!("  {number}. {step}"), width, 5));
        format!("what must happen until a person is told\n{}", numbered.collect::<Vec<_>>().join("\n"))
    }
}

/// A time in which nobody is told.
fn muted(mute: &Mute) -> String {
    let Mute { from, to, days, time_zone } = mute;
    let days: Vec<String> = days.iter().map(ToString::to_string).collect();
    let on = if days.is_empty() { String::new() } else { format!(", on {}", days.join(", ")) };
    let zone = time_zone.as_deref().unwrap_or("UTC");
    format!(
        "from {from} to {to} ({zone}{on}) nobody is told (`mute`); what still fires at the end of that time is sent then"
    )
}

/// The trap of a counter that is born with its first event.
fn first_event(FirstEvent { function, counter, remedy }: &FirstEvent, width: usize) -> String {
    fill(
        &format!(
            "the first event may not count: `{function}` compares scrapes, and a counter that is born with its first event, as \
             most with labels are, has no scrape from before. Then `{counter}` is there at once with its full value, and \
             `{function}` shows 0. What helps: let the application create the counter with 0 at its start, or append to \
             the expression: {remedy}"
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
            format!("a scrape fails, every {scrape}; one that gets no answer at all takes until its timeout")
        }
        Signal::Latest => format!("the last scrape decides, every {scrape}"),
        Signal::Rate { .. } => format!(
            "it is a mean over the last {range}; scraped every {scrape}, it sees up to {seen} of them, which the fault has to fill far enough"
        ),
        Signal::Count { .. } => format!(
            "it counts what happened in the last {range}, in whole numbers, and number {} does it{}; what happens between \
             two scrapes, every {scrape}, is seen by the later one",
            settings.threshold.least_count(),
            if way.first_event.is_some() { " where the counter was there before" } else { "" }
        ),
        Signal::Quantile { quantile, .. } => format!(
            "more than {:.3}% of the requests that it sees in {range} are slow; scraped every {scrape}",
            (1.0 - quantile) * 100.0
        )
        .replace(".000%", "%"),
        Signal::Mean { .. } => format!("it is the mean of the scrapes of {range}, every {scrape}"),
        Signal::Highest { .. } => format!("the highest scrape of {range} decides, every {scrape}"),
        Signal::Lowest { .. } => format!("the lowest scrape of {range} decides, every {scrape}"),
        Signal::Trend { ahead, .. } => format!(
            "a straight line through the scrapes of {range} comes there within {}; scraped every {scrape}",
            prom(ahead)
        ),
        Signal::Missing { range } if range.is_zero() => {
            format!("a scrape does not bring the series, every {scrape}")
        }
        Signal::Missing { .. } => format!("no scrape of {range} brings the series, every {scrape}"),
    }
}

fn picture(way: &AlertPath, width: usize) -> String {
    let shown =
        |stage: Stage| (Stage::Above..=Stage::Delivered).contains(&stage) && stage != Stage::InAlertmanager;
    let windows: Vec<_> = way.prediction.stages.iter().filter(|window| shown(window.stage)).collect();
    let Some(delivered) = way.prediction.window(Stage::Delivered) else {
        return "no fault makes it arrive".into();
    };
    let told = format!(
        "  told after {} on average, {} at the earliest, {} at the latest",
        time(delivered.expected),
        time(delivered.earliest),
        time(delivered.latest)
    );
    let wide = width.min(WIDEST);
    format!(
        "{fault}\n{chart}\n{told}",
        fault =
            fill(&format!("{}, from its beginning: [ earliest, | on average, ] latest", fault(way)), wide, 2),
        chart = chart(&windows, width),
        told = fill(&told, wide, 2),
    )
}

/// The fault that the times are of, in words.
fn fault(way: &AlertPath) -> String {
    let TimingSettings { signal, threshold, .. } = way.settings;
    let show = |value| threshold.show(value);
    match way.fault.effect {
        Effect::Level { normal, faulty, .. } if matches!(signal, Signal::Count { .. }) => {
            let every = signal.range().div_f64((faulty - normal).max(1.0));
            format!("something that happens again every {}", prom(whole(every)))
        }
        Effect::Level { normal, faulty, rise } if matches!(signal, Signal::Trend { .. }) => {
            let way = if normal > faulty { "a fall" } else { "a rise" };
            format!("{way} that would come to {} in {}", show(faulty), prom(rise))
        }
        Effect::Level { normal, faulty, rise } if rise.is_zero() => {
            format!("a fault that brings it from {} to {}", show(normal), show(faulty))
        }
        Effect::Level { normal, faulty, rise } => {
            format!("a fault that brings it from {} to {} in {}", show(normal), show(faulty), prom(rise))
        }
        Effect::Silence { .. } if matches!(signal, Signal::Missing { .. }) => {
            "a series that comes no more".into()
        }
        Effect::Silence { .. } => "a target that refuses connections".into(),
        Effect::Load(_) | Effect::Requests { .. } | Effect::Repeated { .. } => "a fault".into(),
    }
}

fn lasting(way: &AlertPath, width: usize) -> String {
    let many = way.sizes.len() > 1;
    let line = |Size { value, never, always }: &Size| {
        let size = if many { format!("{:>8}  ", way.settings.threshold.show(*value)) } else { String::new() };
        format!("\n{}", fill(&format!("  {size}{}", told(*never, *always)), width, 4))
    };
    if way.sizes.is_empty() {
        return String::new();
    }
    let of = if way.first_event.is_some() { ", where its counter was there before" } else { "" };
    format!("how long a fault has to last{of}{}", way.sizes.iter().map(line).collect::<String>())
}

/// How long a fault is never told, and from when on always. The two are computed to the second.
fn told(never: Millis, always: Option<Millis>) -> String {
    let second = std::time::Duration::from_secs(1);
    let up_to = format!("up to {} never told", time(never));
    match always {
        None => format!("{up_to}, never told for sure"),
        Some(always) if never.0.is_zero() && always.0 <= second => "told, however short it is".into(),
        Some(always) if always.0 <= never.0 + second => format!("{up_to}, longer always told"),
        Some(always) => format!("{up_to}, from {} on always told; between the two it is luck", time(always)),
    }
}

fn savings(savings: &[Saving], width: usize) -> String {
    if savings.is_empty() {
        return String::new();
    }
    let line = |saving: &Saving| {
        let Saving { setting, now, then, sooner, over_sooner, price } = saving;
        let gain = match (sooner.0.is_zero(), over_sooner.0.is_zero()) {
            (false, true) => format!("told {} sooner", time(*sooner)),
            (true, _) => format!("its end told {} sooner", time(*over_sooner)),
            (false, false) => format!("told {}, its end {} sooner", time(*sooner), time(*over_sooner)),
        };
        let text = format!("  `{setting}: {then}` instead of {now}: {gain}. The price: {price}");
        format!("\n{}", fill(&text, width, 4))
    };
    format!("what shortens it, most first, each alone{}", savings.iter().map(line).collect::<String>())
}

fn trial(trial: &FaultOdds, width: usize) -> String {
    let mut text = fill(&trial.what, width, 2);
    let mut line = |sentence: String| {
        text.push_str(&format!("\n{}", fill(&format!("  {sentence}"), width, 2)));
    };
    line(phrases::fate(trial.chance, trial.race));
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

/// Tenths of a second are more than how often something happens is worth.
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

/// Tenths of a second are more than a prediction is worth.
fn round(time: std::time::Duration) -> std::time::Duration {
    let tenths = u64::try_from((time.as_millis() + 50) / 100).unwrap_or(u64::MAX);
    let tenths = if tenths >= 100 { (tenths + 5) / 10 * 10 } else { tenths };
    std::time::Duration::from_millis(tenths * 100)
}
