//! Queries Grafana for the values of a dashboard's variables and for its library panels, then sends each query with the
//! variables filled in as a browser does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::super::client::GrafanaClient;
use super::super::query::{Frames, PanelQuery};
use super::cause::{Detective, NoDataReason};
use super::dashboard::{self, Panel, PanelTarget};
use super::per_value_check::{Each, EachValue, MOST, Open};
use super::selectors::Selector;
use super::source::{QuerySource, Sources};
use super::timing::{Intervals, QueryOptions, Timing};
use super::variables::{Chosen, Variable, VariableQuery, VariableValues, fill, references};
use super::{Checked, CheckedVariable, Shown, names, series, strings};
use crate::duration::PromDuration;
use crate::error::{Error, Result};

/// The context that all queries share.
pub(super) struct PanelChecker<'a> {
    grafana: &'a GrafanaClient,
    scrape_interval: PromDuration,
    sources: Sources,
    metrics: BTreeSet<String>,
    /// The release of Grafana, unless it hides its version.
    release: Option<u64>,
}

/// A dashboard with its variables filled in.
pub(super) struct Board {
    pub variables: Vec<CheckedVariable>,
    pub jobs: Vec<QueryTask>,
}

/// One query of a panel.
pub(super) struct QueryTask {
    dashboard: String,
    panel: String,
    id: String,
    expr: String,
    todo: Todo,
}

enum Todo {
    /// The result is known without a query.
    Known(Shown),
    Run(Box<Ready>),
}

/// A query that is ready to be sent.
struct Ready {
    query: PanelQuery,
    /// The expression as the dashboard has it.
    expr: String,
    intervals: Intervals,
    chosen: Chosen,
    each: Arc<Each>,
    /// The variables in it that have no values, with the cause.
    lacking: BTreeMap<String, String>,
    may_be_empty: Option<String>,
}

/// The values of a dashboard's variables.
#[derive(Default)]
struct Filled {
    chosen: Chosen,
    each: Each,
    /// Variables that cannot be filled in, and the result of a panel that uses them.
    broken: BTreeMap<String, Shown>,
    /// Variables without values, with the cause.
    empty: BTreeMap<String, String>,
    checked: Vec<CheckedVariable>,
}

/// The values that a variable offers.
struct Options {
    values: Vec<String>,
    /// The values with data in the dashboard's range: a list may also contain values that no longer exist.
    alive: EachValue,
}

impl<'a> PanelChecker<'a> {
    pub(super) async fn new(
        grafana: &'a GrafanaClient,
        default_source: &str,
        scrape_interval: PromDuration,
    ) -> Result<Self> {
        let names = grafana.resource(default_source, "label/__name__/values", &[]).await?;
        let sources = Sources::new(default_source, &grafana.sources().await?);
        let release = grafana.release().await?;
        Ok(Self {
            grafana,
            scrape_interval,
            sources,
            metrics: strings(&names).into_iter().collect(),
            release,
        })
    }

    /// The queries of a dashboard with its variables filled in.
    pub(super) async fn board(&self, dashboard: &Value) -> Board {
        let mut library = BTreeMap::new();
        for uid in dashboard::library_uids(dashboard) {
            let panel = self.grafana.library_panel(&uid).await.map_err(|error| error.in_one_line());
            library.insert(uid, panel);
        }
        let sources = self.sources.of(dashboard);
        let filled = self.filled(dashboard, &sources).await;
        let each = Arc::new(filled.each.clone());
        let title = dashboard["title"].as_str().unwrap_or_default();
        let job = |panel: &str, id: &str, expr: &str, todo| QueryTask {
            dashboard: title.to_owned(),
            panel: panel.to_owned(),
            id: id.to_owned(),
            expr: expr.to_owned(),
            todo,
        };
        let missing = dashboard::missing(dashboard, |uid| library.get(uid)).into_iter();
        let mut jobs: Vec<QueryTask> =
            missing.map(|(panel, why)| job(&panel, "", "", Todo::Known(Shown::Error(why)))).collect();
        for panel in dashboard::panels(dashboard, &sources, |uid| library.get(uid)) {
            for (name, chosen) in repetitions(&panel, &filled.chosen) {
                jobs.extend(panel.queries.iter().map(|query| match query {
                    Err(not) => {
                        job(&name, &not.id, &not.expr, Todo::Known(Shown::NotQueried(not.why.clone())))
                    }
                    Ok(target) => {
                        let expr = fill(&target.expr, &chosen);
                        job(
                            &name,
                            &target.id,
                            &expr,
                            self.todo(dashboard, &panel, target, &chosen, &filled, &each),
                        )
                    }
                }));
            }
        }
        Board { variables: filled.checked, jobs }
    }

