//! Boots a machine and waits until its ssh server listens. With systemd as this computer's init system the machine
//! is a transient unit, else a process in control groups that monctl creates; it outlives monctl either way.

use std::ffi::OsString;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::command::last_lines;
use super::names::Names;
use super::{groups, units};
use crate::error::{Error, Result};
use crate::host::HostName;
use crate::retry::Patience;

/// Timeout of a boot, which takes one to three seconds, or longer on a busy computer.
const BOOT: Duration = Duration::from_secs(90);
/// Timeout of one attempt to connect, and the pause between two.
const TRY: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(10);

const LAUNCH: &str = include_str!("launch.sh");

/// Boots the machine in its root, which must be accessible; no process of an earlier start may be alive.
pub(super) async fn boot(names: &Names, host: HostName, address: Ipv4Addr) -> Result<()> {
    let group = names.group(host)?;
    let machine = command_line(names, host)?;
    let log = names.machine(host).log();
    let launched = if units::are_available() {
        units::start(&group, &log, &machine).await.map(|()| None)
    } else {
        launch(&group, &log, &machine).map(Some)
    };
    let mut process = launched.map_err(|error| error.at(host.to_string()))?;
    let mut patience = Patience::new(BOOT).pausing(PAUSE, PAUSE * 4);
    while !listens(address).await {
        if has_ended(process.as_mut(), &group)? {
            return Err(did_not_boot(host, &log, "exited during boot"));
        }
        patience.again(did_not_boot(host, &log, "does not answer on port 22")).await?;
    }
    Ok(())
}

fn command_line(names: &Names, host: HostName) -> Result<Vec<OsString>> {
    let mut root = OsString::from("--directory=");
    root.push(names.machine(host).root());
    let fixed = ["systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit"];
    let own = [
        format!("--machine={}", names.machine_id(host)?),
        format!("--hostname={host}"),
        format!("--network-bridge={}", names.bridge()),
    ];
    // What these would set up is already in place, or does not concern this computer.
    let not = ["--resolv-conf=off", "--timezone=off", "--link-journal=no", "--console=pipe"];
    let words = fixed.map(OsString::from).into_iter().chain(own.map(OsString::from));
    Ok(words.chain(not.map(OsString::from)).chain([root]).collect())
}

fn launch(group: &str, log: &Path, machine: &[OsString]) -> Result<Child> {
    let folders: Vec<PathBuf> = groups::hierarchies()?.into_iter().map(|mount| mount.join(group)).collect();
    if folders.is_empty() {
        return Err(Error::could_not_run("no control groups are mounted that systemd-nspawn could use")
            .remedy("mount them, for instance with `mount -t cgroup2 cgroup2 /sys/fs/cgroup`"));
    }
    let mut command = Command::new("sh");
    command.args(["-c", LAUNCH, "launch"]).arg(log).args(folders).arg("--").args(machine);
    // The machine outlives this run: it inherits nothing of its environment, which holds secrets.
    command.env_clear().env("PATH", super::command::search_path()).env("LC_ALL", "C");
    command.spawn().map_err(|error| Error::failed("cannot run `systemd-nspawn`").because(error))
}

async fn listens(address: Ipv4Addr) -> bool {
    let server = SocketAddr::new(address.into(), 22);
    matches!(timeout(TRY, TcpStream::connect(server)).await, Ok(Ok(_)))
}

fn has_ended(process: Option<&mut Child>, group: &str) -> Result<bool> {
    match process {
        Some(child) => Ok(!matches!(child.try_wait(), Ok(None))),
        None => Ok(groups::processes(&groups::find(|name| name == group)?)?.is_empty()),
    }
}

fn did_not_boot(host: HostName, log: &Path, how: &str) -> Error {
    let console =
        fs::read(log).unwrap_or_else(|error| format!("its log cannot be read: {error}").into_bytes());
    Error::failed(format!("machine `{host}` {how}"))
        .at(host.to_string())
        .remedy(format!("see `{}`, then run the command again", log.display()))
        .because(last_lines(&String::from_utf8_lossy(&console)))
}
