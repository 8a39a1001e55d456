//! `monctl ssh`: a shell or a command on a host, with the pinned keys.

use std::process::{Command, Stdio};

use serde_json::json;

use super::context::Context;
use super::outcome::Outcome;
use crate::cli::{OutputFormat, SshArgs};
use crate::error::{Error, Exit, Result};
use crate::provider;
use crate::spec::load;

/// Runs `ssh` directly, so that terminals, signals and pipes behave as usual.
///
/// # Errors
/// When the host does not run, or ssh or the command fails.
pub(super) async fn run(args: &SshArgs, context: &Context) -> Result<Outcome> {
    let loaded = load(&context.spec)?;
    let provider = provider::of(&loaded, &context.events).await?;
    let observed = provider.observe().await?;
    // A host that is no longer in the spec may still run.
    let Some(machine) = observed.running().into_iter().find(|machine| machine.name == args.host) else {
        loaded.spec.check_host(args.host)?;
        return Err(Error::could_not_run(format!("host `{}` does not run", args.host))
            .remedy("`monctl status` shows what runs; `monctl up` starts it"));
    };
    let mut command = Command::new("ssh");
    command.arg("-F").arg(&machine.ssh.config).arg("-o").arg("LogLevel=ERROR").arg(&machine.ssh.alias);
    if !args.command.is_empty() {
        // A command runs as root, like all of monctl's commands. The remote shell receives one string and must split it
        // into the same words.
        let sudo: &[&str] = if machine.ssh.root { &[] } else { &["sudo", "-n", "--"] };
        let words = sudo.iter().copied().chain(args.command.iter().map(String::as_str));
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

fn no_ssh(error: std::io::Error) -> Error {
    Error::could_not_run("cannot run `ssh`").because(error).remedy("apt-get install openssh-client")
}