    fn todo(
        &self,
        dashboard: &Value,
        panel: &Panel,
        target: &PanelTarget,
        chosen: &Chosen,
        filled: &Filled,
        each: &Arc<Each>,
    ) -> Todo {
        let used = used(panel, target);
        if let Some((name, shown)) = filled.broken.iter().find(|(name, _)| used.contains(*name)) {
            return Todo::Known(through(name, shown.clone()));
        }
        let lacking = filled.empty.iter().filter(|(name, _)| used.contains(*name));
        let filled_in = |text: &str| fill(text, chosen);
        let least = match panel.settings.least_step(self.release, filled_in) {
            Ok(least) => least.unwrap_or(self.scrape_interval),
            Err(why) => return Todo::Known(Shown::Error(why)),
        };
        let timing = Timing::of(dashboard, &panel.settings, least, filled_in);
        let min_step = target.min_step.as_deref().map(|step| fill(step, chosen));
        // A text that is not a duration sets no bound.
        let scrape = min_step.as_deref().and_then(|step| step.trim_start_matches('>').parse().ok());
        let scrape = scrape.unwrap_or(self.scrape_interval);
        let step = timing.step.max(scrape.as_millis());
        let query = PanelQuery {
            data_source: target.data_source.clone(),
            expr: fill(&target.expr, chosen),
            instant: target.instant,
            range: timing.range,
            step: timing.step,
            points: timing.points,
            min_step,
            factor: target.factor,
        };
        Todo::Run(Box::new(Ready {
            query,
            expr: target.expr.clone(),
            intervals: Intervals { scrape: scrape.as_millis(), step, range: timing.seconds },
            chosen: chosen.clone(),
            each: Arc::clone(each),
            lacking: lacking.map(|(name, why)| (name.clone(), why.clone())).collect(),
            may_be_empty: panel.may_be_empty.clone(),
        }))
    }

    /// The values that a browser chooses for each variable of a dashboard.
    async fn filled(&self, dashboard: &Value, sources: &Sources) -> Filled {
        let mut filled = Filled::default();
        for variable in Variable::of(dashboard) {
            let options = self.options(&variable, dashboard, sources, &filled).await;
            filled.add(dashboard, &variable, options);
        }
        filled
    }

    /// The values that a variable offers, or what a person sees in its list instead.
    async fn options(
        &self,
        variable: &Variable,
        dashboard: &Value,
        sources: &Sources,
        filled: &Filled,
    ) -> Result<Options, Shown> {
        if let Some(kind) = variable.unknown_kind() {
            return Err(Shown::NotQueried(format!("monctl does not support variables of type `{kind}`")));
        }
        if let Some(pattern) = variable.strange_pattern() {
            return Err(Shown::NotQueried(format!("monctl cannot evaluate its pattern `{pattern}`")));
        }
        let used = variable.references();
        if let Some((name, shown)) = filled.broken.iter().find(|(name, _)| used.contains(*name)) {
            return Err(through(name, shown.clone()));
        }
        let Some(question) = variable.question(&filled.chosen) else {
            let values = variable.options(&[]);
            return Ok(Options { alive: EachValue { label: None, values: values.clone() }, values });
        };
        let data_source = match sources.source(&variable.data_source, &Value::Null) {
            QuerySource::Prometheus(uid) => uid,
            QuerySource::Other(why) => return Err(Shown::NotQueried(why)),
        };
        let vary = Vary { asker: self, data_source: &data_source, timing: self.timing(dashboard) };
        let question = question.map_err(Shown::Error)?;
        vary.options(variable, &question).await.unwrap_or_else(|error| Err(Shown::Error(error.in_one_line())))
    }

