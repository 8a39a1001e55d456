//! What a catalogue alert needs and a spec lacks.

use super::app::Metrics;
use super::catalogue::{NOTIFICATIONS_FAILING, WATCHDOG};
use super::model::Spec;
use crate::integrations::{Flag, Integration};

/// What this catalogue alert needs and the spec lacks, as a sentence.
pub(super) fn lacks(name: &str, spec: &Spec) -> Option<&'static str> {
    let only = spec.catalogue.alert(name)?.only;
    if only.is_some_and(|only| only != spec.app.metrics()) {
        return Some(match only {
            Some(Metrics::Builtin) => {
                "only django-prometheus exports its metrics: it needs `app.metrics: builtin`"
            }
            _ => "only monctl's own exporter exports its metrics: it needs `app.metrics: exporter`",
        });
    }
    if needs_domain(&spec.catalogue.alert(name)?.integration, spec) {
        return Some("only the web server of a domain exports its metrics: it needs `app.domain`");
    }
    let lacks_receiver = name == WATCHDOG && spec.notify.heartbeat_url.is_none();
    lacks_receiver.then_some("it would be sent nowhere: it needs `notify.heartbeat_url`")
}

/// Whether an integration scrapes only what a domain brings, and the spec has none.
fn needs_domain(integration: &str, spec: &Spec) -> bool {
    let of_name = spec.catalogue.integrations().iter().find(|it| it.name() == integration);
    let jobs = of_name.map(Integration::scrape_jobs).unwrap_or_default();
    spec.app.domains().is_empty() && !jobs.is_empty() && jobs.iter().all(|job| job.when == Some(Flag::Domain))
}

/// Whether an alert is about notifications that fail by design: those to monctl itself, which receives them only while
/// `verify-alert` runs.
pub(super) fn has_no_lasting_receiver(name: &str, spec: &Spec) -> bool {
    name == NOTIFICATIONS_FAILING && spec.notify.slack.is_none()
}
