//! The ssh transport: connecting to a machine that may still boot, running commands with data on
//! standard input, forwarding ports. The only place that names the openssh crate.
//!
//! It knows nothing of playbooks: a caller brings a command and its input, and gets lines back.

mod client;
mod host_key;
mod refusal;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use openssh::{ControlPersist, ForwardType, KnownHosts, Session, SessionBuilder, Socket, Stdio};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::time::Instant;

use crate::error::{Error, Result};
use crate::host::{HostName, Machine, Trust};
pub use client::{Route, route};
pub use host_key::{HostKey, presented};

/// How long one attempt to connect may take.
const ATTEMPT: Duration = Duration::from_secs(5);
/// The same for a host that exists, which may be far away and behind others.
const FAR_ATTEMPT: Duration = Duration::from_secs(15);
/// The pause between two attempts while a machine boots.
const PAUSE: Duration = Duration::from_millis(100);
/// After so many idle seconds the master ends by itself, so that a killed run leaves none behind.
const IDLE_SECONDS: std::num::NonZeroUsize = std::num::NonZeroUsize::MIN.saturating_add(119);
/// The loopback address that services on a host listen on.
const LOOPBACK: &str = "127.0.0.1";
/// Where folders of sockets lie, and how their names begin; the id of their process follows.
const SOCKETS_PARENT: &str = "/tmp";
const SOCKETS_PREFIX: &str = "monctl-";

/// A connection to one host; all commands and forwards share it.
#[derive(Debug)]
pub struct Remote {
    host: HostName,
    /// Whether commands run as root without sudo.
    root: bool,
    session: Session,
    /// Holds the unix sockets of forwards; removed with the connection.
    sockets: tempfile::TempDir,
}

/// What a command left behind.
#[derive(Debug)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Remote {
    /// Connects, trying again until the machine answers or the deadline has passed.
    ///
    /// The host key must be the pinned one: a wrong key ends the attempts at once.
    ///
    /// # Errors
    /// When the machine has not answered in time, or with another host key.
    pub async fn connect(machine: &Machine, deadline: Duration) -> Result<Self> {
        let until = Instant::now() + deadline;
        let mut builder = SessionBuilder::default();
        builder
            .config_file(&machine.ssh.config)
            .known_hosts_check(KnownHosts::Strict)
            .connect_timeout(if machine.ssh.trust == Trust::Given { FAR_ATTEMPT } else { ATTEMPT })
            .server_alive_interval(Duration::from_secs(15))
            .control_persist(ControlPersist::IdleFor(IDLE_SECONDS));
        let sockets = socket_directory(machine.name)?;
        builder.control_directory(sockets.path());
        loop {
            match builder.connect_mux(&machine.ssh.alias).await {
                Ok(session) => {
                    return Ok(Self { host: machine.name, root: machine.ssh.root, session, sockets });
                }
                // A host that exists answers or says why not; one that was just made may still boot.
                Err(_) if machine.ssh.trust == Trust::Given => return Err(refusal::explain(machine).await),
                Err(error) if is_final(&error) || Instant::now() >= until => {
                    return Err(not_connected(machine, deadline, error).await);
                }
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    /// The host at the other end.
    pub fn host(&self) -> HostName {
        self.host
    }

    /// Runs a command with these words as root, gives it `input`, and waits for its end.
    ///
    /// # Errors
    /// When the connection breaks; a command that fails is no error here.
    pub async fn run(&self, words: &[&str], input: &[u8]) -> Result<Output> {
        let mut stdout = String::new();
        let (status, stderr) = self
            .stream(words, input, |line| {
                stdout.push_str(line);
                stdout.push('\n');
            })
            .await?;
        Ok(Output { status, stdout, stderr })
    }

    /// Like [`Remote::run`], and hands over each line of standard output as it comes.
    /// Returns the exit status and standard error.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn stream(
        &self,
        words: &[&str],
        input: &[u8],
        mut on_line: impl FnMut(&str),
    ) -> Result<(ExitStatus, String)> {
        let sudo: &[&str] = if self.root { &[] } else { &["sudo", "-n", "--"] };
        let mut words = sudo.iter().chain(words);
        let mut command = self.session.command(*words.next().unwrap_or(&"true"));
        command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().await.map_err(|error| self.broken(error))?;
        let stdin = child.stdin().take();
        let mut stdout = child.stdout().take().map(BufReader::new);
        let mut stderr = child.stderr().take();

        let write = async {
            if let Some(mut stdin) = stdin {
                // A command that does not read its input to the end is free to do so.
                let _ = stdin.write_all(input).await;
                let _ = stdin.shutdown().await;
            }
        };
        let read = async {
            let mut line = Vec::new();
            while let Some(stdout) = stdout.as_mut()
                && stdout.read_until(b'\n', &mut line).await? > 0
            {
                on_line(String::from_utf8_lossy(&line).trim_end_matches('\n'));
                line.clear();
            }
            Ok::<(), std::io::Error>(())
        };
        let complain = async {
            let mut text = Vec::new();
            if let Some(stderr) = stderr.as_mut() {
                stderr.read_to_end(&mut text).await?;
            }
            Ok::<String, std::io::Error>(String::from_utf8_lossy(&text).into_owned())
        };
        let ((), read, complaint) = tokio::join!(write, read, complain);
        read.map_err(|error| self.broken(error))?;
        let complaint = complaint.map_err(|error| self.broken(error))?;
        let status = child.wait().await.map_err(|error| self.broken(error))?;
        Ok((status, complaint))
    }

    /// The error where `sudo` wanted a password, or is not there; nothing where the complaint is another.
    pub async fn refused_root(&self, complaint: &str) -> Option<Error> {
        const REFUSALS: [&str; 5] =
            ["password is required", "authentication is required", "not found", "not allowed", "may not run"];
        let is_refusal =
            |line: &&str| line.contains("sudo") && REFUSALS.iter().any(|refusal| line.contains(refusal));
        let said = complaint.lines().find(is_refusal).filter(|_| !self.root)?;
        let user = self.login().await;
        let file = format!("/etc/sudoers.d/{user}");
        Some(
            Error::could_not_run(format!("user `{user}` cannot become root without a password"))
                .at(self.host.to_string())
                .because(said.to_owned())
                .remedy(format!(
                    "as root on the host: `echo '{user} ALL=(ALL:ALL) NOPASSWD: ALL' >{file} && chmod 440 {file}`; or \
                     log in as root: `user: root` in the spec"
                )),
        )
    }

    /// The name of the user that logged in.
    async fn login(&self) -> String {
        let output = self.session.command("id").arg("-un").output().await;
        let name = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
        name.ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "USER".to_owned())
    }

    /// Forwards a unix socket on this side to a loopback port of the host; returns the socket's path.
    ///
    /// # Errors
    /// When ssh refuses the forward.
    pub async fn forward(&self, port: u16) -> Result<PathBuf> {
        let path = self.sockets.path().join(format!("{port}.sock"));
        if !path.exists() {
            self.session
                .request_port_forward(ForwardType::Local, unix(&path), Socket::new(LOOPBACK, port))
                .await
                .map_err(|error| self.broken(error))?;
        }
        Ok(path)
    }

    /// Lets a loopback port of the host reach a unix socket on this side.
    ///
    /// # Errors
    /// When the port is taken on the host, or ssh refuses the forward.
    pub async fn listen(&self, port: u16, to: &Path) -> Result<()> {
        self.session
            .request_port_forward(ForwardType::Remote, Socket::new(LOOPBACK, port), unix(to))
            .await
            .map_err(|error| {
                self.broken(error).remedy(format!(
                    "see who holds port {port} on `{host}`: monctl ssh {host} -- ss -ltnp",
                    host = self.host
                ))
            })
    }

    /// Ends the connection; forwards end with it.
    ///
    /// # Errors
    /// When the master could not be told; it then ends by itself once idle.
    pub async fn close(self) -> Result<()> {
        let host = self.host;
        self.session.close().await.map_err(|error| broken(host, error))
    }

    fn broken(&self, cause: impl std::error::Error + Send + Sync + 'static) -> Error {
        broken(self.host, cause)
    }
}

