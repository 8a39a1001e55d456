//! What the schema cannot express: whether the values of a well-formed spec are consistent and name things that
//! exist. Each finding is a path in the file and a sentence.

mod alerts;
mod domain;
mod notify;
mod processes;
mod project_folder;
mod services;
mod targets;

use std::path::Path;

use super::app::{App, EnvValue, Metrics, fits_environment};
use super::domain::{HTTP, HTTPS};
use super::finding::SpecFinding;
use super::grafana::{DashboardSource, Grafana};
use super::model::Spec;
use super::monitoring::{Discovery, Install};
use super::names::Port;
use super::provider::{ExistingHosts, ProviderSettings};
use super::scraping::Scraped;
use super::secret_ref::SecretRef;
use super::tree::KeyPath;
use crate::host::Role;
use crate::integrations::Integration;

/// All findings. `base` is the folder to which the spec's paths are relative; `mentions` returns whether the project's
/// settings name something.
pub(super) fn check(spec: &Spec, base: &Path, mentions: &dyn Fn(&str) -> bool) -> Vec<SpecFinding> {
    let mut findings = Vec::new();
    durations(spec, &mut findings);
    alerts::check(spec, mentions, &mut findings);
    notify::check(spec, &mut findings);
    provider(&spec.provider, &mut findings);
    discovery(spec, &mut findings);
    secrets(spec, &mut findings);
    grafana(&spec.grafana, base, &mut findings);
    // Of other applications, there is no folder.
    if spec.app.deploy {
        project_folder::check(&spec.app, base, &mut findings);
    }
    processes::check(&spec.app, &mut findings);
    domain::check(spec, &mut findings);
    services::check(&spec.app, &mut findings);
    metrics_path(spec, &mut findings);
    releases(&spec.monitoring.install, base, &mut findings);
    no_release_of_grafana(spec, &mut findings);
    integrations(spec, base, &mut findings);
    ports(spec, &mut findings);
    targets::check(spec, base, &mut findings);
    findings
}

/// Durations that are 0.
fn durations(spec: &Spec, findings: &mut Vec<SpecFinding>) {
    let monitoring = &spec.monitoring;
    for (path, duration) in [
        ("monitoring.scrape_interval", monitoring.scrape_interval),
        ("monitoring.evaluation_interval", monitoring.evaluation_interval),
        ("monitoring.retention", monitoring.retention),
        ("notify.resolve_timeout", spec.notify.resolve_timeout),
    ] {
        if duration.as_millis() == 0 {
            findings.push(SpecFinding::new(path, "it must be longer than 0s"));
        }
    }
}

/// EC2 takes 50 tags; the others are monctl's.
const OWN_TAGS: usize = 40;

fn provider(provider: &ProviderSettings, findings: &mut Vec<SpecFinding>) {
    if let ProviderSettings::Aws(aws) = provider
        && aws.tags.len() > OWN_TAGS
    {
        let message = format!("EC2 takes 50 tags a resource; at most {OWN_TAGS} can be your own");
        findings.push(SpecFinding::new("provider.aws.tags", message));
    }
    match provider {
        ProviderSettings::Aws(aws) if aws.subnet.is_some() && aws.vpc.is_some() => {
            let message = "a subnet decides on its VPC; leave `vpc` out";
            findings.push(SpecFinding::new("provider.aws.vpc", message).about("provider.aws.subnet"));
        }
        ProviderSettings::Hosts(hosts) if hosts.app.is_empty() => {
            findings.push(SpecFinding::new("provider.hosts.app", "at least one application host is needed"));
        }
        ProviderSettings::Hosts(hosts) => existing_hosts(hosts, findings),
        _ => {}
    }
}

fn existing_hosts(hosts: &ExistingHosts, findings: &mut Vec<SpecFinding>) {
    let mut seen: Vec<((String, Option<Port>), KeyPath)> = Vec::new();
    for (name, host) in hosts.all() {
        let path = KeyPath::from(ExistingHosts::place(name));
        let settings = host.settings();
        let destination = (settings.ssh.host().to_owned(), settings.port);
        if let Some((_, first)) = seen.iter().find(|(other, _)| *other == destination) {
            let message = format!("`{}` is listed twice; each host has one role", destination.0);
            findings.push(SpecFinding::new(path.clone(), message).about(path.clone()).about(first.clone()));
        }
        if settings.user.is_some() && settings.ssh.user().is_some() {
            let message = format!("`{}` already names a user; leave `user` out", settings.ssh);
            findings.push(SpecFinding::new(path.clone(), message).about(path.clone()));
        }
        seen.push((destination, path));
    }
}

