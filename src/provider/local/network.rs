//! The network of a project: a bridge with an address of this computer, NAT by the project's own nftables table, and
//! a subnet that never changes once it is chosen.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::command::{run, run_with_input, tool};
use super::files;
use super::inherited_settings;
use super::names::{Names, STATE};
use super::subnet::{LocalSubnet, Range, choose, is_free, routes};
use crate::error::{Error, Result};
use crate::provider::lock;

const RULES: &str = include_str!("network.nft");
const FORWARDING: &str = "/proc/sys/net/ipv4/ip_forward";
const ROUTES: &str = "/proc/net/route";

/// The stored part of a network.
#[derive(Debug, Serialize, Deserialize)]
struct MachineRecord {
    subnet: LocalSubnet,
}

/// The subnet of the project, if it already has one.
pub(super) fn subnet(names: &Names) -> Result<Option<LocalSubnet>> {
    Ok(files::read_json::<MachineRecord>(&names.network_file())?.map(|record| record.subnet))
}

/// Whether the network works, as far as this computer's part of it goes.
pub(super) async fn is_complete(names: &Names) -> Result<bool> {
    let bridge = names.bridge();
    let Some(subnet) = subnet(names)? else { return Ok(false) };
    let is_up = is_ours(names)? && has_route(&bridge, subnet)? && read(Path::new(FORWARDING))?.trim() == "1";
    let is_plugged = cables(names)?.iter().all(|cable| is_plugged(cable, &bridge));
    Ok(is_up && is_plugged && has_table(&names.table()).await)
}

/// Creates the missing parts of the network, and keeps the existing ones.
pub(super) async fn create(names: &Names) -> Result<LocalSubnet> {
    let subnet = match subnet(names)? {
        Some(subnet) => subnet,
        None => claim_subnet(names)?,
    };
    create_bridge(names, subnet).await?;
    let rules = RULES
        .replace("@TABLE@", &names.table())
        .replace("@BRIDGE@", &names.bridge())
        .replace("@SUBNET@", &subnet.to_string());
    run_with_input(tool("nft").args(["-f", "-"]), &rules).await?;
    // Left on by `destroy`: others may need it by now, and the rules above protect the machines.
    write(FORWARDING, "1")?;
    Ok(subnet)
}

/// The warning if another firewall of this computer, such as Docker's, drops the machines' traffic: our own table
/// cannot override that, and its rules are not ours to change.
pub(super) async fn obstacle(names: &Names) -> Option<String> {
    let chain = run(tool("nft").args(["list", "chain", "ip", "filter", "FORWARD"])).await.ok()?;
    let bridge = names.bridge();
    if !drops_by_default(&chain) || chain.contains(&bridge) {
        return None;
    }
    Some(format!(
        "this computer's firewall drops forwarded packets, so machines may not reach the network; allow them with \
         `iptables -I FORWARD -i {bridge} -j ACCEPT` and \
         `iptables -I FORWARD -o {bridge} -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT`"
    ))
}

fn drops_by_default(chain: &str) -> bool {
    chain.lines().any(|line| line.contains("hook forward") && line.contains("policy drop"))
}

/// Chooses and stores a subnet under a lock, so that two projects that start at once do not choose the same one.
fn claim_subnet(names: &Names) -> Result<LocalSubnet> {
    let _held = lock::wait_for("subnets")?;
    let taken = taken(names)?;
    let subnet = choose(names.seed(), &taken).ok_or_else(|| {
        Error::could_not_run("no free subnet is left for machines in `10.64.0.0/10`").remedy(
            "remove a project with `monctl down --project NAME`, or a route that covers this whole range",
        )
    })?;
    files::create_folder(&names.folder())?;
    files::write_json(&names.network_file(), &MachineRecord { subnet })?;
    Ok(subnet)
}

/// The ranges that this computer and other projects use.
fn taken(names: &Names) -> Result<Vec<Range>> {
    let mut taken = routes_elsewhere(names)?;
    taken.extend(inherited_settings::dns_servers().into_iter().map(|server| Range::new(server, 32)));
    for folder in files::entries(Path::new(STATE))? {
        let record = folder.join("network.json");
        if record != names.network_file() {
            // A damaged record of another project does not concern this one.
            let record = files::read_json::<MachineRecord>(&record).ok().flatten();
            taken.extend(record.map(|record| Range::from(record.subnet)));
        }
    }
    Ok(taken)
}

