//! The requests of a browser that shows a dashboard: the data of panels, the values of variables, and library panels.
//! Also queries the data source directly where an error would look like an empty panel.

use serde::Deserialize;
use serde_json::{Value, json};

use super::client::GrafanaClient;
use super::folder::is_monctls;
use super::remote_dashboard::{classic_form, names_in};
use crate::error::{Error, Result};
use crate::http::Answer;
use crate::http::prometheus::Labels;

/// A query of a panel as the browser sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PanelQuery {
    /// The data source's uid.
    pub data_source: String,
    /// The `PromQL` expression, with the dashboard's variables filled in.
    pub expr: String,
    /// Whether it returns one current value instead of a curve.
    pub instant: bool,
    /// The range in Grafana's notation: `now-1h`, `now`.
    pub range: (String, String),
    /// The length of a step in milliseconds.
    pub step: u64,
    /// Maximum number of points that the panel draws.
    pub points: u64,
    /// The query's own minimum step in the dashboard, such as `1m` or `$__rate_interval`.
    pub min_step: Option<String>,
    /// How many steps are merged into one.
    pub factor: u64,
}

/// The data of a query's result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frames {
    /// At least one number; holds the labels of each series with one.
    Data(Vec<Labels>),
    /// Series whose values are all `NaN`.
    OnlyNaN,
    /// No series, or only series without a value. An expression with an error can look the same.
    Empty,
}

/// Grafana's answer to a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The data.
    pub frames: Frames,
    /// Prometheus' notices about it, such as that a metric might not be a counter, without duplicates.
    pub notices: Vec<String>,
}

/// A data source in Grafana's list.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct NamedSource {
    /// Its uid.
    pub uid: String,
    /// Its name, by which old dashboards refer to it.
    pub name: String,
    /// Its plugin: `prometheus`, `loki` …
    #[serde(rename = "type")]
    pub kind: String,
}

impl GrafanaClient {
    /// Requests the data of a panel's query, as the browser does.
    ///
    /// # Errors
    /// When Grafana refuses it, with Grafana's message, or does not answer.
    pub async fn frames(&self, query: &PanelQuery) -> Result<Answered> {
        let mut answers = self.frames_of_each(std::slice::from_ref(query)).await?;
        answers.pop().unwrap_or_else(|| Err(Error::failed("grafana's answer lacks the result of the query")))
    }

    /// Requests the data of several queries in one request, over the range of the first; returns one answer for each.
    ///
    /// # Errors
    /// When Grafana refuses all of them or does not answer. The refusal of a single query is that query's answer.
    pub async fn frames_of_each(&self, queries: &[PanelQuery]) -> Result<Vec<Result<Answered>>> {
        let Some(range) = queries.first().map(|first| &first.range) else { return Ok(vec![]) };
        let all: Vec<Value> = queries.iter().enumerate().map(|(at, query)| query.body(&id(at))).collect();
        let body = json!({ "queries": all, "from": range.0, "to": range.1 });
        let answer = self.http.post("/api/ds/query", &body).await?;
        // Later releases answer 400 or 207 if one query failed, with the result of each.
        let results = serde_json::from_slice::<Value>(&answer.body).unwrap_or(Value::Null)["results"].take();
        if !results.is_object() {
            return Err(if hides_the_cause(&answer) {
                self.source_does_not_answer(&answer, "show a panel's data")
            } else {
                self.refusal(&answer, "show a panel's data")
            });
        }
        Ok((0..queries.len()).map(|at| read(&results[id(at)])).collect())
    }

    /// Queries the data source directly through Grafana, and returns the `data` of Prometheus' answer.
    ///
    /// # Errors
    /// When Prometheus or Grafana refuse it, for example because the expression has an error.
    pub async fn resource(&self, data_source: &str, path: &str, query: &[(&str, &str)]) -> Result<Value> {
        let path = format!("/api/datasources/uid/{data_source}/resources/api/v1/{path}");
        let answer = self.http.get_with(&path, query).await?;
        if hides_the_cause(&answer) {
            return Err(self.source_does_not_answer(&answer, "query the data source"));
        }
        if !answer.is_success() {
            return Err(self.refusal(&answer, "evaluate an expression"));
        }
        Ok(answer.json::<Value>()?["data"].take())
    }

