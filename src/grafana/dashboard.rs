//! A dashboard in its folder, and who wrote it last. The classic schema uses `/api`, which every release since 9
//! accepts. Schema v2 uses `/apis`, as do all dashboards once a release no longer serves `/api`.

use serde_json::{Value, json};

use super::client::GrafanaClient;
use super::compare::{changed, described, differing};
use super::document::{content, content_mut, own_parts, uid_of, version_of};
use super::history::signature;
use super::object_change::{GrafanaObject, Setback};
use super::remote_dashboard::{Drift, FoundDashboard, Hit, find};
use super::resource::{Collection, FOLDER, GrafanaResource, MESSAGE, ResourceKind};
use super::schema::CLASSIC;
use crate::error::{Error, Result};
use crate::http::Answer;

/// The shortest refresh; Grafana silently raises a shorter one to this.
const LEAST_REFRESH_MILLIS: u64 = 5_000;

/// A dashboard as a file holds it, without the keys of the Grafana from which it was exported.
#[derive(Debug, Clone, PartialEq)]
pub struct Dashboard {
    /// Its uid, fixed in the file, which identifies it at the next import.
    pub uid: String,
    /// Its title.
    pub title: String,
    /// The uid of its folder.
    pub folder: String,
    document: Value,
}

impl Dashboard {
    /// Reads a dashboard's JSON; errors name `file`.
    ///
    /// Drops `id`, `version` and keys that begin with two underscores. Makes the two changes that Grafana would make
    /// silently: trims the title, and raises a refresh below five seconds.
    ///
    /// # Errors
    /// When it is not a JSON object with a `uid` and a `title`.
    pub fn parse(file: &str, text: &str, folder: &str) -> Result<Self> {
        let document = serde_json::from_str(text)
            .map_err(|cause| Error::invalid("this dashboard is not JSON").at(file).because(cause))?;
        Self::new(file, document, folder)
    }

    /// The same from parsed JSON.
    ///
    /// # Errors
    /// As [`Dashboard::parse`].
    pub fn new(file: &str, mut document: Value, folder: &str) -> Result<Self> {
        if version_of(&document).is_none() {
            own_parts(&mut document);
        }
        let spec = content_mut(&mut document);
        if let Some(title) = spec["title"].as_str() {
            spec["title"] = title.trim().into();
        }
        if spec["refresh"].as_str().and_then(millis).is_some_and(|refresh| refresh < LEAST_REFRESH_MILLIS) {
            spec["refresh"] = "5s".into();
        }
        let given = |text: &Value| text.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let (Some(uid), Some(title)) = (given(uid_of(&document)), given(&content(&document)["title"])) else {
            let remedy = "add both: the uid identifies the dashboard at the next import";
            return Err(Error::invalid("this dashboard has no `uid` or no `title`").at(file).remedy(remedy));
        };
        Ok(Self { uid, title, folder: folder.to_owned(), document })
    }
}

impl Dashboard {
    /// The dashboard's JSON: the classic document, or the resource of schema v2.
    pub const fn document(&self) -> &Value {
        &self.document
    }
}