async fn create_bridge(names: &Names, subnet: LocalSubnet) -> Result<()> {
    let (bridge, alias) = (names.bridge(), names.bridge_alias());
    if has_link(&bridge) && !is_ours(names)? {
        return Err(Error::could_not_run(format!("interface `{bridge}` belongs to something else"))
            .remedy(format!("find out what created it with `ip link show {bridge}`")));
    }
    if !has_link(&bridge) {
        if !is_free(subnet, &routes_elsewhere(names)?) {
            return Err(Error::could_not_run(format!(
                "another route of this computer now covers the machines' subnet {subnet}"
            ))
            .remedy(
                "remove the route, or the machines with `monctl down`; `monctl up` then takes another subnet",
            ));
        }
        let made = run(tool("ip").args(["link", "add", &bridge, "type", "bridge"])).await;
        // A process of a killed run may have created it meanwhile.
        if !(has_link(&bridge) && is_ours(names)?) {
            made?;
        }
    }
    run(tool("ip").args(["link", "set", &bridge, "alias", &alias])).await?;
    let address = format!("{}/24", subnet.gateway());
    run(tool("ip").args(["address", "replace", &address, "dev", &bridge])).await?;
    run(tool("ip").args(["link", "set", &bridge, "up"])).await?;
    // Connects machines that still run after the bridge was lost to the new one.
    for cable in cables(names)?.iter().filter(|cable| !is_plugged(cable, &bridge)) {
        run(tool("ip").args(["link", "set", cable, "master", &bridge])).await?;
    }
    // Detects a machine that just booted within 0.1 s instead of 1 s.
    write(&format!("/proc/sys/net/ipv4/neigh/{bridge}/retrans_time_ms"), "100")
}

/// Whether the bridge exists and does not belong to another project. One without an alias is ours: the run that
/// created it ended before setting the alias.
fn is_ours(names: &Names) -> Result<bool> {
    let alias = Path::new("/sys/class/net").join(names.bridge()).join("ifalias");
    let alias = read(&alias)?;
    Ok(has_link(&names.bridge()) && (alias.trim().is_empty() || alias.trim() == names.bridge_alias()))
}

/// The interfaces of the project: its bridge, and this computer's ends of its machines' cables.
pub(super) fn interfaces(names: &Names) -> Result<Vec<String>> {
    let mut found = cables(names)?;
    if is_ours(names)? {
        found.push(names.bridge());
    }
    Ok(found)
}

/// This computer's ends of the cables of running machines.
fn cables(names: &Names) -> Result<Vec<String>> {
    let interfaces = files::entries(Path::new("/sys/class/net"))?;
    let prefix = names.cable_prefix();
    let ours =
        interfaces.iter().filter_map(|path| files::name(path)).filter(|name| name.starts_with(&prefix));
    Ok(ours.map(str::to_owned).collect())
}

fn is_plugged(cable: &str, bridge: &str) -> bool {
    let master = fs::read_link(Path::new("/sys/class/net").join(cable).join("master"));
    master.is_ok_and(|master| master.ends_with(bridge))
}

/// Removes an interface. Cables of machines disappear by themselves some time after the machines end.
pub(super) async fn remove_interface(name: &str) -> Result<()> {
    match run(tool("ip").args(["link", "delete", name])).await {
        Err(error) if has_link(name) => Err(error),
        _ => Ok(()),
    }
}

pub(super) async fn has_table(table: &str) -> bool {
    run(tool("nft").args(["list", "table", "inet", table])).await.is_ok()
}

pub(super) async fn remove_table(table: &str) -> Result<()> {
    run(tool("nft").args(["delete", "table", "inet", table])).await.map(drop)
}

fn has_link(name: &str) -> bool {
    Path::new("/sys/class/net").join(name).exists()
}

/// The route exists exactly while the bridge is up with its address.
fn has_route(bridge: &str, subnet: LocalSubnet) -> Result<bool> {
    let routes = routes(&read(Path::new(ROUTES))?);
    Ok(routes.iter().any(|(interface, range)| interface == bridge && *range == subnet.into()))
}

/// The ranges that this computer reaches by other interfaces than the project's bridge.
fn routes_elsewhere(names: &Names) -> Result<Vec<Range>> {
    let mut routes = routes(&read(Path::new(ROUTES))?);
    routes.retain(|(interface, _)| *interface != names.bridge());
    Ok(routes.into_iter().map(|(_, range)| range).collect())
}

/// The content of a kernel file; empty if it does not exist.
fn read(path: &Path) -> Result<String> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        other => other.map_err(|error| {
            Error::could_not_run(format!("cannot read `{}`", path.display())).because(error)
        }),
    }
}

fn write(path: &str, value: &str) -> Result<()> {
    fs::write(path, value)
        .map_err(|error| Error::could_not_run(format!("cannot write `{path}`")).because(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_firewall_that_drops_forwarded_packets_is_detected() {
        let chain = |policy: &str| {
            format!(
                "table ip filter {{\n\tchain FORWARD {{\n\t\ttype filter hook forward priority filter; policy \
                 {policy};\n\t\tcounter drop\n\t}}\n}}\n"
            )
        };
        assert!(drops_by_default(&chain("drop")));
        assert!(!drops_by_default(&chain("accept")));
    }
}
