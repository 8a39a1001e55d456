//! The actions of a drill on the hosts themselves: fault on and off, heartbeat, Alertmanager's log, the stored proof.
//! Everything else is observed over HTTP.

use std::convert::Infallible;

use base64::Engine as _;
use tokio::time::{sleep, timeout};

use super::host_command::{BEAT, LEASE, Order};
use crate::error::{Error, Result};
use crate::remote::{CommandOutput, Remote};

/// Prefix of the units of drills on a host, before the drill's name.
const UNIT: &str = "monctl-drill-";
/// Directory of the drills' scripts and heartbeat files, until the next boot at most.
const HOME: &str = "/run/monctl-drill";
/// Stores, exports and lists proofs on the monitoring host.
const PROOFS: &str = include_str!("proofs.sh");
/// The file in a drill's folder that marks a failed undo.
const UNDO_FAILED: &str = "undo-failed";
/// Prints the state of a drill's unit, and, if its undo failed, a second line and what it printed.
const STATE: &str =
    r#"systemctl is-active "$1"; if [ -e "$2" ]; then echo "undo failed"; tail -c 2000 "$2"; fi"#;
const DRILL: &str = include_str!("drill.sh");
/// Installs the script for the unit, and runs it.
const LAUNCH: &str = r#"install -d -m 0711 /run/monctl-drill && install -D -m 0700 /dev/stdin "/run/monctl-drill/$2/drill.sh" && exec bash "/run/monctl-drill/$2/drill.sh" "$@""#;
/// `drill.sh`: something is not installed.
const MISSING: i32 = 3;
/// `drill.sh`: the drill is already running.
const UNDER_WAY: i32 = 4;
/// `drill.sh`: the host is not fit for a drill.
const UNFIT: i32 = 5;

/// The hosts of a drill.
pub trait Site {
    /// Causes the fault; returns once it is there.
    fn start(&self, order: &Order) -> impl Future<Output = Result<()>>;
    /// Sends a heartbeat; a drill without it ends soon.
    fn beat(&self, name: &str) -> impl Future<Output = Result<()>>;
    /// Ends a drill, waits for its undo, and checks that it is off; succeeds if there is none.
    fn stop(&self, name: &str) -> impl Future<Output = Result<(), StopFailure>>;
    /// Ends every drill of this site without waiting.
    fn release(&self) -> impl Future<Output = Result<()>>;
    /// Whether a drill is running, or its undo failed.
    fn is_on(&self, name: &str) -> impl Future<Output = Result<bool>>;
    /// What Alertmanager logged in the last `seconds`.
    fn alertmanager_log(&self, seconds: u64) -> impl Future<Output = Result<String>>;
    /// Stores a proof under a file name.
    fn keep(&self, name: &str, proof: &[u8]) -> impl Future<Output = Result<()>>;
    /// The files of the stored proofs; empty if there are none.
    fn kept(&self) -> impl Future<Output = Result<Vec<KeptFile>>>;
    /// Installs the Prometheus rules that export the proofs.
    fn export(&self, rules: &[u8]) -> impl Future<Output = Result<()>>;
}

/// Why a drill is not known to have ended.
#[derive(Debug)]
pub enum StopFailure {
    /// Its undo failed: the fault may still be there.
    UndoFailed(Error),
    /// The host does not confirm its end.
    Unconfirmed(Error),
}

impl From<StopFailure> for Error {
    fn from(failure: StopFailure) -> Self {
        let (StopFailure::UndoFailed(error) | StopFailure::Unconfirmed(error)) = failure;
        error
    }
}

/// An error of the connection.
impl From<Error> for StopFailure {
    fn from(error: Error) -> Self {
        Self::Unconfirmed(error)
    }
}

/// The file of a stored proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptFile {
    /// Its name.
    pub name: String,
    /// Its content.
    pub content: Vec<u8>,
}

/// Hosts reached over ssh.
#[derive(Debug, Clone, Copy)]
pub struct DrillHosts<'a> {
    /// The host whose alerts are proven.
    pub app: &'a Remote,
    /// The host with Alertmanager.
    pub monitoring: &'a Remote,
}

