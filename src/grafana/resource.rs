//! Resources below `/apis`, as Grafana 12 and later serve them. Dashboards and folders have a name, a version that
//! changes with every write, annotations and a spec. The caller provides the spec; this module knows the addresses.
//! Called by `dashboard` and `folder`, for what the classic interface cannot hold or no longer serves.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::apis::Apis;
use super::client::GrafanaClient;
use super::version::Version;
use crate::error::Result;
use crate::http::Answer;

/// The annotation that names a resource's folder.
pub(super) const FOLDER: &str = "grafana.app/folder";
/// The annotation with a version's message in the history.
pub(super) const MESSAGE: &str = "grafana.app/message";
/// The annotations that name who created a resource and who wrote it last. The second is missing if it was written only
/// once.
const CREATED_BY: &str = "grafana.app/createdBy";
const UPDATED_BY: &str = "grafana.app/updatedBy";
/// Resources per page of a list.
const PAGE: usize = 500;

/// A kind of resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ResourceKind {
    Dashboard,
    Folder,
}

impl ResourceKind {
    const fn group(self) -> &'static str {
        match self {
            Self::Dashboard => "dashboard.grafana.app",
            Self::Folder => "folder.grafana.app",
        }
    }

    const fn plural(self) -> &'static str {
        match self {
            Self::Dashboard => "dashboards",
            Self::Folder => "folders",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Dashboard => "Dashboard",
            Self::Folder => "Folder",
        }
    }
}

/// All resources of a kind in one version of the interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Collection {
    kind: ResourceKind,
    /// `v1`, `v2beta1` …
    pub version: String,
    namespace: String,
}

impl Collection {
    fn path(&self) -> String {
        let Self { kind, version, namespace } = self;
        format!("/apis/{}/{version}/namespaces/{namespace}/{}", kind.group(), kind.plural())
    }

    /// The path of the resource with this name.
    pub fn address(&self, name: &str) -> String {
        format!("{}/{name}", self.path())
    }

    /// `dashboard.grafana.app/v1`.
    pub fn api_version(&self) -> String {
        format!("{}/{}", self.kind.group(), self.version)
    }

    fn of(&self, shown: Shown) -> GrafanaResource {
        GrafanaResource { collection: self.clone(), metadata: shown.metadata, spec: shown.spec }
    }
}

/// One resource, and the collection from which it was read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct GrafanaResource {
    pub collection: Collection,
    pub metadata: Metadata,
    pub spec: Value,
}

/// The metadata of a resource.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Metadata {
    pub name: String,
    /// Changes with every write by anyone; a write names the version that it replaces.
    resource_version: String,
    /// Incremented with every change of the spec.
    pub generation: i64,
    labels: Map<String, Value>,
    annotations: BTreeMap<String, String>,
}

impl Metadata {
    /// An annotation; empty if missing.
    pub fn annotation(&self, name: &str) -> &str {
        self.annotations.get(name).map_or("", String::as_str)
    }
}

#[derive(Deserialize)]
struct Shown {
    metadata: Metadata,
    spec: Value,
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    metadata: Map<String, Value>,
    items: Vec<Shown>,
}

impl GrafanaClient {
    /// The collection of a kind in the first of these versions that Grafana serves; `None` if it serves none of them.
    pub(super) async fn collection(
        &self,
        kind: ResourceKind,
        versions: &[&str],
    ) -> Result<Option<Collection>> {
        let apis = self.apis.get_or_try_init(|| self.discover()).await?;
        let served = match kind {
            ResourceKind::Dashboard => &apis.dashboards,
            ResourceKind::Folder => &apis.folders,
        };
        let version = versions.iter().find(|version| served.iter().any(|served| served == *version));
        let of = |version: &&str| Collection {
            kind,
            version: (*version).to_owned(),
            namespace: apis.namespace.clone(),
        };
        Ok(version.map(of))
    }

    /// The collection that replaces a classic address, if the answer shows that the address is gone.
    pub(super) async fn instead(
        &self,
        answer: &Answer,
        kind: ResourceKind,
        versions: &[&str],
    ) -> Result<Option<Collection>> {
        if is_gone(answer) { self.collection(kind, versions).await } else { Ok(None) }
    }

    /// Discovers what `/apis` serves, once per Grafana.
    async fn discover(&self) -> Result<Apis> {
        let settings = self.look("/api/frontend/settings").await?.json().unwrap_or(Value::Null);
        // `default` belongs to the first organization; others and Grafana Cloud name theirs.
        let namespace = settings["namespace"].as_str().filter(|it| !it.is_empty()).unwrap_or("default");
        Ok(Apis {
            namespace: namespace.to_owned(),
            dashboards: self.versions(ResourceKind::Dashboard).await?,
            folders: self.versions(ResourceKind::Folder).await?,
        })
    }

