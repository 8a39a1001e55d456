//! Explains why an existing host refuses the connection, with a remedy for each case: an unknown host key, a changed
//! host key, a jump host that is not trusted, no permission, no answer.

use super::client::{self, SshRoute};
use super::host_key::presented;
use crate::error::Error;
use crate::host::Machine;

/// What ssh complained about.
#[derive(Debug, PartialEq, Eq)]
enum Complaint {
    /// The host key of this name is not known.
    Unknown { host: String },
    /// The known host key of this name is a different one.
    Changed { host: String, fingerprint: String, known: String },
    /// The host accepts none of the user's keys.
    Denied,
    /// The name cannot be resolved.
    Unresolved,
    /// Anything else.
    Other,
}

/// Connects once more, with the ssh client, and explains its output.
pub(super) async fn explain(machine: &Machine) -> Error {
    let (config, alias) = (&machine.ssh.config, machine.ssh.alias.as_str());
    let place = machine.name.to_string();
    let route = match client::route(config, alias).await {
        Ok(route) => route,
        Err(error) => return error.at(place),
    };
    let options = ["-o", "ControlPath=none", "-o", "ConnectTimeout=15"];
    let output = match client::ssh(config, alias, &options, &["true"]).await {
        Ok(output) => output.stderr.trim().to_owned(),
        Err(error) => return error.at(place),
    };
    let error = match read(&output) {
        Complaint::Unknown { host } if is_destination(&route, alias, &host) => unknown(machine).await,
        Complaint::Unknown { host } => {
            Error::could_not_run(format!("the host key of `{host}`, a jump host for `{alias}`, is not known"))
                .remedy(format!("connect to it once by hand and compare its fingerprint: ssh {host}"))
        }
        Complaint::Changed { host, fingerprint, known } => changed(&host, &fingerprint, &known),
        Complaint::Denied => denied(&route, alias),
        Complaint::Unresolved => Error::could_not_run(format!(
            "the host name `{}` cannot be resolved on this computer",
            route.host
        ))
        .remedy("use an address or a name from your ssh configuration in `provider.hosts`"),
        Complaint::Other => Error::could_not_run(format!("no ssh connection to `{alias}`"))
            .remedy(format!("see why by hand: ssh -F {} {alias}", config.display())),
    };
    // The output of ssh is the cause; it may be empty.
    let error = if output.is_empty() { error } else { error.because(output) };
    error.at(place)
}

fn is_destination(route: &SshRoute, alias: &str, host: &str) -> bool {
    [alias, &route.host].contains(&host) || route.key_alias.as_deref() == Some(host)
}

async fn unknown(machine: &Machine) -> Error {
    let alias = &machine.ssh.alias;
    let unknown = || {
        Error::could_not_run(format!("the host key of `{alias}` is not known"))
            .remedy(format!("connect once by hand and compare its fingerprint: ssh {alias}"))
    };
    let keys = match presented(&machine.ssh.config, alias, |_| true).await {
        Ok(keys) => keys,
        Err(error) => return unknown().because(error),
    };
    let Some(key) = keys.first() else { return unknown() };
    let fingerprint = key.fingerprint();
    Error::could_not_run(format!("the host key of `{alias}` is not known; it presented {fingerprint}")).remedy(
        format!(
            "read the fingerprint on the host itself, for example on its console: `ssh-keygen -lf {}`; if it is the \
             same, add it to the spec: `{{ssh: {alias}, host_key: {fingerprint}}}`, or accept it once in \
             `ssh {alias}`",
            key.file()
        ),
    )
}

fn changed(host: &str, fingerprint: &str, known: &str) -> Error {
    let remedy = format!(
        "another machine may answer at this address; if the host really has a new key, compare the fingerprint on \
         its console and remove the old key from {known}"
    );
    Error::could_not_run(format!("`{host}` presents a different host key than the known one: {fingerprint}"))
        .remedy(remedy)
}

fn denied(route: &SshRoute, alias: &str) -> Error {
    Error::could_not_run(format!("`{alias}` accepts none of your ssh keys for user `{}`", route.user)).remedy(format!(
        "set another `user` or `key` beside `ssh: {alias}` in the spec, load a key with a passphrase into your agent \
         with `ssh-add`, or authorize your key on the host: ssh-copy-id {alias}"
    ))
}

fn read(output: &str) -> Complaint {
    let between = |line: &str, before: &str, after: &str| {
        Some(plain_name(line.split_once(before)?.1.split_once(after)?.0))
    };
    if output.contains("REMOTE HOST IDENTIFICATION HAS CHANGED") {
        let found = |before, after| output.lines().find_map(|line| between(line, before, after));
        let fingerprint = output.lines().find(|line| line.starts_with("SHA256:")).unwrap_or_default();
        let offending =
            output.lines().find_map(|line| Some(line.strip_prefix("Offending ")?.split_once(" in ")?.1));
        return Complaint::Changed {
            host: found("key for ", " has changed").unwrap_or_default(),
            fingerprint: fingerprint.trim_end_matches('.').to_owned(),
            known: offending
                .map_or_else(|| "your `known_hosts`".to_owned(), |place| format!("`{}`", place.trim())),
        };
    }
    for line in output.lines() {
        if let Some(host) = between(line, "host key is known for ", " and you have") {
            return Complaint::Unknown { host };
        }
        if line.contains("Could not resolve hostname") {
            return Complaint::Unresolved;
        }
        if line.contains("Permission denied (") {
            return Complaint::Denied;
        }
    }
    Complaint::Other
}

/// The name without brackets and port: ssh looks up `[host]:port` if the port is not 22.
fn plain_name(name: &str) -> String {
    name.strip_prefix('[').and_then(|rest| rest.split_once(']')).map_or(name, |(host, _)| host).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_of_ssh_are_distinguished() {
        let unknown = "No ED25519 host key is known for [web1]:2222 and you have requested strict checking.\n\
            Host key verification failed.";
        assert_eq!(read(unknown), Complaint::Unknown { host: "web1".into() });
        let changed = "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\n\
            The fingerprint for the ED25519 key sent by the remote host is\nSHA256:abc.\n\
            Offending ED25519 key in /home/me/.ssh/known_hosts:3\n\
            Host key for web1 has changed and you have requested strict checking.";
        let expected = Complaint::Changed {
            host: "web1".into(),
            fingerprint: "SHA256:abc".into(),
            known: "`/home/me/.ssh/known_hosts:3`".into(),
        };
        assert_eq!(read(changed), expected);
        assert_eq!(read("me@web1: Permission denied (publickey)."), Complaint::Denied);
        assert_eq!(
            read("ssh: Could not resolve hostname web1: Name or service not known"),
            Complaint::Unresolved
        );
        assert_eq!(read("ssh: connect to host web1 port 22: Connection refused"), Complaint::Other);
    }
}