    /// The error when Grafana cannot reach the Prometheus behind a data source. Grafana's own message does not name
    /// this cause.
    fn source_does_not_answer(&self, answer: &Answer, doing: &str) -> Error {
        self.refusal(answer, doing).remedy(
            "Grafana answers this when the Prometheus behind the data source does not respond: check that Prometheus \
             runs and that the data source has its address",
        )
    }

    /// Uid, name and type of each data source; empty if the account may not list them.
    ///
    /// # Errors
    /// When Grafana does not answer, or refuses the login.
    pub async fn sources(&self) -> Result<Vec<NamedSource>> {
        let answer = self.http.get("/api/datasources").await?;
        match answer.status {
            403 => Ok(vec![]),
            _ if answer.is_success() => answer.json(),
            _ => Err(self.refusal(&answer, "list its data sources")),
        }
    }

    /// The library panel with this uid.
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

    /// A dashboard by its uid, in the classic schema. Grafana converts one that is stored in schema v2.
    ///
    /// # Errors
    /// When there is none, it has no classic form, or Grafana does not answer.
    pub async fn stored(&self, uid: &str) -> Result<Value> {
        let answer = self.look(&format!("/api/dashboards/uid/{uid}")).await?;
        if answer.is_success() {
            return Ok(answer.json::<Value>()?["dashboard"].take());
        }
        let refusal = || self.refusal(&answer, &format!("show the dashboard `{uid}`"));
        classic_form(self, uid).await?.ok_or_else(refusal)
    }

    /// The uids of the dashboards in the folders that monctl creates.
    ///
    /// # Errors
    /// When Grafana refuses or does not answer.
    pub async fn dashboards_of_monctl(&self) -> Result<Vec<String>> {
        let answer = self.look("/api/search?type=dash-db&limit=5000").await?;
        if answer.is_success() {
            let found: Vec<Value> = answer.json()?;
            let inside = found.iter().filter(|one| one["folderUid"].as_str().is_some_and(is_monctls));
            return Ok(inside.filter_map(|one| one["uid"].as_str().map(str::to_owned)).collect());
        }
        let refusal = || self.refusal(&answer, "list its dashboards");
        names_in(self, is_monctls, &answer).await?.ok_or_else(refusal)
    }
}

impl PanelQuery {
    fn body(&self, id: &str) -> Value {
        let mut body = json!({
            "refId": id,
            "datasource": { "type": "prometheus", "uid": self.data_source },
            "expr": self.expr,
            "instant": self.instant,
            "range": !self.instant,
            "intervalMs": self.step,
            "maxDataPoints": self.points,
            "intervalFactor": self.factor,
        });
        if let Some(step) = &self.min_step {
            body["interval"] = step.as_str().into();
        }
        body
    }
}

/// The id of a query in a request.
fn id(at: usize) -> String {
    format!("Q{at}")
}

/// Whether an answer hides the cause of a data source's failure.
fn hides_the_cause(answer: &Answer) -> bool {
    let texts = ["An error occurred within the plugin", "Failed to call resource"];
    answer.status == 500 && texts.contains(&answer.message().as_str())
}

/// Reads the result of one query.
fn read(result: &Value) -> Result<Answered> {
    match result["error"].as_str() {
        Some(error) => Err(Error::failed(error)),
        None => Ok(Answered { frames: Frames::of(result), notices: notices(result) }),
    }
}

/// The notices in the frames of a result.
fn notices(result: &Value) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for frame in result["frames"].as_array().into_iter().flatten() {
        let notices = frame["schema"]["meta"]["notices"].as_array().into_iter().flatten();
        for text in notices.filter_map(|notice| notice["text"].as_str()) {
            if !found.iter().any(|known| known == text) {
                found.push(text.to_owned());
            }
        }
    }
    found
}

