//! What people and programs see: events become bars, lines or JSON lines on standard error, a result is
//! printed on standard output, an error once on standard error. The only room that names indicatif.
//!
//! Driven by `main.rs`. Knows [`Event`] and [`Error`], and nothing of what sends them.

use std::io::{self, Write};

use crate::error::Error;
use crate::event::Event;
use crate::secret::KnownSecrets;

mod bars;
mod duration;
mod failure;
mod harmless;
mod lines;
mod log;
mod message;
mod mrkdwn;
mod page;
mod question;
mod style;
mod width;

pub use duration::duration;
pub use harmless::{harmless, harmless_json};
pub use page::{AlertVerdict, ReportPage, Section, StageSeen};
pub use question::{Question, Questions};
pub use style::Style;
pub use width::width;

use bars::Bars;

/// What is known of the place where progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Screen {
    /// Events and errors as JSON lines.
    pub json: bool,
    /// Standard error is a terminal that can move its cursor.
    pub terminal: bool,
    /// How text is marked.
    pub style: Style,
}

/// Shows events as they come, on one writer: standard error, or a buffer in tests.
pub struct Reporter<W: Write> {
    screen: Screen,
    writer: W,
    bars: Option<Bars>,
    /// Values that are never shown, whoever said them.
    secrets: KnownSecrets,
}

impl<W: Write> Reporter<W> {
    /// A reporter for a screen.
    pub fn new(screen: Screen, writer: W) -> Self {
        let bars = (screen.terminal && !screen.json).then(|| Bars::new(screen.style));
        Self { screen, writer, bars, secrets: KnownSecrets::default() }
    }

    /// Masks these values in everything that is shown.
    #[must_use]
    pub fn masking(mut self, secrets: KnownSecrets) -> Self {
        self.secrets = secrets;
        self
    }

    /// Shows one event.
    pub fn show(&mut self, event: &Event) {
        if self.screen.json {
            // An event has a form in JSON: no map in it has other keys than text.
            let line = serde_json::to_string(event).unwrap_or_else(|error| error.to_string());
            return self.line(&harmless_json(&line));
        }
        let line = match &mut self.bars {
            Some(bars) => bars.follow(event),
            None => lines::line(event, self.screen.style),
        };
        if let Some(line) = line {
            self.line(&line);
        }
    }

    /// What an event gives to standard output: a result that comes while the command still runs.
    pub fn output(&self, event: &Event) -> Option<String> {
        let text = match event {
            Event::Log { .. } | Event::Opened { .. } if self.screen.json => {
                let line = serde_json::to_string(event).unwrap_or_else(|error| error.to_string());
                harmless_json(&line)
            }
            Event::Log { line } => log::line(line, self.screen.style),
            Event::Opened { url, .. } => harmless(url),
            _ => return None,
        };
        Some(self.secrets.mask(&text))
    }

    /// Shows what a question is about, and the question; the cursor stays behind it.
    pub fn ask(&mut self, question: &Question) {
        self.clear();
        let prompt = format!(
            "{}\n\n{} [y/N] ",
            self.screen.style.marks(&harmless(&question.text)),
            harmless(&question.question)
        );
        self.write(&prompt);
    }

    /// Prints an error, once, at the end.
    pub fn fail(&mut self, error: &Error) {
        self.clear();
        let text = if self.screen.json {
            harmless_json(&failure::json(error).to_string())
        } else {
            failure::text(error, self.screen.style)
        };
        self.line(&text);
    }

    /// Takes everything that moves off the screen.
    pub fn clear(&mut self) {
        if let Some(bars) = &mut self.bars {
            bars.clear();
        }
    }

    fn line(&mut self, line: &str) {
        self.write(&format!("{line}\n"));
    }

    /// Writes around the bars. Where standard error is closed there is nobody to tell.
    fn write(&mut self, text: &str) {
        let text = self.secrets.mask(text);
        let writer = &mut self.writer;
        let mut write = || {
            #[expect(clippy::let_underscore_must_use, reason = "standard error is closed: nowhere to say it")]
            let _ = writer.write_all(text.as_bytes()).and_then(|()| writer.flush());
        };
        match &self.bars {
            Some(bars) => bars.suspend(write),
            None => write(),
        }
    }
}

/// Prints a result and a final newline; nothing where it is empty. A reader that went away
/// (`monctl schema | head`) is no failure.
///
/// # Errors
/// Where standard output cannot be written to for another reason, such as a full disk.
pub fn result(mut writer: impl Write, text: &str) -> io::Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    match writeln!(writer, "{}", text.trim_end_matches('\n')).and_then(|()| writer.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests;
