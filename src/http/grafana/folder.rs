//! The folder that holds monctl's dashboards.

use serde::Deserialize;
use serde_json::json;

use super::GrafanaClient;
use super::thing::{Setback, Thing};
use crate::error::{Error, Result};

/// A folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// Its uid.
    pub uid: String,
    /// Its title.
    pub title: String,
}

/// A folder as Grafana shows it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct FoundFolder {
    /// Its title.
    pub title: String,
    /// Grafana raises it with every write, and refuses to write over another version than the one named.
    pub version: i64,
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
        let answer = grafana.read(&format!("/api/folders/{}", self.uid)).await?;
        answer.map(|answer| answer.json()).transpose()
    }

    async fn write(&self, grafana: &GrafanaClient, found: Option<&FoundFolder>) -> Result<(), Setback> {
        let answer = match found {
            Some(found) => {
                let body = json!({"title": self.title, "version": found.version});
                grafana.http.put(&format!("/api/folders/{}", self.uid), &body).await?
            }
            None => grafana.http.post("/api/folders", &json!({"uid": self.uid, "title": self.title})).await?,
        };
        match answer.status {
            200..300 => Ok(()),
            409 | 412 => Err(Setback::Taken(self.title_is_taken())),
            _ => Err(grafana.setback(&answer, &self.name())),
        }
    }
}

impl Folder {
    fn title_is_taken(&self) -> Error {
        Error::failed(format!("another folder or dashboard of this Grafana is called `{}`", self.title))
            .remedy("rename that one in Grafana, then run `monctl up` again")
    }
}
