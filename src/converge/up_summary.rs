//! How `up` ends: where the application and Grafana are, and what is wrong with the application's settings. `plan` shows
//! the same warnings.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde_json::{Value, json};

use crate::apply::{Connected, Counting};
use crate::error::{Error, Result};
use crate::host::{HostName, Machine, Role};
use crate::playbook::{SETTINGS_REPORT, SettingsReport};
use crate::remote::Remote;
use crate::spec::Spec;

/// Addresses and warnings.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct UpSummary {
    /// The application's URLs by host.
    urls: BTreeMap<HostName, String>,
    /// Where Grafana is: a URL, or a command. None if it could not be installed.
    grafana: Option<String>,
    /// Warnings about the settings in use, without duplicates.
    pub warnings: Vec<String>,
}

impl UpSummary {
    /// The summary for these machines. `reports` are the records of application hosts that have one, `has_grafana` is
    /// whether Grafana runs on the monitoring host.
    pub fn new<'a>(
        spec: &Spec,
        machines: impl Iterator<Item = &'a Machine>,
        reports: &BTreeMap<HostName, SettingsReport>,
        has_grafana: bool,
    ) -> Self {
        let mut summary = Self { warnings: warnings(spec, reports.values()), ..Self::default() };
        let deployed = machines.filter(|machine| machine.name.role() == Role::APP && spec.app.deploy);
        for machine in deployed {
            if let Some(domain) = spec.app.domains().first() {
                summary.urls.insert(machine.name, format!("https://{domain}/"));
                continue;
            }
            let address = machine.public.unwrap_or(machine.address);
            summary.urls.insert(machine.name, url(address, spec.app.port.get()));
            if reports.get(&machine.name).is_some_and(|report| !report.accepts(address)) {
                summary.warnings.push(format!(
                    "`ALLOWED_HOSTS` refuses the address `{address}` of {}: requests to it get 400; add it, or use a name \
                     that `ALLOWED_HOSTS` has",
                    machine.name
                ));
            }
        }
        summary.grafana = match spec.grafana.existing() {
            Some(existing) => Some(existing.url.to_string()),
            None => has_grafana.then(|| "`monctl open` opens it".to_owned()),
        };
        summary
    }

    /// The lines for people.
    pub fn lines(&self) -> Vec<String> {
        let of_app = self.urls.iter().map(|(host, url)| format!("{host}: {url}"));
        let grafana = self.grafana.iter().map(|place| format!("Grafana: {place}"));
        let warnings = self.warnings.iter().map(|warning| format!("warning: {warning}"));
        of_app.chain(grafana).chain(warnings).collect()
    }

    /// The URLs for programs.
    pub fn urls(&self) -> Value {
        let urls = self.urls.iter().map(|(host, url)| (host.to_string(), json!(url)));
        Value::Object(urls.collect())
    }
}

/// The warnings of all hosts, each once.
pub fn warnings<'a>(spec: &Spec, reports: impl Iterator<Item = &'a SettingsReport>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let all = reports.flat_map(|report| report.warnings(spec.app.domains()));
    all.filter(|warning| seen.insert(warning.clone())).collect()
}

/// The records that hosts had when their facts were gathered.
pub fn known(hosts: &BTreeMap<HostName, Connected>) -> BTreeMap<HostName, SettingsReport> {
    let known = |(host, connected): (&HostName, &Connected)| Some((*host, connected.facts.settings.clone()?));
    hosts.iter().filter_map(known).collect()
}

/// The current records of the application hosts.
///
/// # Errors
/// When a connection breaks.
pub async fn current(
    remotes: impl Iterator<Item = (HostName, &Remote)>,
) -> Result<BTreeMap<HostName, SettingsReport>> {
    let mut reports = BTreeMap::new();
    for (host, remote) in remotes.filter(|(host, _)| host.role() == Role::APP) {
        let output =
            remote.run(&["sh", "-c", "[ ! -e \"$1\" ] || cat \"$1\"", "sh", SETTINGS_REPORT], b"").await?;
        if !output.status.success() {
            let text = format!("cannot read `{SETTINGS_REPORT}`");
            return Err(Error::failed(text).at(host.to_string()).because(output.stderr.trim().to_owned()));
        }
        reports.extend(SettingsReport::parse(&output.stdout).map(|report| (host, report)));
    }
    Ok(reports)
}

/// Why requests are not counted, with the remedy, for each host where they should be.
///
/// # Errors
/// When a connection breaks, or a host cannot tell.
pub async fn uncounted(spec: &Spec, remotes: impl Iterator<Item = &Remote>) -> Result<Vec<String>> {
    let mut warnings = Vec::new();
    for remote in remotes {
        let counting = Counting::of(remote, spec).await?;
        let why = counting.as_ref().and_then(Counting::obstacle);
        warnings.extend(why.map(|why| format!("{}: requests are not counted: {why}", remote.host())));
    }
    Ok(warnings)
}

fn url(address: IpAddr, port: u16) -> String {
    match (address, port) {
        (IpAddr::V4(address), 80) => format!("http://{address}/"),
        (IpAddr::V6(address), 80) => format!("http://[{address}]/"),
        (IpAddr::V4(address), port) => format!("http://{address}:{port}/"),
        (IpAddr::V6(address), port) => format!("http://[{address}]:{port}/"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::host::{SshTarget, Trust};

    fn machine(name: HostName, address: &str, public: Option<&str>) -> Machine {
        let ssh =
            SshTarget { alias: name.to_string(), config: PathBuf::new(), root: true, trust: Trust::Made };
        let public = public.map(|public| public.parse().unwrap());
        Machine { name, address: address.parse().unwrap(), public, ssh }
    }

    fn report(allowed: &str) -> SettingsReport {
        SettingsReport::parse(&format!(
            r#"{{"debug": true, "insecure_key": false, "allowed_hosts": ["{allowed}"], "unserved": null, "absent": []}}"#
        ))
        .unwrap()
    }

    #[test]
    fn the_summary_names_addresses_and_each_warning_once() {
        let spec: Spec = serde_saphyr::from_str(
            "{version: 1, project: shop, provider: local, app: {path: ., wsgi: shop.wsgi}, notify: {capture: {}}}",
        )
        .unwrap();
        let second = HostName::app(2);
        let machines = [
            machine(HostName::app(1), "10.0.0.2", Some("203.0.113.7")),
            machine(second, "fd00::7", None),
            machine(HostName::MONITORING, "10.0.0.4", None),
        ];
        let reports =
            [(HostName::app(1), report("203.0.113.7")), (second, report("shop.example.org"))].into();
        let summary = UpSummary::new(&spec, machines.iter(), &reports, true);
        let lines = summary.lines();
        assert_eq!(
            lines[..3],
            [
                "app: http://203.0.113.7:8000/",
                "app-2: http://[fd00::7]:8000/",
                "Grafana: `monctl open` opens it"
            ]
        );
        assert!(lines[3].starts_with("warning: DEBUG IS ON"), "{lines:?}");
        assert!(lines[4].contains("refuses the address `fd00::7` of app-2"), "{lines:?}");
        assert_eq!(lines.len(), 5);
        assert_eq!(summary.urls()["app-2"], "http://[fd00::7]:8000/");
        let without = UpSummary::new(&spec, machines.iter(), &reports, false).lines();
        assert!(!without.iter().any(|line| line.contains("Grafana")), "{without:?}");
    }
}
