//! Progress events of providers: what is being done, and how long it took.

use std::time::Instant;

use crate::duration::Millis;
use crate::event::{Event, Events, Waiting};

/// A piece of work in progress; its end is reported by [`Self::end`].
pub(super) struct ProviderTask<'a> {
    events: &'a Events,
    what: String,
    start: Instant,
    /// Shows that the work continues.
    _waiting: Waiting,
}

impl<'a> ProviderTask<'a> {
    /// Reports the start of the work; `what` is an imperative: `boot machine app`.
    pub(super) fn begin(events: &'a Events, what: impl Into<String>) -> Self {
        let what = what.into();
        events.send(Event::Infra { what: what.clone(), took: None });
        let waiting = events.waiting(what.clone());
        Self { events, what, start: Instant::now(), _waiting: waiting }
    }

    /// Reports that the work is done.
    pub(super) fn end(self) {
        self.events.send(Event::Infra { what: self.what, took: Some(Millis(self.start.elapsed())) });
    }
}
