//! What Grafana answers when a browser shows a dashboard: the data of panels, the values of variables, library
//! panels, and the data source itself where an error would look like an empty panel.

use serde_json::{Value, json};

use super::GrafanaClient;
use crate::error::Result;

/// A query of a panel as the browser sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PanelQuery {
    /// The data source's uid.
    pub data_source: String,
    /// The `PromQL` expression, its dashboard's variables filled in.
    pub expr: String,
    /// One value now, in place of a curve.
    pub instant: bool,
    /// The range as Grafana writes it: `now-1h`, `now`.
    pub range: (String, String),
    /// The length of a step in milliseconds.
    pub step: u64,
}

/// What came back for a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frames {
    /// At least one number.
    Data,
    /// Series whose values are all `NaN`.
    OnlyNaN,
    /// No series at all, which also an expression with an error can look like.
    Empty,
}

impl GrafanaClient {
    /// Asks for the data of a panel's query, as the browser does.
    ///
    /// # Errors
    /// When Grafana refuses it or does not answer, with what it says.
    pub async fn frames(&self, query: &PanelQuery) -> Result<Frames> {
        let one = json!({
            "refId": "A",
            "datasource": { "type": "prometheus", "uid": query.data_source },
            "expr": query.expr,
            "instant": query.instant,
            "range": !query.instant,
            "intervalMs": query.step,
            "maxDataPoints": 1000,
        });
        let body = json!({ "queries": [one], "from": query.range.0, "to": query.range.1 });
        let answer = self.http.post("/api/ds/query", &body).await?;
        if !answer.is_success() {
            return Err(self.refusal(&answer, "show a panel's data"));
        }
        Ok(Frames::of(&answer.json()?))
    }

    /// Asks the data source itself, through Grafana: the `data` of one of Prometheus' answers.
    ///
    /// # Errors
    /// What Prometheus or Grafana say: an expression with an error is refused here.
    pub async fn resource(&self, data_source: &str, path: &str, query: &[(&str, &str)]) -> Result<Value> {
        let path = format!("/api/datasources/uid/{data_source}/resources/api/v1/{path}");
        let answer = self.http.get_with(&path, query).await?;
        if !answer.is_success() {
            return Err(self.refusal(&answer, "evaluate an expression"));
        }
        Ok(answer.json::<Value>()?["data"].take())
    }

    /// The panel of the library under this uid.
    ///
    /// # Errors
    /// When there is none, or Grafana does not answer.
    pub async fn library_panel(&self, uid: &str) -> Result<Value> {
        let answer = self.http.get(&format!("/api/library-elements/{uid}")).await?;
        if !answer.is_success() {
            return Err(self.refusal(&answer, &format!("show the library panel `{uid}`")));
        }
        Ok(answer.json::<Value>()?["result"]["model"].take())
    }

    /// A dashboard as it is stored, by its uid.
    ///
    /// # Errors
    /// When there is none, or Grafana does not answer.
    pub async fn stored(&self, uid: &str) -> Result<Value> {
        let answer = self.http.get(&format!("/api/dashboards/uid/{uid}")).await?;
        if !answer.is_success() {
            return Err(self.refusal(&answer, &format!("show the dashboard `{uid}`")));
        }
        Ok(answer.json::<Value>()?["dashboard"].take())
    }

    /// The uids of the dashboards in a folder.
    ///
    /// # Errors
    /// When Grafana refuses or does not answer.
    pub async fn dashboards_in(&self, folder: &str) -> Result<Vec<String>> {
        let answer = self.http.get("/api/search?type=dash-db&limit=5000").await?;
        if !answer.is_success() {
            return Err(self.refusal(&answer, "list its dashboards"));
        }
        let found: Vec<Value> = answer.json()?;
        let inside = found.iter().filter(|one| one["folderUid"] == folder);
        Ok(inside.filter_map(|one| one["uid"].as_str().map(str::to_owned)).collect())
    }
}

impl Frames {
    /// Reads the answer of `/api/ds/query`.
    fn of(answer: &Value) -> Self {
        let results = answer["results"].as_object().into_iter().flat_map(|results| results.values());
        let frames: Vec<&Value> =
            results.flat_map(|one| one["frames"].as_array().into_iter().flatten()).collect();
        let is_number = |frame: &Value| {
            let columns = frame["data"]["values"].as_array().map(Vec::as_slice).unwrap_or_default();
            // The first column is the time.
            columns
                .iter()
                .skip(1)
                .flat_map(|column| column.as_array().into_iter().flatten())
                .any(Value::is_number)
        };
        if frames.iter().any(|frame| is_number(frame)) {
            Self::Data
        } else if frames.is_empty() {
            Self::Empty
        } else {
            Self::OnlyNaN
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_nan_and_nothing_are_told_apart() {
        let frame = |values: Value| json!({ "data": { "values": [[1000, 2000], values] } });
        let answer = |frames: Vec<Value>| json!({ "results": { "A": { "status": 200, "frames": frames } } });
        let read = |frames| Frames::of(&answer(frames));
        assert_eq!(read(vec![frame(json!([null, 1.5]))]), Frames::Data);
        assert_eq!(read(vec![frame(json!([null, null]))]), Frames::OnlyNaN);
        assert_eq!(read(vec![frame(json!([null, null])), frame(json!([0, 0]))]), Frames::Data);
        assert_eq!(read(vec![]), Frames::Empty);
    }
}