    /// The range over which the variables of a dashboard are queried.
    fn timing(&self, dashboard: &Value) -> Timing {
        Timing::of(dashboard, &QueryOptions::default(), self.scrape_interval, str::to_owned)
    }

    pub(super) async fn check(&self, job: &QueryTask) -> Checked {
        let mut notices = Vec::new();
        let shown = match &job.todo {
            Todo::Known(shown) => shown.clone(),
            Todo::Run(ready) => {
                let seen = self.seen(ready, &mut notices).await;
                let shown = seen.unwrap_or_else(|error| Shown::Error(error.in_one_line()));
                shown.unless(ready.may_be_empty.as_ref())
            }
        };
        Checked {
            dashboard: job.dashboard.clone(),
            panel: job.panel.clone(),
            query: job.id.clone(),
            expr: job.expr.clone(),
            notices,
            shown,
        }
    }

    async fn seen(&self, ready: &Ready, notices: &mut Vec<String>) -> Result<Shown> {
        let query = &ready.query;
        let detective = self.detective(&query.data_source, &query.range.0);
        let answered = self.grafana.frames(query).await?;
        *notices = answered.notices;
        Ok(match answered.frames {
            Frames::Data(series) => {
                let open = Open { query, expr: &ready.expr, chosen: &ready.chosen, each: &ready.each };
                let filled = |expr: &str| ready.intervals.fill(expr);
                let lacking = open.without_data(&series, detective, filled).await?;
                lacking.map_or(Shown::Data, Shown::Partial)
            }
            Frames::OnlyNaN => Shown::Empty(
                "only NaN: it divides by zero, for example because there were no requests".into(),
            ),
            Frames::Empty => match detective.cause(&ready.intervals.fill(&query.expr)).await? {
                NoDataReason::Refused(why) => Shown::Error(why),
                NoDataReason::Filtered => Shown::NotApplicable(NoDataReason::Filtered.text()),
                NoDataReason::Unmet { label, why } => {
                    Shown::Empty(ready.through_a_variable(&label).unwrap_or(why))
                }
                cause => Shown::Empty(cause.text()),
            },
        })
    }

    fn detective<'b>(&'b self, data_source: &'b str, from: &'b str) -> Detective<'b> {
        Detective { grafana: self.grafana, data_source, metrics: &self.metrics, from }
    }
}

impl Ready {
    /// The message that names a variable without values as the cause, if the query's condition on this label uses one.
    fn through_a_variable(&self, label: &str) -> Option<String> {
        let has_values = |(name, _): &(&String, &VariableValues)| !self.lacking.contains_key(*name);
        let chosen =
            self.chosen.iter().filter(has_values).map(|(name, values)| (name.clone(), values.clone()));
        let expr = self.intervals.fill(&fill(&self.expr, &chosen.collect()));
        let conditions = Selector::of(&expr).into_iter().flat_map(|selector| selector.conditions);
        let used: BTreeSet<String> =
            conditions.filter(|it| it.label == label).flat_map(|it| references(&it.value)).collect();
        let (name, why) = self.lacking.iter().find(|(name, _)| used.contains(*name))?;
        Some(format!("its variable `{name}` has no values: {why}"))
    }
}

/// The context of a variable's query to a data source.
struct Vary<'a> {
    asker: &'a PanelChecker<'a>,
    data_source: &'a str,
    timing: Timing,
}

