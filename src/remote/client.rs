//! Calls the ssh client for one answer: the route to a host, or why a host refuses the connection.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::limits::{self, Limits, Meter, Stop};

use crate::error::{Error, Result};

/// How the ssh client resolves a destination, with all of the user's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshRoute {
    /// The login user.
    pub user: String,
    /// The name or address that is connected to.
    pub host: String,
    /// The port of its sshd.
    pub port: String,
    /// The name under which its key is looked up, if configured.
    pub key_alias: Option<String>,
    /// Whether the connection goes through jump hosts or a proxy command.
    pub indirect: bool,
    /// The proxy command of such a connection, with this configuration.
    pub proxy_command: Option<String>,
}

/// Resolves the route of the ssh client. Connects to nothing.
///
/// # Errors
/// When there is no ssh client, or the user's configuration is invalid.
pub async fn route(config: &Path, alias: &str) -> Result<SshRoute> {
    let output = ssh(config, alias, &["-G"], &[]).await?;
    if !output.status.success() {
        return Err(Error::could_not_run(format!("ssh cannot read its configuration for `{alias}`"))
            .because(output.stderr.trim().to_owned())
            .remedy("fix your ssh configuration; `ssh -G` checks it"));
    }
    SshRoute::read(&output.stdout).ok_or_else(|| {
        Error::could_not_run(format!("ssh does not report the address of `{alias}`")).because(output.stdout)
    })
}

/// The proxy command that is equivalent to `ProxyJump` and reads the user's own configuration. ssh itself would use the
/// target host's configuration file for the jump host.
fn jump(hops: &str) -> String {
    let (before, last) = hops.rsplit_once(',').map_or((None, hops), |(before, last)| (Some(before), last));
    let before = before.map_or_else(String::new, |before| format!(" -J {before}"));
    let last = last.strip_prefix("ssh://").unwrap_or(last);
    format!("ssh{before} -W [%h]:%p ssh://{last}")
}

impl SshRoute {
    fn read(text: &str) -> Option<Self> {
        let value = |name: &str| {
            text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).map(str::to_owned)
        };
        let given = |name: &str| value(name).filter(|value| value != "none");
        Some(Self {
            user: value("user")?,
            host: value("hostname")?,
            port: value("port")?,
            key_alias: given("hostkeyalias"),
            indirect: given("proxyjump").or_else(|| given("proxycommand")).is_some(),
            proxy_command: given("proxycommand").or_else(|| given("proxyjump").map(|hops| jump(&hops))),
        })
    }
}

/// Time limit of the client for one answer: a running host answers at once, also behind jump hosts.
const WITHIN: Duration = Duration::from_secs(30);

/// Status and output of the client.
#[derive(Debug)]
pub(super) struct ClientOutput {
    pub status: ExitStatus,
    pub stdout: String,
    /// The end of it.
    pub stderr: String,
}

/// Runs ssh with these options before the destination and these words behind it.
///
/// # Errors
/// When there is no ssh client, or the host takes too long or sends too much.
pub(super) async fn ssh(
    config: &Path,
    alias: &str,
    options: &[&str],
    words: &[&str],
) -> Result<ClientOutput> {
    let mut child = Command::new("ssh")
        .env("LC_ALL", "C")
        .arg("-F")
        .arg(config)
        .args(options)
        .arg("--")
        .arg(alias)
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(no_ssh)?;
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(Error::failed("ssh has no output"));
    };
    let meter = Meter::new(Limits::ANSWER);
    let mut printed = String::new();
    let read = async {
        let lines = limits::lines(stdout, &meter, |line| {
            printed.push_str(line);
            printed.push('\n');
        });
        let ((), stderr) = tokio::try_join!(lines, limits::complaint(stderr, &meter))?;
        Ok::<_, Stop>((child.wait().await?, stderr))
    };
    match timeout(WITHIN, read).await {
        Ok(Ok((status, stderr))) => Ok(ClientOutput { status, stdout: printed, stderr }),
        Ok(Err(Stop::Broken(error))) => Err(no_ssh(error)),
        Ok(Err(Stop::TooMuch(what))) => {
            Err(Error::could_not_run(format!("`{alias}` sent {what} instead of an answer")))
        }
        Err(_) => Err(Error::could_not_run(format!(
            "`{alias}` accepts the connection but does not answer within {} s",
            WITHIN.as_secs()
        ))
        .remedy(format!("see why by hand: ssh -F {} {alias}", config.display()))),
    }
}

/// The error of a computer without an ssh client.
pub(super) fn no_ssh(error: std::io::Error) -> Error {
    Error::could_not_run("cannot run `ssh`").because(error).remedy("apt-get install openssh-client")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_read_from_the_clients_output() {
        let text = "host web1\nuser deploy\nhostname 10.0.0.7\nport 2222\nproxyjump jump\nhostkeyalias web\n";
        let route = SshRoute::read(text).unwrap();
        assert_eq!(
            (route.user.as_str(), route.host.as_str(), route.port.as_str()),
            ("deploy", "10.0.0.7", "2222")
        );
        assert!(route.indirect);
        assert_eq!(route.key_alias.as_deref(), Some("web"));
        assert_eq!(route.proxy_command.as_deref(), Some("ssh -W [%h]:%p ssh://jump"));
        let plain = SshRoute::read("user root\nhostname web1\nport 22\nproxycommand none\n").unwrap();
        assert!(!plain.indirect);
        assert_eq!((plain.key_alias, plain.proxy_command), (None, None));
    }

    #[test]
    fn several_jump_hosts_are_passed_in_their_order() {
        assert_eq!(jump("a,me@b:2222"), "ssh -J a -W [%h]:%p ssh://me@b:2222");
        let route =
            SshRoute::read("user root\nhostname web1\nport 22\nproxycommand nc -X 5 %h %p\n").unwrap();
        assert_eq!(route.proxy_command.as_deref(), Some("nc -X 5 %h %p"));
    }
}
