//! Runs the tools that providers need, and turns their failures into errors that include the tool's output.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::error::{Error, Result};

/// Maximum number of lines of a failed tool's output in an error.
const SHOWN_LINES: usize = 12;

/// Command for a tool, with messages in English.
pub(super) fn tool(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env("LC_ALL", "C").env("PATH", search_path()).kill_on_drop(true);
    command
}

/// Search path for tools: `PATH` and the folders of system tools, which a user's `PATH` often lacks.
pub(super) fn search_path() -> OsString {
    let own = env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].map(PathBuf::from);
    env::join_paths(env::split_paths(&own).chain(system)).unwrap_or(own)
}

/// Runs a tool and returns what it printed.
pub(super) async fn run(command: &mut Command) -> Result<String> {
    run_with_input(command, "").await
}

/// Runs a tool that reads `input`, and returns what it printed.
pub(super) async fn run_with_input(command: &mut Command, input: &str) -> Result<String> {
    let name = command.as_std().get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let started = |error| Error::failed(format!("cannot run `{name}`")).because(error);
    let mut child = command.spawn().map_err(started)?;
    if let Some(mut stdin) = child.stdin.take() {
        // A tool that exits without reading its input reports the reason by its status.
        drop(stdin.write_all(input.as_bytes()).await);
    }
    let output = child.wait_with_output().await.map_err(started)?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(printed);
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let shown = if stderr.trim().is_empty() { printed.as_str() } else { stderr.as_ref() };
    Err(Error::failed(format!("`{name}` failed: {}", output.status)).because(last_lines(shown)))
}

/// The last [`SHOWN_LINES`] lines of a text.
pub(super) fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_failure_shows_the_tools_error_output() {
        let error = run(tool("sh").args(["-c", "echo no such bridge >&2; exit 3"])).await.unwrap_err();
        assert_eq!(error.to_string(), "`sh` failed: exit status: 3");
        assert_eq!(error.causes(), ["no such bridge"]);
    }

    #[tokio::test]
    async fn a_tool_reads_its_input() {
        assert_eq!(run_with_input(&mut tool("cat"), "x").await.unwrap(), "x");
    }

    #[tokio::test]
    async fn a_missing_tool_is_named() {
        let error = run(&mut tool("monctl-no-such-tool")).await.unwrap_err();
        assert_eq!(error.message(), "cannot run `monctl-no-such-tool`");
    }
}
