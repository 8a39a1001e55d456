//! The moving part of a terminal: one spinner per host and per piece of infrastructure under way.
//!
//! Steps only move their host's spinner; success leaves a line, a failure leaves its whole output.

use std::collections::HashMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::harmless::harmless_line;
use super::lines;
use super::style::Style;
use crate::event::Event;

/// Spinners by the name of their host or piece of infrastructure.
pub(super) struct Bars {
    style: Style,
    screen: MultiProgress,
    spinners: HashMap<String, Spinner>,
}

struct Spinner {
    bar: ProgressBar,
    /// Running steps; a host may run several at once.
    running: Vec<String>,
    /// Steps that ended well.
    done: u32,
}

impl Spinner {
    fn begin(&mut self, step: &str) {
        self.running.push(harmless_line(step));
        self.update_message();
    }

    fn end(&mut self, step: &str, well: bool) {
        let step = harmless_line(step);
        self.running.retain(|running| *running != step);
        self.done += u32::from(well);
        self.update_message();
    }

    fn update_message(&self) {
        let done = match self.done {
            0 => None,
            1 => Some("(1 step done)".to_owned()),
            done => Some(format!("({done} steps done)")),
        };
        let running = (!self.running.is_empty()).then(|| self.running.join(", "));
        self.bar.set_message(running.into_iter().chain(done).collect::<Vec<_>>().join("  "));
    }
}

impl Bars {
    pub(super) fn new(style: Style) -> Self {
        Self::on(MultiProgress::new(), style)
    }

    fn on(screen: MultiProgress, style: Style) -> Self {
        Self { style, screen, spinners: HashMap::new() }
    }

    /// Moves the spinners; returns the permanent line, if any.
    pub(super) fn follow(&mut self, event: &Event) -> Option<String> {
        match event {
            Event::Infra { what, took: None } => {
                self.spinner(&harmless_line(what));
                return None;
            }
            Event::Infra { what, took: Some(_) } => self.remove(&harmless_line(what)),
            // Shown by its spinner.
            Event::StepUnderWay { .. } => return None,
            Event::Waiting { what, .. } if self.spinners.contains_key(&harmless_line(what)) => return None,
            Event::StepStarted { host, step } => {
                self.spinner(&host.to_string()).begin(step);
                return None;
            }
            Event::StepFinished { host, step, .. } => {
                self.spinner(&host.to_string()).end(step, true);
                return None;
            }
            Event::StepFailed { host, step, .. } => self.spinner(&host.to_string()).end(step, false),
            Event::PhaseFinished { .. } => self.clear(),
            _ => {}
        }
        lines::line(event, self.style)
    }

    /// Runs `write` while no spinner is drawn.
    pub(super) fn suspend(&self, write: impl FnOnce()) {
        self.screen.suspend(write);
    }

    /// Takes all spinners off the screen.
    pub(super) fn clear(&mut self) {
        for (_, spinner) in self.spinners.drain() {
            spinner.bar.finish_and_clear();
        }
    }

    fn remove(&mut self, name: &str) {
        if let Some(spinner) = self.spinners.remove(name) {
            spinner.bar.finish_and_clear();
        }
    }

    fn spinner(&mut self, name: &str) -> &mut Spinner {
        let Self { screen, spinners, .. } = self;
        spinners.entry(name.to_owned()).or_insert_with(|| {
            let bar = screen.add(ProgressBar::new_spinner());
            if let Ok(look) = ProgressStyle::with_template("  {spinner} {prefix:10}  {wide_msg} {elapsed:>5}")
            {
                bar.set_style(look);
            }
            bar.set_prefix(name.to_owned());
            bar.enable_steady_tick(Duration::from_millis(100));
            Spinner { bar, running: Vec::new(), done: 0 }
        })
    }
}

#[cfg(test)]
mod tests {
    use indicatif::{InMemoryTerm, ProgressDrawTarget};

    use super::*;
    use crate::duration::Millis;
    use crate::host::HostName;

    const APP: HostName = HostName::app(1);

    fn started(host: HostName, step: &str) -> Event {
        Event::StepStarted { host, step: step.into() }
    }

    fn finished(host: HostName, step: &str) -> Event {
        Event::StepFinished { host, step: step.into(), took: Millis(Duration::from_secs(2)) }
    }

    /// The screen after these events, with the spinner as `*`, and the permanent lines.
    fn screen(events: &[Event]) -> (String, Vec<String>) {
        let term = InMemoryTerm::new(10, 72);
        let target = ProgressDrawTarget::term_like(Box::new(term.clone()));
        let mut bars = Bars::on(MultiProgress::with_draw_target(target), Style::Plain);
        let stay = events.iter().filter_map(|event| bars.follow(event)).collect();
        for spinner in bars.spinners.values() {
            spinner.bar.tick();
        }
        let braille = |c: char| if ('\u{2800}'..='\u{28ff}').contains(&c) { '*' } else { c };
        (term.contents().chars().map(braille).collect(), stay)
    }

    #[test]
    fn each_host_has_one_line_with_what_it_does() {
        let (screen, stay) = screen(&[
            started(APP, "packages"),
            started(HostName::MONITORING, "prometheus"),
            finished(APP, "packages"),
            started(APP, "venv"),
            started(APP, "users"),
            finished(HostName::MONITORING, "prometheus"),
        ]);
        insta::assert_snapshot!(screen);
        assert_eq!(stay, [""; 0]);
    }

    #[test]
    fn infrastructure_moves_while_it_is_made_and_leaves_a_line() {
        let boot = |took| Event::Infra { what: "boot machine app".into(), took };
        let (during, _) = screen(&[boot(None)]);
        assert!(during.contains("boot machine app"), "{during}");
        let (after, stay) = screen(&[boot(None), boot(Some(Millis(Duration::from_secs(2))))]);
        assert_eq!(after, "");
        assert_eq!(stay.len(), 1);
    }

    #[test]
    fn the_end_of_a_phase_leaves_nothing_that_moves() {
        let end = Event::PhaseFinished { phase: "hosts", took: Millis(Duration::from_secs(9)) };
        let (screen, stay) = screen(&[started(APP, "packages"), end]);
        assert_eq!(screen, "");
        assert_eq!(stay.len(), 1);
    }
}
