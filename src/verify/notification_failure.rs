//! Why a receiver did not accept a notification, from Alertmanager's log. Pure.

use crate::http::alertmanager::ReceiverKind;
use crate::http::slack;

/// A failed notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotificationFailure {
    /// What happened.
    pub cause: String,
    /// What to do.
    pub remedy: String,
    /// Whether another try soon does not help.
    pub is_final: bool,
}

/// Failures of connections: words of Alertmanager's log, what they mean, and the remedy.
const CONNECTIONS: [(&[&str], &str, &str); 6] = [
    (
        &["connection refused"],
        "the connection was refused: nothing listens at the receiver's address",
        "start the receiver, or correct its URL in the spec's `notify`, then `monctl up`",
    ),
    (
        &["no such host", "server misbehaving", "name resolution"],
        "DNS does not resolve the receiver's name on the monitoring host",
        "correct the name in its URL, or the host's DNS: `monctl ssh monitoring -- cat /etc/resolv.conf`",
    ),
    (
        &["x509:", "tls:"],
        "the receiver's TLS certificate is not accepted",
        "renew it, or install its authority on the monitoring host",
    ),
    (
        &["network is unreachable", "no route to host"],
        "the monitoring host has no route to the receiver",
        "check the routes of the monitoring host: `monctl ssh monitoring -- ip route`",
    ),
    (
        &["proxyconnect"],
        "the proxy does not connect to the receiver",
        "correct `proxy_url` in the spec's `notify`, or the proxy's rules",
    ),
    (
        &["deadline exceeded", "i/o timeout", "Client.Timeout"],
        "the receiver did not answer in time",
        "let the monitoring host reach it: check firewalls, or set a `proxy_url`",
    ),
];

impl NotificationFailure {
    /// The last failure in a log; if a receiver is named, of that one.
    pub fn in_log(log: &str, receiver: Option<(&str, ReceiverKind)>) -> Option<Self> {
        let failures = log.lines().rev().filter(|line| line.contains("otify"));
        let parts = failures.filter_map(|line| match receiver {
            Some((receiver, integration)) => part_about(line, receiver, integration),
            None => Some(line),
        });
        let parts: Vec<&str> = parts.collect();
        let is_slack = receiver.is_none_or(|(_, integration)| integration == ReceiverKind::Slack);
        let word = parts.iter().filter(|_| is_slack).find_map(|part| slack::word_in(part));
        word.map(Self::of_slack).or_else(|| parts.first().map(|part| Self::of_line(part)))
    }

    /// The failure for an error code of Slack.
    pub fn of_slack(word: &str) -> Self {
        let (meaning, remedy) = slack::meaning(word)
            .unwrap_or(("no reason given", "see Slack's documentation of incoming webhooks"));
        Self { cause: format!("Slack responded `{word}`: {meaning}"), remedy: remedy.into(), is_final: true }
    }

    fn of_line(line: &str) -> Self {
        if let Some(status) = status_in(line) {
            return Self::of_status(status);
        }
        let is_meant = |(words, ..): &&(&[&str], &str, &str)| words.iter().any(|word| line.contains(word));
        if let Some((_, cause, remedy)) = CONNECTIONS.iter().find(is_meant) {
            return Self { cause: (*cause).into(), remedy: (*remedy).into(), is_final: false };
        }
        Self {
            cause: format!("Alertmanager could not deliver: {}", failure_in(line)),
            remedy: "check the webhook's URL and that the monitoring host reaches it".into(),
            is_final: false,
        }
    }

    fn of_status(status: u16) -> Self {
        let (meaning, remedy) = match status {
            401 | 403 => (
                "the receiver does not accept the credentials in its URL",
                "create a new webhook there and put its URL into the spec's `notify`, then `monctl up`",
            ),
            404 | 410 => (
                "the receiver has nothing at the path of the URL",
                "correct the URL in the spec's `notify`, then `monctl up`",
            ),
            429 => ("too many messages in a short time", "wait a minute, then run it again"),
            500.. => {
                ("the receiver's server failed", "see the receiver's own status or log, then run it again")
            }
            _ => ("the receiver refused the message", "see the receiver's own documentation and log"),
        };
        Self {
            cause: format!("the receiver responded with status {status}: {meaning}"),
            remedy: remedy.into(),
            is_final: status < 500,
        }
    }
}