    /// The served versions of a kind: none if the answer is not JSON, as in earlier releases.
    async fn versions(&self, kind: ResourceKind) -> Result<Vec<String>> {
        let group: Value = self.look(&format!("/apis/{}", kind.group())).await?.json().unwrap_or(Value::Null);
        let versions = group["versions"].as_array().into_iter().flatten();
        Ok(versions.filter_map(|one| one["version"].as_str().map(str::to_owned)).collect())
    }

    /// One resource by its name.
    pub(super) async fn resource_in(&self, of: &Collection, name: &str) -> Result<Option<GrafanaResource>> {
        let answer = self.look(&of.address(name)).await?;
        self.resource_of(of, name, &answer)
    }

    /// The resource in an answer to its address.
    pub(super) fn resource_of(
        &self,
        of: &Collection,
        name: &str,
        answer: &Answer,
    ) -> Result<Option<GrafanaResource>> {
        match answer.status {
            200..300 => Ok(Some(of.of(answer.json()?))),
            404 => Ok(None),
            _ => Err(self.refusal(answer, &format!("show `{}`", of.address(name)))),
        }
    }

    /// Creates a resource, or overwrites the found version and no later one.
    pub(super) async fn put_resource(
        &self,
        of: &Collection,
        name: &str,
        annotations: &Value,
        spec: &Value,
        found: Option<&GrafanaResource>,
    ) -> Result<Answer> {
        let mut metadata = json!({"name": name, "annotations": annotations});
        if let Some(found) = found {
            metadata["resourceVersion"] = found.metadata.resource_version.as_str().into();
            metadata["labels"] = found.metadata.labels.clone().into();
        }
        let body = json!({
            "apiVersion": of.api_version(),
            "kind": of.kind.name(),
            "metadata": metadata,
            "spec": spec,
        });
        match found {
            Some(_) => self.http.put(&of.address(name), &body).await,
            None => self.http.post(&of.path(), &body).await,
        }
    }

    /// All resources of a collection.
    pub(super) async fn resources_in(&self, of: &Collection) -> Result<Vec<GrafanaResource>> {
        let mut found = Vec::new();
        let mut next = String::new();
        loop {
            let path = format!("{}?limit={PAGE}{next}", of.path());
            let answer = self.look(&path).await?;
            if !answer.is_success() {
                return Err(self.refusal(&answer, &format!("list its {}", of.kind.plural())));
            }
            let page: Page = answer.json()?;
            found.extend(page.items.into_iter().map(|shown| of.of(shown)));
            match page.metadata.get("continue").and_then(Value::as_str) {
                Some(token) if !token.is_empty() => next = format!("&continue={}", token.replace('=', "%3D")),
                _ => return Ok(found),
            }
        }
    }

    /// The last versions of a resource, newest first; `None` if Grafana does not return them.
    pub(super) async fn history_of(
        &self,
        of: &Collection,
        name: &str,
        limit: usize,
    ) -> Result<Option<Vec<Version>>> {
        let selectors = "labelSelector=grafana.app/get-history%3Dtrue&fieldSelector=metadata.name%3D";
        let answer = self.look(&format!("{}?{selectors}{name}&limit={limit}", of.path())).await?;
        if !answer.is_success() {
            return Ok(None);
        }
        let mut items = answer.json::<Page>()?.items;
        items.sort_by_key(|shown| -shown.metadata.generation);
        let version = |shown: Shown| {
            let [message, updated, created] =
                [MESSAGE, UPDATED_BY, CREATED_BY].map(|name| shown.metadata.annotation(name).to_owned());
            Version { message, author: if updated.is_empty() { created } else { updated } }
        };
        Ok(Some(items.into_iter().map(version).collect()))
    }

    /// Deletes a resource.
    pub(super) async fn delete_resource(&self, found: &GrafanaResource) -> Result<Answer> {
        self.http.delete(&found.collection.address(&found.metadata.name)).await
    }
}

/// Whether an answer means that the address no longer exists, not just the object: for a missing object, Grafana's
/// message names the kind of object.
fn is_gone(answer: &Answer) -> bool {
    let names_no_object = || answer.json::<Map<String, Value>>().is_err() || answer.message() == "Not found";
    answer.status == 410 || (answer.status == 404 && names_no_object())
}
