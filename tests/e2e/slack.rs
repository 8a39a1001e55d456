//! Slack as far as a webhook and a bot see of it: what is posted lies in the channel, and who has the token reads it.

use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::thread;

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::{get, post};
use serde_json::{Value, json};

use crate::site::{APP, Site};
use crate::support::runtime;

pub const TOKEN: &str = "xoxb-that-may-read";

type Messages = Arc<Mutex<Vec<Value>>>;

/// A server on this computer that the machines of a site reach. It ends with the test's process.
pub struct Slack {
    url: String,
    pub messages: Messages,
}

impl Slack {
    pub fn start(site: &Site) -> Self {
        // The address from which this computer reaches the machines is the one at which they reach it.
        let here = TcpStream::connect((site.address(APP), 22)).unwrap().local_addr().unwrap().ip();
        let listener = std::net::TcpListener::bind((here, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let messages = Messages::default();
        let app = Router::new()
            .route("/services/x", post(posted))
            .route("/api/users.conversations", get(channels))
            .route("/api/conversations.history", get(history))
            .with_state(Arc::clone(&messages));
        thread::spawn(move || {
            runtime().block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                axum::serve(listener, app).await
            })
        });
        Self { url, messages }
    }

    pub fn webhook(&self) -> String {
        format!("{}/services/x", self.url)
    }

    /// The part of a spec that names it; the secrets lie in files beside the spec.
    pub fn spec(&self) -> String {
        let Self { url, .. } = self;
        format!(
            "slack: {{webhook_url: {{file: webhook}}, bot_token: {{file: token}}, api_url: '{url}/api', channel: '#alerts'}}"
        )
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
    let channels = json!([{"id": "C1", "name": "general"}, {"id": "C2", "name": "alerts"}]);
    answer(&headers, json!({"ok": true, "channels": channels}))
}

async fn history(State(messages): State<Messages>, headers: HeaderMap) -> String {
    let newest_first: Vec<Value> = messages.lock().unwrap().iter().rev().cloned().collect();
    answer(&headers, json!({"ok": true, "messages": newest_first}))
}

fn answer(headers: &HeaderMap, answer: Value) -> String {
    let expected = format!("Bearer {TOKEN}");
    let is_right = headers.get("authorization").is_some_and(|it| it.as_bytes() == expected.as_bytes());
    if is_right { answer } else { json!({"ok": false, "error": "invalid_auth"}) }.to_string()
}