/// Milliseconds of a duration in Grafana's notation; `None` for anything else, such as the empty text (no refresh).
fn millis(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

impl GrafanaObject for Dashboard {
    type Found = FoundDashboard;

    fn name(&self) -> String {
        format!("dashboard `{}`", self.title)
    }

    /// Compares here, since Grafana does not: it adds a version to the history even for an unchanged dashboard.
    fn difference(&self, found: Option<&FoundDashboard>) -> Option<String> {
        let Some(found) = found else { return Some("does not exist".into()) };
        let reason = self.place_or_content(found, differing)?;
        if found.is_foreign() {
            return Some(format!("{reason}, changed in Grafana by `{}`", found.writer()));
        }
        // Some releases store documents in their own format and return another text than was written.
        let is_this = found.newest.as_ref().is_some_and(|newest| newest.message == self.message());
        // What such a format adds to monctl's text is not a reason to write it again.
        let differs = !is_this || found.folder_uid != self.folder;
        differs.then(|| self.place_or_content(found, changed).unwrap_or(reason))
    }

    fn drift(&self, found: &FoundDashboard) -> Option<Drift> {
        self.place_or_content(found, differing).and_then(|_| found.drift(&self.uid))
    }

    async fn read(&self, grafana: &GrafanaClient) -> Result<Option<FoundDashboard>> {
        let Some(mut found) = self.find(grafana).await? else { return Ok(None) };
        if self.place_or_content(&found, differing).is_some() {
            found.read_newest(grafana, &self.uid).await?;
        }
        Ok(Some(found))
    }

    async fn write(&self, grafana: &GrafanaClient, found: Option<&FoundDashboard>) -> Result<(), Setback> {
        if let Some(file) = found.and_then(|found| found.file.as_deref()) {
            return Err(Setback::Final(self.belongs_to_a_file(file)));
        }
        let over = found.and_then(|found| found.resource.as_ref());
        if over.is_some() || version_of(&self.document).is_some() {
            let Some(dashboards) = self.collection(grafana).await? else {
                return Err(Setback::Final(self.is_not_served()));
            };
            self.write_resource(grafana, &dashboards, over).await?;
            return self.check_afterwards(grafana).await;
        }
        let answer = self.write_classic(grafana, found).await?;
        if let Some(dashboards) = grafana.instead(&answer, ResourceKind::Dashboard, &CLASSIC).await? {
            self.write_resource(grafana, &dashboards, None).await?;
            return self.check_afterwards(grafana).await;
        }
        match answer.status {
            200..300 => {
                self.check_uid(&answer).map_err(Setback::Final)?;
                self.check_afterwards(grafana).await
            }
            403 if grafana.may_soon_write_in(&self.folder).await? => {
                Err(Setback::Again(grafana.refusal(&answer, &format!("save {}", self.name()))))
            }
            412 if is_version_mismatch(&answer) => {
                Err(Setback::Again(grafana.refusal(&answer, &format!("save {}", self.name()))))
            }
            // Grafana 13 answers 409 both for an outdated version and for a uid that is taken.
            409 | 412 => Err(Setback::Taken(self.title_is_taken(grafana, &answer).await)),
            _ => Err(grafana.setback(&answer, &self.name())),
        }
    }
}

impl Dashboard {
    /// Reads the dashboard back: Grafana accepts simultaneous writes over the same version, and the last one wins.
    async fn check_afterwards(&self, grafana: &GrafanaClient) -> Result<(), Setback> {
        let now = self.read(grafana).await?;
        match self.difference(now.as_ref()) {
            None => Ok(()),
            Some(reason) => {
                let text =
                    format!("{} was changed by somebody else at the same time: it {reason}", self.name());
                Err(Setback::Again(
                    Error::failed(text).remedy("run `monctl up` again when no other program writes it"),
                ))
            }
        }
    }

    /// The dashboard with this uid, in either schema.
    async fn find(&self, grafana: &GrafanaClient) -> Result<Option<FoundDashboard>> {
        if version_of(&self.document).is_none() {
            return find(grafana, &self.uid).await;
        }
        let dashboards = self.collection(grafana).await?.ok_or_else(|| self.is_not_served())?;
        Ok(grafana.resource_in(&dashboards, &self.uid).await?.map(FoundDashboard::of))
    }

    /// The collection of `/apis` to which it is written.
    async fn collection(&self, grafana: &GrafanaClient) -> Result<Option<Collection>> {
        let versions = version_of(&self.document).map_or_else(|| CLASSIC.to_vec(), |version| vec![version]);
        grafana.collection(ResourceKind::Dashboard, &versions).await
    }

    async fn write_classic(&self, grafana: &GrafanaClient, found: Option<&FoundDashboard>) -> Result<Answer> {
        let mut document = self.document.clone();
        if let Some(found) = found {
            document["version"] = found.version.into();
        }
        // Never `overwrite`: it would destroy another dashboard of the same title.
        let body = json!({
            "dashboard": document,
            "folderUid": self.folder,
            "overwrite": false,
            "message": self.message(),
        });
        grafana.http.post("/api/dashboards/db", &body).await
    }

    async fn write_resource(
        &self,
        grafana: &GrafanaClient,
        dashboards: &Collection,
        found: Option<&GrafanaResource>,
    ) -> Result<(), Setback> {
        let mut spec = content(&self.document).clone();
        if let Value::Object(keys) = &mut spec {
            // The resource's name is the uid.
            keys.shift_remove("uid");
        }
        let annotations = json!({FOLDER: self.folder, MESSAGE: self.message()});
        let answer = grafana.put_resource(dashboards, &self.uid, &annotations, &spec, found).await?;
        match answer.status {
            200..300 => Ok(()),
            409 | 412 => Err(Setback::Taken(grafana.refusal(&answer, &format!("save {}", self.name())))),
            _ => Err(grafana.setback(&answer, &self.name())),
        }
    }

    fn is_not_served(&self) -> Error {
        let version = version_of(&self.document).unwrap_or("v1");
        let text = format!(
            "this Grafana does not serve `dashboard.grafana.app/{version}`, the API version of {}",
            self.name()
        );
        Error::failed(text).remedy(
            "schema v2 needs Grafana 12 or later and an API version that it serves: export the dashboard from a \
             Grafana of the same release, or in the classic schema",
        )
    }

    /// How the dashboard found differs from the desired one, regardless of who changed it.
    fn place_or_content(
        &self,
        found: &FoundDashboard,
        places: fn(&Value, &Value) -> Vec<String>,
    ) -> Option<String> {
        if found.folder_uid != self.folder {
            return Some(format!("is in folder `{}`", found.folder_title));
        }
        if version_of(&self.document).is_some() != version_of(&found.document).is_some() {
            return Some("is stored in the other schema".into());
        }
        described(&places(content(&self.document), content(&found.document)))
    }

    /// The message in the history of a version that monctl writes. It identifies the text.
    fn message(&self) -> String {
        signature(&self.uid, &self.document)
    }

    /// The folder in which it was found, if that is another folder and somebody other than monctl wrote it last.
    pub(super) fn moved<'a>(&self, found: &'a FoundDashboard) -> Option<&'a str> {
        (found.is_foreign() && found.folder_uid != self.folder).then_some(found.folder_title.as_str())
    }

    fn belongs_to_a_file(&self, file: &str) -> Error {
        let text = format!("{} belongs to the provisioning file `{file}` of this Grafana", self.name());
        let remedy = "remove it from the files below `provisioning/dashboards`, then run `monctl up` again";
        Error::failed(text).remedy(remedy)
    }

    /// Checks the uid in the answer: Grafana may have written another dashboard than intended.
    fn check_uid(&self, answer: &Answer) -> Result<()> {
        let written: Value = answer.json()?;
        if written["uid"] == self.uid.as_str() {
            return Ok(());
        }
        let written = written["uid"].as_str().unwrap_or_default();
        let text = format!("grafana wrote {} over the dashboard with the uid `{written}`", self.name());
        Err(Error::failed(text).remedy("restore that dashboard from its version history in Grafana"))
    }

    /// An error that names the dashboard with the same title if it is found, else Grafana's own message.
    async fn title_is_taken(&self, grafana: &GrafanaClient, answer: &Answer) -> Error {
        let query = [("type", "dash-db"), ("query", self.title.as_str())];
        let refused = || grafana.refusal(answer, &format!("save {}", self.name()));
        let found = grafana.http.get_with("/api/search", &query).await;
        let hits: Vec<Hit> = match grafana.listed(found, "search for the title") {
            Ok(hits) => hits,
            Err(error) => return refused().because(error),
        };
        let has_title = |hit: &&Hit| {
            hit.folder_uid == self.folder && hit.uid != self.uid && slug(&hit.title) == slug(&self.title)
        };
        let Some(other) = hits.iter().find(has_title) else {
            return refused();
        };
        let text = format!(
            "another dashboard in this folder has the title of {} (`{}`, uid `{}`)",
            self.name(),
            other.title,
            other.uid
        );
        Error::failed(text)
            .remedy("rename or move the other one, which monctl does not change, then run `monctl up` again")
    }
}

