//! The folder that holds monctl's dashboards.

use serde::Deserialize;
use serde_json::json;

use super::GrafanaClient;
use super::resource::{Collection, FOLDER, Kind, Resource};
use super::thing::{Setback, Thing};
use crate::error::{Error, Result};
use crate::http::Answer;

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
    pub version: i64,
    /// What is written over where `/api` is gone.
    #[serde(skip)]
    resource: Option<Resource>,
}

/// The versions of the resource, the one that stays first.
const VERSIONS: [&str; 2] = ["v1", "v1beta1"];

impl FoundFolder {
    fn of(resource: Resource) -> Self {
        let title = resource.spec["title"].as_str().unwrap_or_default().to_owned();
        Self { title, version: resource.metadata.generation, resource: Some(resource) }
    }
}

impl Thing for Folder {
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

    async fn read(&self, grafana: &GrafanaClient) -> Result<Option<FoundFolder>> {
        let path = format!("/api/folders/{}", self.uid);
        let answer = grafana.look(&path).await?;
        if let Some(folders) = grafana.instead(&answer, Kind::Folder, &VERSIONS).await? {
            return Ok(grafana.resource_in(&folders, &self.uid).await?.map(FoundFolder::of));
        }
        match answer.status {
            200..300 => answer.json().map(Some),
            404 => Ok(None),
            _ => Err(grafana.refusal(&answer, &format!("show `{path}`"))),
        }
    }

    async fn write(&self, grafana: &GrafanaClient, found: Option<&FoundFolder>) -> Result<(), Setback> {
        let answer = if let Some(found) = found.and_then(|found| found.resource.as_ref()) {
            self.put(grafana, &found.collection, Some(found)).await?
        } else {
            let answer = self.put_classic(grafana, found).await?;
            match grafana.instead(&answer, Kind::Folder, &VERSIONS).await? {
                Some(folders) => self.put(grafana, &folders, None).await?,
                None => answer,
            }
        };
        match answer.status {
            200..300 => Ok(()),
            409 | 412 => Err(Setback::Taken(self.title_is_taken())),
            _ => Err(grafana.setback(&answer, &self.name())),
        }
    }
}

impl Folder {
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
        found: Option<&Resource>,
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
}
