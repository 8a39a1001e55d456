//! A dashboard in its folder, and who wrote it last.

use serde::Deserialize;
use serde_json::{Value, json};

use super::GrafanaClient;
use super::compare::{described, differing};
use super::thing::{Setback, Thing};
use crate::digest::Sha256;
use crate::error::{Error, Result};
use crate::http::Answer;

/// Grafana raises a refresh below this to it, without saying so.
const LEAST_REFRESH_MILLIS: u64 = 5_000;

/// A dashboard as a file holds it, less what belongs to the Grafana that it may come from.
#[derive(Debug, Clone, PartialEq)]
pub struct Dashboard {
    /// Its uid, fixed in the file, by which it is found again.
    pub uid: String,
    /// Its title.
    pub title: String,
    /// The uid of its folder.
    pub folder: String,
    document: Value,
}

/// A dashboard as Grafana shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundDashboard {
    /// Grafana raises it with every write, and refuses to write over another version than the one named.
    version: i64,
    folder_uid: String,
    folder_title: String,
    /// The file that owns it, if one does.
    file: Option<String>,
    /// Who wrote it last, as Grafana calls them.
    writer: String,
    /// What the last writer said. Read only where the dashboard is not as wanted.
    message: Option<String>,
    document: Value,
}

/// A dashboard that somebody else than monctl changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Drift {
    /// The dashboard's uid.
    pub uid: String,
    /// Its version in Grafana's history.
    pub version: i64,
    /// What it is now.
    pub document: Value,
}

/// How monctl's messages in a dashboard's history begin.
const SIGNATURE: &str = "monctl ";

impl Dashboard {
    /// Reads a dashboard's JSON; `file` names it in errors.
    ///
    /// `id`, `version` and keys that begin with two underscores are left out, and the two things that Grafana changes
    /// silently are changed here first: blanks around the title go, a refresh below five seconds is raised.
    ///
    /// # Errors
    /// When it is no JSON object with a `uid` and a `title`.
    pub fn parse(file: &str, text: &str, folder: &str) -> Result<Self> {
        let document = serde_json::from_str(text)
            .map_err(|cause| Error::invalid("this dashboard is not JSON").at(file).because(cause))?;
        Self::new(file, document, folder)
    }

    /// The same from a document that was read.
    ///
    /// # Errors
    /// As [`Dashboard::parse`].
    pub fn new(file: &str, mut document: Value, folder: &str) -> Result<Self> {
        own_parts(&mut document);
        if let Some(title) = document["title"].as_str() {
            document["title"] = title.trim().into();
        }
        if document["refresh"].as_str().and_then(millis).is_some_and(|refresh| refresh < LEAST_REFRESH_MILLIS)
        {
            document["refresh"] = "5s".into();
        }
        let word = |key: &str| document[key].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let (Some(uid), Some(title)) = (word("uid"), word("title")) else {
            let remedy = "give it both: the uid is how the next import finds it again";
            return Err(Error::invalid("this dashboard has no `uid` or no `title`").at(file).remedy(remedy));
        };
        Ok(Self { uid, title, folder: folder.to_owned(), document })
    }
}

impl Dashboard {
    /// The dashboard's JSON.
    pub const fn document(&self) -> &Value {
        &self.document
    }
}

/// Removes what Grafana adds to a document, or what belongs to an export.
fn own_parts(document: &mut Value) {
    if let Value::Object(keys) = document {
        keys.retain(|key, _| key != "id" && key != "version" && !key.starts_with("__"));
    }
}

/// Grafana's notation of a duration; `None` for anything else, such as the empty one, which means no refresh.
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

impl Thing for Dashboard {
    type Found = FoundDashboard;

    fn name(&self) -> String {
        format!("dashboard `{}`", self.title)
    }

    /// Grafana itself never compares: every write of the same raises the version and lengthens the history.
    fn difference(&self, found: Option<&FoundDashboard>) -> Option<String> {
        let Some(found) = found else { return Some("is not there".into()) };
        let reason = self.place_or_content(found)?;
        if found.is_foreign() {
            return Some(format!("{reason}, changed in Grafana by `{}`", found.writer));
        }
        // A Grafana that stores documents in its own form shows another one than was written.
        let is_ours = found.message.as_ref().is_some_and(|message| *message == self.message());
        (!is_ours || found.folder_uid != self.folder).then_some(reason)
    }

    async fn read(&self, grafana: &GrafanaClient) -> Result<Option<FoundDashboard>> {
        let Some(answer) = grafana.read(&format!("/api/dashboards/uid/{}", self.uid)).await? else {
            return Ok(None);
        };
        let mut found = found(&answer)?;
        if self.place_or_content(&found).is_some() {
            found.message = last_message(grafana, &self.uid).await?;
        }
        Ok(Some(found))
    }

