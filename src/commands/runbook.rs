//! `monctl runbook`: the page about an alert of the catalogue, for whoever is woken by it. Needs no spec and no
//! network.

use serde_json::json;

use super::outcome::Outcome;
use crate::error::{Error, Result};
use crate::spec::{catalogue_names, runbook, suggestion};

/// # Errors
/// Where the catalogue has no such alert.
pub(super) fn run(alert: &str) -> Result<Outcome> {
    let page = runbook(alert).ok_or_else(|| {
        let near = suggestion(alert, catalogue_names());
        Error::invalid(format!("the catalogue has no alert `{alert}`{near}"))
            .remedy("docs/alerts.md lists them; a rule of your own has its `runbook_url`")
    })?;
    Ok(Outcome::success(page.trim_end(), json!({ "alert": alert, "page": page })))
}
