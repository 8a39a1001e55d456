//! The ssh process that holds a connection: all commands and forwards to a host go through it.

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

/// After so many seconds without anybody at its socket the master ends by itself, so that a killed run leaves none behind.
const IDLE_SECONDS: u8 = 10;
/// A host that takes a connection and then says nothing while it is logged in to is given up after this time beside
/// that of connecting.
const LOGIN: Duration = Duration::from_secs(15);
/// So much of what ssh said is read.
const COMPLAINT_BYTES: u64 = 32 << 10;

/// A master that runs, and the folder of its sockets.
#[derive(Debug)]
pub(super) struct Master {
    sockets: Sockets,
    /// A client of the master that asks for nothing. ssh does not count it as idle time (`channel_still_open` in
    /// `channels.c`), and the kernel closes it however this process ends.
    presence: Mutex<Option<UnixStream>>,
}

/// Why there is none.
#[derive(Debug)]
pub(super) enum Failure {
    /// What ssh said.
    Ssh(String),
    /// This computer is not as it must be.
    Here(Error),
}

impl Master {
    /// Connects and logs in. `connecting` is how long ssh may take until the keys are exchanged.
    pub(super) async fn start(ssh: &SshTarget, connecting: Duration) -> Result<Self, Failure> {
        let master = Self { sockets: Sockets::new().map_err(Failure::Here)?, presence: Mutex::default() };
        master.connect(ssh, connecting).await?;
        Ok(master)
    }

    /// The same in the folder that is there already, also in the place of one that ended.
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
        // It goes to the background, and so ends here, once it is logged in.
        match timeout(connecting + LOGIN, command.status()).await {
            Ok(Ok(status)) if status.success() => self.be_present(&log).await,
            Ok(Ok(_)) => Err(Failure::Ssh(end_of(&log))),
            Ok(Err(error)) => Err(Failure::Here(super::client::no_ssh(error))),
            Err(_) => Err(Failure::Ssh(format!(
                "{}\nit does not answer any more while it is logged in to",
                end_of(&log)
            ))),
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

    /// Whether it still runs.
    pub(super) async fn is_there(&self) -> bool {
        UnixStream::connect(self.control()).await.is_ok()
    }

    /// The socket through which it is asked.
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
        #[expect(clippy::let_underscore_must_use, reason = "without this it would end by itself, once idle")]
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

/// The end of what ssh wrote; a host may have it write anything.
fn end_of(log: &Path) -> String {
    let read = || {
        let mut file = fs::File::open(log)?;
        let skipped = file.metadata()?.len().saturating_sub(COMPLAINT_BYTES);
        std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(skipped))?;
        let mut bytes = Vec::new();
        file.take(COMPLAINT_BYTES).read_to_end(&mut bytes)?;
        Ok::<_, std::io::Error>(String::from_utf8_lossy(&bytes).trim().to_owned())
    };
    read().unwrap_or_else(|error| format!("what ssh said cannot be read: {error}"))
}
