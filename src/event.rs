//! Events of a running command, as data. The only link between work and display: rooms send
//! events, `report/` draws them for a terminal, as plain lines or as JSON lines.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::duration::Millis;
use crate::host::HostName;

/// Interval between two `Waiting` events.
const WAITING_INTERVAL: Duration = Duration::from_secs(5);

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// A phase of the run begins, such as `machines` or `hosts`.
    PhaseStarted {
        /// The phase as people read it.
        phase: &'static str,
    },
    /// The phase ended.
    PhaseFinished {
        /// The phase as in its start.
        phase: &'static str,
        /// How long it took.
        took: Millis,
    },
    /// A piece of infrastructure is being made, started or removed.
    Infra {
        /// What is done, in the present: `boot machine app`.
        what: String,
        /// How long it took; absent while under way.
        took: Option<Millis>,
    },
    /// Something takes a while; repeated until it ends.
    Waiting {
        /// What is waited for: `app to answer over ssh`.
        what: String,
        /// For how long already.
        after: Millis,
    },
    /// A host answers over ssh.
    Connected {
        /// The host.
        host: HostName,
        /// Since the first try.
        took: Millis,
    },
    /// A step begins on a host.
    StepStarted {
        /// The host.
        host: HostName,
        /// The step's id in its playbook.
        step: String,
    },
    /// A step is still running; repeated until it ends.
    StepUnderWay {
        /// The host.
        host: HostName,
        /// The step's id in its playbook, and what it waits for if it reports that.
        step: String,
        /// For how long already.
        after: Millis,
    },
    /// A step ended well.
    StepFinished {
        /// The host.
        host: HostName,
        /// The step's id in its playbook.
        step: String,
        /// How long it took.
        took: Millis,
    },
    /// A step failed.
    StepFailed {
        /// The host.
        host: HostName,
        /// The step's id in its playbook.
        step: String,
        /// The end of what it printed.
        output: String,
    },
    /// A stage of an alert was observed, or is expected.
    Stage {
        /// The alert.
        alert: String,
        /// The stage as people read it: `pending`, `firing` …
        stage: String,
        /// Since the fault began.
        after: Millis,
        /// The time that was predicted: earliest and latest.
        predicted: Option<(Millis, Millis)>,
        /// What was seen.
        detail: String,
    },
    /// The predicted times of a stage of an alert, since the fault begins.
    Expected {
        /// The alert.
        alert: String,
        /// The stage as people read it.
        stage: String,
        /// In the best case.
        earliest: Millis,
        /// On average.
        expected: Millis,
        /// In the worst case.
        latest: Millis,
    },
    /// The receiver inside monctl received a message.
    Message {
        /// The message.
        message: ChatMessage,
    },
    /// A line of a service's journal. It is a result and goes to standard output.
    Log {
        /// The line.
        line: LogLine,
    },
    /// A web interface is available at an address. It is a result and goes to standard output.
    Opened {
        /// The service.
        service: &'static str,
        /// The address.
        url: String,
    },
    /// A message about progress.
    Note {
        /// The line.
        text: String,
    },
    /// A problem that does not stop the run.
    Warning {
        /// The line.
        text: String,
    },
}

/// A message as a chat shows it. Its text came over the network: the reporter sanitizes it before printing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ChatMessage {
    /// The channel that it requests; empty if the webhook decides.
    pub channel: String,
    /// The name of the sender.
    pub sender: String,
    /// The headline.
    pub title: String,
    /// The text, in Slack's markup.
    pub text: String,
    /// The bar's colour: `danger`, `warning`, `good`, `#rrggbb`, or empty.
    pub colour: String,
}

/// A line of a service's journal. Its text is the service's: the reporter sanitizes it before printing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogLine {
    /// When it was written.
    pub at: Timestamp,
    /// The host.
    pub host: HostName,
    /// The service that wrote it, such as `app`.
    pub service: String,
    /// The text.
    pub text: String,
}

/// The sender of events. Cheap to clone; sending never blocks and never fails.
#[derive(Debug, Clone)]
pub struct Events(mpsc::UnboundedSender<Event>);

impl Events {
    /// A sender and the stream that a reporter reads until all senders are gone.
    pub fn channel() -> (Self, mpsc::UnboundedReceiver<Event>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }

    /// Sends an event; drops it if the receiver is gone.
    pub fn send(&self, event: Event) {
        // The reader may be gone: the run is over then.
        drop(self.0.send(event));
    }

    /// Sends an [`Event::Waiting`] every few seconds, until the guard is dropped.
    #[must_use = "no event is sent once the guard is dropped"]
    pub fn waiting(&self, what: impl Into<String>) -> Waiting {
        Waiting::announcing(self.clone(), what.into(), WAITING_INTERVAL)
    }

    /// Sends an [`Event::Note`].
    pub fn note(&self, text: impl Into<String>) {
        self.send(Event::Note { text: text.into() });
    }

    /// Sends an [`Event::Warning`].
    pub fn warn(&self, text: impl Into<String>) {
        self.send(Event::Warning { text: text.into() });
    }
}

/// Guard of a wait: sends [`Event::Waiting`] regularly until it is dropped.
#[derive(Debug)]
pub struct Waiting(JoinHandle<()>);

impl Waiting {
    fn announcing(events: Events, what: String, interval: Duration) -> Self {
        let begun = Instant::now();
        Self(tokio::spawn(async move {
            loop {
                tokio::time::sleep(interval).await;
                events.send(Event::Waiting { what: what.clone(), after: Millis(begun.elapsed()) });
            }
        }))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_wait_is_announced_until_its_guard_is_dropped() {
        let (events, mut seen) = Events::channel();
        let waiting = Waiting::announcing(events, "app to answer".into(), Duration::from_millis(1));
        for _ in 0..3 {
            let event = seen.recv().await;
            assert!(
                matches!(&event, Some(Event::Waiting { what, .. }) if what == "app to answer"),
                "{event:?}"
            );
        }
        drop(waiting);
        // The stream ends once all senders are gone.
        while seen.recv().await.is_some() {}
    }
}