impl Vary<'_> {
    async fn options(&self, variable: &Variable, question: &VariableQuery) -> Result<Result<Options, Shown>> {
        let answer = self.answer(question).await?;
        let values = variable.options(&answer);
        if values.is_empty() {
            return Ok(Err(self
                .empty(variable, question, answer.len())
                .await?
                .unless(variable.may_be_empty.as_ref())));
        }
        let alive = self.alive(variable, question, &values).await;
        Ok(Ok(Options { values, alive }))
    }

    /// Prometheus' answer over the dashboard's range, as a browser requests it.
    async fn answer(&self, question: &VariableQuery) -> Result<Vec<String>> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let (start, end) = (now.saturating_sub(self.timing.seconds).to_string(), now.to_string());
        let range = [("start", start.as_str()), ("end", end.as_str())];
        Ok(match question {
            VariableQuery::LabelValues { label, selector } => {
                let of = selector.iter().map(|it| ("match[]", it.as_str()));
                let query: Vec<(&str, &str)> = range.into_iter().chain(of).collect();
                strings(&self.resource(&format!("label/{label}/values"), &query).await?)
            }
            VariableQuery::LabelNames => strings(&self.resource("labels", &range).await?),
            VariableQuery::Metrics { pattern } => {
                let regex = regex::Regex::new(pattern).map_err(|cause| {
                    Error::invalid(format!("`{pattern}` is not a valid regular expression")).because(cause)
                })?;
                let matches = |name: &&String| regex.is_match(name);
                self.asker.metrics.iter().filter(matches).cloned().collect()
            }
            VariableQuery::Result { expr } => {
                series(&self.resource("query", &[("query", &self.with_intervals(expr))]).await?)
            }
            VariableQuery::Series { selector } => {
                let of = ("match[]", selector.as_str());
                names(&self.resource("series", &[range[0], range[1], of]).await?)
            }
        })
    }

    /// The values with data in the range; all values if that cannot be determined.
    async fn alive(&self, variable: &Variable, question: &VariableQuery, values: &[String]) -> EachValue {
        let all = || EachValue { label: None, values: values.to_vec() };
        let VariableQuery::LabelValues { label, selector: Some(selector) } = question else { return all() };
        let seconds = self.timing.seconds.max(1);
        let expr = format!("group by ({label}) (last_over_time({selector}[{seconds}s]))");
        let Ok(data) = self.resource("query", &[("query", &expr)]).await else { return all() };
        let found = data["result"].as_array().into_iter().flatten();
        let found: Vec<String> =
            found.filter_map(|one| one["metric"][label.as_str()].as_str().map(str::to_owned)).collect();
        let found = variable.options(&found);
        let values = values.iter().filter(|value| found.contains(value)).cloned().collect();
        EachValue { label: variable.pattern().is_none().then(|| label.clone()), values }
    }

    /// Why the variable has no values.
    async fn empty(&self, variable: &Variable, question: &VariableQuery, answered: usize) -> Result<Shown> {
        if answered > 0 {
            let pattern = variable.pattern().unwrap_or_default();
            return Ok(Shown::Empty(format!("its pattern `{pattern}` matches none of {answered} values")));
        }
        let (expr, otherwise) = match question {
            VariableQuery::LabelValues { label, selector: Some(selector) } => {
                (selector.clone(), format!("no series of `{selector}` has the label `{label}`"))
            }
            VariableQuery::LabelValues { label, selector: None } => {
                return Ok(Shown::Empty(format!("no series has the label `{label}`")));
            }
            VariableQuery::Metrics { pattern } => {
                return Ok(Shown::Empty(format!("no metric matches `{pattern}`")));
            }
            VariableQuery::LabelNames => return Ok(Shown::Empty("no series has a label".into())),
            VariableQuery::Series { selector } => (selector.clone(), NoDataReason::Nothing.text()),
            VariableQuery::Result { expr } => (self.with_intervals(expr), NoDataReason::Nothing.text()),
        };
        let detective = self.asker.detective(self.data_source, &self.timing.range.0);
        Ok(match detective.cause(&expr).await? {
            NoDataReason::Refused(why) => Shown::Error(why),
            NoDataReason::Missing(why) | NoDataReason::Unmet { why, .. } => Shown::Empty(why),
            NoDataReason::Filtered | NoDataReason::Nothing => Shown::Empty(otherwise),
        })
    }

    fn with_intervals(&self, expr: &str) -> String {
        let scrape = self.asker.scrape_interval.as_millis();
        Intervals { scrape, step: self.timing.step, range: self.timing.seconds }.fill(expr)
    }

    async fn resource(&self, path: &str, query: &[(&str, &str)]) -> Result<Value> {
        self.asker.grafana.resource(self.data_source, path, query).await
    }
}

