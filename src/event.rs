//! What happens while a command runs, as data. The only thing between doing and showing: rooms send
//! events, `report/` draws them for a terminal, as plain lines or as JSON lines.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::duration::Millis;
use crate::host::HostName;

/// How often a wait says what it waits for.
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
    /// Something takes its time; told again and again until it ends.
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
    /// A step goes on; told again and again until it ends.
    StepUnderWay {
        /// The host.
        host: HostName,
        /// The step's id in its playbook, and what it waits for where it says so.
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
    /// A stage of an alert's way was seen, or is expected.
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
    /// A stage of an alert's way is to be expected: the times since the fault begins.
    Expected {
        /// The alert.
        alert: String,
        /// The stage as people read it.
        stage: String,
        /// In the luckiest case.
        earliest: Millis,
        /// On average.
        expected: Millis,
        /// In the unluckiest case.
        latest: Millis,
    },
    /// A message reached the receiver inside monctl.
    Message {
        /// The message.
        message: ChatMessage,
    },
    /// A line of a service's journal. It is a result: standard output has it.
    Log {
        /// The line.
        line: LogLine,
    },
    /// An address at which something can be looked at from now on. It is a result, too.
    Opened {
        /// What is there.
        service: &'static str,
        /// The address.
        url: String,
    },
    /// Something worth a line that is no failure.
    Note {
        /// The line.
        text: String,
    },
    /// Something that a careful operator wants to know.
    Warning {
        /// The line.
        text: String,
    },
}

/// A message as a chat shows it. Its text came over the network: whoever draws it makes it harmless first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ChatMessage {
    /// The channel it asks for; empty where it leaves that to the webhook.
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

/// A line of a service's journal. Its text is the service's: whoever draws it makes it harmless first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogLine {
    /// When it was written.
    pub at: Timestamp,
    /// Where.
    pub host: HostName,
    /// By which service, such as `app`.
    pub service: String,
    /// What it says.
    pub text: String,
}

/// Where rooms send their events. Cheap to clone; sending never blocks and never fails.
#[derive(Debug, Clone)]
pub struct Events(mpsc::UnboundedSender<Event>);

impl Events {
    /// A sender and the stream that a reporter reads until all senders are gone.
    pub fn channel() -> (Self, mpsc::UnboundedReceiver<Event>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }

    /// Sends an event. Where nobody listens any more it is dropped.
    pub fn send(&self, event: Event) {
        // The reader may be gone: the run is over then.
        drop(self.0.send(event));
    }

    /// Says every few seconds what is waited for, until the guard is dropped.
    #[must_use = "nothing is said once the guard is dropped"]
    pub fn waiting(&self, what: impl Into<String>) -> Waiting {
        Waiting::saying(self.clone(), what.into(), WAITING_INTERVAL)
    }

    /// Sends a [`Event::Note`].
    pub fn note(&self, text: impl Into<String>) {
        self.send(Event::Note { text: text.into() });
    }

    /// Sends a [`Event::Warning`].
    pub fn warn(&self, text: impl Into<String>) {
        self.send(Event::Warning { text: text.into() });
    }
}

/// A wait that says what it waits for, as long as this lives.
#[derive(Debug)]
pub struct Waiting(JoinHandle<()>);

impl Waiting {
    fn saying(events: Events, what: String, interval: Duration) -> Self {
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
    async fn a_wait_says_what_it_waits_for_until_it_is_over() {
        let (events, mut seen) = Events::channel();
        let waiting = Waiting::saying(events, "app to answer".into(), Duration::from_millis(1));
        for _ in 0..3 {
            let said = seen.recv().await;
            assert!(
                matches!(&said, Some(Event::Waiting { what, .. }) if what == "app to answer"),
                "{said:?}"
            );
        }
        drop(waiting);
        // The stream ends as soon as nothing can be said any more.
        while seen.recv().await.is_some() {}
    }
}
