//! What monctl brought into a Grafana that is not its own, and taking back exactly that. It reads and deletes by `/api`
//! only, so that it finds nothing in a Grafana that serves `/apis` alone.

use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::Value;

use super::found::{Hit, SIGNATURE, said_in};
use super::thing::Thing;
use super::{AT_ONCE, DataSource, Desired, Drift, Folder, GrafanaClient};
use crate::error::{Error, Result};

/// So many hits a page; more are not given.
const PAGE: usize = 1_000;

/// What there is of monctl's in a Grafana.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Leftovers {
    dashboards: Vec<Brought>,
    folder: Option<Folder>,
    data_source: Option<DataSource>,
    /// What others put into the folder, in words. It stays while there is any.
    others: Vec<String>,
}

/// A dashboard of monctl's.
#[derive(Debug, Clone, PartialEq)]
struct Brought {
    uid: String,
    title: String,
    /// What a person made of it last.
    drift: Option<Drift>,
}

/// Whose a dashboard is that a search found.
enum Origin {
    Ours(Brought),
    Others,
    /// A search may show what was removed a moment ago.
    Gone,
}

impl Leftovers {
    /// What would be removed, a line each.
    pub fn lines(&self) -> Vec<String> {
        let dashboards = self.dashboards.iter().map(|one| format!("dashboard `{}`", one.title));
        let folder = self.folder.iter().filter(|_| self.others.is_empty()).map(Thing::name);
        dashboards.chain(folder).chain(self.data_source.iter().map(Thing::name)).collect()
    }

    /// Why the folder stays, where it does.
    pub fn kept(&self) -> Option<String> {
        let folder = self.folder.as_ref().filter(|_| !self.others.is_empty())?;
        Some(format!("{}: it holds {}, which monctl did not bring", folder.name(), self.others.join(", ")))
    }

    /// What persons made of the dashboards.
    pub fn drifts(&self) -> impl Iterator<Item = &Drift> {
        self.dashboards.iter().filter_map(|one| one.drift.as_ref())
    }
}

impl GrafanaClient {
    /// Looks for what monctl brought: dashboards that it wrote, wherever they lie now, the folder, and its data source.
    ///
    /// # Errors
    /// When Grafana refuses or does not answer.
    pub async fn leftovers(&self, desired: &Desired) -> Result<Leftovers> {
        let found = match &desired.data_source {
            Some(wanted) => wanted.read(self).await?.filter(|found| wanted.is_ours(found)),
            None => None,
        };
        let folder = desired.folder.read(self).await?.map(|_| desired.folder.clone());
        let inside = |hit: &Hit| hit.folder_uid == desired.folder.uid;
        let is_wanted = |hit: &Hit| desired.dashboards.iter().any(|one| one.uid == hit.uid);
        let hits = self.hits().await?;
        let (dashboards, folders): (Vec<_>, Vec<_>) =
            hits.into_iter().partition(|hit| hit.r#type == "dash-db");
        let candidates = dashboards.into_iter().filter(|hit| inside(hit) || is_wanted(hit));
        let origins: Vec<(Hit, Origin)> = stream::iter(candidates)
            .map(async |hit| {
                let origin = self.origin(&hit, inside(&hit) && is_wanted(&hit)).await?;
                Ok::<_, Error>((hit, origin))
            })
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        let inside_folders = folders.iter().filter(|hit| inside(hit));
        let mut others: Vec<String> = inside_folders.map(|hit| format!("folder `{}`", hit.title)).collect();
        let mut dashboards = Vec::new();
        for (hit, origin) in origins {
            match origin {
                Origin::Ours(brought) => dashboards.push(brought),
                Origin::Others if inside(&hit) => others.push(format!("dashboard `{}`", hit.title)),
                Origin::Others | Origin::Gone => {}
            }
        }
        if folder.is_some() {
            others.extend(self.library_panels_in(&desired.folder.uid).await?);
        }
        let data_source = desired.data_source.clone().filter(|_| found.is_some());
        Ok(Leftovers { dashboards, folder, data_source, others })
    }

    /// Removes them, and the folder where nothing of others is in it now. Returns what is gone, in words, and an error
    /// for each that stays.
    pub async fn take_back(&self, desired: &Desired, leftovers: &Leftovers) -> (Vec<String>, Vec<Error>) {
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
        if let Some(folder) = &leftovers.folder {
            // Looked at again: its removal takes along whatever is in it.
            match self.leftovers(desired).await {
                Ok(now) if now.dashboards.is_empty() && now.others.is_empty() => {
                    let path = format!("/api/folders/{}", folder.uid);
                    note(folder.name(), self.take_away(&path, &folder.name()).await);
                }
                Ok(_) => {}
                Err(error) => errors.push(error),
            }
        }
        (gone, errors)
    }

    /// What its writers said, the last one first.
    async fn messages(&self, uid: &str) -> Result<Vec<String>> {
        let path = format!("/api/dashboards/uid/{uid}/versions?limit=1000");
        let Some(answer) = self.read(&path).await? else { return Ok(Vec::new()) };
        said_in(&answer)
    }

    /// Whose the dashboard of a hit is. It may be known to be monctl's, whatever became of its history.
    async fn origin(&self, hit: &Hit, is_ours: bool) -> Result<Origin> {
        let messages = self.messages(&hit.uid).await?;
        let path = format!("/api/dashboards/uid/{}", hit.uid);
        let Some(answer) = self.read(&path).await? else { return Ok(Origin::Gone) };
        if !is_ours && !messages.iter().any(|message| is_signed(message)) {
            return Ok(Origin::Others);
        }
        let mut shown: Value = answer.json()?;
        let version = shown["meta"]["version"].as_i64().unwrap_or_default();
        let mut document = shown["dashboard"].take();
        if let Value::Object(keys) = &mut document {
            keys.retain(|key, _| key != "id" && key != "version");
        }
        let is_edited = !messages.first().is_some_and(|message| is_signed(message));
        let drift =
            is_edited.then(|| Drift { uid: hit.uid.clone(), title: hit.title.clone(), version, document });
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

    /// The library panels in a folder, in words. Those that nothing uses would go with it.
    async fn library_panels_in(&self, folder: &str) -> Result<Vec<String>> {
        let Some(answer) = self.read("/api/library-elements?perPage=5000").await? else {
            return Ok(Vec::new());
        };
        let found: Value = answer.json()?;
        let elements = found["result"]["elements"].as_array().into_iter().flatten();
        let inside = elements.filter(|one| one["folderUid"] == folder || one["meta"]["folderUid"] == folder);
        let name = |one: &Value| format!("library panel `{}`", one["name"].as_str().unwrap_or_default());
        Ok(inside.map(name).collect())
    }

    async fn take_away(&self, path: &str, name: &str) -> Result<()> {
        let answer = self.http.delete(path).await?;
        if answer.is_success() || answer.status == 404 {
            return Ok(());
        }
        Err(self.refusal(&answer, &format!("remove {name}")))
    }
}

/// Whether a message in a dashboard's history is monctl's: its name and a version.
fn is_signed(message: &str) -> bool {
    message.strip_prefix(SIGNATURE).is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_name_with_a_version_is_a_signature() {
        for (message, ours) in [
            ("monctl 0.1.0, 8a6b12", true),
            ("monctl 2.0.0", true),
            ("monctl is great", false),
            ("brought by monctl 0.1.0", false),
            ("", false),
        ] {
            assert_eq!(is_signed(message), ours, "{message}");
        }
    }
}