/// Prometheus needs a region to discover instances, even when it only checks its configuration.
fn discovery(spec: &Spec, findings: &mut Vec<SpecFinding>) {
    let message = match (spec.monitoring.discovery, &spec.provider) {
        (Discovery::Static, _) => return,
        (Discovery::Ec2, ProviderSettings::Aws(aws)) if aws.region.is_some() => return,
        (Discovery::Ec2, ProviderSettings::Aws(_)) => "discovery needs `provider.aws.region`",
        (Discovery::Ec2, _) => "discovery by EC2 needs `provider: {aws: …}`",
    };
    findings.push(SpecFinding::new("monitoring.discovery", message).about("provider"));
}

/// References that cannot lead to a secret. The messages do not quote them: the user may have written a secret in place
/// of its reference.
fn secrets(spec: &Spec, findings: &mut Vec<SpecFinding>) {
    for (name, reference) in spec.secret_refs() {
        let message = match reference {
            SecretRef::File(path) if path.to_string_lossy().contains("://") => {
                "this is a URL, not the path of a file with the secret"
            }
            SecretRef::Command(words) if words.first().is_none_or(String::is_empty) => "the command is empty",
            _ => continue,
        };
        findings.push(SpecFinding::new(name.to_string(), message));
    }
    for (name, value) in &spec.app.env {
        if matches!(value, EnvValue::Plain(text) if !fits_environment(text)) {
            let message =
                "the value contains control characters, which are not allowed in environment variables";
            findings.push(SpecFinding::new(format!("app.env.{name}"), message));
        }
    }
}

/// Checks the settings of an existing Grafana, and that each dashboard has exactly one source.
fn grafana(grafana: &Grafana, base: &Path, findings: &mut Vec<SpecFinding>) {
    let mut find =
        |key: &str, message: String| findings.push(SpecFinding::new(format!("grafana.{key}"), message));
    for (key, message) in grafana.contradictions() {
        find(key, message.to_owned());
    }
    for (index, dashboard) in grafana.dashboards.iter().enumerate() {
        match dashboard.source() {
            None => find(
                &format!("dashboards.{index}"),
                "a dashboard needs a `path`, or an `id`, a `revision` and a `sha256`".into(),
            ),
            Some(DashboardSource::File(path)) if !base.join(path).is_file() => {
                find(
                    &format!("dashboards.{index}"),
                    format!("there is no file `{}`", base.join(path).display()),
                );
            }
            Some(_) => {}
        }
        let settings = dashboard.settings();
        let titles = [("title", settings.title), ("folder", settings.folder)];
        for (key, _) in
            titles.iter().filter(|(_, title)| title.as_deref().is_some_and(|it| it.trim().is_empty()))
        {
            find(
                &format!("dashboards.{index}.{key}"),
                format!("the `{key}` is empty; write one or leave it out"),
            );
        }
        // Grafana's own name for dashboards outside of folders; it rejects a folder of this title.
        if dashboard.folder().trim().eq_ignore_ascii_case("general") {
            find(
                &format!("dashboards.{index}.folder"),
                "Grafana reserves the title `General`; choose another one".into(),
            );
        }
    }
}

/// A metrics path that is not used, or that Prometheus would write differently.
fn metrics_path(spec: &Spec, findings: &mut Vec<SpecFinding>) {
    let Some(path) = &spec.app.metrics_path else { return };
    let message = match spec.app.metrics() {
        Metrics::Exporter => "this is for `metrics: builtin` only; leave it out, or add that",
        Metrics::Builtin if path.as_str().contains(['?', '#']) => {
            "leave `?`, `#` and what follows out of the path"
        }
        Metrics::Builtin => return,
    };
    findings.push(SpecFinding::new("app.metrics_path", message).about("app.metrics"));
}

