//! The program on a terminal, with a person who types.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs monctl in a folder on a terminal and types these lines; returns everything that the terminal showed, with the
/// exit code at its end.
pub fn type_lines(folder: &Path, arguments: &str, lines: &str, settings: &[(&str, &str)]) -> String {
    let call = format!("{} {arguments}; echo exit code $?", env!("CARGO_BIN_EXE_monctl"));
    let mut script = Command::new("script")
        .args(["--quiet", "--command", &call, "/dev/null"])
        .current_dir(folder)
        .env_remove("MONCTL_SPEC")
        .env_remove("NO_COLOR")
        .env("TERM", "xterm")
        .envs(settings.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    script.stdin.as_mut().unwrap().write_all(lines.as_bytes()).unwrap();
    // Its end of the pipe stays open until the run has ended.
    let keyboard = script.stdin.take();
    let shown = String::from_utf8(script.wait_with_output().unwrap().stdout).unwrap();
    drop(keyboard);
    shown
}
