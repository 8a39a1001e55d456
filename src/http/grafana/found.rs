//! A dashboard as Grafana shows it, in which schema it may be, and its history: who wrote it last.

use serde::Deserialize;
use serde_json::{Value, json};

use super::GrafanaClient;
use super::dashboard::{content, own_parts, version_of};
use super::resource::{FOLDER, Kind, Resource};
use crate::error::Result;
use crate::http::Answer;

/// The versions of the resource that hold the classic schema, and those of the schema v2; those that stay first.
pub(super) const CLASSIC: [&str; 2] = ["v1", "v1beta1"];
const V2: [&str; 3] = ["v2", "v2beta1", "v2alpha1"];
/// So many versions Grafana keeps of a dashboard, unless it is told otherwise.
const KEPT_VERSIONS: usize = 20;

/// How monctl's messages in a dashboard's history begin.
pub(super) const SIGNATURE: &str = "monctl ";

/// A dashboard as Grafana shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundDashboard {
    /// Grafana raises it with every write, and refuses to write over another version than the one named.
    pub(super) version: i64,
    pub(super) folder_uid: String,
    pub(super) folder_title: String,
    /// The file that owns it, if one does.
    pub(super) file: Option<String>,
    /// Who wrote it last, as Grafana calls them.
    pub(super) writer: String,
    /// What the last writer said. Read only where the dashboard is not as wanted.
    pub(super) message: Option<String>,
    pub(super) document: Value,
    /// What is written over, where it was not shown by `/api`.
    pub(super) resource: Option<Resource>,
}

/// A dashboard that somebody else than monctl changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Drift {
    /// The dashboard's uid.
    pub uid: String,
    /// Its title as it is now.
    pub title: String,
    /// Its version in Grafana's history.
    pub version: i64,
    /// What it is now, to be imported again.
    pub document: Value,
}

/// One line of a search: a dashboard or a folder.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Hit {
    pub uid: String,
    pub title: String,
    #[serde(default)]
    pub folder_uid: String,
    pub r#type: String,
}

/// The dashboard under a uid, whether `/api` shows it or only `/apis` does.
pub(super) async fn find(grafana: &GrafanaClient, uid: &str) -> Result<Option<FoundDashboard>> {
    let path = format!("/api/dashboards/uid/{uid}");
    let answer = grafana.look(&path).await?;
    let elsewhere = match answer.status {
        200..300 => return FoundDashboard::shown(&answer).map(Some),
        // It is kept in the schema v2.
        406 => grafana.collection(Kind::Dashboard, &V2).await?,
        _ => grafana.instead(&answer, Kind::Dashboard, &CLASSIC).await?,
    };
    match elsewhere {
        Some(dashboards) => Ok(grafana.resource_in(&dashboards, uid).await?.map(FoundDashboard::of)),
        None if answer.status == 404 => Ok(None),
        None => Err(grafana.refusal(&answer, &format!("show `{path}`"))),
    }
}

/// A dashboard that `/api` does not show, in the classic schema: Grafana says one of the schema v2 in both.
pub(super) async fn classic_form(grafana: &GrafanaClient, uid: &str) -> Result<Option<Value>> {
    let Some(dashboards) = grafana.collection(Kind::Dashboard, &CLASSIC).await? else { return Ok(None) };
    let found = grafana.resource_in(&dashboards, uid).await?.map(FoundDashboard::of);
    Ok(found.map(|found| found.document).filter(|document| document["panels"].is_array()))
}

/// The uids of the dashboards in a folder, where an answer says that the search of `/api` is gone.
pub(super) async fn names_in(
    grafana: &GrafanaClient,
    folder: &str,
    answer: &Answer,
) -> Result<Option<Vec<String>>> {
    let Some(dashboards) = grafana.instead(answer, Kind::Dashboard, &CLASSIC).await? else { return Ok(None) };
    let all = grafana.resources_in(&dashboards).await?.into_iter();
    let inside = all.filter(|one| one.metadata.annotation(FOLDER) == folder);
    Ok(Some(inside.map(|one| one.metadata.name).collect()))
}

/// Whether one of the versions of a dashboard that Grafana still keeps is monctl's.
pub(super) async fn was_ours(grafana: &GrafanaClient, uid: &str) -> Result<bool> {
    let said = history(grafana, uid, false, KEPT_VERSIONS).await?;
    Ok(said.into_iter().flatten().any(|message| message.starts_with(SIGNATURE)))
}

/// What the last writers of a dashboard said, the newest first; `None` where it cannot be had. Of the two ways to it a
/// Grafana has one at least, but not everybody may go both.
async fn history(
    grafana: &GrafanaClient,
    uid: &str,
    apis_first: bool,
    limit: usize,
) -> Result<Option<Vec<String>>> {
    for by_apis in [apis_first, !apis_first] {
        let said = if by_apis {
            history_by_apis(grafana, uid, limit).await?
        } else {
            history_by_api(grafana, uid, limit).await?
        };
        if said.is_some() {
            return Ok(said);
        }
    }
    Ok(None)
}

