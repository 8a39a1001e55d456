//! A chat message as Slack would show it, with the coloured bar at its left.

use super::harmless::harmless_line;
use super::style::Style;
use crate::event::ChatMessage;

/// The message in a frame of its own. No character of it can move the cursor or change the terminal.
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
    let text = message.text.trim_end().lines().map(|line| format!("  {bar} {}", plain(line)));
    [head].into_iter().chain(title).chain(text).collect::<Vec<_>>().join("\n")
}

/// Slack's markup as text: links by their label, entities as their characters; nothing that a terminal obeys.
pub(super) fn plain(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, link)) = rest.split_once('<') {
        shown.push_str(before);
        let Some((link, after)) = link.split_once('>') else {
            rest = link;
            shown.push('<');
            continue;
        };
        shown.push_str(link.split_once('|').map_or(link, |(_, label)| label));
        rest = after;
    }
    shown.push_str(rest);
    let shown = shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    harmless_line(&shown)
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

    #[test]
    fn a_message_is_drawn_with_its_bar_title_and_text() {
        let drawn = draw(&message("one &amp; two\nsee <https://example.org|the runbook>\n"), Style::Plain);
        assert_eq!(
            drawn,
            "  Alertmanager  #ops\n  ▌ [FIRING] HighCPUUsage\n  ▌ one & two\n  ▌ see the runbook"
        );
        assert!(draw(&message("x"), Style::Colour).contains("\u{1b}[31m▌"));
    }

    #[test]
    fn a_message_cannot_steer_the_terminal() {
        let drawn = draw(&message("a\u{1b}[2Jb\rc\u{7}d\u{202e}e &lt;b&gt; a < b"), Style::Plain);
        assert_eq!(drawn.lines().last(), Some("  ▌ a\u{fffd}[2Jb\u{fffd}c\u{fffd}d\u{fffd}e <b> a < b"));
    }
}
