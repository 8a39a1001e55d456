//! The dialogue between a person and a run: questions on a terminal, Ctrl-C, and runs without a terminal. The
//! projects of these tests are never created.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::binary::{DEADLINE, Project, SPEC};
use crate::support::terminal::type_lines;

/// A spec with a project name that no other test uses, in this process or another.
fn spec() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    let (process, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    SPEC.replace("project: notes", &format!("project: monctl-test-ask-{process}-{count}"))
}

/// A project whose secret is still being looked up while the test goes on.
fn slow_project() -> Project {
    let env = "  wsgi: notes.wsgi\n  env:\n    KEY: {command: [sh, -c, touch started; exec sleep 8]}\n";
    Project::with_spec(&spec().replace("  wsgi: notes.wsgi\n", env))
}

fn wait_for(what: impl Fn() -> bool) {
    let start = Instant::now();
    while !what() {
        assert!(start.elapsed() < DEADLINE, "not within {DEADLINE:?}");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn an_interrupted_run_ends_within_two_seconds_with_a_remedy() {
    for signal in ["INT", "TERM"] {
        let project = slow_project();
        let run = project.monctl().args(["up", "--yes"]).spawn();
        wait_for(|| project.path("started").exists());
        run.signal(signal);
        run.wait()
            .code(130)
            .within(Duration::from_secs(2))
            .stdout_is("")
            .stderr_contains("error: `up` was interrupted")
            .stderr_contains("help: `monctl up` goes on from here");
    }
}

#[test]
fn a_second_signal_ends_the_run_at_once() {
    let project = slow_project();
    let run = project.monctl().arg("plan").spawn();
    wait_for(|| project.path("started").exists());
    // Two signals of the same kind might be merged.
    run.signal("INT");
    run.signal("TERM");
    run.wait().code(130).within(Duration::from_secs(1));
}

#[test]
fn an_interrupted_run_is_reported_as_json_on_request() {
    let project = slow_project();
    let run = project.monctl().args(["plan", "--output", "json"]).spawn();
    wait_for(|| project.path("started").exists());
    run.signal("TERM");
    let ran = run.wait().code(130).stdout_is("");
    assert_eq!(ran.events().last().unwrap()["exit"], "interrupted");
}

#[test]
fn without_a_terminal_up_names_the_option_to_skip_the_confirmation() {
    let project = Project::with_spec(&spec());
    let ran = project.monctl().arg("up").run().code(2).stdout_is("");
    ran.stderr_contains("nothing was changed").stderr_contains("--yes");
}

/// Runs `up` on a terminal and answers no; returns everything that the terminal showed.
fn no_on_a_terminal(settings: &[(&str, &str)]) -> String {
    let project = Project::with_spec(&spec());
    type_lines(&project.path(""), "up", "n\n", settings)
}

#[test]
fn on_a_terminal_up_shows_the_plan_and_takes_no_for_an_answer() {
    let shown = no_on_a_terminal(&[]);
    let plan = shown.find("machine app: absent").unwrap_or_else(|| panic!("no plan in {shown}"));
    let question = shown.find("[y/N]").unwrap_or_else(|| panic!("no question in {shown}"));
    assert!(plan < question, "{shown}");
    assert!(shown.contains("nothing was changed") && shown.contains("exit code 5"), "{shown}");
}

#[test]
fn only_terminals_that_support_colour_are_coloured() {
    let coloured = "\u{1b}[32m";
    assert!(no_on_a_terminal(&[]).contains(coloured));
    for setting in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let shown = no_on_a_terminal(&[setting]);
        assert!(shown.contains("machine app: absent"), "{shown}");
        assert!(!shown.contains('\u{1b}'), "{shown:?}");
    }
}