async fn history_by_api(grafana: &GrafanaClient, uid: &str, limit: usize) -> Result<Option<Vec<String>>> {
    let answer = grafana.look(&format!("/api/dashboards/uid/{uid}/versions?limit={limit}")).await?;
    if !answer.is_success() {
        return Ok(None);
    }
    Ok(Some(said_in(&answer)?).filter(|said| !said.is_empty()))
}

/// What writers said, in the history that `/api` answers with.
pub(super) fn said_in(answer: &Answer) -> Result<Vec<String>> {
    let history: Value = answer.json()?;
    // A list until Grafana 11, an object with a list from then on.
    let versions = history.as_array().or_else(|| history["versions"].as_array());
    let said = |version: &Value| version["message"].as_str().unwrap_or_default().to_owned();
    Ok(versions.into_iter().flatten().map(said).collect())
}

/// Only the versions of the interface that stay serve it, whichever one a dashboard is kept in.
async fn history_by_apis(grafana: &GrafanaClient, uid: &str, limit: usize) -> Result<Option<Vec<String>>> {
    let versions = [CLASSIC[0], V2[0], CLASSIC[1], V2[1]];
    match grafana.collection(Kind::Dashboard, &versions).await? {
        Some(dashboards) => grafana.history_of(&dashboards, uid, limit).await,
        None => Ok(None),
    }
}

impl FoundDashboard {
    /// What `/api` shows: the document as posted, with `id` and `version` added, and beside it who owns it and where it lies.
    fn shown(answer: &Answer) -> Result<Self> {
        #[derive(Deserialize)]
        struct Shown {
            meta: Meta,
            dashboard: Value,
        }

        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        #[derive(Default)]
        struct Meta {
            folder_uid: String,
            folder_title: String,
            provisioned: bool,
            provisioned_external_id: String,
            updated_by: String,
            version: i64,
        }

        let Shown { meta, mut dashboard } = answer.json()?;
        own_parts(&mut dashboard);
        Ok(Self {
            version: meta.version,
            folder_uid: meta.folder_uid,
            folder_title: meta.folder_title,
            file: meta.provisioned.then_some(meta.provisioned_external_id),
            writer: meta.updated_by,
            message: None,
            document: dashboard,
            resource: None,
        })
    }

    /// What `/apis` shows, as the document that would be written: classic or v2 by the version that was asked.
    pub(super) fn of(resource: Resource) -> Self {
        let said =
            |name: &str| Some(resource.metadata.annotation(name).to_owned()).filter(|it| !it.is_empty());
        let api = resource.collection.api_version();
        let name = resource.metadata.name.as_str();
        let mut document = json!({"apiVersion": api, "kind": "Dashboard", "metadata": {"name": name}, "spec": resource.spec});
        if version_of(&document).is_none() {
            document = document["spec"].take();
            own_parts(&mut document);
            document["uid"] = name.into();
        }
        let folder_uid = said(FOLDER).unwrap_or_default();
        let by = |key: &str| said(&format!("grafana.app/{key}"));
        Self {
            version: resource.metadata.generation,
            folder_title: if folder_uid.is_empty() { "General".into() } else { folder_uid.clone() },
            folder_uid,
            file: by("managedBy").map(|kind| by("sourcePath").or_else(|| by("managerId")).unwrap_or(kind)),
            writer: by("updatedBy").or_else(|| by("createdBy")).unwrap_or_default(),
            message: None,
            document,
            resource: Some(resource),
        }
    }

    /// Reads what the last writer said.
    pub(super) async fn read_message(&mut self, grafana: &GrafanaClient, uid: &str) -> Result<()> {
        let said = history(grafana, uid, self.resource.is_some(), 1).await?;
        self.message = said.and_then(|said| said.into_iter().next());
        Ok(())
    }

    /// Its title.
    pub(super) fn title(&self) -> &str {
        content(&self.document)["title"].as_str().unwrap_or_default()
    }

    /// Deletes it.
    pub(super) async fn delete(&self, grafana: &GrafanaClient, uid: &str) -> Result<Answer> {
        match &self.resource {
            Some(resource) => grafana.delete_resource(resource).await,
            None => grafana.http.delete(&format!("/api/dashboards/uid/{uid}")).await,
        }
    }

    /// What a person made of it, if one did.
    pub(super) fn drift(&self, uid: &str) -> Option<Drift> {
        let of = || Drift {
            uid: uid.to_owned(),
            title: self.title().to_owned(),
            version: self.version,
            document: self.document.clone(),
        };
        self.is_foreign().then(of)
    }

    /// Whether the last writer was not monctl. Where the history cannot be read, nobody may be overwritten silently.
    pub(super) fn is_foreign(&self) -> bool {
        !self.message.as_ref().is_some_and(|message| message.starts_with(SIGNATURE))
    }
}
