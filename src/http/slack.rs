//! Slack's incoming webhooks: a receiver that accepts and refuses the same requests as Slack, for projects without a
//! webhook and for tests, and the meaning of Slack's error codes.

pub mod history;

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::error::{Error, Result};
use crate::event::ChatMessage;

/// Slack shows no more attachments than this.
const MOST_ATTACHMENTS: usize = 100;
/// Slack truncates a footer after this many characters.
const LONGEST_FOOTER: usize = 300;

/// Slack's response to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The message is in the channel.
    Ok,
    /// A refusal: status and error code, such as 404 and `no_service`.
    Refused(u16, &'static str),
    /// Too many messages; retry after this many seconds.
    RateLimited(u32),
}

/// A request that reached the receiver.
#[derive(Debug, Clone)]
pub struct Received {
    /// When its body was complete.
    pub at: Instant,
    /// The message; none if the body had none.
    pub message: Option<ChatMessage>,
    /// The alerts that it is about, if it names them.
    pub marks: Vec<Mark>,
    /// The response.
    pub reply: Reply,
}

/// Which alert a message is about. monctl's Alertmanager writes one for each alert, if monctl itself or a bot reads
/// them: the first few into the footer, all of them into the fallback. Fingerprint and start identify one alert in one
/// run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// Whether the message reports the alert as resolved.
    pub is_over: bool,
    /// The fingerprint of its labels.
    pub fingerprint: String,
    /// When it began to fire, in seconds since 1970.
    pub since: i64,
}

impl Mark {
    /// The marks of a message, each once, from its footer and its fallback: `firing FINGERPRINT SECONDS; resolved …;`.
    /// A truncated one is left out.
    pub fn of_message(footer: &str, fallback: &str) -> Vec<Self> {
        let mut marks = Self::parse_all(footer);
        let others =
            Self::parse_all(fallback).into_iter().filter(|mark| !marks.contains(mark)).collect::<Vec<_>>();
        marks.extend(others);
        marks
    }

    fn parse_all(text: &str) -> Vec<Self> {
        let mark = |text: &str| {
            let mut words = text.split_whitespace();
            let is_over = match words.next()? {
                "firing" => false,
                "resolved" => true,
                _ => return None,
            };
            Some(Self { is_over, fingerprint: words.next()?.to_owned(), since: words.next()?.parse().ok()? })
        };
        // The text after the last `;` may be half of a mark.
        let ended = text.rsplit_once(';').map_or("", |(ended, _)| ended);
        ended.split(';').filter_map(mark).collect()
    }
}

/// The receiver. It ends when dropped.
#[derive(Debug)]
pub struct SlackReceiver {
    requests: mpsc::UnboundedReceiver<Received>,
    server: JoinHandle<()>,
}

#[derive(Clone)]
struct Desk {
    /// The next replies, whatever the request; once they are used up, messages are validated.
    replies: Arc<Mutex<VecDeque<Reply>>>,
    requests: mpsc::UnboundedSender<Received>,
}

impl SlackReceiver {
    /// Listens on a unix socket, which must not exist yet: the end of a forward.
    ///
    /// # Errors
    /// When the socket cannot be made.
    pub fn on_unix(path: &Path) -> Result<Self> {
        let listener = UnixListener::bind(path).map_err(|error| cannot_listen(&path.display(), error))?;
        Ok(Self::start(VecDeque::new(), |app| async move { axum::serve(listener, app).await }))
    }

    /// Listens on an address and gives these replies first.
    ///
    /// # Errors
    /// When the address is taken.
    pub async fn on_tcp(
        address: std::net::SocketAddr,
        replies: Vec<Reply>,
    ) -> Result<(Self, std::net::SocketAddr)> {
        let listener = TcpListener::bind(address).await.map_err(|error| cannot_listen(&address, error))?;
        let bound = listener.local_addr().map_err(|error| cannot_listen(&address, error))?;
        Ok((Self::start(replies.into(), |app| async move { axum::serve(listener, app).await }), bound))
    }

    fn start<F>(replies: VecDeque<Reply>, serve: impl FnOnce(axum::Router) -> F) -> Self
    where
        F: Future<Output = std::io::Result<()>> + Send + 'static,
    {
        let (sender, requests) = mpsc::unbounded_channel();
        let desk = Desk { replies: Arc::new(Mutex::new(replies)), requests: sender };
        let server = serve(axum::Router::new().fallback(answer).with_state(desk));
        // A server on its socket ends only with the task.
        let server = tokio::spawn(async move {
            drop(server.await);
        });
        Self { requests, server }
    }

    /// The next request; waits for it. May be dropped and called again.
    pub async fn next(&mut self) -> Option<Received> {
        self.requests.recv().await
    }

    /// All requests that have come since the last look.
    pub fn take(&mut self) -> Vec<Received> {
        // Empty, or its server has ended: nothing has come either way.
        std::iter::from_fn(|| self.requests.try_recv().ok()).collect()
    }
}

impl Drop for SlackReceiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn cannot_listen(place: &dyn std::fmt::Display, error: std::io::Error) -> Error {
    Error::could_not_run(format!("cannot listen on `{place}`")).because(error)
}

