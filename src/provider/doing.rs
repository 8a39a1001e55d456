//! Telling what a provider is about, and how long it took.

use std::time::Instant;

use crate::duration::Millis;
use crate::event::{Event, Events, Waiting};

/// Something under way, of which the end will be told.
pub(super) struct Doing<'a> {
    events: &'a Events,
    what: String,
    start: Instant,
    /// Says that it goes on.
    _waiting: Waiting,
}

impl<'a> Doing<'a> {
    /// Tells that it begins; in the present: `boot machine app`.
    pub(super) fn begin(events: &'a Events, what: impl Into<String>) -> Self {
        let what = what.into();
        events.send(Event::Infra { what: what.clone(), took: None });
        let waiting = events.waiting(what.clone());
        Self { events, what, start: Instant::now(), _waiting: waiting }
    }

    /// Tells that it is done.
    pub(super) fn end(self) {
        self.events.send(Event::Infra { what: self.what, took: Some(Millis(self.start.elapsed())) });
    }
}
