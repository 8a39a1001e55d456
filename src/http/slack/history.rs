//! Slack's Web API for channels and their messages: requests as paths, responses as types, refusals with their
//! meaning. Sends nothing itself: `verify/` does, from the monitoring host.

use serde::Deserialize;

use super::Mark;
use crate::event::ChatMessage;

/// Slack's response: `ok`, or an error code.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Answer {
    ok: bool,
    error: String,
    needed: String,
    channels: Vec<Channel>,
    messages: Vec<Message>,
    response_metadata: Metadata,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Metadata {
    next_cursor: String,
}

/// A channel that the bot is in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Channel {
    /// Its id, such as `C0123456789`.
    pub id: String,
    /// Its name, without `#`.
    pub name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Message {
    ts: String,
    text: String,
    username: String,
    attachments: Vec<Attachment>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Attachment {
    title: String,
    text: String,
    fallback: String,
    footer: String,
    color: String,
}

/// A message in the channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundMessage {
    /// Its time stamp, which identifies it within the channel.
    pub stamp: String,
    /// The message.
    pub message: ChatMessage,
    /// The alerts that it is about.
    pub marks: Vec<Mark>,
}

/// Why Slack refuses a request: its error code, and the missing scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Such as `invalid_auth`.
    pub word: String,
    /// Such as `channels:history`; empty if no scope is missing.
    pub needed: String,
}

/// The path that lists the channels that the bot is in. Private ones need a scope of their own.
pub fn channels_path(with_private: bool, cursor: &str) -> String {
    let types = if with_private { "public_channel,private_channel" } else { "public_channel" };
    format!("users.conversations?types={types}&exclude_archived=true&limit=200&cursor={}", quoted(cursor))
}

/// The path that lists the newest messages of a channel since a moment, in seconds since 1970.
pub fn messages_path(channel: &str, since: i64) -> String {
    format!("conversations.history?channel={}&oldest={since}&limit=50", quoted(channel))
}

/// Parses the channels, and the cursor of the next page, which is empty at the end.
///
/// # Errors
/// If Slack refuses.
pub fn channels(body: &str) -> Result<(Vec<Channel>, String), Refusal> {
    let answer = read(body)?;
    Ok((answer.channels, answer.response_metadata.next_cursor))
}

/// Parses the marked messages, oldest first.
///
/// # Errors
/// If Slack refuses.
pub fn messages(body: &str) -> Result<Vec<FoundMessage>, Refusal> {
    let mut found: Vec<FoundMessage> = read(body)?.messages.into_iter().filter_map(Message::found).collect();
    found.reverse();
    Ok(found)
}

fn read(body: &str) -> Result<Answer, Refusal> {
    // Any other form is neither `ok` nor has an error code, which is handled below.
    let answer: Answer = serde_json::from_str(body).unwrap_or_default();
    match answer {
        Answer { ok: true, .. } => Ok(answer),
        Answer { error, .. } if error.is_empty() => {
            Err(Refusal { word: NO_ANSWER.into(), needed: String::new() })
        }
        Answer { error: word, needed, .. } => Err(Refusal { word, needed }),
    }
}

impl Message {
    fn found(self) -> Option<FoundMessage> {
        let of = |it: &Attachment| Mark::of_message(&it.footer, &it.fallback);
        let marks: Vec<Mark> = self.attachments.iter().flat_map(of).collect();
        let attachment = self.attachments.into_iter().next().filter(|_| !marks.is_empty())?;
        let text = [self.text, attachment.text].into_iter().filter(|text| !text.is_empty());
        // Slack stores its three named colours as numbers.
        let colour = match attachment.color.as_str() {
            "a30200" => "danger".to_owned(),
            "2eb886" => "good".to_owned(),
            "daa038" => "warning".to_owned(),
            other => other.to_owned(),
        };
        let message = ChatMessage {
            channel: String::new(),
            sender: self.username,
            title: attachment.title,
            text: text.collect::<Vec<_>>().join("\n"),
            colour,
        };
        Some(FoundMessage { stamp: self.ts, message, marks })
    }
}

/// In place of Slack's error code if something else responded, such as a proxy.
const NO_ANSWER: &str = "not a response of Slack";

impl Refusal {
    /// Whether a retry may succeed.
    pub fn is_passing(&self) -> bool {
        let passing = ["ratelimited", "internal_error", "fatal_error", "service_unavailable", NO_ANSWER];
        passing.contains(&self.word.as_str())
    }