/// The part of a title that Grafana 9 compares.
fn slug(title: &str) -> String {
    title.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Whether Grafana refuses because the version that was read is no longer the latest. Any other answer, including a
/// proxy's, does not count.
fn is_version_mismatch(answer: &Answer) -> bool {
    answer.json::<Value>().is_ok_and(|body| body["status"] == "version-mismatch")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dashboard(text: &str) -> Result<Dashboard> {
        Dashboard::parse("my.json", text, "monctl")
    }

    #[test]
    fn keys_of_the_exporting_grafana_are_dropped() {
        let exported = r#"{"id": 7, "version": 3, "__inputs": [], "__requires": [], "uid": "a", "title": " A ", "panels": []}"#;
        let plain = dashboard(r#"{"uid": "a", "title": "A", "panels": []}"#).unwrap();
        assert_eq!(dashboard(exported).unwrap(), plain);
    }

    #[test]
    fn a_refresh_is_raised_as_grafana_would() {
        let refresh = |text: &str| {
            let read = dashboard(&format!(r#"{{"uid": "a", "title": "A", "refresh": "{text}"}}"#)).unwrap();
            read.document["refresh"].as_str().unwrap().to_owned()
        };
        assert_eq!(
            ["1s", "500ms", "5s", "1m", "", "auto"].map(refresh),
            ["5s", "5s", "5s", "1m", "", "auto"]
        );
    }

    #[test]
    fn a_dashboard_without_uid_is_rejected_with_its_file() {
        let error = dashboard(r#"{"title": "A"}"#).unwrap_err();
        assert_eq!(error.to_string(), "my.json: this dashboard has no `uid` or no `title`");
        assert!(dashboard("{").unwrap_err().causes()[0].contains("line 1"));
    }
}
