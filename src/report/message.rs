//! Renders a chat message as Slack does, with the coloured bar on the left.

use super::harmless::harmless_line;
use super::mrkdwn::{self, Emphasis, Kind, Span};
use super::style::Style;
use crate::event::ChatMessage;

/// The message in a frame. None of its characters can move the cursor or change the terminal.
pub(super) fn draw(message: &ChatMessage, style: Style) -> String {
    let bar = match message.colour.as_str() {
        "danger" => style.bad("▌"),
        "good" => style.good("▌"),
        "warning" => style.warn("▌"),
        _ => style.dim("▌"),
    };
    let channel = if message.channel.is_empty() { "the webhook's channel" } else { &message.channel };
    let head = format!("  {}  {}", style.bold(&plain(&message.sender)), style.dim(&plain(channel)));
    let title =
        (!message.title.is_empty()).then(|| format!("  {bar} {}", style.bold(&plain(&message.title))));
    let lines = mrkdwn::parse(message.text.trim_end());
    let text = lines.iter().map(|line| {
        let line: String = line.iter().map(|span| drawn(span, style)).collect();
        format!("  {bar} {line}")
    });
    [head].into_iter().chain(title).chain(text).collect::<Vec<_>>().join("\n")
}

/// A title or a name: links by their label, entities decoded, no control characters.
pub(super) fn plain(text: &str) -> String {
    harmless_line(&mrkdwn::plain(text))
}

/// Maximum length of a link's label and address together on a line.
const ROOM: usize = 90;

fn drawn(span: &Span, style: Style) -> String {
    let text = harmless_line(&span.text);
    let text = match &span.kind {
        Kind::Text => text,
        Kind::Code => style.dim(&text),
        Kind::Link(address) => linked(&text, &harmless_line(address), style),
    };
    span.emphasis.iter().fold(text, |text, emphasis| match emphasis {
        Emphasis::Bold => style.bold(&text),
        Emphasis::Italic => style.italic(&text),
        Emphasis::Strike => style.struck(&text),
    })
}

/// A link by its label, followed by the address if that adds information and there is room.
fn linked(label: &str, address: &str, style: Style) -> String {
    if bare(label) == bare(address) || label.chars().count() + address.chars().count() > ROOM {
        return label.to_owned();
    }
    format!("{label} {}", style.dim(&format!("({address})")))
}

/// An address without scheme and trailing slash.
fn bare(address: &str) -> &str {
    address.split_once("://").map_or(address, |(_, bare)| bare).trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> ChatMessage {
        ChatMessage {
            channel: "#ops".into(),
            sender: "Alertmanager".into(),
            title: "[FIRING] HighCPUUsage".into(),
            text: text.into(),
            colour: "danger".into(),
        }
    }

    /// A message of monctl's template, with some more markup.
    const TEXT: &str = "High CPU &amp; load on <http://10.0.0.2:9100|10.0.0.2:9100>\n\
        severity `warning`, now *93.2%*\n\
        *What to do:* Find _it_ ~or not~ (`top`)\n\
        <https://docs.example/HighCPUUsage.md|More about HighCPUUsage>\n\n";

    #[test]
    fn without_colour_a_message_is_text_without_markers() {
        assert_eq!(
            draw(&message(TEXT), Style::Plain),
            "  Alertmanager  #ops\n  \
               ▌ [FIRING] HighCPUUsage\n  \
               ▌ High CPU & load on 10.0.0.2:9100\n  \
               ▌ severity warning, now 93.2%\n  \
               ▌ What to do: Find it or not (top)\n  \
               ▌ More about HighCPUUsage (https://docs.example/HighCPUUsage.md)"
        );
    }

    #[test]
    fn with_colour_bold_is_bold_and_code_is_dim() {
        let drawn = draw(&message(TEXT), Style::Colour).replace('\u{1b}', "^");
        assert_eq!(
            drawn,
            "  ^[1mAlertmanager^[0m  ^[2m#ops^[0m\n  \
               ^[31m▌^[0m ^[1m[FIRING] HighCPUUsage^[0m\n  \
               ^[31m▌^[0m High CPU & load on 10.0.0.2:9100\n  \
               ^[31m▌^[0m severity ^[2mwarning^[0m, now ^[1m93.2%^[0m\n  \
               ^[31m▌^[0m ^[1mWhat to do:^[0m Find ^[3mit^[0m ^[9mor not^[0m (^[2mtop^[0m)\n  \
               ^[31m▌^[0m More about HighCPUUsage ^[2m(https://docs.example/HighCPUUsage.md)^[0m"
        );
    }

    #[test]
    fn an_address_is_shown_if_it_adds_information_and_fits() {
        let long = format!("https://x.example/{}", "a".repeat(80));
        for (label, address, expected) in [
            ("page", "https://x.example", "page (https://x.example)"),
            ("x.example", "https://x.example/", "x.example"),
            ("https://x.example", "https://x.example", "https://x.example"),
            ("https://a.example", "https://b.example", "https://a.example (https://b.example)"),
            ("page", &long, "page"),
        ] {
            assert_eq!(linked(label, address, Style::Plain), expected);
        }
    }

    #[test]
    fn a_message_cannot_control_the_terminal() {
        let drawn = draw(&message("a\u{1b}[2Jb\rc\u{7}d\u{202e}e &lt;b&gt; a < b"), Style::Plain);
        assert_eq!(drawn.lines().last(), Some("  ▌ a\u{fffd}[2Jb\u{fffd}c\u{fffd}d\u{fffd}e <b> a < b"));
        let drawn = draw(&message("*\u{1b}a* `\u{9b}b` <https://x.example/\u{7}|c\u{202e}>"), Style::Plain);
        assert_eq!(
            drawn.lines().last(),
            Some("  ▌ \u{fffd}a \u{fffd}b c\u{fffd} (https://x.example/\u{fffd})")
        );
    }
}
