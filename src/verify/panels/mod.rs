//! Whether each panel of a dashboard shows something: its queries are asked of Grafana as a browser would ask
//! them, and where one brings no data the cause is looked for. `commands` calls [`panels`]; nothing here prints.

mod cause;
mod dashboard;
mod selectors;
mod variables;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use serde::Serialize;
use serde_json::Value;

use self::cause::{Cause, cause};
use self::dashboard::{Asked, Panel};
use self::variables::{Chosen, Question, Values, Variable, fill};
use crate::error::Result;
use crate::http::grafana::{Frames, GrafanaClient, PanelQuery};
use crate::spec::PromDuration;

/// Requests under way at a time: as many as a Grafana never failed at.
const AT_ONCE: usize = 8;
/// A browser asks for about so many points, one for each pixel.
const POINTS: u64 = 1_000;

/// What became of one query of a panel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// The dashboard's title.
    pub dashboard: String,
    /// The panel's title, and the value for which it is repeated.
    pub panel: String,
    /// `A`, `B` …
    pub query: String,
    /// The expression with its variables filled in.
    pub expr: String,
    /// What a person sees there.
    #[serde(flatten)]
    pub shown: Shown,
}

/// What a person sees in the place of a query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "shown", content = "cause", rename_all = "snake_case")]
pub enum Shown {
    /// Numbers.
    Data,
    /// Nothing, with the likely cause.
    Empty(String),
    /// An error, or what would be one if Grafana told it.
    Error(String),
}

/// Asks every query of every panel of these dashboards, several at a time.
///
/// # Errors
/// When Grafana does not answer at all; what it refuses of one query is that query's result.
pub async fn panels(
    grafana: &GrafanaClient,
    dashboards: &[Value],
    default_source: &str,
    scrape_interval: PromDuration,
) -> Result<Vec<Checked>> {
    let names = grafana.resource(default_source, "label/__name__/values", &[]).await?;
    let metrics = strings(&names).into_iter().collect();
    let asker = Asker { grafana, default_source, scrape_interval, metrics };
    let mut jobs = Vec::new();
    for dashboard in dashboards {
        jobs.extend(asker.jobs(dashboard).await?);
    }
    let answers = stream::iter(jobs.iter().map(|job| asker.check(job))).buffered(AT_ONCE);
    Ok(answers.collect().await)
}

/// The longest time between two points of the dashboards' curves, at least the scrape interval: what happens now is
/// drawn once it has passed.
pub fn longest_step(dashboards: &[Value], scrape_interval: PromDuration) -> Duration {
    let from = |dashboard: &Value| dashboard["time"]["from"].as_str().map_or(3_600, seconds);
    let longest = dashboards.iter().map(from).max().unwrap_or_default();
    Duration::from_millis(step(longest, scrape_interval))
}

/// One query of a panel, ready to be asked.
struct Job {
    dashboard: String,
    panel: String,
    id: String,
    query: PanelQuery,
    /// Why its variables could not be filled in.
    broken: Option<String>,
}

/// What all queries share.
struct Asker<'a> {
    grafana: &'a GrafanaClient,
    default_source: &'a str,
    scrape_interval: PromDuration,
    metrics: BTreeSet<String>,
}