impl DrillHosts<'_> {
    async fn systemctl(&self, words: &[&str]) -> Result<CommandOutput> {
        let words: Vec<&str> = ["systemctl"].into_iter().chain(words.iter().copied()).collect();
        self.app.run(&words, b"").await
    }

    fn not_started(&self, order: &Order, output: &CommandOutput) -> Error {
        let host = self.app.host();
        let unit = unit(&order.name);
        let reason = output.stderr.trim();
        let error = Error::could_not_run(format!("cannot cause the fault: {reason}")).at(host.to_string());
        match output.status.code() {
            Some(MISSING) => error.remedy("`monctl up` installs it"),
            Some(UNDER_WAY) => error
                .remedy(format!("wait until it ends, or end it: monctl ssh {host} -- systemctl stop {unit}")),
            Some(UNFIT) => error.remedy("a drill would make it worse: fix that first, then run it again"),
            _ => error.remedy(format!("see `monctl ssh {host} -- journalctl -u {unit}`")),
        }
    }
}

impl Site for DrillHosts<'_> {
    async fn start(&self, order: &Order) -> Result<()> {
        let (seconds, lease) = (order.seconds.to_string(), LEASE.as_secs().to_string());
        let cause = order.cause.words();
        let mut words = vec!["sh", "-c", LAUNCH, "sh", "start", &order.name, &seconds, &lease];
        words.extend(cause.iter().map(String::as_str));
        let output = self.app.run(&words, DRILL.as_bytes()).await?;
        if output.status.success() { Ok(()) } else { Err(self.not_started(order, &output)) }
    }

    async fn beat(&self, name: &str) -> Result<()> {
        // Do not create the lease of a drill that has ended: it would be left over.
        self.app.run(&["touch", "--no-create", &format!("{HOME}/{name}/lease")], b"").await.map(drop)
    }

    async fn stop(&self, name: &str) -> Result<(), StopFailure> {
        let unit = unit(name);
        let output = self.systemctl(&["stop", &unit]).await?;
        let host = self.app.host();
        // The unit of a drill that has ended does not exist. That alone does not prove that the fault is off.
        match self.state(name).await? {
            DrillState::Off => return Ok(()),
            DrillState::UndoFailed(printed) => {
                let error = Error::failed("the undo of the drill failed: the fault may still be there")
                    .at(host.to_string())
                    .remedy(format!(
                        "see `monctl ssh {host} -- journalctl -u {unit}`, end the fault by hand, and remove \
                         `{HOME}/{name}` there"
                    ));
                return Err(StopFailure::UndoFailed(if printed.is_empty() {
                    error
                } else {
                    error.because(printed)
                }));
            }
            DrillState::On => {}
        }
        Err(StopFailure::Unconfirmed(
            Error::failed(format!("could not confirm that the fault has ended: {}", output.stderr.trim()))
                .at(host.to_string())
                .remedy(format!(
                    "see `monctl ssh {host} -- journalctl -u {unit}`; it ends by itself soon after monctl"
                )),
        ))
    }

    async fn release(&self) -> Result<()> {
        self.systemctl(&["stop", "--no-block", &format!("{UNIT}*")]).await.map(drop)
    }

    async fn is_on(&self, name: &str) -> Result<bool> {
        Ok(self.state(name).await? != DrillState::Off)
    }

    async fn alertmanager_log(&self, seconds: u64) -> Result<String> {
        alertmanager_log(self.monitoring, seconds).await
    }

    async fn keep(&self, name: &str, proof: &[u8]) -> Result<()> {
        let output = self.monitoring.run(&["sh", "-c", PROOFS, "sh", "keep", name], proof).await?;
        if output.status.success() {
            return Ok(());
        }
        Err(Error::failed(format!("cannot store the proof `{name}`: {}", output.stderr.trim()))
            .at(self.monitoring.host().to_string()))
    }

    async fn kept(&self) -> Result<Vec<KeptFile>> {
        kept(self.monitoring).await
    }

    async fn export(&self, rules: &[u8]) -> Result<()> {
        let output = self.monitoring.run(&["sh", "-c", PROOFS, "sh", "export"], rules).await?;
        if output.status.success() {
            return Ok(());
        }
        Err(Error::failed(format!("cannot export the last proofs: {}", output.stderr.trim()))
            .at(self.monitoring.host().to_string()))
    }
}

