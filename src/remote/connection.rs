//! A connection to one host: commands with data on standard input, and forwards of ports.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;
use std::{fs, io};

use openssh::{ForwardType, Session, Socket, Stdio};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::client::route;
use super::input::Input;
use super::limits::{self, Limits, Meter, Stop};
use super::master::{Failure, Master};
use super::refusal;
use crate::error::{Error, Result};
use crate::event::Events;
use crate::host::{HostName, Machine, SshTarget, Trust};
/// Time limit for the first answer of a machine that runs: it answers at once, unless it has just been started.
pub const ANSWERS_WITHIN: Duration = Duration::from_secs(20);
/// Time limit of one attempt to connect.
const ATTEMPT: Duration = Duration::from_secs(5);
/// Time limit of one attempt for an existing host, which may be far away and behind jump hosts.
const FAR_ATTEMPT: Duration = Duration::from_secs(15);
/// The pause between two attempts while a machine boots.
const PAUSE: Duration = Duration::from_millis(100);
/// The loopback address that services on a host listen on.
const LOOPBACK: &str = "127.0.0.1";

/// Interval at which [`Remote::hold`] checks the connection, and its pause after an attempt to reconnect.
const HELD_EVERY: Duration = Duration::from_secs(1);

/// A connection to one host; all commands and forwards share it.
#[derive(Debug)]
pub struct Remote {
    host: HostName,
    ssh: SshTarget,
    /// Whether commands run as root without sudo.
    root: bool,
    session: Session,
    /// Holds the connection, and the unix sockets of forwards.
    master: Master,
    forwards: Mutex<Vec<Forward>>,
    events: Events,
}

/// A forward between a unix socket on this side and a loopback port of the host.
#[derive(Debug, Clone)]
struct Forward {
    /// The side that is connected to.
    kind: ForwardType,
    socket: PathBuf,
    port: u16,
}

/// Status and output of a command.
#[derive(Debug)]
pub struct CommandOutput {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// The end of its standard error.
    pub stderr: String,
}

