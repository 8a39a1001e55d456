//! `monctl ssh`: a shell or a command on a host, with the pinned keys.

use std::io::{self, IsTerminal as _};
use std::process::{Command, Stdio};

use serde_json::json;

use super::context::Context;
use crate::cli::{OutputFormat, SshArgs};
use crate::error::{Error, Exit, Result};
use crate::host::HostName;
use crate::provider;
use crate::report::Outcome;
use crate::spec::load;

pub(super) async fn run(args: &SshArgs, context: &Context) -> Result<Outcome> {
    session(args.host, &args.command, Terminal::Shell, context).await
}

/// When the remote side gets a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Terminal {
    /// For a shell only, as `ssh` itself does.
    Shell,
    /// For commands that ask questions, too, if monctl has one.
    Commands,
}

/// Runs `ssh` directly, so that terminals, signals and pipes behave as usual. Without words it opens a shell.
///
/// # Errors
/// When the host does not run, or ssh or the command fails.
pub(super) async fn session(
    host: HostName,
    words: &[String],
    terminal: Terminal,
    context: &Context,
) -> Result<Outcome> {
    let loaded = load(&context.spec)?;
    let provider = provider::of(&loaded, &context.events).await?;
    let observed = provider.observe().await?;
    // A host that is no longer in the spec may still run.
    let Some(machine) = observed.running().into_iter().find(|machine| machine.name == host) else {
        loaded.spec.check_host(host)?;
        return Err(Error::could_not_run(format!("host `{host}` does not run"))
            .remedy("`monctl status` shows what runs; `monctl up` starts it"));
    };
    let mut command = Command::new("ssh");
    command.arg("-F").arg(&machine.ssh.config).arg("-o").arg("LogLevel=ERROR");
    let is_screen = io::stdin().is_terminal() && io::stdout().is_terminal();
    if terminal == Terminal::Commands && is_screen && context.output == OutputFormat::Text {
        command.arg("-t");
    }
    command.arg(&machine.ssh.alias);
    if !words.is_empty() {
        // A command runs as root, like all of monctl's commands. The remote shell receives one string and must split it
        // into the same words.
        let sudo: &[&str] = if machine.ssh.root { &[] } else { &["sudo", "-n", "--"] };
        let words = sudo.iter().copied().chain(words.iter().map(String::as_str));
        command.arg("--").arg(words.map(crate::playbook::quote).collect::<Vec<_>>().join(" "));
    }
    if context.output == OutputFormat::Json {
        let output = command.stdin(Stdio::inherit()).output().map_err(no_ssh)?;
        let json = json!({
            "stdout": String::from_utf8_lossy(&output.stdout),
            "stderr": String::from_utf8_lossy(&output.stderr),
            "status": output.status.code(),
        });
        let exit = if output.status.success() { Exit::Success } else { Exit::Failed };
        return Ok(Outcome { exit, text: String::new(), json });
    }
    let status = command.status().map_err(no_ssh)?;
    let exit = if status.success() { Exit::Success } else { Exit::Failed };
    Ok(Outcome { exit, text: String::new(), json: json!({ "status": status.code() }) })
}

fn no_ssh(error: io::Error) -> Error {
    Error::could_not_run("cannot run `ssh`").because(error).remedy("apt-get install openssh-client")
}
