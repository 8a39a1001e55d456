//! Snapshots of the output for people and programs.

use std::time::Duration;

use super::*;
use crate::duration::Millis;
use crate::host::HostName;

fn ms(millis: u64) -> Millis {
    Millis(Duration::from_millis(millis))
}

/// A run in which everything happens once.
fn events() -> Vec<Event> {
    let app = HostName::app(1);
    let step = |host, step: &str, took| Event::StepFinished { host, step: step.into(), took: ms(took) };
    vec![
        Event::PhaseStarted { phase: "machines" },
        Event::Infra { what: "boot machine app".into(), took: None },
        Event::Infra { what: "boot machine app".into(), took: Some(ms(2_140)) },
        Event::PhaseFinished { phase: "machines", took: ms(2_200) },
        Event::PhaseStarted { phase: "hosts" },
        Event::Connected { host: app, took: ms(310) },
        Event::StepStarted { host: app, step: "packages".into() },
        step(app, "packages", 8_400),
        step(HostName::MONITORING, "prometheus.unit", 12),
        Event::StepFailed {
            host: HostName::app(2),
            step: "migrate".into(),
            output: "Traceback:\nno such table".into(),
        },
        Event::Stage {
            alert: "HighCPUUsage".into(),
            stage: "firing".into(),
            after: ms(21_300),
            predicted: Some((ms(12_000), ms(26_000))),
            detail: "instance 10.0.0.2:9100".into(),
        },
        Event::Message {
            message: crate::event::ChatMessage {
                channel: String::new(),
                sender: "Alertmanager".into(),
                title: "[FIRING] HighCPUUsage".into(),
                text: "severity `warning`, now *93.2%*\n_see_ <https://docs.example/a.md|More>".into(),
                colour: "danger".into(),
            },
        },
        Event::Stage {
            alert: "HighCPUUsage".into(),
            stage: "load off".into(),
            after: ms(65_000),
            predicted: None,
            detail: String::new(),
        },
        Event::Note { text: "nothing changed on monitoring".into() },
        Event::Warning { text: "Grafana is missing".into() },
    ]
}

fn error() -> Error {
    Error::failed("step `migrate` failed")
        .at("app-2, step `migrate`")
        .because(Error::failed("no such table\nnotes_note"))
        .remedy("mend the migration, then run `monctl up` again")
}

fn shown(json: bool, style: Style) -> String {
    let mut out = Vec::new();
    let mut reporter = Reporter::new(Screen { json, terminal: false, style }, &mut out);
    for event in events() {
        reporter.show(&event);
    }
    reporter.fail(&error());
    String::from_utf8(out).unwrap()
}

#[test]
fn a_run_in_a_log() {
    insta::assert_snapshot!(shown(false, Style::Plain));
}

#[test]
fn a_run_as_json_lines() {
    let text = shown(true, Style::Plain);
    for line in text.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
    insta::assert_snapshot!(text);
}

#[test]
fn colour_only_repeats_what_the_text_expresses() {
    let mut coloured = shown(false, Style::Colour);
    assert!(coloured.contains('\u{1b}'));
    for code in ["0", "1", "2", "3", "31", "32", "33", "36"] {
        coloured = coloured.replace(&format!("\u{1b}[{code}m"), "");
    }
    assert_eq!(coloured, shown(false, Style::Plain));
}

/// Text with which a host could control a terminal.
const HOSTILE: &str = "a\u{1b}]0;t\u{7}b\rc\u{9b}2Jd\u{202e}e\u{2067}f";

/// Each kind of event with hostile text in every external field.
fn hostile_events() -> Vec<Event> {
    let (host, text) = (HostName::MONITORING, || HOSTILE.to_owned());
    let message = crate::event::ChatMessage {
        channel: text(),
        sender: text(),
        title: text(),
        text: text(),
        colour: text(),
    };
    let line = crate::event::LogLine {
        at: "2026-11-25T10:20:30Z".parse().unwrap(),
        host,
        service: text(),
        text: text(),
    };
    vec![
        Event::Infra { what: text(), took: None },
        Event::Infra { what: text(), took: Some(ms(1)) },
        Event::Waiting { what: text(), after: ms(5_000) },
        Event::StepStarted { host, step: text() },
        Event::StepUnderWay { host, step: text(), after: ms(5_000) },
        Event::StepFinished { host, step: text(), took: ms(1) },
        Event::StepFailed { host, step: text(), output: text() },
        Event::Stage { alert: text(), stage: text(), after: ms(1), predicted: None, detail: text() },
        Event::Expected { alert: text(), stage: text(), earliest: ms(1), expected: ms(2), latest: ms(3) },
        Event::Message { message },
        Event::Log { line },
        Event::Opened { service: "Grafana", url: text() },
        Event::Note { text: text() },
        Event::Warning { text: text() },
    ]
}

#[test]
fn output_of_a_host_cannot_control_the_terminal() {
    let steers = |c: char| {
        (c.is_control() && c != '\n') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    for (json, terminal) in [(false, false), (true, false), (false, true)] {
        let mut out = Vec::new();
        let screen = Screen { json, terminal, style: Style::Plain };
        let mut reporter = Reporter::new(screen, &mut out);
        let mut results = String::new();
        for event in hostile_events() {
            reporter.show(&event);
            results.extend(reporter.output(&event));
        }
        let error = Error::failed(HOSTILE).at(HOSTILE).because(HOSTILE).remedy(HOSTILE);
        reporter.fail(&error);
        let shown = String::from_utf8(out).unwrap() + &results;
        assert!(shown.contains(']') && !shown.contains(steers), "{shown:?}");
    }
}

#[test]
fn the_value_of_a_secret_is_masked_whatever_its_source() {
    let secrets = KnownSecrets::default();
    secrets.add(&crate::secret::Secret::new("hunter2-hunter2"));
    for json in [false, true] {
        let mut out = Vec::new();
        let screen = Screen { json, terminal: false, style: Style::Plain };
        let mut reporter = Reporter::new(screen, &mut out).masking(secrets.clone());
        let output = "SECRET_KEY = 'hunter2-hunter2'".to_owned();
        reporter.show(&Event::StepFailed {
            host: HostName::app(1),
            step: "app".into(),
            output: output.clone(),
        });
        reporter.fail(&Error::failed("cannot read the state of the host").because(output));
        let shown = String::from_utf8(out).unwrap();
        assert!(shown.contains("SECRET_KEY = '[secret]'") && !shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn plain_style_writes_no_escape_sequences() {
    assert!(!shown(false, Style::Plain).contains('\u{1b}'));
}

#[test]
fn a_result_ends_with_one_newline_and_an_empty_one_prints_nothing() {
    for (text, printed) in [("", ""), ("a", "a\n"), ("a\n", "a\n")] {
        let mut out = Vec::new();
        result(&mut out, text).unwrap();
        assert_eq!(out, printed.as_bytes());
    }
}

struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_closed_pipe_is_not_an_error() {
    assert!(result(Closed, "text").is_ok());
}

#[test]
fn plans_are_marked_by_the_first_sign_of_a_line() {
    let plan = "app:\n  + create x\n  ~ change y\n  - remove z";
    assert_eq!(Style::Plain.marks(plan), plan);
    let coloured = Style::Colour.marks(plan);
    assert!(coloured.contains("\u{1b}[32m  + create x\u{1b}[0m"), "{coloured:?}");
    assert!(coloured.starts_with("app:\n"), "{coloured:?}");
}
