//! The address at which the other hosts reach a host: the spec's, else the one that its name resolves to here.

use std::net::IpAddr;

use super::host_registry::NamedHost;
use crate::error::{Error, Result};
use crate::remote::SshRoute;

/// The address of a host that is reached by this route.
pub(super) async fn of(host: &NamedHost, route: &SshRoute) -> Result<IpAddr> {
    if let Some(address) = host.settings.address {
        return usable(host, address);
    }
    let name = route.host.as_str();
    let found = match name.parse() {
        Ok(address) => vec![address],
        Err(_) => resolve(name).await.map_err(|error| {
            with_remedy(
                host,
                Error::could_not_run(format!("the name `{name}` cannot be resolved here")).because(error),
            )
        })?,
    };
    let first = found.into_iter().next();
    let none = || with_remedy(host, Error::could_not_run(format!("the name `{name}` has no address")));
    usable(host, first.ok_or_else(none)?)
}

/// All addresses of a name, sorted, IPv4 first, so that the same name always gives the same address.
async fn resolve(name: &str) -> std::io::Result<Vec<IpAddr>> {
    let mut found: Vec<IpAddr> =
        tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect();
    found.sort();
    Ok(found)
}

fn usable(host: &NamedHost, address: IpAddr) -> Result<IpAddr> {
    let address = address.to_canonical();
    let local = match address {
        IpAddr::V4(it) => it.is_link_local(),
        IpAddr::V6(it) => it.is_unicast_link_local(),
    };
    if address.is_loopback() || address.is_unspecified() || address.is_multicast() || local {
        let message = format!("the other hosts cannot reach `{}` at {address}", host.settings.ssh);
        return Err(with_remedy(host, Error::could_not_run(message)));
    }
    Ok(address)
}

fn with_remedy(host: &NamedHost, error: Error) -> Error {
    let ssh = host.settings.ssh.host();
    error.at(host.name.to_string()).remedy(format!(
        "set the address at which the other hosts reach it in the spec: `{{ssh: {ssh}, address: 10.0.0.7}}`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::HostName;
    use crate::spec::ExistingHost;

    async fn address(json: &str, hostname: &str) -> Result<IpAddr> {
        let host: ExistingHost = serde_json::from_str(json).unwrap();
        let route = SshRoute {
            user: "root".into(),
            host: hostname.into(),
            port: "22".into(),
            key_alias: None,
            indirect: false,
            proxy_command: None,
        };
        of(&NamedHost::new(HostName::app(1), host.settings()), &route).await
    }

    #[tokio::test]
    async fn the_spec_decides_and_else_the_name_that_ssh_connects_to() {
        let given = address(r#"{"ssh": "web1", "address": "10.0.0.7"}"#, "192.0.2.1").await;
        assert_eq!(given.unwrap().to_string(), "10.0.0.7");
        assert_eq!(address(r#""web1""#, "192.0.2.1").await.unwrap().to_string(), "192.0.2.1");
    }

    #[tokio::test]
    async fn an_address_that_others_cannot_reach_is_refused_with_the_remedy() {
        for hostname in
            ["127.0.0.1", "::1", "localhost", "169.254.1.1", "fe80::1", "0.0.0.0", "::ffff:127.0.0.1"]
        {
            let error = address(r#""web1""#, hostname).await.unwrap_err();
            assert!(error.hint().unwrap().contains("{ssh: web1, address: 10.0.0.7}"), "{hostname}: {error}");
        }
        let error = address(r#""web1""#, "no-such-name.invalid").await.unwrap_err();
        assert!(error.message().contains("cannot be resolved"), "{error}");
    }
}
