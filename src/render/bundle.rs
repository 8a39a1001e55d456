//! The bundle: all files for the hosts, by name. A name is the path below `templates/`; playbooks define the path on
//! the host.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::addresses::Addresses;
use super::content::{Content, Part};
use super::context::TemplateContext;
use super::delivery::{BOT_TOKEN, HEARTBEAT_MARK};
use super::environment;
use super::targets;
use super::templates::{self, ENGINE};
use crate::duration::PromDuration;
use crate::error::{Error, Result};
use crate::host::Role;
use crate::integrations::{Integration, Program};
use crate::spec::{AppService, Process, ProcessName, Receiver, SecretName, Slack, Spec};

/// Every file of a project's hosts, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle(BTreeMap<String, Content>);

/// The folder of files that differ between roles: a subfolder for each.
const ROLES: &str = "roles/";

/// The rules of nftables, which differ between roles.
const FIREWALL: &str = "nftables/rules.nft";

/// The unit of a process of the application; rendered for each of them.
const PROCESS: &str = "systemd/process.service";

/// The application's environment, read by its unit.
const ENVIRONMENT: &str = "environment/app";

/// The file that Alertmanager's `api_url_file` names.
const WEBHOOK: &str = "alertmanager/slack-webhook-url";

/// The beginnings of names of templates, and whether a spec needs these.
type Optional = (&'static [&'static str], fn(&Spec) -> bool);

/// The templates that only some specs need.
const OPTIONAL: [Optional; 6] = [
    (&["app/gunicorn.conf.py", "app/manage", "environment/", "systemd/monctl-app"], |spec| spec.app.deploy),
    // These also count the requests of an application that something else deploys.
    (&["app/monctl_metrics/", "app/requirements.txt"], |spec| {
        spec.app.deploy || spec.app.count_requests.is_some()
    }),
    (&["services/postgresql/", "systemd/monctl-postgresql.service"], |spec| {
        spec.app.services.contains(&AppService::Postgresql)
    }),
    (&["services/redis/", "systemd/monctl-redis.service"], |spec| {
        spec.app.services.contains(&AppService::Redis)
    }),
    (&["caddy/"], |spec| !spec.app.domains().is_empty()),
    (&["grafana/", "systemd/monctl-grafana.service"], |spec| spec.grafana.existing().is_none()),
];

/// The folder of those of severities.
const WEBHOOKS: &str = "alertmanager/webhooks/";

/// The folder of the user's own rule files.
pub(super) const RULES: &str = "rules/";

/// Where Alertmanager posts in place of a webhook: a loopback port of the monitoring host that `verify-alert`
/// forwards to the receiver inside monctl.
const CAPTURE_URL: &str = "http://127.0.0.1:9099/services/monctl/capture";

impl Bundle {
    /// Renders the spec. Hosts without an address get a placeholder.
    ///
    /// # Errors
    /// Where a template is broken: a bug in monctl, not the user's error.
    pub fn render(spec: &Spec, addresses: &Addresses) -> Result<Self> {
        let broken = |error: tera::Error| Error::failed("a template of monctl is broken").because(error);
        let context =
            tera::Context::from_serialize(&TemplateContext::new(spec, addresses)).map_err(broken)?;
        let mut files = BTreeMap::new();
        let common = templates::rendered().filter(|name| ![FIREWALL, PROCESS].contains(name));
        for name in common.filter(|name| is_needed(name, spec)) {
            let text = ENGINE.render(name, &context).map_err(broken)?;
            files.insert(name.to_owned(), with_heartbeat(&text));
        }
        files.extend(firewalls(spec, &context).map_err(broken)?);
        files.extend(processes(spec, &context).map_err(broken)?);
        for integration in spec.catalogue.integrations().iter().filter(|it| spec.has_metrics_of(it)) {
            files.extend(of_integration(integration, spec, &context)?);
        }
        let verbatim = templates::verbatim().filter(|(name, _)| is_needed(name, spec));
        files.extend(verbatim.map(|(name, text)| (name.to_owned(), Content::text(text))));
        if spec.app.deploy {
            files.insert(ENVIRONMENT.to_owned(), environment::content(&spec.app)?);
        }
        files.insert(WEBHOOK.to_owned(), webhook(spec));
        files.extend(severity_webhooks(spec));
        files.extend(bot_token(spec));
        files.extend(targets::files(spec));
        let rules = spec.rule_files.iter();
        files.extend(rules.map(|file| (format!("{RULES}{}", file.name), Content::text(file.text.clone()))));
        Ok(Self(files))
    }

    /// The file of this name.
    pub fn get(&self, name: &str) -> Option<&Content> {
        self.0.get(name)
    }

    /// The files of hosts of this role: those of the role, and those of all roles.
    pub fn of_role(&self, role: Role) -> impl Iterator<Item = (String, &Content)> {
        self.iter().filter_map(move |(name, content)| {
            let of_roles = name.strip_prefix(ROLES).and_then(|name| name.split_once('/'));
            match of_roles {
                Some((of_role, name)) => (of_role == role.as_str()).then(|| (name.to_owned(), content)),
                None => Some((name.to_owned(), content)),
            }
        })
    }

    /// All files by name, in alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Content)> {
        self.0.iter().map(|(name, content)| (name.as_str(), content))
    }

    /// The files of a folder, such as `app/`: names without the folder.
    pub fn folder<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = (&'a str, &'a Content)> {
        self.iter().filter_map(move |(name, content)| Some((name.strip_prefix(folder)?, content)))
    }
}

