//! The few system calls that have no tool of their own, or would cost a process each. On systems other than Linux
//! they fail; `prerequisites` checks that first.

use std::path::Path;

use crate::error::{Error, Result};

/// Whether this process runs as root.
pub(super) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Mounts an overlay: a folder for changes over a shared base.
#[cfg(target_os = "linux")]
pub(super) fn mount_overlay(lower: &Path, upper: &Path, work: &Path, target: &Path) -> Result<()> {
    use std::ffi::CString;

    let options =
        format!("lowerdir={},upperdir={},workdir={}", lower.display(), upper.display(), work.display());
    let failed = || Error::failed(format!("cannot mount `{}`", target.display()));
    let options = CString::new(options).map_err(|error| failed().because(error))?;
    rustix::mount::mount("overlay", target, "overlay", rustix::mount::MountFlags::empty(), options.as_c_str())
        .map_err(|error| failed().because(error))
}

/// Unmounts. A mount that is still in use is detached at once, and released when its last user ends.
#[cfg(target_os = "linux")]
pub(super) fn unmount(target: &Path) -> Result<()> {
    use rustix::mount::{UnmountFlags, unmount};

    unmount(target, UnmountFlags::empty())
        .or_else(|_| unmount(target, UnmountFlags::DETACH))
        .map_err(|error| Error::failed(format!("cannot unmount `{}`", target.display())).because(error))
}

/// Kills a process if `is_ours` still holds once its pidfd is open: process ids are reused.
#[cfg(target_os = "linux")]
pub(super) fn kill(id: i32, is_ours: impl FnOnce() -> bool) -> Result<()> {
    use rustix::io::Errno;
    use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

    let failed = |error| Error::failed(format!("cannot end process {id}")).because(error);
    let Some(pid) = Pid::from_raw(id) else { return Ok(()) };
    let process = match pidfd_open(pid, PidfdFlags::empty()) {
        Err(Errno::SRCH) => return Ok(()),
        other => other.map_err(failed)?,
    };
    if !is_ours() {
        return Ok(());
    }
    match pidfd_send_signal(process, Signal::KILL) {
        Err(Errno::SRCH) => Ok(()),
        other => other.map_err(failed),
    }
}

/// Sends SIGTERM to a process group that was started here. Succeeds if it is gone already.
pub(super) fn end_group(leader: u32) {
    use rustix::process::{Pid, Signal, kill_process_group};

    // The kernel's process ids always fit.
    if let Some(leader) = i32::try_from(leader).ok().and_then(Pid::from_raw) {
        #[expect(clippy::let_underscore_must_use, reason = "one that cannot be signalled is gone")]
        let _ = kill_process_group(leader, Signal::TERM);
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn mount_overlay(_lower: &Path, _upper: &Path, _work: &Path, _target: &Path) -> Result<()> {
    Err(needs_linux())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn unmount(_target: &Path) -> Result<()> {
    Err(needs_linux())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn kill(_id: i32, _is_ours: impl FnOnce() -> bool) -> Result<()> {
    Err(needs_linux())
}

/// The error of the local provider on other systems.
pub(super) fn needs_linux() -> Error {
    Error::could_not_run("the local provider needs systemd-nspawn, which exists on Linux only")
        .remedy("run monctl on a Linux computer, or choose another `provider` in the spec")
}
