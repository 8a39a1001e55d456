//! Checks scrape targets of the user's own.

use std::path::Path;

use super::super::model::Spec;
use super::super::names::{HostPort, JobName, LabelName};
use super::super::target::{ScrapeTarget, TargetAuth, TargetScheme};
use super::{KeyPath, SpecFinding};

pub(super) fn check(spec: &Spec, base: &Path, findings: &mut Vec<SpecFinding>) {
    for (name, target) in &spec.monitoring.targets {
        let at = KeyPath::from("monitoring.targets").and(name);
        if let Some(message) = taken(spec, name) {
            findings.push(SpecFinding::new(at.clone(), message));
        }
        one(&at, target, base, findings);
    }
}

/// A job of this name that monctl has.
fn taken(spec: &Spec, name: &JobName) -> Option<String> {
    let integrations = spec.catalogue.integrations();
    let other = integrations.iter().find(|it| it.scrape_jobs().iter().any(|job| job.job == name.as_str()))?;
    Some(format!(
        "the integration `{}` has a scrape job `{name}`, whose alerts and dashboards expect its own targets; choose \
         another name",
        other.name()
    ))
}

fn one(at: &KeyPath, target: &ScrapeTarget, base: &Path, findings: &mut Vec<SpecFinding>) {
    let mut find = |keys: &[&str], message: String| {
        let path = keys.iter().fold(at.clone(), |path, key| path.and(key));
        findings.push(SpecFinding::new(path, message));
    };
    if target.address.is_empty() {
        find(&["address"], "the job has no target; add one as `HOST:PORT`".to_owned());
    }
    for (index, address) in target.address.iter().enumerate() {
        let number = index.to_string();
        if !is_port(address) {
            find(&["address", &number], "a port lies between 1 and 65535; correct it".to_owned());
        }
        if target.address[..index].contains(address) {
            find(&["address", &number], "the target is listed twice; leave one out".to_owned());
        }
    }
    if target.path().contains(['?', '#']) {
        find(&["path"], "leave `?`, `#` and what follows out of the path".to_owned());
    }
    for label in target.labels.keys().map(LabelName::as_str) {
        let message = match label {
            "job" | "instance" => {
                "Prometheus sets this label to the name of the job and to the target's address"
            }
            "severity" | "alertname" => "alerts are known and routed by this label, which their rules set",
            _ if label.starts_with("__") => "labels that begin with `__` are Prometheus' own",
            _ => continue,
        };
        find(&["labels", label], format!("{message}; choose another name"));
    }
    if let Some(TargetAuth::Basic(basic)) = &target.auth
        && (basic.username.is_empty() || basic.username.contains(|c: char| c == ':' || c.is_control()))
    {
        let message = "a user name is not empty and has no `:` and no control characters; correct it";
        find(&["auth", "basic", "username"], message.to_owned());
    }
    let Some(tls) = &target.tls else { return };
    if target.scheme() == TargetScheme::Http {
        find(&["tls"], "`tls` is for `scheme: https`; leave one of them out".to_owned());
    }
    if tls.insecure && (tls.ca_file.is_some() || tls.server_name.is_some()) {
        let message = "`insecure` accepts any certificate; leave it out, or `ca_file` and `server_name`";
        find(&["tls", "insecure"], message.to_owned());
    }
    if tls.server_name.as_ref().is_some_and(|name| name.is_empty() || name.contains(char::is_whitespace)) {
        find(&["tls", "server_name"], "this is not the name of a server; correct it".to_owned());
    }
    if let Some(path) = &tls.ca_file {
        let path = base.join(path);
        let message = match &tls.ca {
            None => {
                format!("cannot read `{}` as text; name a PEM file, relative to the spec", path.display())
            }
            Some(text) if text.contains("PRIVATE KEY") => {
                format!("`{}` holds a private key; name a file with certificates only", path.display())
            }
            Some(text) if !text.contains("-----BEGIN CERTIFICATE-----") => {
                format!("`{}` holds no certificate; name a PEM file", path.display())
            }
            Some(_) => return,
        };
        find(&["tls", "ca_file"], message);
    }
}

fn is_port(address: &HostPort) -> bool {
    address.as_str().rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok_and(|port| port > 0))
}
