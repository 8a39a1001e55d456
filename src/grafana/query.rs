//! What Grafana answers when a browser shows a dashboard: the data of panels, the values of variables, library
//! panels, and the data source itself where an error would look like an empty panel.

use serde::Deserialize;
use serde_json::{Value, json};

use super::client::GrafanaClient;
use super::folder::is_monctls;
use super::found::{classic_form, names_in};
use crate::error::{Error, Result};
use crate::http::Answer;
use crate::http::prometheus::Labels;

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
    /// How many points the panel draws at most.
    pub points: u64,
    /// The query's own shortest step as the dashboard has it, such as `1m` or `$__rate_interval`.
    pub min_step: Option<String>,
    /// How many steps become one.
    pub factor: u64,
}

/// What came back for a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frames {
    /// At least one number; the labels of each series that has one.
    Data(Vec<Labels>),
    /// Series whose values are all `NaN`.
    OnlyNaN,
    /// No series, or series without a value, which also an expression with an error can look like.
    Empty,
}

/// What Grafana answers to a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The data.
    pub frames: Frames,
    /// What Prometheus remarks beside it, such as that a metric might not be a counter; each sentence once.
    pub notices: Vec<String>,
}

/// A data source as the list of them shows it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct NamedSource {
    /// Its uid.
    pub uid: String,
    /// Its name, by which old dashboards mean it.
    pub name: String,
    /// The plugin that asks it: `prometheus`, `loki` …
    #[serde(rename = "type")]
    pub kind: String,
}

impl GrafanaClient {
    /// Asks for the data of a panel's query, as the browser does.
    ///
    /// # Errors
    /// When Grafana refuses it or does not answer, with what it says.
    pub async fn frames(&self, query: &PanelQuery) -> Result<Answered> {
        let mut answers = self.frames_of_each(std::slice::from_ref(query)).await?;
        answers.pop().unwrap_or_else(|| Err(Error::failed("grafana answered without the query's result")))
    }

    /// Asks for the data of several queries over the range of the first, in one request; one answer for each.
    ///
    /// # Errors
    /// When Grafana refuses all of them or does not answer. What it refuses of one is that one's answer.
    pub async fn frames_of_each(&self, queries: &[PanelQuery]) -> Result<Vec<Result<Answered>>> {
        let Some(range) = queries.first().map(|first| &first.range) else { return Ok(vec![]) };
        let all: Vec<Value> = queries.iter().enumerate().map(|(at, query)| query.body(&id(at))).collect();
        let body = json!({ "queries": all, "from": range.0, "to": range.1 });
        let answer = self.http.post("/api/ds/query", &body).await?;
        // Later releases answer 400 or 207 where one query failed, and say of each what became of it.
        let results = serde_json::from_slice::<Value>(&answer.body).unwrap_or(Value::Null)["results"].take();
        if !results.is_object() {
            return Err(if says_nothing_of_the_cause(&answer) {
                self.no_answer_of_the_source(&answer, "show a panel's data")
            } else {
                self.refusal(&answer, "show a panel's data")
            });
        }
        Ok((0..queries.len()).map(|at| read(&results[id(at)])).collect())
    }

    /// Asks the data source itself, through Grafana: the `data` of one of Prometheus' answers.
    ///
    /// # Errors
    /// What Prometheus or Grafana say: an expression with an error is refused here.
    pub async fn resource(&self, data_source: &str, path: &str, query: &[(&str, &str)]) -> Result<Value> {
        let path = format!("/api/datasources/uid/{data_source}/resources/api/v1/{path}");
        let answer = self.http.get_with(&path, query).await?;
        if says_nothing_of_the_cause(&answer) {
            return Err(self.no_answer_of_the_source(&answer, "ask the data source"));
        }
        if !answer.is_success() {
            return Err(self.refusal(&answer, "evaluate an expression"));
        }
        Ok(answer.json::<Value>()?["data"].take())
    }

    /// The error where Grafana reaches no Prometheus behind a data source, which it does not say in these words.
    fn no_answer_of_the_source(&self, answer: &Answer, doing: &str) -> Error {
        self.refusal(answer, doing).remedy(
            "Grafana says so where the Prometheus behind the data source does not answer: see that it runs, and that the \
             data source has its address",
        )
    }

    /// Uid, name and type of each data source; none where the account may not list them.
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

    /// A dashboard in the classic schema by its uid: as it is stored, or, of one in the schema v2, as Grafana says it
    /// in the classic one.
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

    /// The uids of the dashboards in the folders that monctl makes.
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

/// What a query is called in a request.
fn id(at: usize) -> String {
    format!("Q{at}")
}

/// Whether an answer hides what went wrong with the data source.
fn says_nothing_of_the_cause(answer: &Answer) -> bool {
    let texts = ["An error occurred within the plugin", "Failed to call resource"];
    answer.status == 500 && texts.contains(&answer.says().as_str())
}

/// Reads what became of one query.
fn read(result: &Value) -> Result<Answered> {
    match result["error"].as_str() {
        Some(error) => Err(Error::failed(error)),
        None => Ok(Answered { frames: Frames::of(result), notices: notices(result) }),
    }
}

/// The sentences that stand beside the frames of a result.
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
    /// Reads the frames of a result. Released Grafanas answer with one that has no fields where there is no series.
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
    /// A browser draws infinity, too. JSON has no word for it: it is `null` with a note beside.
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
    fn what_prometheus_remarks_is_kept_once() {
        let mut remarked = frame(&json!([1, 2]));
        let text =
            "PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket";
        remarked["schema"]["meta"] = json!({"notices": [{"severity": "info", "text": text}]});
        let answered = read(&json!({ "frames": [remarked, remarked] })).unwrap();
        assert_eq!(answered.notices, [text]);
        assert_eq!(read(&json!({ "frames": [frame(&json!([1]))] })).unwrap().notices, [""; 0]);
    }

    #[test]
    fn numbers_nan_and_nothing_are_told_apart() {
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
    fn a_frame_without_fields_or_without_values_is_no_data_rather_than_nan() {
        let without_fields = json!({ "schema": { "fields": [] }, "data": { "values": [] } });
        assert_eq!(result(&[without_fields]), Frames::Empty);
        let mut without_values = frame(&json!([]));
        without_values["data"]["values"][0] = json!([]);
        assert_eq!(result(&[without_values]), Frames::Empty);
    }

    #[test]
    fn what_grafana_says_of_a_query_is_that_querys_error() {
        let told = json!({ "error": "bad_data: parse error", "status": 400, "frames": [{ "data": { "values": [] } }] });
        assert_eq!(read(&told).unwrap_err().message(), "bad_data: parse error");
    }
}