impl Asker<'_> {
    /// The queries of a dashboard with its variables filled in.
    async fn jobs(&self, dashboard: &Value) -> Result<Vec<Job>> {
        let mut library = BTreeMap::new();
        for uid in dashboard::library_uids(dashboard) {
            let panel = self.grafana.library_panel(&uid).await?;
            library.insert(uid, panel);
        }
        let (chosen, broken) = self.chosen(dashboard).await?;
        let text = |value: &Value, other: &str| value.as_str().unwrap_or(other).to_owned();
        let range = (text(&dashboard["time"]["from"], "now-1h"), text(&dashboard["time"]["to"], "now"));
        let mut jobs = Vec::new();
        for panel in dashboard::panels(dashboard, |uid| library.get(uid).cloned()) {
            for (name, chosen) in repetitions(&panel, &chosen) {
                jobs.extend(panel.queries.iter().map(|asked| Job {
                    dashboard: text(&dashboard["title"], ""),
                    panel: name.clone(),
                    id: asked.id.clone(),
                    query: self.query(asked, &chosen, range.clone()),
                    broken: broken.clone(),
                }));
            }
        }
        Ok(jobs)
    }

    /// What a browser chooses for each variable, and what is wrong with one of them.
    async fn chosen(&self, dashboard: &Value) -> Result<(Chosen, Option<String>)> {
        let mut chosen = Chosen::new();
        let mut broken = None;
        for variable in Variable::of(dashboard) {
            let answer = match variable.question(&chosen) {
                None => vec![],
                Some(Ok(question)) => self.answer(&question).await?,
                Some(Err(why)) => {
                    broken = Some(why);
                    vec![]
                }
            };
            let values = variable.choose(&variable.options(&answer));
            chosen.insert(variable.name, values);
        }
        Ok((chosen, broken))
    }

    /// What Prometheus answers to a variable's question.
    async fn answer(&self, question: &Question) -> Result<Vec<String>> {
        let resource = async |path: &str, query: &[(&str, &str)]| {
            self.grafana.resource(self.default_source, path, query).await
        };
        Ok(match question {
            Question::LabelValues { label, selector } => {
                let of: Vec<(&str, &str)> = selector.iter().map(|it| ("match[]", it.as_str())).collect();
                strings(&resource(&format!("label/{label}/values"), &of).await?)
            }
            Question::LabelNames => strings(&resource("labels", &[]).await?),
            Question::Metrics { pattern } => {
                let matches =
                    |name: &&String| regex::Regex::new(pattern).is_ok_and(|regex| regex.is_match(name));
                self.metrics.iter().filter(matches).cloned().collect()
            }
            Question::Result { expr } => {
                let expr = self.with_intervals(expr, "now-1h");
                series(&resource("query", &[("query", &expr)]).await?)
            }
        })
    }

    fn query(&self, asked: &Asked, chosen: &Chosen, range: (String, String)) -> PanelQuery {
        // A variable that chooses a data source, or none at all, means the one that monctl brings.
        let is_uid = !asked.data_source.is_empty() && !asked.data_source.starts_with('$');
        let data_source = if is_uid { &asked.data_source } else { self.default_source };
        let step = step(seconds(&range.0), self.scrape_interval);
        PanelQuery {
            data_source: data_source.to_owned(),
            expr: fill(&asked.expr, chosen),
            instant: asked.instant,
            range,
            step,
        }
    }

    async fn check(&self, job: &Job) -> Checked {
        let shown = match &job.broken {
            Some(why) => Shown::Error(why.clone()),
            None => self.shown(&job.query).await.unwrap_or_else(|error| Shown::Error(error.to_string())),
        };
        Checked {
            dashboard: job.dashboard.clone(),
            panel: job.panel.clone(),
            query: job.id.clone(),
            expr: job.query.expr.clone(),
            shown,
        }
    }

    async fn shown(&self, query: &PanelQuery) -> Result<Shown> {
        Ok(match self.grafana.frames(query).await? {
            Frames::Data => Shown::Data,
            Frames::OnlyNaN => {
                Shown::Empty("only NaN: it divides by nothing, as where no request came".into())
            }
            Frames::Empty => {
                let expr = self.with_intervals(&query.expr, &query.range.0);
                match cause(self.grafana, query, &expr, &self.metrics).await? {
                    Cause::Refused(why) => Shown::Error(why),
                    Cause::NoData(why) => Shown::Empty(why),
                }
            }
        })
    }

    /// The expression with the variables that Grafana's server fills in, for Prometheus to see.
    fn with_intervals(&self, expr: &str, from: &str) -> String {
        let scrape = self.scrape_interval.as_millis().div_ceil(1_000).max(1);
        let range = seconds(from).max(scrape);
        let texts = [
            ("rate_interval", format!("{}s", scrape * 4)),
            ("interval_ms", (scrape * 1_000).to_string()),
            ("interval", format!("{scrape}s")),
            ("range_ms", (range * 1_000).to_string()),
            ("range_s", range.to_string()),
            ("range", format!("{range}s")),
        ];
        texts.iter().fold(expr.to_owned(), |expr, (name, text)| {
            expr.replace(&format!("${{__{name}}}"), text).replace(&format!("$__{name}"), text)
        })
    }
}

