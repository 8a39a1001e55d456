//! What all kinds of things in Grafana have in common: they are compared, read and written, and a write that went
//! wrong is followed by a read before it is tried again.

use std::time::Duration;

use super::client::GrafanaClient;
use super::found::Drift;
use crate::error::{Error, Result};
use crate::http::Answer;
use crate::retry::Patience;
use crate::spec::OnDrift;

/// Writes answer within 30 s even on a locked database; one such and a retry fit in. What an account may is kept for up
/// to 60 s, so that a folder of somebody else's may be refused so long.
pub(super) const WRITING: Duration = Duration::from_secs(90);

/// What is asked before the work of a person is undone: what becomes of it. An error leaves it alone.
pub type Ask<'a> = &'a (dyn Fn(&Drift) -> Result<OnDrift> + Sync);

/// A kind of thing that is wanted in Grafana under a fixed uid.
pub(super) trait GrafanaObject {
    /// What Grafana shows of it.
    type Found: PartialEq;

    /// The thing as people call it: ``dashboard `Hosts` ``.
    fn name(&self) -> String;

    /// In what way the thing found is not the one wanted; `None` where it is.
    fn difference(&self, found: Option<&Self::Found>) -> Option<String>;

    /// The work of a person in the thing found, if it can be kept.
    fn drift(&self, _found: &Self::Found) -> Option<Drift> {
        None
    }

    /// Reads it by its uid.
    async fn read(&self, grafana: &GrafanaClient) -> Result<Option<Self::Found>>;

    /// Writes it once, over what was found or new.
    async fn write(&self, grafana: &GrafanaClient, found: Option<&Self::Found>) -> Result<(), Setback>;
}

/// How a write failed.
#[derive(Debug)]
pub(super) enum Setback {
    /// For good.
    Final(Error),
    /// Read again and, if it still differs, write again: the server stumbled, the reply was lost, or someone else
    /// wrote in between.
    Again(Error),
    /// Somebody else was first, or something else has the name: final unless a read finds the thing, and finds it
    /// changed.
    Taken(Error),
}

impl From<Error> for Setback {
    /// No answer came: the write may have been done or not.
    fn from(error: Error) -> Self {
        Self::Again(error)
    }
}

impl GrafanaClient {
    /// What an answer to a write comes to that is neither a success nor of special meaning for the thing.
    pub(super) fn setback(&self, answer: &Answer, name: &str) -> Setback {
        let error = self.refusal(answer, &format!("save {name}"));
        match answer.status {
            404 | 500.. => Setback::Again(error),
            _ => Setback::Final(error),
        }
    }
}

/// A thing that is to be made like the one wanted.
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

/// Writes until the thing is as wanted, with a read before each further try. Whatever a person made of it is asked about
/// before it is written over: what was seen when the change was planned, and what is seen only now.
pub(super) async fn settle<T: GrafanaObject>(
    change: ObjectChange<T, T::Found>,
    grafana: &GrafanaClient,
    ask: Ask<'_>,
) -> Result<()> {
    let ObjectChange { wanted, mut found, .. } = change;
    let mut patience = Patience::new(WRITING);
    let mut asked = None;
    loop {
        let drift = found.as_ref().and_then(|found| wanted.drift(found));
        if let Some(drift) = drift.filter(|drift| asked.as_ref() != Some(drift)) {
            if ask(&drift)? == OnDrift::Keep {
                return Ok(());
            }
            asked = Some(drift);
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
