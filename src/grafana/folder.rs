//! The folders that hold dashboards of monctl's: its own, and those of the user's dashboards.

use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{GrafanaClient, unreadable};
use super::resource::{Collection, FOLDER, GrafanaResource, ResourceKind};
use super::thing::{GrafanaObject, Setback};
use crate::digest::Sha256;
use crate::error::{Error, Result};
use crate::http::Answer;

/// The uid of the folder of monctl's own dashboards.
pub const FOLDER_UID: &str = "monctl";

/// What somebody does about a folder that is there and that the account may not use.
const MEND: &str = "an administrator of this Grafana opens it under Dashboards, then Folder actions > Manage permissions, \
     and lets the role Editor edit and the role Viewer view; a Grafana that was killed while it made the folder leaves it \
     without permissions";

/// A folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// Its uid.
    pub uid: String,
    /// Its title.
    pub title: String,
}

/// A folder as Grafana shows it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct FoundFolder {
    /// Its title.
    pub title: String,
    /// Grafana raises it with every write, and refuses to write over another version than the one named.
    #[serde(default)]
    pub version: i64,
    /// What is written over where it was seen by `/apis`.
    #[serde(skip)]
    resource: Option<GrafanaResource>,
}

/// The versions of the resource, the one that stays first.
const VERSIONS: [&str; 2] = ["v1", "v1beta1"];

impl FoundFolder {
    fn of(resource: GrafanaResource) -> Self {
        let title = resource.spec["title"].as_str().unwrap_or_default().to_owned();
        Self { title, version: resource.metadata.generation, resource: Some(resource) }
    }
}

impl GrafanaObject for Folder {
    type Found = FoundFolder;

    fn name(&self) -> String {
        format!("folder `{}`", self.title)
    }

    fn difference(&self, found: Option<&FoundFolder>) -> Option<String> {
        match found {
            None => Some("is not there".into()),
            Some(found) if found.title != self.title => Some(format!("is called `{}`", found.title)),
            Some(_) => None,
        }
    }

    /// Asks `/apis` first, which tells a folder that is not there from one that is forbidden, at once and to everybody. By
    /// `/api` both are 403 to every token below Admin, as is one that was made less than a minute ago.
    async fn read(&self, grafana: &GrafanaClient) -> Result<Option<FoundFolder>> {
        if let Some(folders) = grafana.collection(ResourceKind::Folder, &VERSIONS).await? {
            let answer = grafana.look(&folders.address(&self.uid)).await?;
            return match answer.status {
                403 => Err(self.is_forbidden()),
                _ => Ok(grafana.resource_of(&folders, &self.uid, &answer)?.map(FoundFolder::of)),
            };
        }
        let path = format!("/api/folders/{}", self.uid);
        let answer = grafana.look(&path).await?;
        match answer.status {
            200..300 => answer.json().map(Some),
            404 => Ok(None),
            403 => grafana.folder_in_search(&self.uid).await,
            _ => Err(grafana.refusal(&answer, &format!("show `{path}`"))),
        }
    }

    async fn write(&self, grafana: &GrafanaClient, found: Option<&FoundFolder>) -> Result<(), Setback> {
        let answer = if let Some(found) = found.and_then(|found| found.resource.as_ref()) {
            self.put(grafana, &found.collection, Some(found)).await?
        } else {
            let answer = self.put_classic(grafana, found).await?;
            match grafana.instead(&answer, ResourceKind::Folder, &VERSIONS).await? {
                Some(folders) => self.put(grafana, &folders, None).await?,
                None => answer,
            }
        };
        match answer.status {
            200..300 => Ok(()),
            // Of the uid the releases say "changed by someone else", "same UID" or "already exists".
            409 if answer.says().contains("name") || answer.says().contains("title") => {
                Err(Setback::Taken(self.title_is_taken()))
            }
            409 | 412 => Err(Setback::Taken(self.is_forbidden())),
            _ => Err(grafana.setback(&answer, &self.name())),
        }
    }
}

