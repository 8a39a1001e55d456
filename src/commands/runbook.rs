//! `monctl runbook`: the runbook of an alert of the catalogue, for the person on call. Needs no network, and a spec
//! only for alerts of the user's own integrations.

use std::path::Path;

use serde_json::json;

use crate::error::{Error, Result};
use crate::report::Outcome;
use crate::spec::{Catalogue, load, suggestion};

/// # Errors
/// When the catalogue has no such alert.
pub(super) fn run(alert: &str, spec: &Path) -> Result<Outcome> {
    let mut catalogue = Catalogue::default();
    if catalogue.runbook(alert).is_none() && spec.exists() {
        catalogue = load(spec)?.spec.catalogue;
    }
    let page = catalogue.runbook(alert).ok_or_else(|| {
        let near = suggestion(alert, catalogue.names());
        Error::invalid(format!("the catalogue has no alert `{alert}`{near}"))
            .remedy("docs/alerts.md lists its alerts; for a rule of your own, see its `runbook_url`")
    })?;
    Ok(Outcome::success(page.trim_end(), json!({ "alert": alert, "page": page })))
}