    async fn write(&self, grafana: &GrafanaClient, found: Option<&FoundDashboard>) -> Result<(), Setback> {
        if let Some(file) = found.and_then(|found| found.file.as_deref()) {
            return Err(Setback::Final(self.belongs_to_a_file(file)));
        }
        let mut document = self.document.clone();
        if let Some(found) = found {
            document["version"] = found.version.into();
        }
        // Never `overwrite`: with it, a title that another dashboard has would destroy that one.
        let body = json!({
            "dashboard": document,
            "folderUid": self.folder,
            "overwrite": false,
            "message": self.message(),
        });
        let answer = grafana.http.post("/api/dashboards/db", &body).await?;
        match answer.status {
            200..300 => self.check_uid(&answer).map_err(Setback::Final),
            412 if word(&answer, "status") == "name-exists" => {
                Err(Setback::Final(self.title_is_taken(grafana).await))
            }
            412 => Err(Setback::Again(grafana.refusal(&answer, &format!("save {}", self.name())))),
            _ => Err(grafana.setback(&answer, &self.name())),
        }
    }
}

impl Dashboard {
    /// How the dashboard found is not the one wanted, whoever is behind it.
    fn place_or_content(&self, found: &FoundDashboard) -> Option<String> {
        if found.folder_uid != self.folder {
            return Some(format!("lies in folder `{}`", found.folder_title));
        }
        described(&differing(&self.document, &found.document))
    }

    /// What stands in the history beside a version of ours: which text it was, so that it is known again.
    fn message(&self) -> String {
        let text = Sha256::of(self.document.to_string()).short();
        format!("{SIGNATURE}{}, {text}", env!("CARGO_PKG_VERSION"))
    }

    /// What a person made of it, if one did.
    pub(super) fn drift(&self, found: &FoundDashboard) -> Option<Drift> {
        let of = || Drift { uid: self.uid.clone(), version: found.version, document: found.document.clone() };
        (found.is_foreign() && self.place_or_content(found).is_some()).then(of)
    }

    fn belongs_to_a_file(&self, file: &str) -> Error {
        let text = format!("{} belongs to the provisioning file `{file}` of this Grafana", self.name());
        let remedy = "take it out of the files below `provisioning/dashboards`, then run `monctl up` again";
        Error::failed(text).remedy(remedy)
    }

    /// The answer names the dashboard that was written; a different one than meant must not pass unseen.
    fn check_uid(&self, answer: &Answer) -> Result<()> {
        let written = word(answer, "uid");
        if written == self.uid {
            return Ok(());
        }
        let text = format!("grafana wrote {} over the dashboard with the uid `{written}`", self.name());
        Err(Error::failed(text).remedy("bring that one back from its version history in Grafana"))
    }

    /// Names the dashboard that has the title, if it is found.
    async fn title_is_taken(&self, grafana: &GrafanaClient) -> Error {
        let query = [("type", "dash-db"), ("query", self.title.as_str())];
        let hits = match grafana.http.get_with("/api/search", &query).await {
            Ok(answer) => answer.json().unwrap_or_default(),
            Err(_) => Vec::<Hit>::new(),
        };
        let other = hits.iter().find(|hit| hit.folder_uid == self.folder && hit.uid != self.uid);
        let which = other.map_or(String::new(), |hit| format!(" (`{}`, uid `{}`)", hit.title, hit.uid));
        let text = format!("another dashboard in this folder has the title of {}{which}", self.name());
        Error::failed(text)
            .remedy("rename or move the other one, it is left as it is; then run `monctl up` again")
    }
}

impl FoundDashboard {
    /// Whether the last writer was not monctl. Where the history cannot be read, nobody may be overwritten silently.
    fn is_foreign(&self) -> bool {
        !self.message.as_ref().is_some_and(|message| message.starts_with(SIGNATURE))
    }
}

/// What the last writer of a dashboard said; `None` where the history cannot be had.
async fn last_message(grafana: &GrafanaClient, uid: &str) -> Result<Option<String>> {
    let path = format!("/api/dashboards/uid/{uid}/versions?limit=1");
    let Some(answer) = grafana.read(&path).await? else { return Ok(None) };
    let history: Value = answer.json()?;
    // A list until Grafana 11, an object with a list from then on.
    let newest = history.get(0).or_else(|| history["versions"].get(0));
    Ok(newest.map(|version| version["message"].as_str().unwrap_or_default().to_owned()))
}

/// One line of a search.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Hit {
    uid: String,
    title: String,
    #[serde(default)]
    folder_uid: String,
}

/// A word of an answer that is an object, else nothing.
fn word(answer: &Answer, key: &str) -> String {
    let body: Value = answer.json().unwrap_or_default();
    body[key].as_str().unwrap_or_default().to_owned()
}

/// What GET shows: the document as posted, with `id` and `version` added, and beside it who owns it and where it lies.
fn found(answer: &Answer) -> Result<FoundDashboard> {
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
    Ok(FoundDashboard {
        version: meta.version,
        folder_uid: meta.folder_uid,
        folder_title: meta.folder_title,
        file: meta.provisioned.then_some(meta.provisioned_external_id),
        writer: meta.updated_by,
        message: None,
        document: dashboard,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dashboard(text: &str) -> Result<Dashboard> {
        Dashboard::parse("my.json", text, "monctl")
    }

    #[test]
    fn what_belongs_to_another_grafana_is_left_out() {
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
    fn a_dashboard_without_uid_is_refused_with_its_file() {
        let error = dashboard(r#"{"title": "A"}"#).unwrap_err();
        assert_eq!(error.to_string(), "my.json: this dashboard has no `uid` or no `title`");
        assert!(dashboard("{").unwrap_err().causes()[0].contains("line 1"));
    }
}
