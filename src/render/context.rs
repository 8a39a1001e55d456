//! What templates see. The fields below are the whole of it; a template that names anything else fails.
//!
//! Filters, beside Tera's own: `yaml` (a quoted YAML scalar), `go_text` (text inside a Go template),
//! `systemd` (`%` in a value of a unit), `systemd_argument` (one argument of an `Exec…=` line),
//! `environment` (a value in an `EnvironmentFile=`).

use serde::Serialize;

use super::addresses::Addresses;
use super::delivery::Delivery;
use super::rules::{Rule, rules, watches_itself};
use crate::host::HostName;
use crate::spec::{Install, Metrics, Spec};

/// The variables of every template.
#[derive(Debug, Serialize)]
pub(super) struct Context<'a> {
    /// The spec with all defaults, named as in the user's file.
    pub spec: &'a Spec,
    /// The application hosts.
    pub app_hosts: Vec<Host>,
    /// The monitoring host.
    pub monitoring: Host,
    /// `exporter` or `builtin`.
    pub metrics: Metrics,
    /// The port on which Prometheus finds the application's metrics.
    pub metrics_port: u16,
    /// The path on which they are.
    pub metrics_path: &'a str,
    /// Absolute paths of programs on hosts.
    pub programs: Programs,
    /// Alerting rules by group.
    pub rule_groups: Vec<RuleGroup>,
    /// Whether Alertmanager is scraped, and what `verify-alert` exports is read.
    pub watches_itself: bool,
    /// Receivers, routes and what holds back what.
    pub delivery: Delivery,
}

/// A host: its name on the command line and its address, or a placeholder.
#[derive(Debug, Serialize)]
pub(super) struct Host {
    /// `app`, `app-2` …, `monitoring`.
    pub name: HostName,
    /// The address alone.
    pub address: String,
    /// The address as it stands before `:PORT`.
    pub authority: String,
}

/// Where programs are on hosts. Grafana's is the folder of its release.
#[derive(Debug, Serialize)]
pub(super) struct Programs {
    pub prometheus: &'static str,
    pub promtool: &'static str,
    pub alertmanager: &'static str,
    pub amtool: &'static str,
    pub node_exporter: &'static str,
    pub grafana: &'static str,
}

/// A group of rules, as Prometheus evaluates them one after the other.
#[derive(Debug, Serialize)]
pub(super) struct RuleGroup {
    pub name: String,
    pub rules: Vec<Rule>,
}

impl<'a> Context<'a> {
    pub(super) fn new(spec: &'a Spec, addresses: &Addresses) -> Self {
        let host =
            |name| Host { name, address: addresses.address(name), authority: addresses.authority(name) };
        let rules = rules(spec);
        Self {
            spec,
            app_hosts: (1..=spec.app.count).map(HostName::app).map(host).collect(),
            monitoring: host(HostName::MONITORING),
            metrics: spec.app.metrics(),
            metrics_port: spec.app.scraped_port(),
            metrics_path: spec.app.metrics_path(),
            programs: Programs::of(&spec.monitoring.install),
            watches_itself: watches_itself(&rules),
            delivery: Delivery::of(spec, &rules),
            rule_groups: grouped(rules),
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
                node_exporter: "/usr/bin/prometheus-node-exporter",
                grafana: GRAFANA,
            },
            Install::Release(_) => Self {
                prometheus: "/opt/monctl/prometheus/prometheus",
                promtool: "/opt/monctl/prometheus/promtool",
                alertmanager: "/opt/monctl/alertmanager/alertmanager",
                amtool: "/opt/monctl/alertmanager/amtool",
                node_exporter: "/opt/monctl/node_exporter/node_exporter",
                grafana: GRAFANA,
            },
        }
    }
}

const GRAFANA: &str = "/opt/monctl/grafana";

/// The rules by group, groups and rules in alphabetical order.
fn grouped(mut rules: Vec<Rule>) -> Vec<RuleGroup> {
    rules.sort_by(|a, b| (&a.group, &a.name).cmp(&(&b.group, &b.name)));
    rules
        .chunk_by(|a, b| a.group == b.group)
        .map(|rules| RuleGroup { name: rules[0].group.clone(), rules: rules.to_vec() })
        .collect()
}