impl Folder {
    /// The folder of monctl's own dashboards.
    pub fn ours() -> Self {
        Self { uid: FOLDER_UID.into(), title: "monctl".into() }
    }

    /// The folder of this title for dashboards of the user's: the same uid for the same title.
    pub fn titled(title: &str) -> Self {
        let safe =
            |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '_' };
        let name: String = title.chars().map(safe).take(20).collect();
        Self { uid: format!("{FOLDER_UID}_{name}_{}", Sha256::of(title).short()), title: title.to_owned() }
    }

    async fn put_classic(&self, grafana: &GrafanaClient, found: Option<&FoundFolder>) -> Result<Answer> {
        match found {
            Some(found) => {
                let body = json!({"title": self.title, "version": found.version});
                grafana.http.put(&format!("/api/folders/{}", self.uid), &body).await
            }
            None => grafana.http.post("/api/folders", &json!({"uid": self.uid, "title": self.title})).await,
        }
    }

    async fn put(
        &self,
        grafana: &GrafanaClient,
        folders: &Collection,
        found: Option<&GrafanaResource>,
    ) -> Result<Answer> {
        let parent = found.map_or("", |found| found.metadata.annotation(FOLDER));
        let annotations = if parent.is_empty() { json!({}) } else { json!({FOLDER: parent}) };
        let spec = json!({"title": self.title});
        grafana.put_resource(folders, &self.uid, &annotations, &spec, found).await
    }

    fn title_is_taken(&self) -> Error {
        Error::failed(format!("another folder or dashboard of this Grafana is called `{}`", self.title))
            .remedy("rename that one in Grafana, then run `monctl up` again")
    }

    /// It is there, and the account may not even see it.
    fn is_forbidden(&self) -> Error {
        let text = format!("{} (uid `{}`) is there, and the account may not use it", self.name(), self.uid);
        Error::failed(text).remedy(MEND)
    }
}

/// Whether a uid is that of a folder that monctl makes.
pub(super) fn is_monctls(uid: &str) -> bool {
    uid.strip_prefix(FOLDER_UID).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
}

impl GrafanaClient {
    /// A folder as the search lists it, which is right at once. It has no version: who may write it sees it elsewhere.
    async fn folder_in_search(&self, uid: &str) -> Result<Option<FoundFolder>> {
        let answer = self.look("/api/search?type=dash-folder&limit=5000").await?;
        if !answer.is_success() {
            return Err(self.refusal(&answer, "list its folders"));
        }
        let hits: Vec<Value> = answer.json()?;
        let hit = hits.into_iter().find(|hit| hit["uid"] == uid);
        hit.map(|hit| serde_json::from_value(hit).map_err(unreadable)).transpose()
    }

    /// Whether the account may write into a folder, as `/apis` says at once. Elsewhere it keeps what it may for up to a
    /// minute, so that a folder of somebody else's may be refused so long.
    pub(super) async fn may_soon_write_in(&self, folder: &str) -> Result<bool> {
        let Some(folders) = self.collection(ResourceKind::Folder, &VERSIONS).await? else { return Ok(false) };
        let answer = self.look(&format!("{}/access", folders.address(folder))).await?;
        Ok(answer.is_success() && answer.json::<Value>()?["canSave"] == true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_has_one_uid_that_grafana_takes_and_that_is_known_again() {
        let team = Folder::titled("The team's dashboards, at long last");
        assert_eq!(team, Folder::titled("The team's dashboards, at long last"));
        assert_ne!(team.uid, Folder::titled("The team's dashboards, at long lost").uid);
        assert!(team.uid.len() <= 40 && team.uid.starts_with("monctl_the_team_s_"), "{}", team.uid);
        let is_ours = [team.uid.as_str(), "monctl", "monctlx", "team"].map(is_monctls);
        assert_eq!(is_ours, [true, true, false, false]);
    }
}