impl Filled {
    fn add(&mut self, dashboard: &Value, variable: &Variable, options: Result<Options, Shown>) {
        let name = &variable.name;
        let mut checked = CheckedVariable {
            dashboard: dashboard["title"].as_str().unwrap_or_default().to_owned(),
            variable: name.clone(),
            values: 0,
            alone: 0,
            shown: Shown::Data,
        };
        match options {
            Ok(Options { values, mut alive }) => {
                checked.values = values.len();
                self.chosen.insert(name.clone(), variable.choose(&values));
                if variable.has_all() {
                    alive.values.truncate(MOST);
                    checked.alone = alive.values.len();
                    self.each.insert(name.clone(), alive);
                }
            }
            Err(shown) => {
                match &shown {
                    // As in a browser, its panels are queried nevertheless.
                    Shown::Empty(why) | Shown::NotApplicable(why) => {
                        self.chosen.insert(name.clone(), variable.choose(&[]));
                        self.empty.insert(name.clone(), why.clone());
                    }
                    _ => drop(self.broken.insert(name.clone(), shown.clone())),
                }
                checked.shown = shown;
            }
        }
        self.checked.push(checked);
    }
}

/// The result of a query or variable that uses a broken variable.
fn through(name: &str, shown: Shown) -> Shown {
    match shown {
        Shown::NotQueried(why) => Shown::NotQueried(format!("it uses the variable `{name}`: {why}")),
        Shown::Error(why) => Shown::Error(format!("it uses the variable `{name}`: {why}")),
        shown => shown,
    }
}

/// The variables that a query or its panel uses.
fn used(panel: &Panel, target: &PanelTarget) -> BTreeSet<String> {
    let texts = panel.settings.texts().chain(&target.min_step).chain([&target.expr]);
    texts.flat_map(|text| references(text)).chain(panel.repeats.iter().cloned()).collect()
}

/// The panel once, or once for each value of the variables by which it and its row are repeated. As in a browser, a
/// variable without values does not repeat it: the panel appears once and shows what is wrong.
fn repetitions(panel: &Panel, chosen: &Chosen) -> Vec<(String, Chosen)> {
    let mut found = vec![(Vec::new(), chosen.clone())];
    for name in &panel.repeats {
        let values = chosen.get(name).map(VariableValues::each).unwrap_or_default();
        if values.is_empty() {
            continue;
        }
        let with = |(of, chosen): &(Vec<String>, Chosen), value: &String| {
            let mut chosen = chosen.clone();
            chosen.insert(name.clone(), VariableValues::Any(vec![value.clone()]));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_panel_is_one_panel_for_each_value() {
        let panel = |repeats: &[&str]| Panel {
            title: "CPU of $host".into(),
            queries: vec![],
            repeats: repeats.iter().map(|name| (*name).to_owned()).collect(),
            settings: QueryOptions::default(),
            may_be_empty: None,
        };
        let titles = |repeats: &[&str], host: VariableValues| {
            let cpu = VariableValues::All { text: ".*".into(), values: vec!["0".into(), "1".into()] };
            let chosen = [("host".to_owned(), host), ("cpu".to_owned(), cpu)].into();
            repetitions(&panel(repeats), &chosen).into_iter().map(|it| it.0).collect::<Vec<_>>()
        };
        let two = VariableValues::Any(vec!["a".into(), "b".into()]);
        assert_eq!(titles(&["host"], two.clone()), ["CPU of a (host a)", "CPU of b (host b)"]);
        assert_eq!(titles(&["host"], VariableValues::One("a".into())), ["CPU of a"]);
        assert_eq!(
            titles(&["host"], VariableValues::Any(vec![])),
            ["CPU of ()"],
            "a panel without values does not disappear"
        );
        assert_eq!(
            titles(&["host", "cpu"], two),
            [
                "CPU of a (host a, cpu 0)",
                "CPU of a (host a, cpu 1)",
                "CPU of b (host b, cpu 0)",
                "CPU of b (host b, cpu 1)"
            ]
        );
    }
}
