//! The Prometheus data source.

use serde::Deserialize;
use serde_json::{Value, json};

use super::client::GrafanaClient;
use super::compare::{described, differing};
use super::object_change::{GrafanaObject, Setback};
use crate::error::{Error, Result};

/// A data source of type `prometheus` that Grafana's server queries.
#[derive(Debug, Clone, PartialEq)]
pub struct DataSource {
    /// Its uid: letters, digits and underscores. A hyphen breaks one of Grafana's addresses for it.
    pub uid: String,
    /// Its name.
    pub name: String,
    /// The address under which Grafana's server reaches Prometheus.
    pub url: String,
    /// The scrape interval in Grafana's notation, `15s`: the shortest step of graphs.
    pub interval: String,
    /// Whether it is the default one. An existing Grafana has its own default, or none.
    pub default: bool,
}

impl DataSource {
    /// monctl's own, for the Prometheus that Grafana's host reaches at `url`; `interval` is in the spec's notation.
    pub fn prometheus(uid: &str, url: &str, interval: &str) -> Self {
        let name = "Prometheus".into();
        Self { uid: uid.into(), name, url: url.into(), interval: interval.into(), default: true }
    }

    /// The same for an existing Grafana with other data sources: with its own name, and not the default.
    pub fn beside_others(uid: &str, url: &str, interval: &str) -> Self {
        Self { name: "monctl Prometheus".into(), default: false, ..Self::prometheus(uid, url, interval) }
    }

    /// The body of the write request. Keeps it the default if somebody made it so.
    fn body(&self, found: Option<&Value>) -> Value {
        json!({
            "uid": self.uid,
            "name": self.name,
            "type": "prometheus",
            "access": "proxy",
            "url": self.url,
            "isDefault": self.default || found.is_some_and(|found| found["isDefault"] == true),
            "jsonData": {"httpMethod": "POST", "timeInterval": self.interval},
        })
    }
}

impl GrafanaObject for DataSource {
    type Found = Value;

    fn name(&self) -> String {
        format!("data source `{}`", self.name)
    }

    /// Compares only what monctl sets. Ids, logos, access control and the version belong to Grafana.
    fn difference(&self, found: Option<&Value>) -> Option<String> {
        let Some(found) = found else { return Some("does not exist".into()) };
        let mut wanted = self.body(Some(found));
        let shown = wanted
            .as_object_mut()?
            .iter()
            .map(|(key, _)| (key.clone(), found.get(key).cloned().unwrap_or(Value::Null)));
        let shown = Value::Object(shown.collect());
        described(&differing(&wanted, &shown))
    }

    async fn read(&self, grafana: &GrafanaClient) -> Result<Option<Value>> {
        let answer = grafana.read(&format!("/api/datasources/uid/{}", self.uid)).await?;
        answer.map(|answer| answer.json()).transpose()
    }

    async fn write(&self, grafana: &GrafanaClient, found: Option<&Value>) -> Result<(), Setback> {
        let name = self.name();
        if found.is_some_and(|found| found["readOnly"] == true) {
            let error = Error::failed(format!("{name} belongs to a provisioning file of this Grafana"));
            let remedy =
                "remove it from the files below `provisioning/datasources`, then run `monctl up` again";
            return Err(Setback::Final(error.remedy(remedy)));
        }
        if let Some(found) = found
            && !self.default
            && !self.is_ours(found)
        {
            return Err(Setback::Final(self.is_not_ours(found)));
        }
        let body = self.body(found);
        let answer = match found {
            // Sends the whole object: Grafana empties what is left out.
            Some(_) => grafana.http.put(&format!("/api/datasources/uid/{}", self.uid), &body).await?,
            None => grafana.http.post("/api/datasources", &body).await?,
        };
        match answer.status {
            200..300 => Ok(()),
            403 if !self.default => {
                Err(Setback::Final(grafana.refusal(&answer, &format!("save {name}")).remedy(
                    "the token may not create data sources: let an administrator create one, and set \
                     `grafana.data_source` to its uid in place of `prometheus_url`",
                )))
            }
            409 => Err(Setback::Taken(self.name_is_taken())),
            _ => Err(grafana.setback(&answer, &name)),
        }
    }
}

impl DataSource {
    /// Whether the data source found under the uid in an existing Grafana is monctl's.
    pub(super) fn is_ours(&self, found: &Value) -> bool {
        found["name"] == self.name.as_str()
    }

    fn is_not_ours(&self, found: &Value) -> Error {
        let called = found["name"].as_str().unwrap_or_default();
        let text = format!(
            "the data source with the uid `{}` is called `{called}` and does not belong to monctl",
            self.uid
        );
        Error::failed(text).remedy(format!(
            "to use it for the dashboards, write `data_source: {}` in place of `prometheus_url`",
            self.uid
        ))
    }

    fn name_is_taken(&self) -> Error {
        Error::failed(format!("another data source of this Grafana is called `{}`", self.name))
            .remedy("rename that one under Connections > Data sources, then run `monctl up` again")
    }
}

/// One of the data sources that a Grafana lists.
#[derive(Deserialize)]
struct Listed {
    uid: String,
    name: String,
    r#type: String,
}

impl GrafanaClient {
    /// Checks that a Grafana has a Prometheus data source with this uid. Changes nothing.
    ///
    /// # Errors
    /// When there is none, or Grafana does not show it. The remedy lists the available ones.
    pub async fn check_data_source(&self, uid: &str) -> Result<()> {
        let found = self.read(&format!("/api/datasources/uid/{uid}")).await?;
        let kind = match found {
            Some(answer) => answer.json::<Value>()?["type"].as_str().unwrap_or_default().to_owned(),
            None => String::new(),
        };
        let text = match kind.as_str() {
            // Grafana Cloud, Amazon and Azure have their own compatible types.
            "" => format!("this Grafana has no data source with the uid `{uid}`"),
            kind if kind.contains("prometheus") => return Ok(()),
            kind => format!("the data source with the uid `{uid}` is of type `{kind}`, not a Prometheus"),
        };
        let by_hand = "use the uid shown in its address under Connections > Data sources";
        let answer = self.http.get("/api/datasources").await;
        let listed: Vec<Listed> = match self.listed(answer, "list its data sources") {
            Ok(listed) => listed,
            Err(error) => return Err(Error::failed(text).because(error).remedy(by_hand)),
        };
        let usable = listed.iter().filter(|one| one.r#type.contains("prometheus"));
        let usable: Vec<String> = usable.map(|one| format!("`{}` ({})", one.uid, one.name)).collect();
        Err(Error::failed(text).remedy(if usable.is_empty() {
            by_hand.to_owned()
        } else {
            format!("available: {}", usable.join(", "))
        }))
    }
}
