//! A dashboard as Grafana shows it, in which schema it may be, and its history: who wrote it last.

use serde::Deserialize;
use serde_json::{Value, json};

use super::client::GrafanaClient;
use super::document::{content, own_parts, version_of};
use super::history::{Newest, newest};
use super::resource::{FOLDER, GrafanaResource, ResourceKind};
use super::schema::{CLASSIC, V2};
use crate::error::Result;
use crate::http::Answer;

/// A dashboard as Grafana shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundDashboard {
    /// Grafana raises it with every write, and refuses to write over another version than the one named.
    pub(super) version: i64,
    pub(super) folder_uid: String,
    pub(super) folder_title: String,
    /// The file that owns it, if one does.
    pub(super) file: Option<String>,
    /// Who wrote it last, as what shows it says.
    writer: String,
    /// What the history says of the newest version. Read only where the dashboard is not as wanted.
    pub(super) newest: Option<Newest>,
    pub(super) document: Value,
    /// What is written over, where it was not shown by `/api`.
    pub(super) resource: Option<GrafanaResource>,
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
        // Grafana 9 says so to a Viewer of one that is not there, too; the search lists what there is to be seen.
        403 if !is_listed(grafana, uid).await? => return Ok(None),
        // It is kept in the schema v2.
        406 => grafana.collection(ResourceKind::Dashboard, &V2).await?,
        _ => grafana.instead(&answer, ResourceKind::Dashboard, &CLASSIC).await?,
    };
    match elsewhere {
        Some(dashboards) => Ok(grafana.resource_in(&dashboards, uid).await?.map(FoundDashboard::of)),
        None if answer.status == 404 => Ok(None),
        None => Err(grafana.refusal(&answer, &format!("show `{path}`"))),
    }
}

/// Whether the search lists a dashboard.
async fn is_listed(grafana: &GrafanaClient, uid: &str) -> Result<bool> {
    let answer = grafana.look(&format!("/api/search?type=dash-db&dashboardUIDs={uid}")).await?;
    if !answer.is_success() {
        return Err(grafana.refusal(&answer, "list its dashboards"));
    }
    Ok(answer.json::<Vec<Hit>>()?.iter().any(|hit| hit.uid == uid))
}

/// A dashboard that `/api` does not show, in the classic schema: Grafana says one of the schema v2 in both.
pub(super) async fn classic_form(grafana: &GrafanaClient, uid: &str) -> Result<Option<Value>> {
    let Some(dashboards) = grafana.collection(ResourceKind::Dashboard, &CLASSIC).await? else {
        return Ok(None);
    };
    let found = grafana.resource_in(&dashboards, uid).await?.map(FoundDashboard::of);
    Ok(found.map(|found| found.document).filter(|document| document["panels"].is_array()))
}

/// The uids of the dashboards in some folders, where an answer says that the search of `/api` is gone.
pub(super) async fn names_in(
    grafana: &GrafanaClient,
    is_inside: impl Fn(&str) -> bool,
    answer: &Answer,
) -> Result<Option<Vec<String>>> {
    let Some(dashboards) = grafana.instead(answer, ResourceKind::Dashboard, &CLASSIC).await? else {
        return Ok(None);
    };
    let all = grafana.resources_in(&dashboards).await?.into_iter();
    let inside = all.filter(|one| is_inside(one.metadata.annotation(FOLDER)));
    Ok(Some(inside.map(|one| one.metadata.name).collect()))
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
            newest: None,
            document: dashboard,
            resource: None,
        })
    }

    /// What `/apis` shows, as the document that would be written: classic or v2 by the version that was asked.
    pub(super) fn of(resource: GrafanaResource) -> Self {
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
            newest: None,
            document,
            resource: Some(resource),
        }
    }

    /// Reads what the history says of its newest version.
    pub(super) async fn read_newest(&mut self, grafana: &GrafanaClient, uid: &str) -> Result<()> {
        self.newest = newest(grafana, uid, &self.document, self.resource.is_some()).await?;
        Ok(())
    }

    /// Who wrote it last. What shows the dashboard says `Anonymous` of one that was saved once; the history knows better.
    pub(super) fn writer(&self) -> &str {
        let of_history = self.newest.as_ref().and_then(|newest| newest.writer.as_deref());
        of_history.unwrap_or(&self.writer)
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
        !self.newest.as_ref().is_some_and(|newest| newest.is_ours)
    }
}
