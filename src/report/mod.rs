//! Output for people and programs: events become bars, lines or JSON lines on standard error, a result is
//! printed on standard output, an error once on standard error. The only module that uses indicatif.
//!
//! Driven by `main.rs`. Depends on [`Event`] and [`Error`], but not on their senders.

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
mod outcome;
mod page;
mod question;
mod style;
mod width;

pub use duration::duration;
pub use harmless::{harmless, harmless_json};
pub use outcome::Outcome;
pub use page::{AlertVerdict, ReportPage, Section, StageSeen};
pub use question::{Question, Questions};
pub use style::Style;
pub use width::width;

use bars::Bars;

/// Properties of the screen that shows progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Screen {
    /// Events and errors as JSON lines.
    pub json: bool,
    /// Standard error is a terminal that can move its cursor.
    pub terminal: bool,
    /// How text is styled.
    pub style: Style,
}

/// Shows events as they come, on one writer: standard error, or a buffer in tests.
pub struct Reporter<W: Write> {
    screen: Screen,
    writer: W,
    bars: Option<Bars>,
    /// Values that are never shown, whatever their source.
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
            // Serialisation cannot fail: all maps in events have strings as keys.
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

    /// Prints an event's part for standard output: a result while the command still runs.
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

    /// Shows a question and its subject; the cursor stays behind it.
    pub fn ask(&mut self, question: &Question) {
        self.clear();
        let subject = self.screen.style.marks(&harmless(&question.text));
        let gap = if subject.is_empty() { "" } else { "\n\n" };
        let [question, choices] = [&question.question, &question.choices].map(|text| harmless(text));
        let prompt = format!("{subject}{gap}{question} [{choices}] ");
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

    /// Removes everything that moves from the screen.
    pub fn clear(&mut self) {
        if let Some(bars) = &mut self.bars {
            bars.clear();
        }
    }

    fn line(&mut self, line: &str) {
        self.write(&format!("{line}\n"));
    }

    /// Writes around the bars. Errors are ignored: if standard error is closed, there is no place to report them.
    fn write(&mut self, text: &str) {
        let text = self.secrets.mask(text);
        let writer = &mut self.writer;
        let mut write = || {
            #[expect(
                clippy::let_underscore_must_use,
                reason = "standard error is closed: no place to report it"
            )]
            let _ = writer.write_all(text.as_bytes()).and_then(|()| writer.flush());
        };
        match &self.bars {
            Some(bars) => bars.suspend(write),
            None => write(),
        }
    }
}

/// Prints a result and a final newline; nothing if it is empty. A closed pipe (`monctl schema | head`) is not an error.
///
/// # Errors
/// If standard output cannot be written to for another reason, such as a full disk.
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