fn broken(host: HostName, cause: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::failed("the ssh connection broke")
        .at(host.to_string())
        .because(cause)
        .remedy("run the same command again: what was done is found and kept")
}

fn unix(path: &Path) -> Socket<'_> {
    Socket::UnixSocket { path: path.into() }
}

/// Sockets have paths of at most 107 bytes, so they live in a short folder of their own. It is named after
/// this process, so that [`sweep`] knows when nobody needs it any more.
fn socket_directory(host: HostName) -> Result<tempfile::TempDir> {
    sweep();
    let prefix = format!("{SOCKETS_PREFIX}{}.", std::process::id());
    tempfile::Builder::new().prefix(&prefix).tempdir_in(SOCKETS_PARENT).map_err(|error| {
        Error::failed(format!("cannot make a folder for ssh's sockets in `{SOCKETS_PARENT}`"))
            .at(host.to_string())
            .because(error)
    })
}

/// Removes what killed runs of this user left of their connections.
pub fn sweep() {
    let user = rustix::process::geteuid().as_raw();
    for entry in fs::read_dir(SOCKETS_PARENT).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(SOCKETS_PREFIX)?.split_once('.'));
        let Some((process, _)) = owner else { continue };
        let is_ours = entry.metadata().is_ok_and(|it| it.is_dir() && it.uid() == user);
        let is_over = process.parse::<u32>().is_ok() && !Path::new("/proc").join(process).exists();
        if is_ours && is_over {
            // What cannot be removed now is tried again by the next run.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// A wrong host key does not become right by waiting.
fn is_final(error: &openssh::Error) -> bool {
    let text = format!("{error:?}");
    text.contains("Host key verification failed") || text.contains("REMOTE HOST IDENTIFICATION HAS CHANGED")
}

async fn not_connected(machine: &Machine, deadline: Duration, error: openssh::Error) -> Error {
    let host = machine.name.to_string();
    // ssh may go to another address than the other machines do, which is the one that is to be looked at. Where ssh does
    // not say, that is what is known.
    let route = route(&machine.ssh.config, &machine.ssh.alias).await;
    let address = route.map_or_else(|_| machine.address.to_string(), |route| route.host);
    if is_final(&error) {
        return Error::failed(format!(
            "the machine at {address} shows another host key than the one monctl made for it"
        ))
        .at(host)
        .because(error)
        .remedy(
            "somebody else may answer at this address; `monctl down` and `monctl up` make the machine anew",
        );
    }
    Error::failed(format!("no ssh answer at {address} within {} s", deadline.as_secs()))
        .at(host)
        .because(error)
        .remedy("see `monctl status`; the next `monctl up` goes on from here")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_run_left_is_swept_and_what_is_in_use_stays() {
        let mut dead = std::process::Command::new("true").spawn().unwrap();
        let id = dead.id();
        dead.wait().unwrap();
        let left = Path::new(SOCKETS_PARENT).join(format!("{SOCKETS_PREFIX}{id}.left"));
        fs::create_dir(&left).unwrap();
        // Another run may sweep at this very moment.
        let _ = fs::write(left.join("1.sock"), "");
        let ours = socket_directory(HostName::MONITORING).unwrap();
        assert!(!left.exists());
        sweep();
        assert!(ours.path().exists());
    }
}
