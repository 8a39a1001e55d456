//! Renders the error that is printed once, at the end.

use serde_json::{Value, json};

use super::harmless::{harmless, harmless_line};
use super::style::Style;
use crate::error::Error;

/// For people: what, where, why, and what to do next, each on its own lines.
pub(super) fn text(error: &Error, style: Style) -> String {
    let head = format!("{} {}", style.bad("error:"), harmless(error.message()));
    let place = error.place().map(|place| format!("  at {}", harmless_line(place)));
    let causes = error.causes().into_iter().map(|cause| format!("  because: {}", indent(&cause)));
    let help = error.hint().map(|help| format!("{} {}", style.help("help:"), indent(help)));
    [head].into_iter().chain(place).chain(causes).chain(help).collect::<Vec<_>>().join("\n")
}

/// For programs: one object, like an event.
pub(super) fn json(error: &Error) -> Value {
    json!({
        "event": "error",
        "exit": error.exit(),
        "code": error.exit().code(),
        "message": error.message(),
        "place": error.place(),
        "causes": error.causes(),
        "remedy": error.hint(),
    })
}

/// Indents continuation lines.
fn indent(text: &str) -> String {
    harmless(text.trim_end()).replace('\n', "\n    ")
}