/// The catalogue of releases.
fn releases(install: &Install, base: &Path, findings: &mut Vec<SpecFinding>) {
    let word = if install.is_release() { "release" } else { "distribution" };
    let at = KeyPath::from("monitoring.install").and(word);
    if let Some(catalogue) = &install.releases().catalogue {
        let catalogue = base.join(catalogue);
        if !catalogue.is_file() {
            let message = format!("there is no file `{}`", catalogue.display());
            findings.push(SpecFinding::new(at.and("catalogue"), message));
        }
    }
}

/// A version of a Grafana that is not installed.
fn no_release_of_grafana(spec: &Spec, findings: &mut Vec<SpecFinding>) {
    let install = &spec.monitoring.install;
    if spec.grafana.existing().is_some() && install.releases().versions.contains_key("grafana") {
        let word = if install.is_release() { "release" } else { "distribution" };
        let path = format!("monitoring.install.{word}.versions.grafana");
        let message = "monctl installs no Grafana, since `grafana.url` names an existing one; leave this out";
        findings.push(SpecFinding::new(path, message).about("grafana.url"));
    }
}

/// The folders of the user's own integrations. One that monitors no host has most likely a typo in its role.
fn integrations(spec: &Spec, base: &Path, findings: &mut Vec<SpecFinding>) {
    let roles = spec.roles();
    for (index, folder) in spec.integrations.iter().enumerate() {
        let path = base.join(folder);
        let mut found = |message: String| {
            findings.push(SpecFinding::new(format!("integrations.{index}"), message));
        };
        if !path.is_dir() {
            found(format!("there is no folder `{}`", path.display()));
        }
        let is_it = |integration: &&Integration| path.file_name() == Some(integration.name().as_ref());
        let integration = spec.catalogue.integrations().iter().find(is_it);
        if integration.is_some_and(|integration| !roles.iter().any(|role| integration.watches(*role))) {
            let roles: Vec<String> = roles.iter().map(|role| format!("`{role}`")).collect();
            found(format!("no host has a role that it monitors; the roles are {}", roles.join(", ")));
        }
    }
}

/// The port of ssh.
const SSH: u16 = 22;

/// What uses a port of an application host beside exporters.
fn owner(port: u16, app: &App) -> Option<String> {
    let service = app.services.iter().find(|service| service.port() == Some(port));
    match service {
        Some(service) => Some(format!("the service `{}`", service.name())),
        None if port == SSH => Some("ssh".to_owned()),
        None if !app.domains().is_empty() && [HTTP, HTTPS].contains(&port) => {
            Some("the web server of `app.domain`".to_owned())
        }
        None => None,
    }
}

/// Ports that are used twice on a host.
fn ports(spec: &Spec, findings: &mut Vec<SpecFinding>) {
    let of_app = spec.app.port.get();
    if spec.app.port == spec.app.metrics_port {
        let message = format!("port {of_app} is also `metrics_port`; choose another");
        findings.push(SpecFinding::new("app.port", message).about("app.metrics_port"));
    }
    let scraped = spec.scraped();
    let settings = [("app.port", of_app), ("app.metrics_port", spec.app.metrics_port.get())];
    for (key, port) in settings {
        let is_taken =
            |job: &&Scraped| job.is_exporter_of(Role::APP) && job.port == port && !job.is_of_settings;
        let exporter = scraped.iter().find(is_taken).map(|job| job.title.to_owned());
        if let Some(whose) = exporter.or_else(|| owner(port, &spec.app)) {
            findings.push(SpecFinding::new(key, format!("port {port} is used by {whose}; choose another")));
        }
    }
    let exporters: Vec<_> = scraped.iter().filter(|job| !job.is_applications).collect();
    for (index, job) in exporters.iter().enumerate() {
        let is_beside = |other: &&&Scraped| {
            other.port == job.port
                && other.job != job.job
                && !(other.is_of_settings && job.is_of_settings)
                && other.roles.iter().any(|role| job.roles.contains(role))
        };
        if let Some(other) = exporters[..index].iter().find(is_beside) {
            let message = format!(
                "port {} is used by both {} and {}; change one of them",
                job.port, other.title, job.title
            );
            findings.push(SpecFinding::new("integrations", message));
        }
    }
}
