//! The behaviour that all kinds of objects in Grafana share: they are compared, read and written, and a failed write is
//! followed by a read before it is retried.

use std::time::Duration;

use super::client::GrafanaClient;
use super::remote_dashboard::Drift;
use crate::error::{Error, Result};
use crate::http::Answer;
use crate::retry::Patience;
use crate::spec::OnDrift;

/// How long a write is retried. Grafana answers a write within 30 s even on a locked database, so one such write and a
/// retry fit in. It caches permissions for up to 60 s and may reject a folder that somebody else created for that long.
pub(super) const WRITING: Duration = Duration::from_secs(90);

/// Callback that decides what happens to a person's edit before it is undone. An error keeps the edit.
pub type Ask<'a> = &'a (dyn Fn(&Drift) -> Result<OnDrift> + Sync);

/// A kind of object with a fixed uid in Grafana.
pub(super) trait GrafanaObject {
    /// The object as Grafana returns it.
    type Found: PartialEq;

    /// Its name in messages: ``dashboard `Hosts` ``.
    fn name(&self) -> String;

    /// How the found object differs from the desired one; `None` if it does not.
    fn difference(&self, found: Option<&Self::Found>) -> Option<String>;

    /// A person's edit of the found object, if it can be kept.
    fn drift(&self, _found: &Self::Found) -> Option<Drift> {
        None
    }

    /// Reads it by its uid.
    async fn read(&self, grafana: &GrafanaClient) -> Result<Option<Self::Found>>;

    /// Creates it or overwrites the found object, without retrying.
    async fn write(&self, grafana: &GrafanaClient, found: Option<&Self::Found>) -> Result<(), Setback>;
}

/// How a write failed and whether to retry it.
#[derive(Debug)]
pub(super) enum Setback {
    /// Permanently.
    Final(Error),
    /// Temporarily: the server failed, the reply was lost, or somebody else wrote in between. Read again and, if the
    /// object still differs, write again.
    Again(Error),
    /// Somebody else was first, or the name is taken: final unless a read finds that the object has changed.
    Taken(Error),
}

impl From<Error> for Setback {
    /// Without an answer, the write may or may not have been done.
    fn from(error: Error) -> Self {
        Self::Again(error)
    }
}

impl GrafanaClient {
    /// Classifies an unsuccessful answer to a write that has no special meaning for the kind of object.
    pub(super) fn setback(&self, answer: &Answer, name: &str) -> Setback {
        let error = self.refusal(answer, &format!("save {name}"));
        match answer.status {
            404 | 500.. => Setback::Again(error),
            _ => Setback::Final(error),
        }
    }
}

/// A change that brings an object to its desired state.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectChange<W, F> {
    pub(super) wanted: W,
    pub(super) found: Option<F>,
    pub(super) reason: String,
}

/// The change that is needed, if one is.
pub(super) fn needed<T: GrafanaObject>(
    wanted: T,
    found: Option<T::Found>,
) -> Option<ObjectChange<T, T::Found>> {
    let reason = wanted.difference(found.as_ref())?;
    Some(ObjectChange { wanted, found, reason })
}

/// Writes until the object has the desired state, with a read before each retry. Calls `ask` before it overwrites a
/// person's edit, whether the plan showed that edit or it is newer.
pub(super) async fn settle<T: GrafanaObject>(
    change: ObjectChange<T, T::Found>,
    grafana: &GrafanaClient,
    ask: Ask<'_>,
) -> Result<()> {
    let ObjectChange { wanted, mut found, .. } = change;
    let mut patience = Patience::new(WRITING);
    let mut confirmed = None;
    loop {
        let drift = found.as_ref().and_then(|found| wanted.drift(found));
        if let Some(drift) = drift.filter(|drift| confirmed.as_ref() != Some(drift)) {
            if ask(&drift)? == OnDrift::Keep {
                return Ok(());
            }
            confirmed = Some(drift);
        }
        let (error, taken) = match wanted.write(grafana, found.as_ref()).await {
            Ok(()) => return Ok(()),
            Err(Setback::Final(error)) => return Err(error),
            Err(Setback::Again(error)) => (error, false),
            Err(Setback::Taken(error)) => (error, true),
        };
        let now = wanted.read(grafana).await?;
        if wanted.difference(now.as_ref()).is_none() {
            return Ok(());
        }
        if taken && now == found {
            return Err(error);
        }
        found = now;
        patience.again(error).await?;
    }
}