/// The part of a line that is about this receiver: the whole line of one attempt, or the receiver's own error in the
/// summary of several.
fn part_about<'a>(line: &'a str, receiver: &str, integration: ReceiverKind) -> Option<&'a str> {
    let integration = integration.name();
    let is_attempt = line.split(' ').any(|word| word.strip_prefix("receiver=") == Some(receiver))
        && line.contains(&format!("integration={integration}["));
    if is_attempt {
        return Some(line);
    }
    // `err="slack-critical/slack[0]: …; slack-critical/webhook[0]: …"`.
    let of_receiver = format!("{receiver}/");
    let own = format!("{of_receiver}{integration}[");
    let mut from = 0;
    loop {
        let at = from + line[from..].find(&own)?;
        let is_whole = line[..at].ends_with(['"', ' ', ':', ';', '=']);
        let rest = &line[at..];
        if is_whole {
            let end = rest.find(&format!("; {of_receiver}")).unwrap_or(rest.len());
            return Some(&rest[..end]);
        }
        from = at + own.len();
    }
}

/// The status of a response in a line of the log.
fn status_in(line: &str) -> Option<u16> {
    let (_, after) = line.split_once("unexpected status code ")?;
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    // Digits too many for a status are none.
    digits.parse().ok()
}

/// The failure in a line of Alertmanager's log. Addresses are left out: a webhook's is a secret, and not every
/// version of Alertmanager takes it out itself.
fn failure_in(line: &str) -> String {
    let failure = line.split_once("err=").map_or(line, |(_, failure)| failure);
    let shown = |word: &str| if word.contains("://") { "<url>".to_owned() } else { word.to_owned() };
    failure.trim().trim_matches('"').split(' ').map(shown).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_failure_is_quoted_without_the_webhook_url() {
        let line = "level=warn msg=\"Notify attempt failed\" err=\"Post \\\"https://hooks.slack.com/services/T/B/x\\\": \
                    EOF\"";
        assert_eq!(failure_in(line), "Post <url> EOF");
        let failure = NotificationFailure::in_log(line, None).unwrap();
        assert_eq!(failure.cause, "Alertmanager could not deliver: Post <url> EOF");
    }

    #[test]
    fn each_failure_has_its_meaning_and_only_a_refusal_is_final() {
        for (error, meaning, is_final) in [
            ("unexpected status code 403: invalid_token", "Slack responded `invalid_token`", true),
            ("unexpected status code 403: forbidden", "status 403: the receiver does not accept", true),
            ("unexpected status code 404", "status 404: the receiver has nothing at the path", true),
            ("unexpected status code 429: rate_limited", "Slack responded `rate_limited`", true),
            ("unexpected status code 429", "status 429: too many messages", true),
            ("unexpected status code 502", "status 502: the receiver's server failed", false),
            (
                "Post \\\"<redacted>\\\": dial tcp 127.0.0.1:9: connect: connection refused",
                "was refused",
                false,
            ),
            (
                "Post \\\"<redacted>\\\": dial tcp: lookup x.example: no such host",
                "DNS does not resolve",
                false,
            ),
            ("Post \\\"<redacted>\\\": context deadline exceeded", "did not answer in time", false),
        ] {
            let line = format!(
                "level=warn receiver=a integration=slack[0] msg=\"Notify attempt failed\" err=\"{error}\""
            );
            let failure = NotificationFailure::in_log(&line, Some(("a", ReceiverKind::Slack))).unwrap();
            assert!(failure.cause.contains(meaning), "{error}: {}", failure.cause);
            assert_eq!(failure.is_final, is_final, "{error}");
            assert!(!failure.remedy.is_empty());
        }
    }

    #[test]
    fn a_failure_belongs_to_the_receiver_that_the_log_names() {
        let log = "level=error component=dispatcher msg=\"Notify for alerts failed\" num_alerts=1 \
                   err=\"slack-critical/slack[0]: notify retry canceled: unexpected status code 404: no_service; \
                   slack-critical/webhook[0]: unexpected status code 410\"";
        let cause = |receiver: &str, integration| {
            NotificationFailure::in_log(log, Some((receiver, integration))).map(|failure| failure.cause)
        };
        assert!(cause("slack-critical", ReceiverKind::Slack).unwrap().contains("`no_service`"));
        assert!(cause("slack-critical", ReceiverKind::Webhook).unwrap().contains("status 410"));
        for other in ["critical", "slack", "slack-notifications"] {
            assert_eq!(cause(other, ReceiverKind::Slack), None, "{other}");
        }
    }
}
