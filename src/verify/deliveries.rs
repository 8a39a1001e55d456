//! The messages that arrived, for several watchers at once: each sees every message once. Messages come from the
//! receiver inside monctl, or from the reader of the channel.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::tracker::Witness;
use crate::event::{ChatMessage, Event, Events};
use crate::http::slack::{Mark, Received, Reply, SlackReceiver};

/// A view of everything that arrived. A clone continues at the position of the original.
#[derive(Debug, Clone)]
pub struct Inbox {
    shared: Arc<Mutex<Shared>>,
    seen: usize,
    witness: Witness,
}

#[derive(Debug)]
struct Shared {
    source: Source,
    all: Vec<Received>,
    events: Events,
    silence: Option<ChannelFailure>,
}

/// Why messages cannot be read at the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelFailure {
    /// Why.
    pub why: String,
    /// Whether it is permanent, so that retrying is useless.
    pub is_final: bool,
}

#[derive(Debug)]
enum Source {
    Receiver(SlackReceiver),
    Channel(mpsc::UnboundedReceiver<Received>),
    /// No messages; Alertmanager's counters are read instead.
    Counters,
}

/// Takes the messages that were found in the channel, and whether it can be read.
#[derive(Debug, Clone)]
pub struct Slot {
    messages: mpsc::UnboundedSender<Received>,
    shared: Arc<Mutex<Shared>>,
}

impl Slot {
    /// Adds a message that was found now.
    pub fn put(&self, message: ChatMessage, marks: Vec<Mark>) {
        let received = Received { at: Instant::now(), message: Some(message), marks, reply: Reply::Ok };
        // The receiving end lives as long as `shared`, which is held here.
        drop(self.messages.send(received));
    }

    /// Notes whether the channel can be read.
    pub fn note(&self, silence: Option<ChannelFailure>) {
        lock(&self.shared).silence = silence;
    }
}

impl Inbox {
    /// The messages that the receiver inside monctl gets.
    pub fn of_receiver(receiver: SlackReceiver, events: &Events) -> Self {
        Self::new(Source::Receiver(receiver), Witness::Receiver, events)
    }

    /// The messages that are found in the channel and put into the slot.
    pub fn of_channel(events: &Events) -> (Self, Slot) {
        let (messages, receiver) = mpsc::unbounded_channel();
        let inbox = Self::new(Source::Channel(receiver), Witness::Channel, events);
        let shared = Arc::clone(&inbox.shared);
        (inbox, Slot { messages, shared })
    }

    /// No messages: deliveries are known from Alertmanager's counters alone.
    pub fn of_counters(events: &Events) -> Self {
        Self::new(Source::Counters, Witness::Counters, events)
    }

    fn new(source: Source, witness: Witness, events: &Events) -> Self {
        let shared = Shared { source, all: Vec::new(), events: events.clone(), silence: None };
        Self { shared: Arc::new(Mutex::new(shared)), seen: 0, witness }
    }

    /// The source that confirms a delivery.
    pub fn witness(&self) -> Witness {
        self.witness
    }

    /// Why nothing can be read now; none if it can.
    pub fn silence(&self) -> Option<ChannelFailure> {
        lock(&self.shared).silence.clone()
    }

    /// The messages since the last call on this view.
    pub fn take(&mut self) -> Vec<Received> {
        let mut shared = lock(&self.shared);
        shared.pull();
        let news = shared.all[self.seen..].to_vec();
        self.seen = shared.all.len();
        news
    }
}

/// A panic of another holder leaves nothing half done in there.
fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Takes in new messages, and sends an event for each.
    fn pull(&mut self) {
        let news = match &mut self.source {
            Source::Receiver(receiver) => receiver.take(),
            // Empty, or its reader has ended: nothing has come either way.
            Source::Channel(found) => std::iter::from_fn(|| found.try_recv().ok()).collect(),
            Source::Counters => Vec::new(),
        };
        for received in news {
            if let Some(message) = &received.message {
                self.events.send(Event::Message { message: message.clone() });
            }
            self.all.push(received);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_view_sees_each_message_once_and_one_event_is_sent() {
        let (events, mut sent) = Events::channel();
        let (mut one, slot) = Inbox::of_channel(&events);
        let title = |inbox: &mut Inbox| {
            let titles = inbox.take().into_iter().filter_map(|received| received.message);
            titles.map(|message| message.title).collect::<Vec<_>>()
        };
        let message = |title: &str| ChatMessage { title: title.into(), ..ChatMessage::default() };
        slot.put(message("first"), Vec::new());
        assert_eq!(title(&mut one), ["first"]);
        let mut two = one.clone();
        slot.put(message("second"), Vec::new());
        assert_eq!(title(&mut two), ["second"], "a clone does not repeat earlier messages");
        assert_eq!((title(&mut one), title(&mut one)), (vec!["second".to_owned()], vec![]));
        drop((events, one, two, slot));
        assert_eq!(std::iter::from_fn(|| sent.try_recv().ok()).count(), 2);
    }
}
