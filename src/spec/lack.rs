//! What a spec lacks that an alert of the catalogue needs.

use super::app::Metrics;
use super::catalogue::WATCHDOG;
use super::model::Spec;

/// What a spec lacks without which this alert of the catalogue makes no sense, as a sentence.
pub(super) fn lacks(name: &str, spec: &Spec) -> Option<&'static str> {
    let only = spec.catalogue.alert(name)?.only;
    if only.is_some_and(|only| only != spec.app.metrics()) {
        return Some(match only {
            Some(Metrics::Builtin) => {
                "only django-prometheus has its metrics: it needs `app.metrics: builtin`"
            }
            _ => "only monctl's own exporter has its metrics: it needs `app.metrics: exporter`",
        });
    }
    let is_unheard = name == WATCHDOG && spec.notify.heartbeat_url.is_none();
    is_unheard.then_some("nobody would hear it: it needs `notify.heartbeat_url`")
}
