//! The moving part of a terminal: one spinner per host and per piece of infrastructure under way.
//!
//! Steps only move their host's spinner; what ends well leaves a line, what fails leaves all it said.

use std::collections::HashMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::{Style, lines};
use crate::event::Event;

/// Spinners by the name of what they stand for.
pub(super) struct Bars {
    style: Style,
    screen: MultiProgress,
    spinners: HashMap<String, Spinner>,
}

struct Spinner {
    bar: ProgressBar,
    /// Steps that ended well.
    done: u32,
}

impl Bars {
    pub(super) fn new(style: Style) -> Self {
        Self { style, screen: MultiProgress::new(), spinners: HashMap::new() }
    }

    /// Moves the spinners; gives the line that stays, if any.
    pub(super) fn follow(&mut self, event: &Event) -> Option<String> {
        match event {
            Event::Infra { what, took: None } => {
                self.spinner(what);
                return None;
            }
            Event::Infra { what, took: Some(_) } => self.remove(what),
            Event::StepStarted { host, step } => {
                let spinner = self.spinner(&host.to_string());
                spinner.bar.set_message(format!("{step}{}", progress(spinner.done)));
                return None;
            }
            Event::StepFinished { host, .. } => {
                self.spinner(&host.to_string()).done += 1;
                return None;
            }
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
            Spinner { bar, done: 0 }
        })
    }
}

fn progress(done: u32) -> String {
    match done {
        0 => String::new(),
        1 => "  (1 step done)".to_owned(),
        done => format!("  ({done} steps done)"),
    }
}