/// Whether a spec needs a template.
fn is_needed(name: &str, spec: &Spec) -> bool {
    OPTIONAL.iter().all(|(beginnings, needs)| {
        needs(spec) || !beginnings.iter().any(|beginning| name.starts_with(beginning))
    })
}

/// An integration's files for hosts: its units, rendered for each of its roles, and its other files as they are.
fn of_integration(
    integration: &Integration,
    spec: &Spec,
    context: &tera::Context,
) -> Result<Vec<(String, Content)>> {
    let mut context = context.clone();
    let program =
        integration.program().map(|program| match (program, spec.monitoring.install.is_release()) {
            (Program::Always(path), _)
            | (Program::By { release: path, .. }, true)
            | (Program::By { distribution: path, .. }, false) => path,
        });
    context.insert("program", &program);
    let mut files = Vec::new();
    for role in spec.roles().into_iter().filter(|role| integration.watches(*role)) {
        context.insert("listen_address", listen_address(role));
        for (name, template) in integration.folder("systemd") {
            let text = templates::render(template, &context).map_err(|error| {
                Error::invalid("a unit of an integration cannot be rendered")
                    .at(integration.place(&format!("systemd/{name}")))
                    .because(error)
                    .remedy("see docs/integrations.md for the variables of units")
            })?;
            files.push((format!("{ROLES}{role}/systemd/{name}"), Content::text(text)));
        }
    }
    let verbatim = integration.folder("files");
    files.extend(verbatim.map(|(name, text)| {
        (format!("integrations/{}/{name}", integration.name()), Content::text(text.to_owned()))
    }));
    Ok(files)
}

/// The listen address of exporters on hosts of this role; empty for all addresses. Prometheus scrapes its own host by
/// loopback.
fn listen_address(role: Role) -> &'static str {
    if role == Role::MONITORING { "127.0.0.1" } else { "" }
}

/// The firewall rules that protect the exporters, for each role whose exporters listen on all addresses.
fn firewalls(spec: &Spec, context: &tera::Context) -> tera::TeraResult<Vec<(String, Content)>> {
    let scraped = spec.scraped();
    let guarded = spec.roles().into_iter().filter(|role| listen_address(*role).is_empty());
    guarded
        .map(|role| {
            let mut ports: BTreeSet<u16> =
                scraped.iter().filter(|job| job.is_exporter_of(role)).map(|job| job.port).collect();
            // With a domain, users reach the application by the web server alone.
            if role == Role::APP && !spec.app.domains().is_empty() {
                ports.insert(spec.app.port.get());
            }
            let mut context = context.clone();
            context.insert("exporter_ports", &ports);
            context.insert("role", &role);
            let text = ENGINE.render(FIREWALL, &context)?;
            Ok((format!("{ROLES}{role}/{FIREWALL}"), Content::text(text)))
        })
        .collect()
}

/// A process of the application in the template of its unit.
#[derive(Serialize)]
struct TemplateProcess<'a> {
    name: &'a ProcessName,
    words: Vec<String>,
    stop_within: PromDuration,
}

/// The units of the application's processes.
fn processes(spec: &Spec, context: &tera::Context) -> tera::TeraResult<Vec<(String, Content)>> {
    let unit = |(name, process): (&ProcessName, &Process)| {
        let settings = process.settings();
        let process =
            TemplateProcess { name, words: settings.command.words(), stop_within: settings.stop_within };
        let mut context = context.clone();
        context.insert("process", &process);
        Ok((format!("systemd/{}", name.unit()), Content::text(ENGINE.render(PROCESS, &context)?)))
    };
    spec.app.processes.iter().map(unit).collect()
}

/// Alertmanager's configuration contains the webhook URL: older versions cannot read it from a file.
fn with_heartbeat(text: &str) -> Content {
    let mut parts = Vec::new();
    for piece in text.split(HEARTBEAT_MARK) {
        if !parts.is_empty() {
            parts.push(Part::YamlSecret(SecretName::HeartbeatUrl));
        }
        parts.push(Part::Text(piece.to_owned().into()));
    }
    Content::of(parts)
}

/// The webhooks of severities, each in its own file.
fn severity_webhooks(spec: &Spec) -> impl Iterator<Item = (String, Content)> {
    spec.notify.severities.iter().filter(|(_, severity)| severity.webhook_url.is_some()).map(|(name, _)| {
        let secret = Part::Secret(SecretName::SeverityWebhookUrl(name.clone()));
        (format!("{WEBHOOKS}{name}"), Content::of(vec![secret]))
    })
}

/// The token of the bot, if it posts.
fn bot_token(spec: &Spec) -> Option<(String, Content)> {
    let posts = spec.notify.slack.as_ref().is_some_and(Slack::bot_posts);
    posts.then(|| {
        (format!("{WEBHOOKS}{BOT_TOKEN}"), Content::of(vec![Part::Secret(SecretName::SlackBotToken)]))
    })
}

fn webhook(spec: &Spec) -> Content {
    match spec.notify.receiver() {
        Receiver::Slack(slack) if slack.bot_posts() => {
            Content::text(format!("{}/chat.postMessage", slack.api_url.trim_end_matches('/')))
        }
        Receiver::Slack(_) => Content::of(vec![Part::Secret(SecretName::SlackWebhookUrl)]),
        Receiver::Capture => Content::text(CAPTURE_URL),
    }
}
