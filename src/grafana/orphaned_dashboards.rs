//! Dashboards that monctl once imported and that are no longer in the spec. They are in monctl's folders, and their
//! history shows that monctl wrote them. A dashboard that a person created or copied there has no such history and is
//! never touched.

use super::client::GrafanaClient;
use super::desired::Desired;
use super::history::was_ours;
use super::object_change::{Ask, WRITING};
use super::remote_dashboard::{Drift, FoundDashboard, find};
use crate::error::Result;
use crate::retry::Patience;
use crate::spec::OnDrift;

/// A dashboard of monctl's that is no longer in the spec.
#[derive(Debug, Clone, PartialEq)]
pub struct OrphanedDashboard {
    uid: String,
    found: FoundDashboard,
    reason: String,
}

impl OrphanedDashboard {
    fn new(uid: String, found: FoundDashboard) -> Self {
        let mut reason = "is no longer in the spec".to_owned();
        if found.drift(&uid).is_some() {
            reason = format!("{reason}, changed in Grafana by `{}`", found.writer());
        }
        Self { uid, found, reason }
    }

    /// Its name in messages: ``dashboard `Hosts` ``.
    pub(super) fn name(&self) -> String {
        format!("dashboard `{}`", self.found.title())
    }

    pub(super) fn reason(&self) -> &str {
        &self.reason
    }

    pub(super) fn drift(&self) -> Option<Drift> {
        self.found.drift(&self.uid)
    }
}

impl GrafanaClient {
    /// Whether monctl ever wrote the dashboard with this uid, according to its history.
    ///
    /// # Errors
    /// When Grafana refuses or does not answer.
    pub async fn wrote(&self, uid: &str) -> Result<bool> {
        was_ours(self, uid).await
    }

    /// monctl's dashboards in its folders that are not in the spec; none if the list of desired ones is incomplete.
    pub(super) async fn orphaned_dashboards(&self, desired: &Desired) -> Result<Vec<OrphanedDashboard>> {
        let mut orphaned = Vec::new();
        if !desired.complete {
            return Ok(orphaned);
        }
        let is_wanted = |uid: &String| desired.dashboards.iter().any(|wanted| wanted.uid == *uid);
        for uid in self.dashboards_of_monctl().await? {
            if is_wanted(&uid) || !was_ours(self, &uid).await? {
                continue;
            }
            if let Some(found) = self.with_newest(&uid).await? {
                orphaned.push(OrphanedDashboard::new(uid, found));
            }
        }
        Ok(orphaned)
    }

    async fn with_newest(&self, uid: &str) -> Result<Option<FoundDashboard>> {
        let mut found = find(self, uid).await?;
        if let Some(found) = &mut found {
            found.read_newest(self, uid).await?;
        }
        Ok(found)
    }

    /// Deletes a stray. Reads it again first and calls `ask` if a person has edited it meanwhile.
    pub(super) async fn remove(&self, stray: OrphanedDashboard, ask: Ask<'_>) -> Result<()> {
        let mut patience = Patience::new(WRITING);
        let mut confirmed = None;
        loop {
            let Some(found) = self.with_newest(&stray.uid).await? else { return Ok(()) };
            if let Some(drift) = found.drift(&stray.uid).filter(|drift| confirmed.as_ref() != Some(drift)) {
                if ask(&drift)? == OnDrift::Keep {
                    return Ok(());
                }
                confirmed = Some(drift);
            }
            let doing = format!("delete {}", stray.name());
            let error = match found.delete(self, &stray.uid).await {
                Ok(answer) if answer.is_success() || answer.status == 404 => return Ok(()),
                Ok(answer) if answer.status == 409 || answer.status >= 500 => self.refusal(&answer, &doing),
                Ok(answer) => return Err(self.refusal(&answer, &doing)),
                Err(error) => error,
            };
            patience.again(error).await?;
        }
    }
}
