//! The whole of a spec, as the user writes it. Field docs become the descriptions of the JSON Schema.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::alert::Alert;
use super::app::App;
use super::catalogue::Catalogue;
use super::grafana::Grafana;
use super::monitoring::Monitoring;
use super::names::AlertName;
use super::notify::Notify;
use super::provider::ProviderSettings;
use super::rule_origin::RuleFile;
use crate::host::ProjectName;

/// A project: an application, its monitoring, and where both run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The version of this format; 1.
    #[schemars(range(min = 1, max = 1))]
    pub version: u32,
    /// The project's name: a DNS label, used for machines, networks and tags.
    pub project: ProjectName,
    /// The provider of the machines.
    pub provider: ProviderSettings,
    /// The Django application.
    pub app: App,
    /// Prometheus, Alertmanager and what they run on.
    #[serde(default)]
    pub monitoring: Monitoring,
    /// Alerts by name: those of the catalogue with their parameters, and your own with an `expr`. Defaults to
    /// the catalogue's alerts that are not optional, as far as the spec has what they need; with `notify.capture` without
    /// `NotificationsFailing`, since monctl receives messages only while `verify-alert` runs.
    #[serde(default = "default_alerts")]
    pub alerts: BTreeMap<AlertName, Alert>,
    /// Folders of your own integrations: exporters with their scrape jobs, alerts and dashboards. See
    /// docs/integrations.md.
    #[serde(default)]
    pub integrations: Vec<PathBuf>,
    /// Where alerts are sent.
    pub notify: Notify,
    /// Grafana and its dashboards.
    #[serde(default)]
    pub grafana: Grafana,
    /// The known alerts and their integrations. Loading adds those of `integrations`.
    #[serde(skip)]
    pub catalogue: Catalogue,
    /// The files of `monitoring.rules`. Loading reads them, and adds their alerts to `alerts`.
    #[serde(skip)]
    pub rule_files: Vec<RuleFile>,
}

/// The default alerts of monctl's own catalogue. Loading adds those of the user's integrations.
fn default_alerts() -> BTreeMap<AlertName, Alert> {
    Catalogue::default().default_alerts()
}
