//! What a catalogue alert needs and a spec lacks.

use super::catalogue::{NOTIFICATIONS_FAILING, WATCHDOG};
use super::model::Spec;
use crate::integrations::{Flag, ScrapeJob};

/// What this catalogue alert needs and the spec lacks, as a sentence.
pub(super) fn lacks(name: &str, spec: &Spec) -> Option<&'static str> {
    let entry = spec.catalogue.alert(name)?;
    if let Some(only) = entry.only.filter(|only| !spec.flags().contains(only)) {
        return Some(match only {
            Flag::Builtin => "only django-prometheus exports its metrics: it needs `app.metrics: builtin`",
            Flag::Exporter => {
                "only monctl's own exporter exports its metrics: it needs `app.metrics: exporter`"
            }
            Flag::Counting => "it needs `app.count_requests`, for an application that monctl does not deploy",
            Flag::Unit => "it needs `app.unit`, the unit of an application that monctl does not deploy",
            Flag::Url => "it needs `app.url`, the URL of an application that monctl does not deploy",
            _ => "it needs another setting: see `only` in its file",
        });
    }
    let integration = spec.catalogue.integrations().iter().find(|it| it.name() == entry.integration)?;
    if !spec.has_metrics_of(integration) {
        let is_of_domain = |job: &ScrapeJob| job.when == Some(Flag::Domain);
        return Some(if integration.scrape_jobs().iter().all(is_of_domain) {
            "only the web server of a domain exports its metrics: it needs `app.domain`"
        } else {
            "Prometheus scrapes none of its metrics: with `deploy: false`, requests are counted only with `app.count_requests` or `app.metrics_url`"
        });
    }
    let lacks_receiver = name == WATCHDOG && spec.notify.heartbeat_url.is_none();
    lacks_receiver.then_some("it would be sent nowhere: it needs `notify.heartbeat_url`")
}

/// Whether an alert is about notifications that fail by design: those to monctl itself, which receives them only while
/// `verify-alert` runs.
pub(super) fn has_no_lasting_receiver(name: &str, spec: &Spec) -> bool {
    name == NOTIFICATIONS_FAILING && spec.notify.slack.is_none()
}
