//! Machines as transient units of this computer's systemd, if that is the init system. Elsewhere these functions find
//! nothing, and machines are processes in control groups that monctl creates (`boot.rs`).

use std::ffi::OsString;
use std::path::Path;

use super::command::{run, tool};
use crate::error::Result;

const PROPERTIES: [&str; 7] = [
    "Type=exec",
    "Delegate=yes",
    "KillMode=mixed",
    "TasksMax=16384",
    // An orderly shutdown takes two seconds.
    "TimeoutStopSec=30",
    // Exit status of systemd-nspawn when the machine requests a reboot.
    "RestartForceExitStatus=133",
    "SuccessExitStatus=133",
];

/// Whether this computer was booted by systemd; its own test for that.
pub(super) fn are_available() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// Starts a command as a unit that is removed when it ends.
pub(super) async fn start(name: &str, log: &Path, command: &[OsString]) -> Result<()> {
    let mut starter = tool("systemd-run");
    starter.args(["--quiet", "--collect", "--slice=machine.slice"]);
    starter.arg(format!("--unit={name}.service"));
    starter.args(PROPERTIES.map(|property| format!("--property={property}")));
    for stream in ["StandardOutput", "StandardError"] {
        starter.arg(format!("--property={stream}=append:{}", log.display()));
    }
    run(starter.arg("--").args(command)).await.map(drop)
}

/// The units whose names match, `*` standing for anything.
pub(super) async fn find(pattern: &str) -> Result<Vec<String>> {
    if !are_available() {
        return Ok(Vec::new());
    }
    let mut list = tool("systemctl");
    list.args(["list-units", "--all", "--plain", "--no-legend"]).arg(format!("{pattern}.service"));
    let units = run(&mut list).await?;
    Ok(units.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect())
}

/// Stops units, so that systemd, too, registers the end of their processes.
pub(super) async fn stop(pattern: &str) -> Result<()> {
    for unit in find(pattern).await? {
        for verb in ["stop", "reset-failed"] {
            #[expect(
                clippy::let_underscore_must_use,
                reason = "a unit that is gone is fine; one that stays is found again"
            )]
            let _ = run(tool("systemctl").args([verb, &unit])).await;
        }
    }
    Ok(())
}
