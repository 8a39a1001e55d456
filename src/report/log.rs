//! Formats a line of a service's journal: time (UTC), host, service, text.

use super::harmless::harmless_line;
use super::style::Style;
use crate::event::LogLine;

/// Host names are padded to this: `monitoring`.
const HOST: usize = 10;
/// Names of services are padded to this: `node-exporter`.
const SERVICE: usize = 13;

pub(super) fn line(line: &LogLine, style: Style) -> String {
    let host = line.host.to_string();
    let service = harmless_line(&line.service);
    let at = line.at.strftime("%F %T%.3fZ");
    let head = format!(
        "{} {} {}",
        style.dim(&at.to_string()),
        style.name(&format!("{host:HOST$}"), &host),
        style.name(&format!("{service:SERVICE$}"), &service),
    );
    let text: Vec<String> = line.text.lines().map(harmless_line).collect();
    // Continuation lines are aligned below the first.
    let indent = format!("\n{:width$}", "", width = "2026-01-01 00:00:00.000Z".len() + HOST + SERVICE + 3);
    format!("{head} {}", text.join(&indent))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::HostName;

    fn example(text: &str) -> LogLine {
        let at = "2026-11-25T10:20:30.123456Z".parse().unwrap();
        LogLine { at, host: HostName::app(1), service: "app".into(), text: text.into() }
    }

    #[test]
    fn a_line_names_its_time_host_and_service() {
        let shown = line(&example("GET /\nsecond"), Style::Plain);
        let expected = [
            "2026-11-25 10:20:30.123Z app        app           GET /",
            "                                                  second",
        ];
        assert_eq!(shown, expected.join("\n"));
        assert!(line(&example("x"), Style::Colour).contains("\u{1b}["));
    }

    #[test]
    fn a_line_cannot_control_the_terminal() {
        assert!(line(&example("a\u{1b}[2Jb\rc"), Style::Plain).ends_with(" a\u{fffd}[2Jb\u{fffd}c"));
    }
}
