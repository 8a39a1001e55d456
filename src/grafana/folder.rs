//! The folders for monctl's own dashboards and for the user's dashboards.

use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{GrafanaClient, unreadable};
use super::object_change::{GrafanaObject, Setback};
use super::resource::{Collection, FOLDER, GrafanaResource, ResourceKind};
use crate::digest::Sha256;
use crate::error::{Error, Result};
use crate::http::Answer;

/// The uid of the folder of monctl's own dashboards.
pub const FOLDER_UID: &str = "monctl";

/// Remedy for an existing folder that the account may not use.
const MEND: &str = "ask an administrator of this Grafana to open it under Dashboards, then Folder actions > Manage \
     permissions, and to let the role Editor edit and the role Viewer view; the permissions are missing if Grafana was \
     killed while it created the folder";

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
    /// Grafana increments it with every write, and rejects a write that does not name the current version.
    #[serde(default)]
    pub version: i64,
    /// The resource to overwrite, if it was read from `/apis`.
    #[serde(skip)]
    resource: Option<GrafanaResource>,
}

/// The versions of the resource, the stable one first.
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
            None => Some("does not exist".into()),
            Some(found) if found.title != self.title => Some(format!("is called `{}`", found.title)),
            Some(_) => None,
        }
    }

    /// Queries `/apis` first, which distinguishes a missing folder from a forbidden one, without delay and for every
    /// role. `/api` answers 403 for both to every token below Admin, and for a folder created in the last minute.
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
            // For a uid that is taken, the releases answer "changed by someone else", "same UID" or "already exists".
            409 if answer.message().contains("name") || answer.message().contains("title") => {
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

    /// The folder of this title for the user's dashboards: the same uid for the same title.
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

    /// The error for an existing folder that the account may not even see.
    fn is_forbidden(&self) -> Error {
        let text = format!("{} (uid `{}`) exists, but the account may not use it", self.name(), self.uid);
        Error::failed(text).remedy(MEND)
    }
}

/// Whether a uid belongs to a folder that monctl creates.
pub(super) fn is_monctls(uid: &str) -> bool {
    uid.strip_prefix(FOLDER_UID).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
}

impl GrafanaClient {
    /// A folder as the search lists it, without delay. It has no version: accounts that may write the folder see it
    /// elsewhere.
    async fn folder_in_search(&self, uid: &str) -> Result<Option<FoundFolder>> {
        let answer = self.look("/api/search?type=dash-folder&limit=5000").await?;
        if !answer.is_success() {
            return Err(self.refusal(&answer, "list its folders"));
        }
        let hits: Vec<Value> = answer.json()?;
        let hit = hits.into_iter().find(|hit| hit["uid"] == uid);
        hit.map(|hit| serde_json::from_value(hit).map_err(unreadable)).transpose()
    }

    /// Whether the account may write to a folder, which `/apis` reports without delay. `/api` caches permissions for up
    /// to a minute and may reject a folder that somebody else created for that long.
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
    fn a_title_has_one_valid_uid_that_is_recognized_as_monctls() {
        let team = Folder::titled("The team's dashboards, at long last");
        assert_eq!(team, Folder::titled("The team's dashboards, at long last"));
        assert_ne!(team.uid, Folder::titled("The team's dashboards, at long lost").uid);
        assert!(team.uid.len() <= 40 && team.uid.starts_with("monctl_the_team_s_"), "{}", team.uid);
        let is_ours = [team.uid.as_str(), "monctl", "monctlx", "team"].map(is_monctls);
        assert_eq!(is_ours, [true, true, false, false]);
    }
}