/// The panel once, or once for each value of the variables by which it and its row are repeated. One without a value
/// repeats nothing, as in a browser: then the panel is there once, and shows what is wrong.
fn repetitions(panel: &Panel, chosen: &Chosen) -> Vec<(String, Chosen)> {
    let mut found = vec![(Vec::new(), chosen.clone())];
    for name in &panel.repeats {
        let values = chosen.get(name).map(Values::each).unwrap_or_default();
        if values.is_empty() {
            continue;
        }
        let with = |(of, chosen): &(Vec<String>, Chosen), value: &String| {
            let mut chosen = chosen.clone();
            chosen.insert(name.clone(), Values::Any(vec![value.clone()]));
            ([of.as_slice(), &[format!("{name} {value}")]].concat(), chosen)
        };
        found = found.iter().flat_map(|one| values.iter().map(|value| with(one, value))).collect();
    }
    let named = |(of, chosen): (Vec<String>, Chosen)| {
        let title = fill(&panel.title, &chosen);
        (if of.is_empty() { title } else { format!("{title} ({})", of.join(", ")) }, chosen)
    };
    found.into_iter().map(named).collect()
}

fn strings(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|it| it.as_str().map(str::to_owned)).collect()
}

/// Each series of an instant query as `query_result` writes it: `name{labels} value time`.
fn series(data: &Value) -> Vec<String> {
    let written = |one: &Value| {
        let labels = one["metric"].as_object().into_iter().flatten();
        let (name, labels): (Vec<_>, Vec<_>) = labels.partition(|(name, _)| *name == "__name__");
        let name = name.first().and_then(|(_, value)| value.as_str()).unwrap_or_default().to_owned();
        let labels: Vec<String> = labels.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        let value = one["value"][1].as_str().unwrap_or_default();
        format!("{name}{{{}}} {value} {}", labels.join(","), one["value"][0])
    };
    data["result"].as_array().into_iter().flatten().map(written).collect()
}

/// Between two points of a curve over so many seconds, in milliseconds.
fn step(range: u64, scrape_interval: PromDuration) -> u64 {
    (range * 1_000 / POINTS).max(scrape_interval.as_millis())
}

/// How many seconds before now `now-6h` is; an hour for what is written in another way.
fn seconds(from: &str) -> u64 {
    let span = from.strip_prefix("now-").and_then(|it| it.split('/').next()?.parse::<PromDuration>().ok());
    span.map_or(3_600, |span| span.get().as_secs())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_repeated_panel_is_one_panel_for_each_value() {
        let panel = |repeats: &[&str]| Panel {
            title: "CPU of $host".into(),
            queries: vec![],
            repeats: repeats.iter().map(|name| (*name).to_owned()).collect(),
        };
        let told = |repeats: &[&str], host: Values| {
            let cpu = Values::All { text: ".*".into(), values: vec!["0".into(), "1".into()] };
            let chosen = [("host".to_owned(), host), ("cpu".to_owned(), cpu)].into();
            repetitions(&panel(repeats), &chosen).into_iter().map(|it| it.0).collect::<Vec<_>>()
        };
        let two = Values::Any(vec!["a".into(), "b".into()]);
        assert_eq!(told(&["host"], two.clone()), ["CPU of a (host a)", "CPU of b (host b)"]);
        assert_eq!(told(&["host"], Values::One("a".into())), ["CPU of a"]);
        assert_eq!(told(&["host"], Values::Any(vec![])), ["CPU of ()"], "what has no value does not vanish");
        assert_eq!(
            told(&["host", "cpu"], two),
            [
                "CPU of a (host a, cpu 0)",
                "CPU of a (host a, cpu 1)",
                "CPU of b (host b, cpu 0)",
                "CPU of b (host b, cpu 1)"
            ]
        );
    }

    #[test]
    fn ranges_and_series_are_read_as_grafana_writes_them() {
        let seconds = ["now-6h", "now-1d/d", "now-90s", "now/d", "1700000000000"].map(seconds);
        assert_eq!(seconds, [21_600, 86_400, 90, 3_600, 3_600]);
        let dashboards = ["now-1h", "now-6h"].map(|from| json!({"time": {"from": from}}));
        let step = |scrape: &str| longest_step(&dashboards, scrape.parse().unwrap()).as_millis();
        assert_eq!((step("15s"), step("30s")), (21_600, 30_000));
        let data = json!({"result": [{"metric": {"__name__": "up", "job": "x"}, "value": [17, "1"]}]});
        assert_eq!(series(&data), [r#"up{job="x"} 1 17"#]);
    }
}
