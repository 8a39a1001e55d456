//! Finds and removes exactly what monctl created in a Grafana that is not its own. Uses only `/api`, so it finds
//! nothing in a Grafana that serves only `/apis`.

use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::Value;

use super::client::{AT_ONCE, GrafanaClient};
use super::data_source::DataSource;
use super::desired::Desired;
use super::folder::{Folder, is_monctls};
use super::history::was_ours;
use super::object_change::{GrafanaObject, WRITING};
use super::remote_dashboard::{Drift, Hit, find};
use crate::error::{Error, Result};
use crate::http::Answer;
use crate::retry::Patience;

/// Hits per page, the maximum.
const PAGE: usize = 1_000;

/// The objects of monctl's in a Grafana.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GrafanaResidue {
    dashboards: Vec<Brought>,
    folders: Vec<Occupied>,
    data_source: Option<DataSource>,
}

/// A dashboard of monctl's.
#[derive(Debug, Clone, PartialEq)]
struct Brought {
    uid: String,
    title: String,
    /// A person's latest edit.
    drift: Option<Drift>,
}

/// A folder of monctl's.
#[derive(Debug, Clone, PartialEq)]
struct Occupied {
    folder: Folder,
    /// The names of other people's objects in it. While there are any, the folder is kept.
    others: Vec<String>,
}

/// To whom a dashboard in the search results belongs.
enum Origin {
    Ours(Brought),
    Others,
    /// Removed: a search may still list a dashboard that was just removed.
    Gone,
}

impl GrafanaResidue {
    /// The objects that would be removed, one per line.
    pub fn lines(&self) -> Vec<String> {
        let dashboards = self.dashboards.iter().map(|one| format!("dashboard `{}`", one.title));
        let going = self.folders.iter().filter(|one| one.others.is_empty());
        let folders = going.map(|one| one.folder.name());
        dashboards.chain(folders).chain(self.data_source.iter().map(GrafanaObject::name)).collect()
    }

    /// Which folders are kept and why; `None` if none is.
    pub fn kept(&self) -> Option<String> {
        let staying = self.folders.iter().filter(|one| !one.others.is_empty());
        let why = |one: &Occupied| {
            format!("{}: it holds {}, which monctl did not create", one.folder.name(), one.others.join(", "))
        };
        let kept: Vec<String> = staying.map(why).collect();
        (!kept.is_empty()).then(|| kept.join("; "))
    }

    /// People's edits of the dashboards.
    pub fn drifts(&self) -> impl Iterator<Item = &Drift> {
        self.dashboards.iter().filter_map(|one| one.drift.as_ref())
    }
}

