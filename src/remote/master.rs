//! The ssh master process that holds a connection: all commands and forwards to a host go through it.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::process::Command;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::sockets::Sockets;
use crate::error::{Error, Result};
use crate::host::SshTarget;

/// After this many seconds without a client the master exits by itself, so that a killed run leaves none behind.
const IDLE_SECONDS: u8 = 10;
/// Time limit for the login, in addition to that of connecting, for a host that accepts a connection and then does not
/// answer.
const LOGIN: Duration = Duration::from_secs(15);
/// How much of the end of ssh's log is read, in bytes.
const COMPLAINT_BYTES: u64 = 32 << 10;

/// A running master, and the folder of its sockets.
#[derive(Debug)]
pub(super) struct Master {
    sockets: Sockets,
    /// A client of the master that requests nothing. The master is not idle while it is connected (`channel_still_open`
    /// in `channels.c`), and the kernel closes it however this process ends.
    presence: Mutex<Option<UnixStream>>,
}

/// Why a master could not be started.
#[derive(Debug)]
pub(super) enum Failure {
    /// The output of ssh.
    Ssh(String),
    /// A problem of this computer.
    Here(Error),
}

impl Master {
    /// Connects and logs in. `connecting` is how long ssh may take until the keys are exchanged.
    pub(super) async fn start(ssh: &SshTarget, connecting: Duration) -> Result<Self, Failure> {
        let master = Self { sockets: Sockets::new().map_err(Failure::Here)?, presence: Mutex::default() };
        master.connect(ssh, connecting).await?;
        Ok(master)
    }

    /// Connects in the existing folder, also to replace a master that ended.
    pub(super) async fn connect(&self, ssh: &SshTarget, connecting: Duration) -> Result<(), Failure> {
        let log = self.folder().join("log");
        let mut command = Command::new("ssh");
        command.arg("-E").arg(&log).arg("-S").arg(self.control()).args(["-M", "-f", "-N"]);
        command.args(["-o", &format!("ControlPersist={IDLE_SECONDS}s")]);
        command.args(["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"]);
        command.args(["-o", &format!("ConnectTimeout={}", connecting.as_secs())]);
        command.args(["-o", "ServerAliveInterval=15"]);
        command.arg("-F").arg(&ssh.config).arg("--").arg(&ssh.alias);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        // It forks into the background once it is logged in, so this process ends then.
        match timeout(connecting + LOGIN, command.status()).await {
            Ok(Ok(status)) if status.success() => self.be_present(&log).await,
            Ok(Ok(_)) => Err(Failure::Ssh(end_of(&log))),
            Ok(Err(error)) => Err(Failure::Here(super::client::no_ssh(error))),
            Err(_) => Err(Failure::Ssh(format!("{}\nit stopped answering during the login", end_of(&log)))),
        }
    }

    async fn be_present(&self, log: &Path) -> Result<(), Failure> {
        match UnixStream::connect(self.control()).await {
            Ok(client) => {
                *self.presence.lock().await = Some(client);
                Ok(())
            }
            Err(error) => Err(Failure::Ssh(format!("{}\nits socket cannot be used: {error}", end_of(log)))),
        }
    }

    /// Whether it is still running.
    pub(super) async fn is_there(&self) -> bool {
        UnixStream::connect(self.control()).await.is_ok()
    }

    /// Its control socket.
    pub(super) fn control(&self) -> PathBuf {
        self.sockets.path().join("master")
    }

    /// The folder for sockets of forwards.
    pub(super) fn folder(&self) -> &Path {
        self.sockets.path()
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        #[expect(clippy::let_underscore_must_use, reason = "otherwise it ends by itself, once idle")]
        let _ = std::process::Command::new("ssh")
            .args(["-F", "none", "-O", "exit", "-S"])
            .arg(self.control())
            .args(["--", "monctl"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }
}

/// The end of ssh's log; its size is limited because a host can make ssh log anything.
fn end_of(log: &Path) -> String {
    let read = || {
        let mut file = fs::File::open(log)?;
        let skipped = file.metadata()?.len().saturating_sub(COMPLAINT_BYTES);
        std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(skipped))?;
        let mut bytes = Vec::new();
        file.take(COMPLAINT_BYTES).read_to_end(&mut bytes)?;
        Ok::<_, std::io::Error>(String::from_utf8_lossy(&bytes).trim().to_owned())
    };
    read().unwrap_or_else(|error| format!("the log of ssh cannot be read: {error}"))
}
