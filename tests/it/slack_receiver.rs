//! The receiver inside monctl accepts and refuses the same requests as Slack.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::net::SocketAddr;

use monctl::http::slack::{Received, Reply, SlackReceiver};
use monctl::http::{Client, Endpoint};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

async fn receiver(replies: Vec<Reply>) -> (SlackReceiver, SocketAddr, Client) {
    let (receiver, address) = SlackReceiver::on_tcp(ANY_PORT, replies).await.unwrap();
    let client = Client::new("receiver", &Endpoint::Tcp(address)).unwrap();
    (receiver, address, client)
}

/// A message of Alertmanager.
fn alert() -> Value {
    json!({
        "channel": "#ops",
        "username": "Alertmanager",
        "attachments": [{
            "title": "[FIRING] HighCPUUsage",
            "text": "CPU usage is above 80% on 10.0.0.7:9100",
            "fallback": "[FIRING:1] HighCPUUsage",
            "color": "danger",
            "mrkdwn_in": ["fallback", "pretext", "text"]
        }]
    })
}

async fn raw(address: SocketAddr, content_type: &str, body: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let request = format!(
        "POST /services/T/B/x HTTP/1.1\r\nhost: x\r\ncontent-type: {content_type}\r\n\
         content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn alertmanagers_message_is_accepted_with_ok_and_handed_over() {
    let (mut receiver, _, client) = receiver(vec![]).await;
    let answer = client.post("/services/T/B/x", &alert()).await.unwrap();
    assert_eq!((answer.status, answer.body.as_slice()), (200, b"ok".as_slice()));
    let Received { message, reply, .. } = receiver.next().await.unwrap();
    let message = message.unwrap();
    assert_eq!(reply, Reply::Ok);
    assert_eq!(
        (message.channel.as_str(), message.title.as_str(), message.colour.as_str()),
        ("#ops", "[FIRING] HighCPUUsage", "danger")
    );
    assert_eq!(message.text, "CPU usage is above 80% on 10.0.0.7:9100");
}

#[tokio::test]
async fn an_invalid_message_is_refused_with_slacks_error_code() {
    let (_receiver, address, client) = receiver(vec![]).await;
    for (content_type, body, word) in [
        ("application/json", "{", "invalid_payload"),
        ("application/json", "[]", "invalid_payload"),
        ("text/plain", r#"{"text": "x"}"#, "invalid_payload"),
        ("application/json", r#"{"channel": "x"}"#, "no_text"),
    ] {
        let answer = raw(address, content_type, body).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(answer.ends_with(word), "{content_type} {body}: {answer}");
    }
    let many: Vec<Value> = vec![json!({"text": "x"}); 101];
    let answer = client.post("/", &json!({ "attachments": many })).await.unwrap();
    assert_eq!((answer.status, answer.message().as_str()), (400, "too_many_attachments"));
    assert_eq!(client.get("/services/T/B/x").await.unwrap().status, 400);
}

#[tokio::test]
async fn configured_refusals_come_first_and_a_rate_limit_has_retry_after() {
    let replies = vec![Reply::RateLimited(3), Reply::Refused(404, "no_service")];
    let (mut receiver, address, client) = receiver(replies).await;
    let limited = raw(address, "application/json", &alert().to_string()).await;
    assert!(limited.starts_with("HTTP/1.1 429 "), "{limited}");
    assert!(limited.to_lowercase().contains("retry-after: 3\r\n"), "{limited}");
    let refused = client.post("/", &alert()).await.unwrap();
    assert_eq!((refused.status, refused.message().as_str()), (404, "no_service"));
    assert_eq!(client.post("/", &alert()).await.unwrap().status, 200);
    let replies: Vec<Reply> = receiver.take().into_iter().map(|received| received.reply).collect();
    assert_eq!(replies, [Reply::RateLimited(3), Reply::Refused(404, "no_service"), Reply::Ok]);
}

#[tokio::test]
async fn a_dropped_receiver_stops_listening() {
    let (receiver, address, _client) = receiver(vec![]).await;
    drop(receiver);
    let gone = async {
        while tokio::net::TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), gone).await.unwrap();
}