impl Frames {
    /// Reads the frames of a result. Without a series, Grafana returns a frame that has no fields.
    fn of(result: &Value) -> Self {
        let frames = result["frames"].as_array().map(Vec::as_slice).unwrap_or_default();
        let columns: Vec<Column> = frames.iter().flat_map(Column::of).collect();
        let with_numbers: Vec<Labels> =
            columns.iter().filter(|column| column.has_number).map(|column| column.labels.clone()).collect();
        if !with_numbers.is_empty() {
            Self::Data(with_numbers)
        } else if columns.iter().any(|column| column.has_entry) {
            Self::OnlyNaN
        } else {
            Self::Empty
        }
    }
}

/// A series in a frame.
struct Column {
    labels: Labels,
    has_entry: bool,
    /// Includes infinity, which a browser also draws. JSON cannot express it: it is `null` plus an entry in `entities`.
    has_number: bool,
}

impl Column {
    /// The columns of a frame; its first one is the time.
    fn of(frame: &Value) -> Vec<Self> {
        let columns = frame["data"]["values"].as_array().map(Vec::as_slice).unwrap_or_default();
        let read = |(at, values): (usize, &Value)| {
            let values = values.as_array().map(Vec::as_slice).unwrap_or_default();
            let noted = |kind: &str| frame["data"]["entities"][at][kind].is_array();
            let labels = serde_json::from_value(frame["schema"]["fields"][at]["labels"].clone());
            Self {
                labels: labels.unwrap_or_default(),
                has_entry: !values.is_empty(),
                has_number: values.iter().any(Value::is_number) || noted("Inf") || noted("NegInf"),
            }
        };
        columns.iter().enumerate().skip(1).map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(values: &Value) -> Value {
        json!({
            "schema": { "fields": [{ "name": "Time" }, { "name": "Value", "labels": { "host": "a" } }] },
            "data": { "values": [[1000, 2000], values] },
        })
    }

    fn result(frames: &[Value]) -> Frames {
        read(&json!({ "status": 200, "frames": frames })).unwrap().frames
    }

    #[test]
    fn a_repeated_notice_of_prometheus_is_kept_once() {
        let mut with_notice = frame(&json!([1, 2]));
        let text =
            "PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket";
        with_notice["schema"]["meta"] = json!({"notices": [{"severity": "info", "text": text}]});
        let answered = read(&json!({ "frames": [with_notice, with_notice] })).unwrap();
        assert_eq!(answered.notices, [text]);
        assert_eq!(read(&json!({ "frames": [frame(&json!([1]))] })).unwrap().notices, [""; 0]);
    }

    #[test]
    fn numbers_nan_and_no_data_are_distinguished() {
        let data = || Frames::Data(vec![[("host".to_owned(), "a".to_owned())].into()]);
        assert_eq!(result(&[frame(&json!([null, 1.5]))]), data());
        assert_eq!(result(&[frame(&json!([null, null]))]), Frames::OnlyNaN);
        assert_eq!(result(&[frame(&json!([null, null])), frame(&json!([0, 0]))]), data());
        let mut infinite = frame(&json!([null, null]));
        infinite["data"]["entities"] = json!([null, { "Inf": [0, 1] }]);
        assert_eq!(result(&[infinite]), data());
        assert_eq!(result(&[]), Frames::Empty);
    }

    #[test]
    fn a_frame_without_fields_or_values_counts_as_no_data_not_nan() {
        let without_fields = json!({ "schema": { "fields": [] }, "data": { "values": [] } });
        assert_eq!(result(&[without_fields]), Frames::Empty);
        let mut without_values = frame(&json!([]));
        without_values["data"]["values"][0] = json!([]);
        assert_eq!(result(&[without_values]), Frames::Empty);
    }

    #[test]
    fn grafanas_message_about_a_query_becomes_its_error() {
        let failed = json!({ "error": "bad_data: parse error", "status": 400, "frames": [{ "data": { "values": [] } }] });
        assert_eq!(read(&failed).unwrap_err().message(), "bad_data: parse error");
    }
}
