//! Resources below `/apis`, as Grafana 12 and later serve them: dashboards and folders alike have a name, a version that
//! changes with every write, annotations and a spec. What the spec says is the caller's; where it is reached is decided
//! here. Called by `dashboard` and `folder`, for what the classic interface cannot hold or no longer serves.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::apis::Apis;
use super::client::GrafanaClient;
use super::version::Version;
use crate::error::Result;
use crate::http::Answer;

/// The annotation that names the folder in which a resource lies.
pub(super) const FOLDER: &str = "grafana.app/folder";
/// The annotation that says in the history why it was written.
pub(super) const MESSAGE: &str = "grafana.app/message";
/// Who made a resource, and who wrote it last, which a resource that was written once does not say.
const CREATED_BY: &str = "grafana.app/createdBy";
const UPDATED_BY: &str = "grafana.app/updatedBy";
/// So many at a time are listed.
const PAGE: usize = 500;

/// A kind of resources.
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

    /// Where the one of this name is.
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

/// One resource, and the collection in which it was seen.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct GrafanaResource {
    pub collection: Collection,
    pub metadata: Metadata,
    pub spec: Value,
}

/// What Grafana says of a resource.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Metadata {
    pub name: String,
    /// Another one after every write, whoever wrote; a write names the one that it replaces.
    resource_version: String,
    /// Raised with every change of the spec.
    pub generation: i64,
    labels: Map<String, Value>,
    annotations: BTreeMap<String, String>,
}

impl Metadata {
    /// An annotation; empty where there is none.
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
    /// The collection of a kind in the first of these versions that is served; `None` where none of them is.
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

    /// The collection that takes the place of a classic address, where an answer says that this one is gone.
    pub(super) async fn instead(
        &self,
        answer: &Answer,
        kind: ResourceKind,
        versions: &[&str],
    ) -> Result<Option<Collection>> {
        if is_gone(answer) { self.collection(kind, versions).await } else { Ok(None) }
    }

    /// Asked once of each Grafana.
    async fn discover(&self) -> Result<Apis> {
        let settings = self.look("/api/frontend/settings").await?.json().unwrap_or(Value::Null);
        // That of the first organization; others and Grafana Cloud name theirs.
        let namespace = settings["namespace"].as_str().filter(|it| !it.is_empty()).unwrap_or("default");
        Ok(Apis {
            namespace: namespace.to_owned(),
            dashboards: self.versions(ResourceKind::Dashboard).await?,
            folders: self.versions(ResourceKind::Folder).await?,
        })
    }

    /// The versions of a kind that are served: none where the answer is a page or a text, as it is of earlier releases.
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

    /// Makes a resource, or writes over the one found and no later one.
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

    /// The last versions of a resource, the newest first; `None` where they are not kept or not shown.
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

/// Whether an answer means that there is no such address any more, rather than no such thing: of a thing Grafana says
/// what it is that it has not.
fn is_gone(answer: &Answer) -> bool {
    let names_nothing = || answer.json::<Map<String, Value>>().is_err() || answer.says() == "Not found";
    answer.status == 410 || (answer.status == 404 && names_nothing())
}