    /// Its meaning, and the remedy.
    pub fn meaning(&self) -> (String, &'static str) {
        let (meaning, remedy) = match self.word.as_str() {
            "invalid_auth" | "not_authed" => (
                "the bot's token is wrong",
                "copy the Bot User OAuth Token (`xoxb-…`) from the app's page `OAuth & Permissions`",
            ),
            "account_inactive" | "token_revoked" | "token_expired" => (
                "the bot was removed, or its token was revoked",
                "install the app to the workspace again and put its new token into `bot_token`",
            ),
            "missing_scope" => (
                "the bot lacks a scope",
                "add it on the app's page `OAuth & Permissions`, then install the app to the workspace again",
            ),
            "not_in_channel" | "channel_not_found" => (
                "the bot is not in the channel",
                "invite it there (`/invite @NAME`), or correct `notify.slack.channel`",
            ),
            "not_allowed_token_type" => (
                "this is not a bot token",
                "use the Bot User OAuth Token (`xoxb-…`), not one of a user or an app",
            ),
            "ratelimited" => ("the bot sends too many requests", "wait a minute, then run it again"),
            "access_denied"
            | "ekm_access_denied"
            | "team_access_not_granted"
            | "enterprise_is_restricted" => {
                ("the workspace's administrators forbid it", "ask them, or remove `bot_token`")
            }
            _ => ("unknown error code", "see Slack's documentation of the method `conversations.history`"),
        };
        let needed = if self.needed.is_empty() { String::new() } else { format!(" ({})", self.needed) };
        (format!("Slack responded `{}`: {meaning}{needed}", self.word), remedy)
    }
}

/// Quotes a query value. Slack's ids and cursors consist of letters, digits and a few other characters.
fn quoted(text: &str) -> String {
    let quote = |byte: u8| match byte {
        b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(quote).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marked_message_is_found_among_others() {
        let body = r#"{"ok": true, "has_more": false, "messages": [
            {"ts": "1764.2", "text": "", "attachments": [{"title": "[RESOLVED] A", "text": "over", "color": "2eb886",
             "footer": "resolved ab12 1764; firing cd34 1765; "}]},
            {"ts": "1764.1", "text": "good morning"}]}"#;
        let found = messages(body).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].stamp.as_str(), found[0].message.colour.as_str()), ("1764.2", "good"));
        let mark =
            |is_over, fingerprint: &str, since| Mark { is_over, fingerprint: fingerprint.into(), since };
        assert_eq!(found[0].marks, [mark(true, "ab12", 1764), mark(false, "cd34", 1765)]);
    }

    #[test]
    fn marks_beyond_the_footers_limit_are_found_in_the_fallback() {
        let marks: Vec<String> = (0..40).map(|number| format!("firing {number:016x} 1764000000; ")).collect();
        let footer: String = marks.concat().chars().take(300).collect();
        let body = serde_json::json!({"ok": true, "messages": [{"ts": "1764.1", "attachments": [
            {"title": "[FIRING] HostDown", "footer": footer, "fallback": format!("[FIRING] HostDown; {}", marks.concat())},
        ]}]});
        let found = messages(&body.to_string()).unwrap();
        assert_eq!(found[0].marks.len(), 40, "each once");
        // An older message has its marks in the footer alone; the truncated one is ignored.
        assert_eq!(Mark::of_message(&footer, "").len(), 8);
        let cut: String = footer.chars().take(290).collect();
        assert_eq!(Mark::of_message(&cut, "").len(), 8);
        let cut: String = footer.chars().take(280).collect();
        assert_eq!(Mark::of_message(&cut, "").len(), 7);
    }

    #[test]
    fn a_refusal_is_explained_and_a_temporary_one_is_recognised() {
        let body = r#"{"ok": false, "error": "missing_scope", "needed": "channels:history", "provided": "chat:write"}"#;
        let refusal = messages(body).unwrap_err();
        let (meaning, remedy) = refusal.meaning();
        assert_eq!(meaning, "Slack responded `missing_scope`: the bot lacks a scope (channels:history)");
        assert!(remedy.contains("OAuth & Permissions"));
        assert!(!refusal.is_passing());
        assert!(messages(r#"{"ok": false, "error": "ratelimited"}"#).unwrap_err().is_passing());
        let proxy = messages("<html>").unwrap_err();
        assert!(proxy.word == NO_ANSWER && proxy.is_passing(), "{proxy:?}");
    }

    #[test]
    fn query_values_are_quoted() {
        assert!(channels_path(true, "dGVhbTpD=").ends_with("&cursor=dGVhbTpD%3D"));
        assert_eq!(
            messages_path("C1&x=\"", 7),
            "conversations.history?channel=C1%26x%3D%22&oldest=7&limit=50"
        );
    }
}
