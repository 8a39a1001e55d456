//! An event as a line of text, for logs and for what stays on a terminal above the bars.

use super::{Style, duration, message};
use crate::event::{Event, Millis};

/// Host names are padded to this: `monitoring`.
const HOST: usize = 10;
/// What took a time is padded to this, which holds nearly all of it.
const WHAT: usize = 46;
/// Durations are set right in this: `59 min 59 s`.
const TIME: usize = 11;

/// The line for an event; none where a log gains nothing by it.
pub(super) fn line(event: &Event, style: Style) -> Option<String> {
    let line = match event {
        Event::PhaseStarted { phase } => style.bold(phase),
        Event::PhaseFinished { phase, took } => timed(&format!("{phase}: done"), *took, style),
        Event::Infra { what, took: None } => style.dim(&format!("  {what} …")),
        Event::Infra { what, took: Some(took) } => timed(&format!("  {what}"), *took, style),
        Event::Connected { host, took } => {
            timed(&format!("  {:HOST$}  connected", host.to_string()), *took, style)
        }
        Event::StepStarted { .. } | Event::Log { .. } | Event::Opened { .. } => return None,
        Event::StepFinished { host, step, took } => {
            timed(&format!("  {:HOST$}  {step}", host.to_string()), *took, style)
        }
        Event::StepFailed { host, step, output } => failed(&host.to_string(), step, output, style),
        Event::Stage { alert, stage, after, predicted, detail } => {
            let head = format!("{alert}  {stage}");
            let line =
                format!("{head:WHAT$}  {:>TIME$}  {:24}  {detail}", time(*after), expected(*predicted));
            line.trim_end().to_owned()
        }
        Event::Expected { alert, stage, earliest, expected, latest } => {
            let head = format!("{alert}  {stage}");
            let range = format!("{} to {}", time(*earliest), time(*latest));
            style.dim(&format!("{head:WHAT$}  {:>TIME$}  {range}", time(*expected)))
        }
        Event::Message { message } => message::draw(message, style),
        Event::Note { text } => text.clone(),
        Event::Warning { text } => format!("{} {text}", style.warn("warning:")),
    };
    Some(line)
}

fn timed(what: &str, took: Millis, style: Style) -> String {
    format!("{what:WHAT$}  {}", style.dim(&format!("{:>TIME$}", time(took))))
}

fn failed(host: &str, step: &str, output: &str, style: Style) -> String {
    let head = format!("  {host:HOST$}  {} {step}", style.bad("failed:"));
    let output = output.lines().map(|line| format!("    {line}"));
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
