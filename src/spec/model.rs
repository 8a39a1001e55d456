//! The spec's types. Field docs become the descriptions of the JSON Schema.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::PromDuration;

/// A project: an application, its monitoring, and where both run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The version of this format; 1.
    pub version: u32,
    /// The project's name: a DNS label. Machines, networks and tags carry it.
    pub project: String,
    /// Where the machines come from.
    pub provider: Provider,
    /// The Django application.
    pub app: App,
    /// Prometheus, Alertmanager and what they run on.
    #[serde(default)]
    pub monitoring: Monitoring,
    /// Alerts by name: those of the catalogue with their parameters, and your own with an `expr`.
    #[serde(default)]
    pub alerts: BTreeMap<String, Alert>,
    /// Where alerts are sent.
    pub notify: Notify,
    /// Grafana and its dashboards.
    #[serde(default)]
    pub grafana: Grafana,
}

/// Where the machines come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// systemd machines on this computer.
    Local,
}

/// The Django application: the project's folder and how it is served.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct App {
    /// The folder of the Django project (the one with `manage.py`), relative to the spec.
    pub path: PathBuf,
    /// The WSGI module, such as `notes.wsgi`.
    pub wsgi: String,
    /// The requirements file, relative to `path`.
    #[serde(default = "default_requirements")]
    pub requirements: PathBuf,
    /// How many application hosts there are.
    #[serde(default = "one")]
    pub count: u16,
    /// The port on which Gunicorn listens.
    #[serde(default = "app_port")]
    pub port: u16,
    /// The number of Gunicorn's worker processes.
    #[serde(default = "workers")]
    pub workers: u16,
    /// The application's environment: plain values and secret references.
    #[serde(default)]
    pub env: BTreeMap<String, EnvValue>,
    /// How requests are counted; chosen by whether the project has django-prometheus where it is not given.
    #[serde(default)]
    pub metrics: Option<Metrics>,
    /// The port of the exporter process where `metrics` is `exporter`.
    #[serde(default = "metrics_port")]
    pub metrics_port: u16,
    /// The `Host` header of health checks: a name that the application's `ALLOWED_HOSTS` accepts.
    #[serde(default)]
    pub health_host: Option<String>,
    /// The path of health checks.
    #[serde(default = "health_path")]
    pub health_path: String,
}

/// How the application's requests are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Metrics {
    /// monctl counts from outside; the project needs nothing.
    Exporter,
    /// The project's own django-prometheus is scraped at `/metrics`.
    Builtin,
}

/// A value of the environment: plain text, or a secret reference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum EnvValue {
    /// Plain text.
    Plain(String),
    /// A secret.
    Secret(SecretRef),
}

/// Where a secret comes from. The secret itself never stands in the spec.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SecretRef {
    /// An environment variable.
    Env(String),
    /// A file, relative to the spec; one final newline is left out.
    File(PathBuf),
    /// A command with its arguments; its standard output without one final newline.
    Command(Vec<String>),
}

/// Prometheus and Alertmanager.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Monitoring {
    /// How often targets are scraped.
    pub scrape_interval: PromDuration,
    /// How often rules are evaluated.
    pub evaluation_interval: PromDuration,
    /// How long samples are kept.
    pub retention: PromDuration,
    /// How software is obtained.
    pub install: Install,
}

impl Default for Monitoring {
    fn default() -> Self {
        Self {
            scrape_interval: PromDuration::seconds(15),
            evaluation_interval: PromDuration::seconds(15),
            retention: PromDuration::seconds(15 * 24 * 3600),
            install: Install::default(),
        }
    }
}

/// How Prometheus, Alertmanager and node exporter are obtained. Grafana always comes as a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Install {
    /// Debian's signed packages.
    Distribution(Releases),
    /// Upstream's release tarballs, pinned by sha256.
    Release(Releases),
}

impl Default for Install {
    fn default() -> Self {
        Self::Release(Releases::default())
    }
}

/// Where release tarballs come from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Releases {
    /// A base URL that serves the same files, for closed networks.
    pub mirror: Option<String>,
    /// A catalogue of your own, relative to the spec.
    pub catalogue: Option<PathBuf>,
    /// Versions by name (`prometheus`, `alertmanager`, `node_exporter`, `grafana`); the catalogue's default where absent.
    pub versions: BTreeMap<String, String>,
}

/// An alert: one of the catalogue's, or your own where `expr` is given.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Alert {
    /// Your own rule's `PromQL` expression. Its annotations are Prometheus templates, taken as they are.
    pub expr: Option<String>,
    /// The threshold of a catalogue alert; a percentage where the catalogue says so.
    pub above: Option<f64>,
    /// How long the expression must hold.
    #[serde(rename = "for")]
    pub hold: Option<PromDuration>,
    /// The `severity` label.
    pub severity: Option<String>,
    /// The `summary` annotation; plain text.
    pub summary: Option<String>,
    /// The `description` annotation; plain text.
    pub description: Option<String>,
}

/// Where alerts are sent, and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Notify {
    /// Slack, by an incoming webhook. Exactly one of `slack` and `capture` is given.
    #[serde(default)]
    pub slack: Option<Slack>,
    /// No webhook at hand: monctl itself receives, while `verify-alert` runs.
    #[serde(default)]
    pub capture: Option<Capture>,
    /// How long the first alert of a group waits for others; Alertmanager's default (30s) where absent.
    #[serde(default)]
    pub group_wait: Option<PromDuration>,
    /// How long after a notification changes of the group are sent; Alertmanager's default (5m) where absent.
    #[serde(default)]
    pub group_interval: Option<PromDuration>,
    /// After what time an alert that still fires is sent again; Alertmanager's default (4h) where absent.
    #[serde(default)]
    pub repeat_interval: Option<PromDuration>,
    /// After what silence of the sender an alert counts as resolved.
    #[serde(default = "resolve_timeout")]
    pub resolve_timeout: PromDuration,
}

/// A Slack channel behind an incoming webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Slack {
    /// The webhook's URL, which is a secret.
    pub webhook_url: SecretRef,
    /// What the message says.
    #[serde(flatten)]
    pub message: Message,
}

/// The receiver inside monctl.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Capture {
    /// What the message says.
    #[serde(flatten)]
    pub message: Message,
}

/// What a Slack message says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Message {
    /// The channel; app webhooks ignore it.
    pub channel: Option<String>,
    /// The title, plain text; one that names the alert and its state where absent.
    pub title: Option<String>,
    /// The text, plain text; summary and description of each alert where absent.
    pub text: Option<String>,
    /// Whether the end of an alert is told, too; yes where absent.
    pub send_resolved: Option<bool>,
}

/// Grafana.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Grafana {
    /// Whether a run fails where Grafana cannot be obtained.
    pub required: bool,
}

impl Default for Grafana {
    fn default() -> Self {
        Self { required: true }
    }
}

fn default_requirements() -> PathBuf {
    PathBuf::from("requirements.txt")
}

const fn one() -> u16 {
    1
}

const fn app_port() -> u16 {
    8000
}

const fn workers() -> u16 {
    3
}

const fn metrics_port() -> u16 {
    9101
}

fn health_path() -> String {
    "/".into()
}

const fn resolve_timeout() -> PromDuration {
    PromDuration::seconds(60)
}