impl GrafanaClient {
    /// Finds what monctl created: the dashboards that it wrote, in whichever folder, its folders, and its data source.
    ///
    /// # Errors
    /// When Grafana refuses or does not answer.
    pub async fn residue(&self, desired: &Desired) -> Result<GrafanaResidue> {
        let data_source = match &desired.data_source {
            Some(wanted) => {
                wanted.read(self).await?.filter(|found| wanted.is_ours(found)).map(|_| wanted.clone())
            }
            None => None,
        };
        let is_wanted = |hit: &Hit| desired.dashboards.iter().any(|one| one.uid == hit.uid);
        let hits = self.hits().await?;
        let (all, folders): (Vec<_>, Vec<_>) = hits.into_iter().partition(|hit| hit.r#type == "dash-db");
        let candidates = all.into_iter().filter(|hit| is_monctls(&hit.folder_uid) || is_wanted(hit));
        let origins: Vec<(Hit, Origin)> = stream::iter(candidates)
            .map(async |hit| {
                let origin = self.origin(&hit, is_monctls(&hit.folder_uid) && is_wanted(&hit)).await?;
                Ok::<_, Error>((hit, origin))
            })
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        let (mut dashboards, mut others) = (Vec::new(), Vec::new());
        for (hit, origin) in origins {
            match origin {
                Origin::Ours(brought) => dashboards.push(brought),
                Origin::Others => others.push((hit.folder_uid, format!("dashboard `{}`", hit.title))),
                Origin::Gone => {}
            }
        }
        let (ours, theirs): (Vec<_>, Vec<_>) = folders.into_iter().partition(|hit| is_monctls(&hit.uid));
        others.extend(theirs.into_iter().map(|hit| (hit.folder_uid, format!("folder `{}`", hit.title))));
        if !ours.is_empty() {
            others.extend(self.library_panels().await?);
        }
        let occupied = |hit: Hit| Occupied {
            others: others.iter().filter(|(uid, _)| *uid == hit.uid).map(|(_, name)| name.clone()).collect(),
            folder: Folder { uid: hit.uid, title: hit.title },
        };
        Ok(GrafanaResidue { dashboards, folders: ours.into_iter().map(occupied).collect(), data_source })
    }

    /// Removes them, and each folder that holds nothing of other people's. Returns the names of the removed objects,
    /// and an error for each object that could not be removed.
    pub async fn take_back(
        &self,
        desired: &Desired,
        leftovers: &GrafanaResidue,
    ) -> (Vec<String>, Vec<Error>) {
        let (mut gone, mut errors) = (Vec::new(), Vec::new());
        let mut note = |name: String, done: Result<()>| match done {
            Ok(()) => gone.push(name),
            Err(error) => errors.push(error),
        };
        for one in &leftovers.dashboards {
            let name = format!("dashboard `{}`", one.title);
            note(name.clone(), self.take_away(&format!("/api/dashboards/uid/{}", one.uid), &name).await);
        }
        if let Some(data_source) = &leftovers.data_source {
            let path = format!("/api/datasources/uid/{}", data_source.uid);
            note(data_source.name(), self.take_away(&path, &data_source.name()).await);
        }
        if !leftovers.folders.is_empty() {
            // Reads the folders again, since deleting one deletes everything in it.
            match self.residue(desired).await {
                Ok(now) if now.dashboards.is_empty() => {
                    for one in now.folders.iter().filter(|one| one.others.is_empty()) {
                        let path = format!("/api/folders/{}", one.folder.uid);
                        note(one.folder.name(), self.take_away(&path, &one.folder.name()).await);
                    }
                }
                Ok(_) => {}
                Err(error) => errors.push(error),
            }
        }
        (gone, errors)
    }

    /// To whom the dashboard of a hit belongs. `is_ours` if it is known to be monctl's regardless of its history.
    async fn origin(&self, hit: &Hit, is_ours: bool) -> Result<Origin> {
        let Some(mut found) = find(self, &hit.uid).await? else { return Ok(Origin::Gone) };
        if !is_ours && !was_ours(self, &hit.uid).await? {
            return Ok(Origin::Others);
        }
        found.read_newest(self, &hit.uid).await?;
        let drift = found.drift(&hit.uid);
        Ok(Origin::Ours(Brought { uid: hit.uid.clone(), title: hit.title.clone(), drift }))
    }

    /// All dashboards and folders.
    async fn hits(&self) -> Result<Vec<Hit>> {
        let mut hits = Vec::new();
        for page in 1.. {
            let answer = self.http.get(&format!("/api/search?limit={PAGE}&page={page}")).await?;
            if !answer.is_success() {
                return Err(self.refusal(&answer, "list its dashboards"));
            }
            let found: Vec<Hit> = answer.json()?;
            let is_last = found.len() < PAGE;
            hits.extend(found);
            if is_last {
                break;
            }
        }
        Ok(hits)
    }

    /// The folder's uid and the name of each library panel. An unused one would be deleted with its folder.
    async fn library_panels(&self) -> Result<Vec<(String, String)>> {
        let Some(answer) = self.read("/api/library-elements?perPage=5000").await? else {
            return Ok(Vec::new());
        };
        let found: Value = answer.json()?;
        let elements = found["result"]["elements"].as_array().into_iter().flatten();
        let folder = |one: &Value| {
            let uid = one["folderUid"].as_str().or_else(|| one["meta"]["folderUid"].as_str());
            uid.unwrap_or_default().to_owned()
        };
        let name = |one: &Value| format!("library panel `{}`", one["name"].as_str().unwrap_or_default());
        Ok(elements.map(|one| (folder(one), name(one))).collect())
    }

    /// Deletes an object. For an Editor, Grafana 12 rejects a recently created empty folder as "not empty"; a little
    /// later the same request works.
    async fn take_away(&self, path: &str, name: &str) -> Result<()> {
        let is_young = |answer: &Answer| answer.status == 400 && answer.message().contains("not empty");
        let mut patience = Patience::new(WRITING);
        loop {
            let answer = self.http.delete(path).await?;
            if answer.is_success() || answer.status == 404 {
                return Ok(());
            }
            let refusal = self.refusal(&answer, &format!("remove {name}"));
            if !is_young(&answer) {
                return Err(refusal);
            }
            patience.again(refusal).await?;
        }
    }
}
