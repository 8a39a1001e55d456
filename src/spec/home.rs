//! `~` at the beginning of the spec's paths: the home folder, as in shells.

use std::path::{Path, PathBuf};

use super::app::EnvValue;
use super::finding::SpecFinding;
use super::grafana::OwnDashboard;
use super::model::Spec;
use super::monitoring::Install;
use super::provider::{ExistingHost, ExistingHosts, ProviderSettings};
use super::rule_file;
use super::secret_ref::{SecretName, SecretRef};
use super::tree::KeyPath;

/// Replaces `~` by the home folder in the spec's paths of this computer.
pub(super) fn expand(spec: &mut Spec, home: Option<&Path>) -> Vec<SpecFinding> {
    let mut findings = Vec::new();
    each_path(spec, &mut |at, path| {
        let Ok(rest) = path.strip_prefix("~") else {
            if path.to_string_lossy().starts_with('~') {
                findings.push(SpecFinding::new(
                    at,
                    "only `~/…` is supported, not `~USER`: write the path in full",
                ));
            }
            return;
        };
        match home {
            Some(home) => *path = home.join(rest),
            None => findings.push(SpecFinding::new(
                at,
                "`~` cannot be resolved, since `HOME` is not set: write the path in full",
            )),
        }
    });
    findings
}

fn each_path(spec: &mut Spec, visit: &mut impl FnMut(KeyPath, &mut PathBuf)) {
    visit("app.path".into(), &mut spec.app.path);
    if let Some(path) = &mut spec.app.env_file {
        visit("app.env_file".into(), path);
    }
    let word = if spec.monitoring.install.is_release() { "release" } else { "distribution" };
    let (Install::Distribution(releases) | Install::Release(releases)) = &mut spec.monitoring.install;
    if let Some(catalogue) = &mut releases.catalogue {
        visit(KeyPath::from("monitoring.install").and(word).and("catalogue"), catalogue);
    }
    for (index, folder) in spec.integrations.iter_mut().enumerate() {
        visit(KeyPath::from("integrations").and(index), folder);
    }
    for (index, dashboard) in spec.grafana.dashboards.iter_mut().enumerate() {
        let at = KeyPath::from("grafana.dashboards").and(index);
        match dashboard {
            OwnDashboard::Path(path) => visit(at, path),
            OwnDashboard::With(settings) => {
                if let Some(path) = &mut settings.path {
                    visit(at.and("path"), path);
                }
            }
        }
    }
    if let ProviderSettings::Hosts(hosts) = &mut spec.provider {
        let mut key = |at: KeyPath, host: &mut ExistingHost| {
            if let ExistingHost::With(settings) = host
                && let Some(path) = &mut settings.key
            {
                visit(at.and("key"), path);
            }
        };
        for (name, host) in hosts.all_mut() {
            key(ExistingHosts::place(name).into(), host);
        }
    }
    for (at, path) in rule_file::paths(spec) {
        visit(at, path);
    }
    for (name, target) in &mut spec.monitoring.targets {
        if let Some(path) = target.tls.as_mut().and_then(|tls| tls.ca_file.as_mut()) {
            visit(KeyPath::from("monitoring.targets").and(name).and("tls").and("ca_file"), path);
        }
    }
    each_secret(spec, visit);
}

fn each_secret(spec: &mut Spec, visit: &mut impl FnMut(KeyPath, &mut PathBuf)) {
    let mut secret = |at: KeyPath, reference: Option<&mut SecretRef>| match reference {
        Some(SecretRef::File(path)) => visit(at.and("file"), path),
        Some(SecretRef::Command(words)) => {
            let Some(program) = words.first_mut().filter(|word| word.starts_with('~')) else { return };
            let mut path = PathBuf::from(&*program);
            visit(at.and("command").and(0), &mut path);
            *program = path.to_string_lossy().into_owned();
        }
        Some(SecretRef::Env(_) | SecretRef::EnvFile) | None => {}
    };
    let notify = KeyPath::from("notify");
    if let Some(slack) = &mut spec.notify.slack {
        secret("notify.slack.webhook_url".into(), slack.webhook_url.as_mut());
        secret("notify.slack.bot_token".into(), slack.bot_token.as_mut());
    }
    for (name, severity) in &mut spec.notify.severities {
        secret(notify.and("severities").and(name).and("webhook_url"), severity.webhook_url.as_mut());
    }
    secret(notify.and("heartbeat_url"), spec.notify.heartbeat_url.as_mut());
    secret("grafana.token".into(), spec.grafana.token.as_mut());
    for (name, target) in &mut spec.monitoring.targets {
        let at = SecretName::of_target(name, target).map(|name| KeyPath::from(name.to_string()));
        if let (Some(at), Some(reference)) = (at, target.secret_mut()) {
            secret(at, Some(reference));
        }
    }
    for (name, value) in &mut spec.app.env {
        if let EnvValue::Secret(reference) = value {
            secret(KeyPath::from("app.env").and(name), Some(reference));
        }
    }
}
