//! Renders an event as a line of text, for logs and for the permanent lines above the bars.

use super::duration::duration;
use super::harmless::{harmless, harmless_line};
use super::message;
use super::style::Style;
use crate::duration::Millis;
use crate::event::Event;

/// Host names are padded to this: `monitoring`.
const HOST: usize = 10;
/// Texts with a duration are padded to this width, which fits nearly all.
const WHAT: usize = 46;
/// Durations are right-aligned in this width: `59 min 59 s`.
const TIME: usize = 11;

/// The line for an event; none if it is not worth logging.
pub(super) fn line(event: &Event, style: Style) -> Option<String> {
    let line = match event {
        Event::PhaseStarted { phase } => style.bold(phase),
        Event::PhaseFinished { phase, took } => timed(&format!("{phase}: done"), *took, style),
        Event::Infra { what, took: None } => style.dim(&format!("  {} …", harmless_line(what))),
        Event::Infra { what, took: Some(took) } => timed(&format!("  {}", harmless_line(what)), *took, style),
        Event::Waiting { what, after } => waiting(&harmless_line(what), *after, style),
        Event::Connected { host, took } => {
            timed(&format!("  {:HOST$}  connected", host.to_string()), *took, style)
        }
        Event::StepStarted { .. } | Event::Log { .. } | Event::Opened { .. } => return None,
        Event::StepUnderWay { host, step, after } => {
            waiting(&format!("{host}: {}", harmless_line(step)), *after, style)
        }
        Event::StepFinished { host, step, took } => {
            timed(&format!("  {:HOST$}  {}", host.to_string(), harmless_line(step)), *took, style)
        }
        Event::StepFailed { host, step, output } => failed(&host.to_string(), step, output, style),
        Event::Stage { alert, stage, after, predicted, detail } => {
            let head = head(alert, stage);
            let (after, expected, detail) = (time(*after), expected(*predicted), harmless(detail));
            format!("{head:WHAT$}  {after:>TIME$}  {expected:24}  {detail}").trim_end().to_owned()
        }
        Event::Expected { alert, stage, earliest, expected, latest } => {
            let head = head(alert, stage);
            let range = format!("{} to {}", time(*earliest), time(*latest));
            style.dim(&format!("{head:WHAT$}  {:>TIME$}  {range}", time(*expected)))
        }
        Event::Message { message } => message::draw(message, style),
        Event::Note { text } => harmless(text),
        Event::Warning { text } => format!("{} {}", style.warn("warning:"), harmless(text)),
    };
    Some(line)
}

/// An alert and one of its stages.
fn head(alert: &str, stage: &str) -> String {
    format!("{}  {}", harmless_line(alert), harmless_line(stage))
}

/// The thing waited for, and the time waited so far.
fn waiting(what: &str, after: Millis, style: Style) -> String {
    style.dim(&format!("  still waiting, {}: {what}", time(after)))
}

fn timed(what: &str, took: Millis, style: Style) -> String {
    format!("{what:WHAT$}  {}", style.dim(&format!("{:>TIME$}", time(took))))
}

fn failed(host: &str, step: &str, output: &str, style: Style) -> String {
    let head = format!("  {host:HOST$}  {} {}", style.bad("failed:"), harmless_line(step));
    let output = output.lines().map(|line| format!("    {}", harmless_line(line.trim_end_matches('\r'))));
    [head].into_iter().chain(output).collect::<Vec<_>>().join("\n")
}

fn expected(predicted: Option<(Millis, Millis)>) -> String {
    match predicted {
        Some((earliest, latest)) => format!("predicted {} to {}", time(earliest), time(latest)),
        None => String::new(),
    }
}

fn time(millis: Millis) -> String {
    duration(millis.0)
}
