//! An explanation in words.

use std::fmt::Write as _;

use super::super::predict::TIE_WON;
use super::super::{Effect, Signal, Stage, words};
use super::chart::chart;
use super::{Elsewhere, Explanation, Saving, Size, Trial, Way};
use crate::event::Millis;
use crate::spec::PromDuration;

/// Lines longer than this are hard to read, however wide the screen.
const WIDEST: usize = 110;

impl Explanation {
    /// All of it for people, for a screen of so many columns.
    pub fn text(&self, width: usize) -> String {
        let mut text = format!("{}: {}\n", self.alert, self.expression);
        let wide = width.min(WIDEST);
        let Some(way) = &self.way else {
            let silent = "its expression compares nothing with a number, so that there is no size of a fault to speak of; \
                          the alert is active whenever the expression has a value";
            return text + "\n" + &fill(silent, wide, 0);
        };
        if let Some(condition) = &way.condition {
            let others = format!(
                "of several conditions the first is explained, the others are taken as given: {condition}"
            );
            text = text + "\n" + &fill(&others, wide, 2) + "\n";
        }
        let parts = [
            steps(way, &self.receiver, wide),
            picture(way, width),
            lasting(way, wide),
            savings(&way.savings, wide),
            way.trial.as_ref().map(|of| trial(of, wide)).unwrap_or_default(),
        ];
        for part in parts.iter().filter(|part| !part.is_empty()) {
            // Writing to a string cannot fail.
            let _ = write!(text, "\n{part}\n");
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
            let _ = write!(filled, "\n{:indent$}", "");
            column = indent;
        }
        filled.push_str(word);
        column += word.chars().count();
    }
    filled
}

/// What must happen, in order.
fn steps(way: &Way, receiver: &str, width: usize) -> String {
    let settings = &way.settings;
    let (hold, interval) = (prom(settings.hold), prom(settings.group_interval));
    let steps = [
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
            "Alertmanager waits {} for others (`group_wait`) and then, if the alert still fires, sends to {receiver}; \
             where it has told of others in the group already, it sends at the group's next tick, every {interval}",
            prom(settings.group_wait)
        ),
        format!(
            "once the rule is false again the alert is over, {}",
            if settings.send_resolved {
                format!("which is told at the group's next tick, every {interval} (`group_interval`)")
            } else {
                "which nobody is told".into()
            }
        ),
    ];
    let numbered = steps.iter().zip(1..).map(|(step, number)| fill(&format!("  {number}. {step}"), width, 5));
    format!("what must happen until a person is told\n{}", numbered.collect::<Vec<_>>().join("\n"))
}

/// How the expression looks back.
fn looks(way: &Way) -> String {
    let settings = &way.settings;
    let (range, scrape) = (prom(settings.range()), prom(settings.scrape_interval));
    let seen = words::seconds(settings.seen_by_rate());
    match settings.signal {
        Signal::Latest if matches!(way.fault.effect, Effect::Silence { .. }) => {
            format!("a scrape fails, every {scrape}; one that gets no answer at all takes until its timeout")
        }
        Signal::Latest => format!("the last scrape decides, every {scrape}"),
        Signal::Rate { .. } => format!(
            "it is a mean over the last {range}; scraped every {scrape}, it sees up to {seen} of them, which the fault has to fill far enough"
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

fn picture(way: &Way, width: usize) -> String {
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
fn fault(way: &Way) -> String {
    let show = |value| way.settings.threshold.show(value);
    match way.fault.effect {
        Effect::Level { normal, faulty, rise } if rise.is_zero() => {
            format!("a fault that brings it from {} to {}", show(normal), show(faulty))
        }
        Effect::Level { normal, faulty, rise } => {
            format!("a fault that brings it from {} to {} in {}", show(normal), show(faulty), prom(rise))
        }
        Effect::Silence { .. } if matches!(way.settings.signal, Signal::Missing { .. }) => {
            "a series that comes no more".into()
        }
        Effect::Silence { .. } => "a target that refuses connections".into(),
        Effect::Load(_) | Effect::Requests { .. } | Effect::Repeated { .. } => "a fault".into(),
    }
}

fn lasting(way: &Way, width: usize) -> String {
    let many = way.sizes.len() > 1;
    let line = |Size { value, never, always }: &Size| {
        let size = if many { format!("{:>8}  ", way.settings.threshold.show(*value)) } else { String::new() };
        let always = always.map_or("never told for sure".to_owned(), |always| {
            format!("from {} on always told; between the two it is luck", time(always))
        });
        format!("\n{}", fill(&format!("  {size}up to {} never told, {always}", time(*never)), width, 4))
    };
    if way.sizes.is_empty() {
        return String::new();
    }
    format!("how long a fault has to last{}", way.sizes.iter().map(line).collect::<String>())
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

fn trial(trial: &Trial, width: usize) -> String {
    let mut sentence = format!("  {}", words::likelihood(trial.chance));
    if let Some(reason) = &trial.reason {
        let _ = write!(sentence, ": {reason}");
    }
    let mut text = format!("{}\n{}", fill(&trial.what, width, 2), fill(&sentence, width, 2));
    if trial.race > 0.0 {
        let race = format!(
            "  in {:.0} of 100 tries the message is due at the very moment at which the alert ends: a race of milliseconds, \
             which it wins in about 1 of {:.0}",
            trial.race * 100.0,
            1.0 / TIE_WON
        );
        let _ = write!(text, "\n{}", fill(&race, width, 2));
    }
    for Elsewhere { host_cpus, chance } in &trial.elsewhere {
        let _ = write!(text, "\n  on {host_cpus} CPUs it {}", words::likelihood(*chance));
    }
    if trial.reason.is_some() {
        let _ = write!(text, "\n{}", fill(&format!("  {}", words::remedies(&trial.remedies)), width, 2));
    }
    text
}

fn time(Millis(time): Millis) -> String {
    if time.as_secs() < 600 {
        words::seconds(round(time))
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
