//! Combines the integrations of a spec with its settings: which parts apply, and what Prometheus scrapes.

use std::collections::BTreeSet;

use super::app::Metrics;
use super::app_service::AppService;
use super::model::Spec;
use crate::host::Role;
use crate::integrations::{Flag, Integration, PathSetting, PortSetting, ScrapePath, ScrapePort};

/// A scrape job of Prometheus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scraped<'a> {
    /// The name of the job.
    pub job: &'a str,
    /// What the integration is called in descriptions.
    pub title: &'a str,
    /// The roles whose hosts it has targets on.
    pub roles: Vec<Role>,
    /// The port of the metrics.
    pub port: u16,
    /// Whether the port is a setting of the spec.
    pub is_of_settings: bool,
    /// Whether it is the application's own port, which other clients may reach, too.
    pub is_applications: bool,
    /// The path of the metrics.
    pub path: &'a str,
}

impl Scraped<'_> {
    /// Whether it is the port of an exporter on hosts of this role: only the monitoring host may reach it.
    pub fn is_exporter_of(&self, role: Role) -> bool {
        self.roles.contains(&role) && !self.is_applications
    }
}

impl Spec {
    /// Which parts of playbooks, integrations and dashboards apply.
    pub fn flags(&self) -> BTreeSet<Flag> {
        let (app, is_release) = (&self.app, self.monitoring.install.is_release());
        let is_counting = app.count_requests.is_some();
        let is_counted = app.deploy || is_counting || app.metrics_url.is_some();
        let is_builtin = app.metrics() == Metrics::Builtin;
        let is_about_monitoring = |(name, alert): (&super::names::AlertName, &super::alert::Alert)| {
            self.catalogue.entry(name.as_str(), alert).is_some_and(|entry| entry.integration == "monitoring")
        };
        let flags = [
            (is_release, Flag::Release),
            (!is_release, Flag::Distribution),
            (is_counted, Flag::Counted),
            (is_counted && !is_builtin, Flag::Exporter),
            (is_counted && is_builtin && app.deploy, Flag::Builtin),
            (is_counted && is_builtin && !app.deploy, Flag::Relayed),
            (is_counting, Flag::Counting),
            (!app.deploy, Flag::Observed),
            (app.unit.is_some(), Flag::Unit),
            (app.url.is_some(), Flag::Url),
            (app.services.contains(&AppService::Postgresql), Flag::Postgresql),
            (app.services.contains(&AppService::Redis), Flag::Redis),
            (!app.domains().is_empty(), Flag::Domain),
            (self.grafana.existing().is_none(), Flag::Grafana),
            (self.alerts.iter().any(is_about_monitoring), Flag::Watched),
        ];
        flags.into_iter().filter_map(|(applies, flag)| applies.then_some(flag)).collect()
    }

    /// Whether Prometheus scrapes what an integration exports: one without any scrape job uses those of others.
    pub fn has_metrics_of(&self, integration: &Integration) -> bool {
        let (flags, jobs) = (self.flags(), integration.scrape_jobs());
        jobs.is_empty() || jobs.iter().any(|job| job.when.is_none_or(|flag| flags.contains(&flag)))
    }

    /// What Prometheus scrapes; jobs of its own host first.
    pub fn scraped(&self) -> Vec<Scraped<'_>> {
        let (flags, roles) = (self.flags(), self.roles());
        let mut jobs = Vec::new();
        for integration in self.catalogue.integrations() {
            let wanted = integration
                .scrape_jobs()
                .iter()
                .filter(|job| job.when.is_none_or(|flag| flags.contains(&flag)));
            jobs.extend(wanted.map(|job| Scraped {
                job: &job.job,
                title: integration.title(),
                roles: roles.iter().copied().filter(|role| integration.watches(*role)).collect(),
                port: match job.port {
                    ScrapePort::Number(port) => port,
                    ScrapePort::Setting(PortSetting::App) => self.app.port.get(),
                    ScrapePort::Setting(PortSetting::AppMetrics) => self.app.metrics_port.get(),
                },
                is_of_settings: matches!(job.port, ScrapePort::Setting(_)),
                is_applications: job.port == ScrapePort::Setting(PortSetting::App),
                path: match &job.path {
                    ScrapePath::Fixed(path) => path,
                    ScrapePath::Setting(PathSetting::AppMetrics) => self.app.metrics_path(),
                },
            }));
        }
        jobs.sort_by_key(|job| job.roles != [Role::MONITORING]);
        jobs
    }
}
