//! The Prometheus data source.

use serde_json::{Value, json};

use super::GrafanaClient;
use super::compare::{described, differing};
use super::thing::{Setback, Thing};
use crate::error::{Error, Result};

/// A data source of type `prometheus` that is asked by Grafana's server and is the default one.
#[derive(Debug, Clone, PartialEq)]
pub struct DataSource {
    /// Its uid: letters, digits and underscores, as a hyphen breaks one of Grafana's ways to it.
    pub uid: String,
    /// Its name.
    pub name: String,
    /// Where Grafana's server finds Prometheus.
    pub url: String,
    /// The scrape interval as Grafana writes it, `15s`: the least step of graphs.
    pub interval: String,
}

impl DataSource {
    /// monctl's own, for the Prometheus that Grafana's host reaches at `url`; `interval` is written as in the spec.
    pub fn prometheus(uid: &str, url: &str, interval: &str) -> Self {
        Self { uid: uid.into(), name: "Prometheus".into(), url: url.into(), interval: interval.into() }
    }

    /// What Grafana is asked to hold.
    fn body(&self) -> Value {
        json!({
            "uid": self.uid,
            "name": self.name,
            "type": "prometheus",
            "access": "proxy",
            "url": self.url,
            "isDefault": true,
            "jsonData": {"httpMethod": "POST", "timeInterval": self.interval},
        })
    }
}

impl Thing for DataSource {
    type Found = Value;

    fn name(&self) -> String {
        format!("data source `{}`", self.name)
    }

    /// Only what monctl sets is looked at: ids, logos, access control and the version, which says nothing, are Grafana's.
    fn difference(&self, found: Option<&Value>) -> Option<String> {
        let Some(found) = found else { return Some("is not there".into()) };
        let mut wanted = self.body();
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
                "take it out of the files below `provisioning/datasources`, then run `monctl up` again";
            return Err(Setback::Final(error.remedy(remedy)));
        }
        let answer = match found {
            // Whole, as what is left out would be emptied.
            Some(_) => grafana.http.put(&format!("/api/datasources/uid/{}", self.uid), &self.body()).await?,
            None => grafana.http.post("/api/datasources", &self.body()).await?,
        };
        match answer.status {
            200..300 => Ok(()),
            409 => Err(Setback::Taken(self.name_is_taken())),
            _ => Err(grafana.setback(&answer, &name)),
        }
    }
}

impl DataSource {
    fn name_is_taken(&self) -> Error {
        Error::failed(format!("another data source of this Grafana is called `{}`", self.name))
            .remedy("rename that one under Connections > Data sources, then run `monctl up` again")
    }
}
