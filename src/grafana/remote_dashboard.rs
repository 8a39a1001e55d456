//! A dashboard as Grafana returns it, in either schema, and who wrote it last according to its history.

use serde::Deserialize;
use serde_json::{Value, json};

use super::client::GrafanaClient;
use super::document::{content, own_parts, version_of};
use super::history::{Newest, newest};
use super::resource::{FOLDER, GrafanaResource, ResourceKind};
use super::schema::{CLASSIC, V2};
use crate::error::Result;
use crate::http::Answer;

/// A dashboard as Grafana returns it.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundDashboard {
    /// Grafana increments it with every write, and rejects a write that does not name the current version.
    pub(super) version: i64,
    pub(super) folder_uid: String,
    pub(super) folder_title: String,
    /// The provisioning file to which it belongs, if any.
    pub(super) file: Option<String>,
    /// Who wrote it last, according to the dashboard's metadata.
    writer: String,
    /// The newest version in the history. Read only if the dashboard differs from the desired one.
    pub(super) newest: Option<Newest>,
    pub(super) document: Value,
    /// The resource to overwrite, if it was not read from `/api`.
    pub(super) resource: Option<GrafanaResource>,
}

/// A dashboard that somebody other than monctl changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Drift {
    /// The dashboard's uid.
    pub uid: String,
    /// Its current title.
    pub title: String,
    /// Its version in Grafana's history.
    pub version: i64,
    /// Its current JSON, which can be imported again.
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

/// The dashboard with a uid, from `/api` or, if that does not return it, from `/apis`.
pub(super) async fn find(grafana: &GrafanaClient, uid: &str) -> Result<Option<FoundDashboard>> {
    let path = format!("/api/dashboards/uid/{uid}");
    let answer = grafana.look(&path).await?;
    let elsewhere = match answer.status {
        200..300 => return FoundDashboard::shown(&answer).map(Some),
        // Grafana 9 also answers 403 to a Viewer for a missing dashboard; the search lists the visible ones.
        403 if !is_listed(grafana, uid).await? => return Ok(None),
        // It is stored in schema v2.
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

/// A dashboard that `/api` does not return, in the classic schema: Grafana converts one of schema v2.
pub(super) async fn classic_form(grafana: &GrafanaClient, uid: &str) -> Result<Option<Value>> {
    let Some(dashboards) = grafana.collection(ResourceKind::Dashboard, &CLASSIC).await? else {
        return Ok(None);
    };
    let found = grafana.resource_in(&dashboards, uid).await?.map(FoundDashboard::of);
    Ok(found.map(|found| found.document).filter(|document| document.get("elements").is_none()))
}

/// The uids of the dashboards in some folders, if the answer shows that the search of `/api` is gone.
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
    /// Reads an answer of `/api`: the document as posted plus `id` and `version`, with owner and folder as metadata.
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

    /// Converts a resource of `/apis` to the document that would be written: classic or v2, by the API version.
    pub(super) fn of(resource: GrafanaResource) -> Self {
        let annotation =
            |name: &str| Some(resource.metadata.annotation(name).to_owned()).filter(|it| !it.is_empty());
        let api = resource.collection.api_version();
        let name = resource.metadata.name.as_str();
        let mut document = json!({"apiVersion": api, "kind": "Dashboard", "metadata": {"name": name}, "spec": resource.spec});
        if version_of(&document).is_none() {
            document = document["spec"].take();
            own_parts(&mut document);
            document["uid"] = name.into();
        }
        let folder_uid = annotation(FOLDER).unwrap_or_default();
        let by = |key: &str| annotation(&format!("grafana.app/{key}"));
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

    /// Reads its newest version in the history.
    pub(super) async fn read_newest(&mut self, grafana: &GrafanaClient, uid: &str) -> Result<()> {
        self.newest = newest(grafana, uid, &self.document, self.resource.is_some()).await?;
        Ok(())
    }

    /// Who wrote it last. For a dashboard that was saved only once, the metadata name `Anonymous`, so the history takes
    /// precedence.
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

    /// A person's edit, if there is one.
    pub(super) fn drift(&self, uid: &str) -> Option<Drift> {
        let of = || Drift {
            uid: uid.to_owned(),
            title: self.title().to_owned(),
            version: self.version,
            document: self.document.clone(),
        };
        self.is_foreign().then(of)
    }

    /// Whether the last writer was not monctl. True if the history cannot be read, so that no edit is silently lost.
    pub(super) fn is_foreign(&self) -> bool {
        !self.newest.as_ref().is_some_and(|newest| newest.is_ours)
    }
}