async fn answer(State(desk): State<Desk>, method: Method, headers: HeaderMap, body: Bytes) -> Reply {
    let payload = (method == Method::POST).then(|| Payload::read(&headers, &body));
    let judged = match &payload {
        // Slack does not answer a GET of a webhook's address.
        None => Reply::Refused(400, "invalid_payload"),
        Some(Err(word)) => Reply::Refused(400, word),
        Some(Ok(_)) => Reply::Ok,
    };
    let planned = desk.replies.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let reply = planned.unwrap_or(judged);
    let payload = payload.and_then(Result::ok);
    let marks = payload.as_ref().map(Payload::marks).unwrap_or_default();
    let message = payload.map(Payload::into_message);
    // The receiving end is closed: the run is over.
    drop(desk.requests.send(Received { at: Instant::now(), message, marks, reply: reply.clone() }));
    reply
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        match self {
            Self::Ok => "ok".into_response(),
            Self::Refused(status, word) => {
                (StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST), word).into_response()
            }
            Self::RateLimited(seconds) => {
                let after = [(header::RETRY_AFTER, seconds.to_string())];
                (StatusCode::TOO_MANY_REQUESTS, after, "rate_limited").into_response()
            }
        }
    }
}

/// The part of a webhook's payload that Alertmanager uses.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Payload {
    channel: String,
    username: String,
    text: String,
    blocks: Vec<serde_json::Value>,
    attachments: Vec<Attachment>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Attachment {
    title: String,
    text: String,
    pretext: String,
    fallback: String,
    footer: String,
    color: String,
}

impl Payload {
    /// Parses it, or returns the error code with which Slack would refuse it.
    fn read(headers: &HeaderMap, body: &[u8]) -> Result<Self, &'static str> {
        let is_json = headers
            .get(header::CONTENT_TYPE)
            // A content type that is not text is not JSON.
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.starts_with("application/json"));
        // A struct would also be read from a JSON array.
        let object: Option<serde_json::Map<_, _>> = serde_json::from_slice(body).ok().filter(|_| is_json);
        let object = serde_json::Value::Object(object.ok_or("invalid_payload")?);
        let payload: Self = serde_json::from_value(object).map_err(|_| "invalid_payload")?;
        if payload.attachments.len() > MOST_ATTACHMENTS {
            return Err("too_many_attachments");
        }
        if payload.text.is_empty() && payload.blocks.is_empty() && payload.attachments.is_empty() {
            return Err("no_text");
        }
        Ok(payload)
    }

    fn marks(&self) -> Vec<Mark> {
        let of = |it: &Attachment| {
            let footer: String = it.footer.chars().take(LONGEST_FOOTER).collect();
            Mark::of_message(&footer, &it.fallback)
        };
        self.attachments.iter().flat_map(of).collect()
    }

    fn into_message(self) -> ChatMessage {
        let attachment = self.attachments.into_iter().next().unwrap_or_default();
        let title = if attachment.title.is_empty() { attachment.fallback } else { attachment.title };
        let text: Vec<String> = [self.text, attachment.pretext, attachment.text]
            .into_iter()
            .filter(|text| !text.is_empty())
            .collect();
        ChatMessage {
            channel: self.channel,
            sender: if self.username.is_empty() { "incoming-webhook".into() } else { self.username },
            title,
            text: text.join("\n"),
            colour: attachment.color,
        }
    }
}

/// The meaning of an error code of Slack, and its remedy.
pub fn meaning(word: &str) -> Option<(&'static str, &'static str)> {
    let meaning = match word {
        "invalid_token" => (
            "the webhook's URL is wrong or was revoked",
            "create a new incoming webhook in Slack's app settings and put its URL into the spec's `webhook_url`",
        ),
        "no_service" | "no_service_id" => (
            "the webhook is disabled, removed, or its URL is cut off",
            "enable it or create a new incoming webhook in Slack's app settings, then `monctl up`",
        ),
        "no_team" | "team_disabled" => (
            "the workspace of the webhook is gone or disabled",
            "create an incoming webhook in an active workspace",
        ),
        "channel_is_archived" => {
            ("the webhook's channel is archived", "unarchive it, or create a webhook for another channel")
        }
        "channel_not_found" => {
            ("the webhook's channel is gone", "create an incoming webhook for an existing channel")
        }
        "action_prohibited" | "posting_to_general_channel_denied" => (
            "the workspace's administrators forbid this message",
            "ask them, or create a webhook for another channel",
        ),
        "user_not_found" => (
            "the user for whom the webhook was created is gone",
            "create a new incoming webhook for a channel",
        ),
        "invalid_payload" | "no_text" | "too_many_attachments" => {
            ("Slack cannot parse the message", "check the message's content in the spec's `notify`")
        }
        "rate_limited" | "rate_limit_exceeded" => (
            "too many messages in a short time; Alertmanager retries",
            "wait a minute; group alerts so that fewer messages are sent",
        ),
        _ => return None,
    };
    Some(meaning)
}

/// Escapes Slack's markup as entities, as messages of monctl do.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Slack's error code in a line of Alertmanager's log, if there is one.
pub fn word_in(line: &str) -> Option<&str> {
    line.split(|c: char| !c.is_ascii_lowercase() && c != '_').find(|word| meaning(word).is_some())
}
