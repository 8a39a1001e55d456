//! Slack as far as a webhook and a bot see of it: what is posted lies in the channel that the message asks for, and who
//! has the token reads it.

#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used, reason = "a helper's failure is the test's failure")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::routing::{get, post};
use serde_json::{Value, json};

pub const TOKEN: &str = "xoxb-that-may-read";
/// The channels that the bot is in, by id. What asks for none of them lies in the first.
const CHANNELS: [(&str, &str); 3] = [("C1", "general"), ("C2", "alerts"), ("C3", "on-call")];

pub type Messages = Arc<Mutex<Vec<Value>>>;

/// A server that ends with the test's process.
pub struct Slack {
    pub url: String,
    pub messages: Messages,
}

impl Slack {
    /// Listens on an address, whose port may be 0.
    pub fn on(address: SocketAddr) -> Self {
        let listener = std::net::TcpListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let messages = Messages::default();
        let app = Router::new()
            .route("/services/x", post(posted))
            .route("/api/users.conversations", get(channels))
            .route("/api/conversations.history", get(history))
            .with_state(Arc::clone(&messages));
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                axum::serve(listener, app).await
            })
        });
        Self { url, messages }
    }

    pub fn webhook(&self) -> String {
        format!("{}/services/x", self.url)
    }

    pub fn api(&self) -> String {
        format!("{}/api", self.url)
    }

    /// How many messages lie in a channel.
    pub fn count(&self, channel: &str) -> usize {
        self.messages.lock().unwrap().iter().filter(|message| message["channel"] == channel).count()
    }
}

async fn posted(State(messages): State<Messages>, body: String) -> &'static str {
    let mut message: Value = serde_json::from_str(&body).unwrap();
    let mut messages = messages.lock().unwrap();
    message["ts"] = json!(format!("{}.000100", 1_700_000_000 + messages.len()));
    messages.push(message);
    "ok"
}

async fn channels(headers: HeaderMap) -> String {
    let channels = CHANNELS.map(|(id, name)| json!({"id": id, "name": name}));
    answer(&headers, json!({"ok": true, "channels": channels}))
}

async fn history(State(messages): State<Messages>, uri: Uri, headers: HeaderMap) -> String {
    let asked = uri.query().unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix("channel="));
    let lies_here = |message: &&Value| {
        let wanted = message["channel"].as_str().unwrap_or_default().trim_start_matches('#');
        let place =
            CHANNELS.iter().find(|(id, name)| wanted == *id || wanted == *name).unwrap_or(&CHANNELS[0]);
        Some(place.0) == asked
    };
    let newest_first: Vec<Value> = messages.lock().unwrap().iter().rev().filter(lies_here).cloned().collect();
    answer(&headers, json!({"ok": true, "messages": newest_first}))
}

fn answer(headers: &HeaderMap, answer: Value) -> String {
    let expected = format!("Bearer {TOKEN}");
    let is_right = headers.get("authorization").is_some_and(|it| it.as_bytes() == expected.as_bytes());
    if is_right { answer } else { json!({"ok": false, "error": "invalid_auth"}) }.to_string()
}
