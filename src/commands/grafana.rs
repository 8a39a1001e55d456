//! Grafana as `plan`, `up` and `status` see it: the ways to it, and what is to be done there.

mod drift;
mod kept;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub(super) use drift::{action, left_alone, spare};
pub(super) use kept::Kept;

use super::dashboards::Wanted;
use crate::error::{Error, Result};
use crate::event::Events;
use crate::http::grafana::{Ask, DataSource, Desired, GrafanaChange, GrafanaClient, diff};
use crate::playbook::Facts;
use crate::remote::Remote;
use crate::secret::Secret;
use crate::spec::{OnDrift, Spec};

/// The administrator's name.
const USER: &str = "admin";
/// Grafana's port on the monitoring host's loopback.
const PORT: u16 = 3000;
/// Prometheus as Grafana reaches it.
const PROMETHEUS: &str = "http://127.0.0.1:9090";
/// The unit.
pub(super) const UNIT: &str = "monctl-grafana.service";

/// The administrator's password from the operator's copy, or a new one that is kept nowhere yet.
pub(super) fn password(folder: &Path) -> Result<Secret> {
    Kept::Password.read(folder)?.map_or_else(Secret::random, Ok)
}

/// Keeps the operator's copy of a password that is new.
pub(super) fn keep(folder: &Path, password: &Secret) -> Result<()> {
    match Kept::Password.read(folder)? {
        Some(_) => Ok(()),
        None => Kept::Password.write(folder, password),
    }
}

/// Whether Grafana runs on a host with these facts.
pub(super) fn runs(facts: &Facts) -> bool {
    facts.units.get(UNIT).is_some_and(|unit| unit.active == "active")
}

/// A client for what is done every day: with the token where there is a good one, else as the administrator.
///
/// # Errors
/// When Grafana is not ready within `limit`.
pub(super) async fn client(remote: &Remote, folder: &Path, limit: Duration) -> Result<GrafanaClient> {
    client_at(remote.forward(PORT).await?, folder, limit).await
}

/// The same at the socket of a forward.
pub(super) async fn client_at(socket: PathBuf, folder: &Path, limit: Duration) -> Result<GrafanaClient> {
    let admin = GrafanaClient::new(socket.clone(), USER, password(folder)?)?;
    admin.wait_ready(limit).await?;
    Ok(with_kept_token(&socket, folder).await?.unwrap_or(admin))
}

async fn with_kept_token(socket: &Path, folder: &Path) -> Result<Option<GrafanaClient>> {
    let Some(token) = Kept::Token.read(folder)? else { return Ok(None) };
    let client = GrafanaClient::with_token(socket.to_owned(), token)?;
    Ok(client.is_accepted().await?.then_some(client))
}

/// Who writes: the token's account what it may, the administrator the rest.
#[derive(Debug)]
pub(super) struct Writers {
    pub daily: GrafanaClient,
    socket: PathBuf,
    folder: PathBuf,
}

impl Writers {
    /// Has a token made where there is no good one. Where Grafana makes none, the administrator does everything.
    ///
    /// # Errors
    /// When Grafana is not ready within `limit`, or refuses the password.
    pub async fn new(remote: &Remote, folder: &Path, limit: Duration, events: &Events) -> Result<Self> {
        let socket = remote.forward(PORT).await?;
        let waiting = GrafanaClient::new(socket.clone(), USER, password(folder)?)?;
        waiting.wait_ready(limit).await?;
        let writers = |daily| Self { daily, socket: socket.clone(), folder: folder.to_owned() };
        if let Some(daily) = with_kept_token(&socket, folder).await? {
            return Ok(writers(daily));
        }
        let admin = administrator(&socket, folder).await?;
        match admin.make_token().await {
            Ok(token) => {
                Kept::Token.write(folder, &token)?;
                Ok(writers(GrafanaClient::with_token(socket.clone(), token)?))
            }
            Err(error) => {
                events.warn(format!("the administrator does what a token could: {}", error.in_one_line()));
                Ok(writers(admin))
            }
        }
    }