impl DrillHosts<'_> {
    async fn state(&self, name: &str) -> Result<DrillState> {
        let words = ["sh", "-c", STATE, "sh", &unit(name), &format!("{HOME}/{name}/{UNDO_FAILED}")];
        let output = self.app.run(&words, b"").await?;
        DrillState::parse(&output.stdout).ok_or_else(|| {
            Error::failed(format!(
                "systemd does not report whether the drill has ended: {}",
                output.stderr.trim()
            ))
            .at(self.app.host().to_string())
        })
    }
}

/// What the host reports of a drill.
#[derive(Debug, Clone, PartialEq, Eq)]
enum DrillState {
    On,
    Off,
    /// Its unit has ended, and its undo did not succeed; with what the undo printed.
    UndoFailed(String),
}

impl DrillState {
    /// The state in the output of [`STATE`]; none if it is not there.
    fn parse(words: &str) -> Option<Self> {
        let mut lines = words.lines();
        Some(match (lines.next()?, lines.next()) {
            ("active" | "activating" | "deactivating" | "reloading" | "maintenance", _) => Self::On,
            // systemd unloads a unit that has ended.
            ("inactive" | "failed", None) => Self::Off,
            ("inactive" | "failed", Some(_)) => {
                Self::UndoFailed(lines.collect::<Vec<_>>().join("\n").trim().to_owned())
            }
            _ => return None,
        })
    }
}

/// systemd's name of a drill.
fn unit(name: &str) -> String {
    format!("{UNIT}{name}.service")
}

/// What Alertmanager logged in the last `seconds`.
///
/// # Errors
/// When the connection breaks, or the host cannot read its journal.
pub async fn alertmanager_log(monitoring: &Remote, seconds: u64) -> Result<String> {
    let since = format!("-{seconds}s");
    let log = ["journalctl", "-u", "monctl-alertmanager", "-o", "cat", "--no-pager", "-n", "200"];
    let words: Vec<&str> = log.into_iter().chain(["--since", &since]).collect();
    let output = monitoring.run(&words, b"").await?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(Error::failed(format!("cannot read Alertmanager's log: {}", output.stderr.trim()))
        .at(monitoring.host().to_string()))
}

/// The files of the stored proofs; empty if there are none.
///
/// # Errors
/// When the connection breaks, or the host cannot list them.
pub async fn kept(monitoring: &Remote) -> Result<Vec<KeptFile>> {
    let output = monitoring.run(&["sh", "-c", PROOFS, "sh", "list"], b"").await?;
    let failed = |why: &str| {
        Error::failed(format!("cannot read the stored proofs: {why}")).at(monitoring.host().to_string())
    };
    if !output.status.success() {
        return Err(failed(output.stderr.trim()));
    }
    let file = |line: &str| {
        let (name, content) = line.split_once('\t')?;
        let content = base64::engine::general_purpose::STANDARD.decode(content).ok()?;
        Some(KeptFile { name: name.to_owned(), content })
    };
    output.stdout.lines().map(|line| file(line).ok_or_else(|| failed(&format!("`{line}`")))).collect()
}

/// Sends heartbeats while the fault begins.
pub async fn beat(site: &impl Site, name: &str) -> Infallible {
    loop {
        sleep(BEAT).await;
        // A host without heartbeats ends the drill by itself, and the next one may arrive.
        drop(timeout(BEAT, site.beat(name)).await);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_off_only_if_its_unit_has_ended_and_its_undo_succeeded() {
        for (words, expected) in [
            ("active\n", Some(DrillState::On)),
            ("deactivating\n", Some(DrillState::On)),
            ("inactive\n", Some(DrillState::Off)),
            ("failed\n", Some(DrillState::Off)),
            ("inactive\nundo failed\n", Some(DrillState::UndoFailed(String::new()))),
            ("failed\nundo failed\nno queue\nx\n", Some(DrillState::UndoFailed("no queue\nx".into()))),
            ("", None),
            ("Failed to connect to bus\n", None),
        ] {
            assert_eq!(DrillState::parse(words), expected, "{words:?}");
        }
    }
}
