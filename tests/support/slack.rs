//! A stand-in for Slack's webhooks and bots: a message is stored in its channel, and clients with the token read or
//! post messages. It refuses and truncates like Slack.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};

pub const TOKEN: &str = "xoxb-that-may-read";
/// The channels that the bot is in, by id. Messages without one of them go to the first.
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
            .route("/api/chat.postMessage", post(posted_by_bot))
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

    /// Number of messages in a channel.
    pub fn count(&self, channel: &str) -> usize {
        self.messages.lock().unwrap().iter().filter(|message| message["channel"] == channel).count()
    }
}

/// Slack truncates a footer after this many characters.
const LONGEST_FOOTER: usize = 300;

/// An incoming webhook: an error code with a status, or `ok`.
async fn posted(State(messages): State<Messages>, headers: HeaderMap, body: String) -> Response {
    match read(&headers, &body) {
        Ok(message) => {
            keep(&messages, message);
            "ok".into_response()
        }
        Err(word) => (StatusCode::BAD_REQUEST, word).into_response(),
    }
}

/// The Web API: always 200, with the refusal in the answer.
async fn posted_by_bot(State(messages): State<Messages>, headers: HeaderMap, body: String) -> Response {
    let refused = |word: &str| json!({"ok": false, "error": word});
    let answer = match read(&headers, &body) {
        _ if !is_allowed(&headers) => refused("invalid_auth"),
        Err(word) => refused(word),
        Ok(message) => {
            let wanted = message["channel"].as_str().unwrap_or_default().trim_start_matches('#').to_owned();
            match CHANNELS.iter().find(|(id, name)| wanted == *id || wanted == *name) {
                Some((id, _)) => json!({"ok": true, "channel": id, "ts": keep(&messages, message)}),
                None => refused("channel_not_found"),
            }
        }
    };
    ([("content-type", "application/json; charset=utf-8")], answer.to_string()).into_response()
}

fn read(headers: &HeaderMap, body: &str) -> Result<Value, &'static str> {
    let kind = headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let message: Value = serde_json::from_str(body).map_err(|_| "invalid_payload")?;
    if !kind.starts_with("application/json") || !message.is_object() {
        return Err("invalid_payload");
    }
    let attachments = message["attachments"].as_array().map_or(0, Vec::len);
    if attachments > 100 {
        return Err("too_many_attachments");
    }
    if attachments == 0 && message["text"].as_str().unwrap_or_default().is_empty() {
        return Err("no_text");
    }
    Ok(message)
}

/// Stores a message in its channel, like Slack, and returns its time stamp.
fn keep(messages: &Messages, mut message: Value) -> String {
    for attachment in message["attachments"].as_array_mut().into_iter().flatten() {
        let footer = attachment["footer"].as_str().unwrap_or_default();
        if footer.chars().count() > LONGEST_FOOTER {
            attachment["footer"] = footer.chars().take(LONGEST_FOOTER).collect::<String>().into();
        }
    }
    let mut messages = messages.lock().unwrap();
    let stamp = format!("{}.000100", 1_700_000_000 + messages.len());
    message["ts"] = stamp.clone().into();
    messages.push(message);
    stamp
}

async fn channels(headers: HeaderMap) -> String {
    let channels = CHANNELS.map(|(id, name)| json!({"id": id, "name": name}));
    answer(&headers, json!({"ok": true, "channels": channels}))
}

async fn history(State(messages): State<Messages>, uri: Uri, headers: HeaderMap) -> String {
    let channel = uri.query().unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix("channel="));
    let lies_here = |message: &&Value| {
        let wanted = message["channel"].as_str().unwrap_or_default().trim_start_matches('#');
        let place =
            CHANNELS.iter().find(|(id, name)| wanted == *id || wanted == *name).unwrap_or(&CHANNELS[0]);
        Some(place.0) == channel
    };
    let newest_first: Vec<Value> = messages.lock().unwrap().iter().rev().filter(lies_here).cloned().collect();
    answer(&headers, json!({"ok": true, "messages": newest_first}))
}

fn answer(headers: &HeaderMap, answer: Value) -> String {
    if is_allowed(headers) { answer } else { json!({"ok": false, "error": "invalid_auth"}) }.to_string()
}

fn is_allowed(headers: &HeaderMap) -> bool {
    let expected = format!("Bearer {TOKEN}");
    headers.get("authorization").is_some_and(|it| it.as_bytes() == expected.as_bytes())
}