    /// Makes the changes; the data source as the administrator, who alone may. `ask` is asked before a person's work is
    /// undone.
    ///
    /// # Errors
    /// One for each change that could not be made.
    pub async fn apply(&self, changes: Vec<GrafanaChange>, ask: Ask<'_>) -> Result<(), Vec<Error>> {
        let (sources, others): (Vec<_>, Vec<_>) =
            changes.into_iter().partition(|change| matches!(change, GrafanaChange::DataSource(_)));
        if !sources.is_empty() {
            let admin = administrator(&self.socket, &self.folder).await.map_err(|error| vec![error])?;
            admin.apply(sources, ask).await?;
        }
        self.daily.apply(others, ask).await
    }
}

/// The administrator, whose password is the kept one, or the next one where a change of it was cut off: at most two
/// tries, as the fifth wrong one locks the account.
pub(super) async fn administrator(socket: &Path, folder: &Path) -> Result<GrafanaClient> {
    let admin = GrafanaClient::new(socket.to_owned(), USER, password(folder)?)?;
    if admin.is_accepted().await? {
        return Ok(admin);
    }
    if let Some(next) = Kept::NextPassword.read(folder)? {
        let admin = GrafanaClient::new(socket.to_owned(), USER, next)?;
        if admin.is_accepted().await? {
            Kept::NextPassword.replace(Kept::Password, folder)?;
            return Ok(admin);
        }
    }
    Err(GrafanaClient::wrong_password(USER))
}

/// Gives the administrator a new password. It is kept before Grafana is told, so that no end of the run loses it.
///
/// # Errors
/// When Grafana refuses the password that is kept, or the new one does not work afterwards.
pub(super) async fn rotate_password(remote: &Remote, folder: &Path) -> Result<()> {
    let socket = remote.forward(PORT).await?;
    let admin = administrator(&socket, folder).await?;
    let (old, new) = (password(folder)?, Secret::random()?);
    Kept::NextPassword.write(folder, &new)?;
    let changed = admin.change_password(&old, &new).await;
    // A lost answer says nothing; the new password does.
    if !GrafanaClient::new(socket, USER, new)?.is_accepted().await? {
        changed?;
        return Err(Error::failed("grafana said that it took the new password, and does not take it"));
    }
    Kept::NextPassword.replace(Kept::Password, folder)
}

/// The cookies of a session, for a browser.
pub(super) async fn log_in(socket: PathBuf, password: &Secret) -> Result<Vec<Secret>> {
    GrafanaClient::new(socket, USER, password.clone())?.session(password).await
}

/// What is to be done in a Grafana, and what is left alone.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub changes: Vec<GrafanaChange>,
    /// What a person changed, where the spec says to leave it so.
    pub kept: Vec<GrafanaChange>,
}

/// What differs between what is wanted in Grafana and what it holds.
pub(super) async fn compare(client: &GrafanaClient, desired: &Desired, on_drift: OnDrift) -> Result<Found> {
    let changes = diff(desired, &client.observe(desired).await?);
    let is_kept = |change: &GrafanaChange| on_drift == OnDrift::Keep && change.drift().is_some();
    let (kept, changes) = changes.into_iter().partition(is_kept);
    Ok(Found { changes, kept })
}

/// What Grafana is to hold. Where some dashboards cannot be had now, no other one is taken for unwanted.
pub(super) fn desired(spec: &Spec, wanted: Wanted) -> Desired {
    let interval = spec.monitoring.scrape_interval.to_string();
    let data_source = DataSource::prometheus(spec.grafana.data_source(), PROMETHEUS, &interval);
    let complete = wanted.missing.is_empty();
    Desired { complete, ..Desired::new(data_source, wanted.dashboards) }
}
