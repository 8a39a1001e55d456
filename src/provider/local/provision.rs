//! Configuration of one machine on top of the base image: its name, its keys, its network, and what it takes over
//! from this computer. Written into its root before it boots.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

use super::files::{cannot, write_in_root};
use super::inherited_settings;
use super::keys;
use super::names::Names;
use super::subnet::LocalSubnet;
use crate::error::Result;
use crate::host::HostName;

const NETWORK: &str = include_str!("machine/10-monctl.network");
const HOSTS: &str = include_str!("machine/hosts");

/// Writes what a machine keeps for its whole life. Returns its public host key.
pub(super) async fn identity(
    names: &Names,
    host: HostName,
    address: Ipv4Addr,
    subnet: LocalSubnet,
) -> Result<String> {
    let folder = names.machine(host);
    let root = folder.root();
    let name = host.to_string();
    write_in_root(&root, "etc/hostname", &format!("{name}\n"), 0o644)?;
    write_in_root(&root, "etc/hosts", &HOSTS.replace("@HOST@", &name), 0o644)?;
    write_in_root(&root, "etc/machine-id", &machine_id()?, 0o444)?;
    let network = NETWORK
        .replace("@ADDRESS@", &address.to_string())
        .replace("@GATEWAY@", &subnet.gateway().to_string());
    write_in_root(&root, "etc/systemd/network/10-monctl.network", &network, 0o644)?;
    let proxies = inherited_settings::apt_proxies(Some(subnet.gateway())).await;
    if !proxies.is_empty() {
        write_in_root(&root, "etc/apt/apt.conf.d/80monctl-proxy", &proxies, 0o644)?;
    }
    let environment = inherited_settings::proxy_environment(subnet.gateway());
    if !environment.is_empty() {
        // A proxy's address may hold a password; sshd and systemd read this file as root.
        write_in_root(&root, "etc/environment", &environment, 0o600)?;
    }
    host_key(names, host, &root).await
}

/// Writes what may have changed since the machine last ran: DNS servers and the client key.
pub(super) fn refresh(names: &Names, host: HostName) -> Result<()> {
    let root = names.machine(host).root();
    let key = keys::public(&names.client_key())?;
    write_in_root(&root, "root/.ssh/authorized_keys", &format!("{key}\n"), 0o600)?;
    let resolver = root.join("etc/resolv.conf");
    // A link means that the machine has a resolver of its own, which manages this file.
    if fs::symlink_metadata(&resolver).is_ok_and(|meta| meta.is_symlink()) {
        return Ok(());
    }
    write_in_root(&root, "etc/resolv.conf", &inherited_settings::resolv_conf()?, 0o644)
}

/// Generates the host key on this computer, so that it is known before the first connection, and moves it into the
/// machine. Uses a prepared key if there is one, as a cloud passes one in user data.
async fn host_key(names: &Names, host: HostName, root: &Path) -> Result<String> {
    let path = names.machine(host).0.join("ssh_host_ed25519_key");
    let ready = names.ready_host_key(host);
    if ready.exists() {
        for (from, to) in [(ready.with_extension("pub"), path.with_extension("pub")), (ready, path.clone())] {
            fs::rename(&from, to).map_err(|error| cannot("move", &from, error))?;
        }
    } else {
        keys::make(&path, &host.to_string()).await?;
    }
    let private = fs::read_to_string(&path).map_err(|error| cannot("read", &path, error))?;
    let public = keys::public(&path)?;
    write_in_root(root, "etc/ssh/ssh_host_ed25519_key", &private, 0o600)?;
    write_in_root(root, "etc/ssh/ssh_host_ed25519_key.pub", &format!("{public}\n"), 0o644)?;
    for path in [path.with_extension("pub"), path] {
        fs::remove_file(&path).map_err(|error| cannot("remove", &path, error))?;
    }
    Ok(public)
}

/// A new machine id in systemd's format; with one, systemd does not treat the next boot as the very first.
fn machine_id() -> Result<String> {
    let source = Path::new("/proc/sys/kernel/random/uuid");
    let id = fs::read_to_string(source).map_err(|error| cannot("read", source, error))?;
    Ok(id.replace('-', ""))
}
