//! Network settings that machines take over from this computer: DNS servers, apt's proxies, the proxies of the
//! environment. Its extra CA certificates are part of the base image (`image.rs`).

use std::env;
use std::fs;
use std::net::Ipv4Addr;

use super::command::{run, tool};
use crate::error::{Error, Result};

/// The files that may list this computer's DNS servers; the second is systemd-resolved's own list.
const RESOLVERS: [&str; 2] = ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"];

/// The environment variables that configure proxies.
const PROXY_VARIABLES: [&str; 8] = [
    "http_proxy",
    "https_proxy",
    "ftp_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "FTP_PROXY",
    "NO_PROXY",
];

/// The proxy variables that are set in this computer's environment.
pub(super) fn proxies() -> impl Iterator<Item = (&'static str, std::ffi::OsString)> {
    PROXY_VARIABLES.into_iter().filter_map(|name| Some((name, env::var_os(name)?)))
}

/// The DNS servers of this computer that machines can query.
pub(super) fn dns_servers() -> Vec<Ipv4Addr> {
    // A file that does not exist lists none.
    let usable = |path| name_servers(&fs::read_to_string(path).unwrap_or_default());
    RESOLVERS.into_iter().map(usable).find(|servers| !servers.is_empty()).unwrap_or_default()
}

/// The content of a machine's `/etc/resolv.conf`.
pub(super) fn resolv_conf() -> Result<String> {
    // As above.
    let own = fs::read_to_string(RESOLVERS[0]).unwrap_or_default();
    let servers = dns_servers();
    if servers.is_empty() {
        return Err(Error::could_not_run(
            "machines would have no DNS: this computer's servers are on loopback",
        )
        .at(RESOLVERS[0])
        .remedy("add a `nameserver` line with an IPv4 address that is not loopback"));
    }
    let servers = servers.iter().map(|server| format!("nameserver {server}\n"));
    let search = own.lines().filter(|line| line.starts_with("search ")).map(|line| format!("{line}\n"));
    Ok(servers.chain(search).collect())
}

/// The name servers that a machine can query: IPv4, like its network, and not loopback, which would be itself.
fn name_servers(resolv_conf: &str) -> Vec<Ipv4Addr> {
    // A machine's network has no IPv6.
    let address = |line: &str| line.strip_prefix("nameserver")?.trim().parse::<Ipv4Addr>().ok();
    resolv_conf.lines().filter_map(address).filter(|address| !address.is_loopback()).collect()
}

/// apt's proxies as an apt configuration file; empty if there are none, or no apt. `gateway` is the address at which
/// machines reach this computer; without it the file is for this computer itself.
pub(super) async fn apt_proxies(gateway: Option<Ipv4Addr>) -> String {
    // Without apt there are no proxies of apt.
    let dump = run(tool("apt-config").arg("dump")).await.unwrap_or_default();
    let lines = proxy_lines(&dump);
    gateway.map_or_else(|| lines.clone(), |gateway| reachable(&lines, gateway))
}

/// The proxies of the environment as machines see them, one `NAME=value` per line.
pub(super) fn proxy_environment(gateway: Ipv4Addr) -> String {
    // A value that is not UTF-8 is not an address.
    let line =
        |name: &str| Some(format!("{name}={}\n", env::var(name).ok().filter(|value| !value.is_empty())?));
    let lines: String = PROXY_VARIABLES.into_iter().filter_map(line).collect();
    reachable(&lines, gateway)
}

/// The lines such as `Acquire::http::Proxy "…";` and `Acquire::http::Proxy::host "DIRECT";`.
fn proxy_lines(dump: &str) -> String {
    let is_proxy = |line: &&str| {
        let mut words = line.split(' ').next().unwrap_or_default().split("::");
        let starts = words.next() == Some("Acquire") && words.next().is_some();
        starts
            && words.next().is_some_and(|word| word.eq_ignore_ascii_case("proxy"))
            && !line.ends_with(" \"\";")
    };
    dump.lines().filter(is_proxy).flat_map(|line| [line, "\n"]).collect()
}

/// Replaces loopback addresses by this computer's address on the bridge.
fn reachable(lines: &str, gateway: Ipv4Addr) -> String {
    let gateway = format!("//{gateway}");
    lines.replace("//localhost", &gateway).replace("//127.0.0.1", &gateway)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dns_servers_that_a_machine_cannot_query_are_left_out() {
        let text = "# nameserver 192.0.2.9\nnameserver 127.0.0.53\nnameserver ::1\nnameserver 192.0.2.53\n\
            options edns0\nnameserver fd00::1\n";
        assert_eq!(name_servers(text), [Ipv4Addr::new(192, 0, 2, 53)]);
    }

    #[test]
    fn only_apts_proxies_are_carried_over() {
        let dump = "APT \"\";\nAcquire \"\";\nAcquire::http \"\";\nAcquire::http::Proxy \"http://127.0.0.1:3142\";\n\
            Acquire::http::Proxy::mirror.example \"DIRECT\";\nAcquire::https::Proxy \"\";\n\
            Acquire::https::Verify-Peer \"true\";\n";
        assert_eq!(
            reachable(&proxy_lines(dump), Ipv4Addr::new(10, 64, 7, 1)),
            "Acquire::http::Proxy \"http://10.64.7.1:3142\";\nAcquire::http::Proxy::mirror.example \"DIRECT\";\n"
        );
    }
}
