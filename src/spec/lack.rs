//! What a catalogue alert needs and a spec lacks.

use super::app::Metrics;
use super::catalogue::{NOTIFICATIONS_FAILING, WATCHDOG};
use super::model::Spec;

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
    let lacks_receiver = name == WATCHDOG && spec.notify.heartbeat_url.is_none();
    lacks_receiver.then_some("it would be sent nowhere: it needs `notify.heartbeat_url`")
}

/// Whether an alert is about notifications that fail by design: those to monctl itself, which receives them only while
/// `verify-alert` runs.
pub(super) fn has_no_lasting_receiver(name: &str, spec: &Spec) -> bool {
    name == NOTIFICATIONS_FAILING && spec.notify.slack.is_none()
}
