//! The variables of templates: exactly the fields below. A template that names any other fails.
//!
//! Filters, besides Tera's own: `yaml` (a quoted YAML scalar), `go_text` (text inside a Go template),
//! `systemd` (`%` in a value of a unit), `systemd_argument` (one argument of an `Exec…=` line),
//! `environment` (a value in an `EnvironmentFile=`).

use serde::Serialize;

use super::addresses::Addresses;
use super::delivery::Delivery;
use super::environment::app_folder;
use super::rules::{Rule, rules};
use super::targets::OwnScrapeConfig;
use crate::host::{HostName, Role};
use crate::integrations::Flag;
use crate::spec::{DomainName, Install, Metrics, Scraped, Spec};

/// The variables of every template.
#[derive(Debug, Serialize)]
pub(super) struct TemplateContext<'a> {
    /// The spec with all defaults, named as in the user's file.
    pub spec: &'a Spec,
    /// The monitoring host.
    pub monitoring: TemplateHost,
    /// The folder of `manage.py` on hosts, in which the application runs.
    pub app_folder: String,
    /// The domains under which users reach the application.
    pub domains: &'a [DomainName],
    /// `exporter` or `builtin`.
    pub metrics: Metrics,
    /// The path of the application's metrics.
    pub metrics_path: &'a str,
    /// What Prometheus scrapes.
    pub scrape_jobs: Vec<ScrapeConfig<'a>>,
    /// The scrape jobs of the user's own.
    pub own_jobs: Vec<OwnScrapeConfig<'a>>,
    /// The names of the user's own rule files.
    pub rule_files: Vec<&'a str>,
    /// Absolute paths of programs on hosts.
    pub programs: Programs,
    /// Alerting rules by group.
    pub rule_groups: Vec<TemplateRuleGroup>,
    /// Whether Prometheus reads what `verify-alert` exports.
    pub watches_itself: bool,
    /// Receivers, routes and inhibitions.
    pub delivery: Delivery,
}

/// A host: its name on the command line and its address, or a placeholder.
#[derive(Debug, Serialize)]
pub(super) struct TemplateHost {
    /// `app`, `app-2` …, `monitoring`.
    pub name: HostName,
    /// The address alone.
    pub address: String,
    /// The address as written before `:PORT`.
    pub authority: String,
}

/// A scrape job of Prometheus.
#[derive(Debug, Serialize)]
pub(super) struct ScrapeConfig<'a> {
    pub name: &'a str,
    pub port: u16,
    pub path: &'a str,
    /// The hosts other than the monitoring host on which it has a target.
    pub hosts: Vec<TemplateHost>,
    /// Whether it has a target on the monitoring host.
    pub on_monitoring: bool,
}

/// The paths of programs on hosts. Grafana's is the folder of its release.
#[derive(Debug, Serialize)]
pub(super) struct Programs {
    pub prometheus: &'static str,
    pub promtool: &'static str,
    pub alertmanager: &'static str,
    pub amtool: &'static str,
    pub grafana: &'static str,
}

/// A group of rules, which Prometheus evaluates one after the other.
#[derive(Debug, Serialize)]
pub(super) struct TemplateRuleGroup {
    pub name: String,
    pub rules: Vec<Rule>,
}

impl<'a> TemplateContext<'a> {
    pub(super) fn new(spec: &'a Spec, addresses: &Addresses) -> Self {
        let host = |name| TemplateHost {
            name,
            address: addresses.address(name),
            authority: addresses.authority(name),
        };
        let rules = rules(spec);
        let others: Vec<HostName> =
            spec.hosts().into_iter().filter(|name| *name != HostName::MONITORING).collect();
        let job = |scraped: Scraped<'a>| ScrapeConfig {
            name: scraped.job,
            port: scraped.port,
            path: scraped.path,
            hosts: others
                .iter()
                .copied()
                .filter(|name| scraped.roles.contains(&name.role()))
                .map(host)
                .collect(),
            on_monitoring: scraped.roles.contains(&Role::MONITORING),
        };
        Self {
            spec,
            monitoring: host(HostName::MONITORING),
            app_folder: app_folder(&spec.app),
            domains: spec.app.domains(),
            metrics: spec.app.metrics(),
            metrics_path: spec.app.metrics_path(),
            scrape_jobs: spec.scraped().into_iter().map(job).collect(),
            programs: Programs::of(&spec.monitoring.install),
            watches_itself: spec.flags().contains(&Flag::Watched),
            delivery: Delivery::of(spec, &rules),
            own_jobs: spec.monitoring.targets.iter().map(OwnScrapeConfig::of).collect(),
            rule_files: spec.rule_files.iter().map(|file| file.name.as_str()).collect(),
            // Rules of files go to the host as they are.
            rule_groups: grouped(rules.into_iter().filter(|rule| rule.origin.is_none()).collect()),
        }
    }
}

impl Programs {
    const fn of(install: &Install) -> Self {
        match install {
            Install::Distribution(_) => Self {
                prometheus: "/usr/bin/prometheus",
                promtool: "/usr/bin/promtool",
                alertmanager: "/usr/bin/prometheus-alertmanager",
                amtool: "/usr/bin/amtool",
                grafana: GRAFANA,
            },
            Install::Release(_) => Self {
                prometheus: "/opt/monctl/prometheus/prometheus",
                promtool: "/opt/monctl/prometheus/promtool",
                alertmanager: "/opt/monctl/alertmanager/alertmanager",
                amtool: "/opt/monctl/alertmanager/amtool",
                grafana: GRAFANA,
            },
        }
    }
}

const GRAFANA: &str = "/opt/monctl/grafana";

/// The rules by group, groups and rules in alphabetical order.
fn grouped(mut rules: Vec<Rule>) -> Vec<TemplateRuleGroup> {
    rules.sort_by(|a, b| (&a.group, &a.name).cmp(&(&b.group, &b.name)));
    rules
        .chunk_by(|a, b| a.group == b.group)
        .map(|rules| TemplateRuleGroup { name: rules[0].group.clone(), rules: rules.to_vec() })
        .collect()
}