impl Remote {
    /// Connects, and retries until the machine answers or the deadline has passed.
    ///
    /// The host key must be the pinned one: another key ends the attempts at once.
    ///
    /// # Errors
    /// When the machine does not answer in time, or presents another host key.
    pub async fn connect(machine: &Machine, deadline: Duration, events: &Events) -> Result<Self> {
        let _waiting = events.waiting(format!("{} to answer over ssh", machine.name));
        let until = Instant::now() + deadline;
        loop {
            match Master::start(&machine.ssh, attempt(&machine.ssh)).await {
                Ok(master) => {
                    return Ok(Self {
                        host: machine.name,
                        root: machine.ssh.root,
                        ssh: machine.ssh.clone(),
                        session: Session::resume_mux(master.control().into_boxed_path(), None),
                        master,
                        forwards: Mutex::default(),
                        events: events.clone(),
                    });
                }
                Err(Failure::Here(error)) => return Err(error.at(machine.name.to_string())),
                // An existing host answers or refuses; a machine that was just created may still be booting.
                Err(Failure::Ssh(_)) if machine.ssh.trust == Trust::Given => {
                    return Err(refusal::explain(machine).await);
                }
                Err(Failure::Ssh(output)) if is_final(&output) || Instant::now() >= until => {
                    return Err(not_connected(machine, deadline, output).await);
                }
                Err(Failure::Ssh(_)) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    /// The host at the other end.
    pub fn host(&self) -> HostName {
        self.host
    }

    /// Runs a short command with these words as root, passes `input` to it, and waits for its end.
    ///
    /// # Errors
    /// When the connection breaks, or the output is too long or too late. The exit status of the command is not
    /// checked.
    pub async fn run(&self, words: &[&str], input: impl Into<Input<'_>>) -> Result<CommandOutput> {
        self.run_within(words, input, Limits::ANSWER).await
    }

    /// Like [`Remote::run`] with other limits.
    ///
    /// # Errors
    /// As [`Remote::run`].
    pub async fn run_within(
        &self,
        words: &[&str],
        input: impl Into<Input<'_>>,
        limits: Limits,
    ) -> Result<CommandOutput> {
        let _waiting = self.events.waiting(format!("{} to answer", self.host));
        let mut stdout = String::new();
        let on_line = |line: &str| {
            stdout.push_str(line);
            stdout.push('\n');
        };
        let (status, stderr) = self.stream(words, input, limits, on_line).await?;
        Ok(CommandOutput { status, stdout, stderr })
    }

    /// Like [`Remote::run_within`], and calls `on_line` with each line of standard output as it arrives.
    /// Returns the exit status and the end of standard error.
    ///
    /// # Errors
    /// As [`Remote::run`].
    pub async fn stream(
        &self,
        words: &[&str],
        input: impl Into<Input<'_>>,
        limits: Limits,
        on_line: impl FnMut(&str),
    ) -> Result<(ExitStatus, String)> {
        let sudo: &[&str] = if self.root { &[] } else { &["sudo", "-n", "--"] };
        let words: Vec<&str> = sudo.iter().chain(words).copied().collect();
        let work = self.exchange(&words, input.into(), limits, on_line);
        match limits.within {
            None => work.await,
            Some(within) => timeout(within, work).await.unwrap_or_else(|_| Err(self.silent(within))),
        }
    }

    /// Runs a command as the user that logged in.
    async fn exchange(
        &self,
        words: &[&str],
        input: Input<'_>,
        limits: Limits,
        on_line: impl FnMut(&str),
    ) -> Result<(ExitStatus, String)> {
        let (program, words) = words.split_first().unwrap_or((&"true", &[]));
        let mut command = self.session.command(*program);
        command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().await.map_err(|error| self.broken(error))?;
        let (Some(stdin), Some(stdout), Some(stderr)) =
            (child.stdin().take(), child.stdout().take(), child.stderr().take())
        else {
            return Err(self.broken(std::io::Error::other("the command has no pipes")));
        };
        let meter = Meter::new(limits);
        let write = async { Ok(input.write(stdin).await) };
        let read = limits::lines(stdout, &meter, on_line);
        let (written, (), complaint) = tokio::try_join!(write, read, limits::complaint(stderr, &meter))
            .map_err(|stop| match stop {
                Stop::Broken(error) => self.broken(error),
                Stop::TooMuch(what) => self.flooding(&what),
            })?;
        written.map_err(|error| {
            Error::failed("cannot send the input to the host")
                .at(self.host.to_string())
                .because(error)
                .remedy("run the same command again")
        })?;
        let status = child.wait().await.map_err(|error| self.broken(error))?;
        Ok((status, complaint))
    }

    fn silent(&self, within: Duration) -> Error {
        let host = self.host.to_string();
        Error::failed(format!("the host did not answer within {} s", within.as_secs()))
            .remedy(format!("see what keeps it busy: monctl ssh {host} -- ps aux"))
            .at(host)
    }

    fn flooding(&self, what: &str) -> Error {
        let host = self.host.to_string();
        Error::failed(format!("the host sent {what}, more than any valid answer"))
            .remedy(format!(
                "check whether a login script on the host prints something: monctl ssh {host} -- true"
            ))
            .at(host)
    }

    /// The error if `sudo` requires a password or is not installed; `None` for other complaints.
    pub async fn refused_root(&self, complaint: &str) -> Option<Error> {
        const REFUSALS: [&str; 5] =
            ["password is required", "authentication is required", "not found", "not allowed", "may not run"];
        let is_refusal =
            |line: &&str| line.contains("sudo") && REFUSALS.iter().any(|refusal| line.contains(refusal));
        let refusal = complaint.lines().find(is_refusal).filter(|_| !self.root)?;
        let user = self.login().await;
        let file = format!("/etc/sudoers.d/{user}");
        Some(
            Error::could_not_run(format!("user `{user}` cannot become root without a password"))
                .at(self.host.to_string())
                .because(refusal.to_owned())
                .remedy(format!(
                    "as root on the host: `echo '{user} ALL=(ALL:ALL) NOPASSWD: ALL' >{file} && chmod 440 {file}`; or \
                     log in as root: `user: root` in the spec"
                )),
        )
    }

    /// The name of the login user for a remedy, or `USER` if it is unknown.
    async fn login(&self) -> String {
        let mut name = String::new();
        let query = self
            .exchange(&["id", "-un"], Input::Bytes(b""), Limits::ANSWER, |line| line.clone_into(&mut name));
        if !matches!(timeout(ATTEMPT, query).await, Ok(Ok(_))) {
            return "USER".to_owned();
        }
        let is_name = |name: &str| name.len() <= 32 && name.bytes().all(|byte| byte.is_ascii_graphic());
        if !name.is_empty() && is_name(&name) { name } else { "USER".to_owned() }
    }

    /// Forwards a unix socket on this side to a loopback port of the host; returns the socket's path.
    ///
    /// # Errors
    /// When ssh refuses the forward.
    pub async fn forward(&self, port: u16) -> Result<PathBuf> {
        let socket = self.master.folder().join(format!("{port}.sock"));
        if !socket.exists() {
            let forward = Forward { kind: ForwardType::Local, socket: socket.clone(), port };
            self.forward_and_keep(forward).await.map_err(|error| self.broken(error))?;
        }
        Ok(socket)
    }

    /// Lets a loopback port of the host reach a unix socket on this side.
    ///
    /// # Errors
    /// When the port is taken on the host, or ssh refuses the forward.
    pub async fn listen(&self, port: u16, to: &Path) -> Result<()> {
        let forward = Forward { kind: ForwardType::Remote, socket: to.to_owned(), port };
        self.forward_and_keep(forward).await.map_err(|error| {
            self.broken(error).remedy(format!(
                "see which process listens on port {port} of `{host}`: monctl ssh {host} -- ss -ltnp",
                host = self.host
            ))
        })
    }

    async fn forward_and_keep(&self, forward: Forward) -> Result<(), openssh::Error> {
        self.request(&forward).await?;
        self.forwards.lock().await.push(forward);
        Ok(())
    }

    async fn request(&self, forward: &Forward) -> Result<(), openssh::Error> {
        let here = Socket::UnixSocket { path: forward.socket.as_path().into() };
        let there = Socket::new(LOOPBACK, forward.port);
        let (listen, connect) = match forward.kind {
            ForwardType::Local => (here, there),
            ForwardType::Remote => (there, here),
        };
        self.session.request_port_forward(forward.kind, listen, connect).await
    }

    /// Reconnects whenever the connection is lost, with its forwards at the same sockets. Requests fail meanwhile.
    pub async fn hold(&self) -> Infallible {
        loop {
            tokio::time::sleep(HELD_EVERY).await;
            if self.master.is_there().await {
                continue;
            }
            self.events.note(format!("the connection to {} is lost; reconnecting", self.host));
            let waiting = self.events.waiting(format!("{} to answer over ssh", self.host));
            while !self.connect_again().await {
                tokio::time::sleep(HELD_EVERY).await;
            }
            drop(waiting);
            self.events.note(format!("reconnected to {}", self.host));
        }
    }

    /// Whether the connection and all of its forwards are restored. Removes the old sockets first.
    async fn connect_again(&self) -> bool {
        if !is_removed(&self.master.control())
            || self.master.connect(&self.ssh, attempt(&self.ssh)).await.is_err()
        {
            return false;
        }
        for forward in self.forwards.lock().await.iter() {
            let is_free = forward.kind == ForwardType::Remote || is_removed(&forward.socket);
            if !is_free || self.request(forward).await.is_err() {
                return false;
            }
        }
        true
    }

    fn broken(&self, cause: impl std::error::Error + Send + Sync + 'static) -> Error {
        broken(self.host, cause)
    }
}

fn broken(host: HostName, cause: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::failed("the ssh connection broke")
        .at(host.to_string())
        .because(cause)
        .remedy("run the same command again: completed work is detected and kept")
}

/// Time limit of an attempt to connect.
fn attempt(ssh: &SshTarget) -> Duration {
    if ssh.trust == Trust::Given { FAR_ATTEMPT } else { ATTEMPT }
}

/// Removes a file; returns whether it is gone.
fn is_removed(path: &Path) -> bool {
    fs::remove_file(path).map_or_else(|error| error.kind() == io::ErrorKind::NotFound, |()| true)
}

/// Whether a retry is useless: a wrong host key stays wrong.
fn is_final(output: &str) -> bool {
    output.contains("Host key verification failed")
        || output.contains("REMOTE HOST IDENTIFICATION HAS CHANGED")
}

async fn not_connected(machine: &Machine, deadline: Duration, output: String) -> Error {
    let host = machine.name.to_string();
    // ssh may use another address than the other machines do, and that is the one to check. If ssh does not report its
    // address, the other one is used.
    let route = route(&machine.ssh.config, &machine.ssh.alias).await;
    let address = route.map_or_else(|_| machine.address.to_string(), |route| route.host);
    if is_final(&output) {
        return Error::failed(format!(
            "the machine at {address} presents a different host key than the one monctl created for it"
        ))
        .at(host)
        .because(output)
        .remedy(
            "another machine may answer at this address; `monctl down` and `monctl up` create the machine again",
        );
    }
    Error::failed(format!("no ssh answer at {address} within {} s", deadline.as_secs()))
        .at(host)
        .because(output)
        .remedy("see `monctl status`; the next `monctl up` goes on from here")
}
