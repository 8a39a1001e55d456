//! The rules that a program can check in a dashboard's JSON, each with an example that breaks it.

use std::collections::BTreeSet;
use std::fmt;

use monctl::spec::Grafana;
use regex::Regex;
use serde_json::{Value, json};

use super::colours;
use super::document::{everything, list, objects, of_variables, panels, queries, text};

/// A place that breaks a rule.
#[derive(Debug)]
pub struct Finding {
    pub rule: &'static str,
    what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {}", self.rule, self.what)
    }
}

/// A rule: its name, and what in a dashboard breaks it.
type Rule = (&'static str, fn(&Value) -> Vec<String>);

const RULES: [Rule; 20] = [
    ("identity", identity),
    ("finished", finished),
    ("help", help),
    ("unit", unit),
    ("empty is explained", empty_is_explained),
    ("ids", ids),
    ("grid", grid),
    ("data source", data_source),
    ("current", current),
    ("time", time),
    ("links", links),
    ("annotations", annotations),
    ("variables", variables),
    ("selectors", selectors),
    ("rates", rates),
    ("histograms", histograms),
    ("topk", topk),
    ("legends", legends),
    ("palette", palette),
    ("distinct colours", distinct_colours),
];

pub fn names() -> impl Iterator<Item = &'static str> {
    RULES.into_iter().map(|(name, _)| name)
}

/// Everything in a dashboard that breaks a rule.
pub fn findings(dashboard: &Value) -> Vec<Finding> {
    let of = |(rule, check): Rule| check(dashboard).into_iter().map(move |what| Finding { rule, what });
    RULES.into_iter().flat_map(of).collect()
}

fn regex(text: &str) -> Regex {
    Regex::new(text).unwrap()
}

/// What each panel has to say, with its title before it.
fn of_panels(dashboard: &Value, check: impl Fn(&Value) -> Option<String>) -> Vec<String> {
    let checked = |panel: &Value| check(panel).map(|what| format!("{}: {what}", panel["title"]));
    panels(dashboard).into_iter().filter_map(checked).collect()
}

/// What each query of a panel has to say, with the panel's title before it.
fn of_queries(dashboard: &Value, check: impl Fn(&super::document::Query) -> Option<String>) -> Vec<String> {
    let checked = |query: super::document::Query| {
        check(&query).map(|what| format!("{}: {what}: {}", query.panel, query.expression))
    };
    queries(dashboard).into_iter().filter_map(checked).collect()
}

fn defaults(panel: &Value) -> &Value {
    &panel["fieldConfig"]["defaults"]
}

/// A uid that all of Grafana's addresses take, a title, a sentence on what it is for, monctl's tag.
fn identity(dashboard: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut hold = |holds: bool, what: &str| {
        if !holds {
            found.push(what.to_owned());
        }
    };
    hold(regex("^monctl_[a-z0-9_]{1,30}$").is_match(&text(&dashboard["uid"])), "the uid is not monctl_NAME");
    hold(!text(&dashboard["title"]).is_empty(), "there is no title");
    hold(is_sentence(&text(&dashboard["description"])), "the description is no sentence");
    hold(dashboard["tags"] == json!(["monctl"]), "the tags are not [\"monctl\"]");
    found
}

/// Our own keys are filled in, and nothing that belongs to one Grafana is there.
fn finished(dashboard: &Value) -> Vec<String> {
    let mut all = Vec::new();
    objects(dashboard, &mut all);
    let ours = ["like", "size", "alerts", "when", "__inputs", "__requires", "gnetId"];
    let left = all.iter().flat_map(|keys| ours.into_iter().filter(|key| keys.contains_key(*key)));
    let mut found: Vec<String> = left.map(|key| format!("`{key}` is left")).collect();
    found.extend(
        ["id", "version"]
            .iter()
            .filter(|key| dashboard.get(**key).is_some())
            .map(|key| format!("`{key}` is given")),
    );
    found
}

fn is_sentence(text: &str) -> bool {
    text.len() > 20
        && text.ends_with('.')
        && text.starts_with(|first: char| first.is_uppercase() || first.is_numeric())
}

/// Each panel has a title and says in sentences what it shows.
fn help(dashboard: &Value) -> Vec<String> {
    of_panels(dashboard, |panel| {
        let title = text(&panel["title"]);
        if title.is_empty() || title.ends_with('.') {
            return Some("the title is empty or a sentence".into());
        }
        (!is_sentence(&text(&panel["description"]))).then(|| "the help is no sentence".into())
    })
}

/// Each panel has a unit; a share ends at 100.
fn unit(dashboard: &Value) -> Vec<String> {
    const SHORT: [&str; 2] = ["short", "none"];
    of_panels(dashboard, |panel| {
        let Some(unit) = defaults(panel)["unit"].as_str() else { return Some("there is no unit".into()) };
        let asked = list(&panel["targets"]).map(|target| text(&target["expr"])).collect::<Vec<_>>().join(" ");
        let seconds = regex(r"_seconds(_bucket)?\b").is_match(&asked) && asked.contains("histogram_quantile");
        if seconds && panel["type"] != "table" && SHORT.contains(&unit) {
            return Some(format!("times in `{unit}`"));
        }
        let share = asked.starts_with("100 *");
        (share && panel["type"] != "table" && unit != "percent").then(|| format!("a share in `{unit}`"))
    })
}

/// What stands where there is no data says why.
fn empty_is_explained(dashboard: &Value) -> Vec<String> {
    of_panels(dashboard, |panel| {
        let says = text(&defaults(panel)["noValue"]);
        (says.is_empty() || says.eq_ignore_ascii_case("no data")).then(|| format!("`noValue` is {says:?}"))
    })
}

fn ids(dashboard: &Value) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let again = |panel: &&Value| !panel["id"].as_u64().is_some_and(|id| seen.insert(id));
    everything(dashboard)
        .into_iter()
        .filter(again)
        .map(|panel| format!("{}: its id", panel["title"]))
        .collect()
}

/// Panels lie within 24 columns and not on each other.
fn grid(dashboard: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let closed = list(&dashboard["panels"]).map(|row| list(&row["panels"]).collect::<Vec<_>>());
    for level in std::iter::once(list(&dashboard["panels"]).collect()).chain(closed) {
        let mut taken = BTreeSet::new();
        for panel in level {
            let place = ["x", "y", "w", "h"].map(|key| panel["gridPos"][key].as_u64().unwrap_or_default());
            let [x, y, w, h] = place;
            let free = (x..x + w)
                .flat_map(|x| (y..y + h).map(move |y| (x, y)))
                .filter(|spot| taken.insert(*spot))
                .count();
            if w == 0 || h == 0 || x + w > 24 || free as u64 != w * h {
                found.push(format!("{}: lies at {place:?}", panel["title"]));
            }
        }
    }
    found
}

/// Everything asks our data source, by its uid; only annotations ask Grafana itself.
fn data_source(dashboard: &Value) -> Vec<String> {
    let ours = json!({"type": "prometheus", "uid": Grafana::default().data_source()});
    let grafana = json!({"type": "grafana", "uid": "-- Grafana --"});
    let mut found = Vec::new();
    let mut hold = |place: &Value, source: &Value, allowed: &[&Value]| {
        if !allowed.contains(&source) {
            found.push(format!("{place}: asks {source}"));
        }
    };
    for panel in panels(dashboard) {
        hold(&panel["title"], &panel["datasource"], &[&ours]);
        list(&panel["targets"]).for_each(|target| hold(&panel["title"], &target["datasource"], &[&ours]));
    }
    list(&dashboard["templating"]["list"]).for_each(|one| hold(&one["name"], &one["datasource"], &[&ours]));
    list(&dashboard["annotations"]["list"])
        .for_each(|one| hold(&one["name"], &one["datasource"], &[&ours, &grafana]));
    found
}

/// Only kinds of panels and keys that Grafana 12 and 13 know and do not call old.
fn current(dashboard: &Value) -> Vec<String> {
    const KINDS: [&str; 9] =
        ["row", "timeseries", "stat", "table", "bargauge", "gauge", "state-timeline", "heatmap", "text"];
    // Of Angular panels, of field options before 8, and of dashboards before schema 42.
    const OLD: [&str; 22] = [
        "yaxes",
        "xaxis",
        "yaxis",
        "nullPointMode",
        "aliasColors",
        "seriesOverrides",
        "renderer",
        "intervalFactor",
        "sparkline",
        "valueName",
        "valueMaps",
        "rangeMaps",
        "fieldOptions",
        "style",
        "sharedCrosshair",
        "hideControls",
        "time_options",
        "gridPosition",
        "repeatIteration",
        "displayLabels",
        "scopedVars",
        "alert",
    ];
    let mut found = Vec::new();
    if dashboard["schemaVersion"] != 42 {
        found.push("the schema is not 42, the last one of this kind".into());
    }
    for panel in everything(dashboard) {
        if !KINDS.contains(&text(&panel["type"]).as_str()) {
            found.push(format!("{}: panels of type {}", panel["title"], panel["type"]));
        }
        if panel["thresholds"].is_array() || panel["datasource"].is_string() {
            found.push(format!("{}: thresholds or data source as they were once written", panel["title"]));
        }
        if panel["type"] == "table" && defaults(panel)["custom"].get("displayMode").is_some() {
            found.push(format!("{}: `displayMode` of cells", panel["title"]));
        }
    }
    let mut all = Vec::new();
    objects(dashboard, &mut all);
    let old = all.iter().flat_map(|keys| OLD.into_iter().filter(|key| keys.contains_key(*key)));
    found.extend(old.map(|key| format!("`{key}` is a key of the past")));
    found
}

/// A refresh that neither hammers Prometheus nor goes stale, a range that ends now, the reader's own time zone.
fn time(dashboard: &Value) -> Vec<String> {
    let mut found = Vec::new();
    if !["10s", "30s", "1m"].contains(&text(&dashboard["refresh"]).as_str()) {
        found.push(format!("a refresh of {}", dashboard["refresh"]));
    }
    if !list(&dashboard["timepicker"]["refresh_intervals"]).any(|one| *one == dashboard["refresh"]) {
        found.push("the refresh cannot be chosen again".into());
    }
    if !regex("^now-(1|3|6)h$").is_match(&text(&dashboard["time"]["from"]))
        || dashboard["time"]["to"] != "now"
    {
        found.push(format!("a range of {}", dashboard["time"]));
    }
    if dashboard["timezone"] != "browser" {
        found.push("not the reader's time zone".into());
    }
    found
}

/// The others are a click away, with the same range and the same hosts.
fn links(dashboard: &Value) -> Vec<String> {
    let carries = |link: &Value| {
        link["type"] == "dashboards"
            && link["tags"] == json!(["monctl"])
            && link["keepTime"] == true
            && link["includeVars"] == true
    };
    let linked = list(&dashboard["links"]).any(carries);
    if linked { Vec::new() } else { vec!["no link to the other dashboards".into()] }
}

/// Deployments, drills and changes of the configuration, each with a switch of its own.
fn annotations(dashboard: &Value) -> Vec<String> {
    let shown = |kind: &str| {
        list(&dashboard["annotations"]["list"]).any(|one| {
            one["target"]["tags"] == json!(["monctl", kind])
                && one["enable"] == true
                && one["target"]["matchAny"] == false
        })
    };
    let kinds = ["deployment", "drill", "configuration"];
    kinds
        .iter()
        .filter(|kind| !shown(kind))
        .map(|kind| format!("annotations `{kind}` are not shown"))
        .collect()
}

/// Variables work with one value, with fifty and with all; what is used is declared.
fn variables(dashboard: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut known =
        BTreeSet::from(["__rate_interval".to_owned(), "__range".to_owned(), "__interval".to_owned()]);
    for variable in list(&dashboard["templating"]["list"]) {
        let name = text(&variable["name"]);
        let all = variable["multi"] == true && variable["includeAll"] == true;
        // Fifty names in one regular expression are slow; `.+` matches them all. 2: asked again when the range changes.
        if !all
            || variable["allValue"] != ".+"
            || variable["refresh"] != 2
            || text(&variable["label"]).is_empty()
        {
            found.push(format!("variable `{name}` does not offer all of its values"));
        }
        if !is_sentence(&text(&variable["description"])) {
            found.push(format!("variable `{name}` has no help"));
        }
        known.insert(name);
    }
    let used = regex(r"\$\{?(\w+)");
    let asked = queries(dashboard).into_iter().chain(of_variables(dashboard));
    for query in asked {
        for name in used.captures_iter(&query.expression).map(|found| found[1].to_owned()) {
            if !known.contains(&name) {
                found.push(format!("{}: `${name}` is not declared", query.panel));
            }
        }
    }
    found
}

/// Every metric is asked of its own job, and for the chosen hosts where they can be chosen.
fn selectors(dashboard: &Value) -> Vec<String> {
    let families = [
        ("node_", r#"job="node-exporter""#, Some(r#"instance=~"$host""#)),
        ("django_", r#"job="django-instance""#, Some(r#"instance=~"$application""#)),
        ("monctl_instrumentation_", r#"job="django-instance""#, Some(r#"instance=~"$application""#)),
        ("prometheus_", r#"job="prometheus""#, None),
        ("process_", "job=", None),
    ];
    let metric = regex(r"\b([a-z_:][a-zA-Z0-9_:]*)(\{[^}]*\})?");
    of_queries(dashboard, |query| {
        // Labels are named in parentheses behind these words; they are no metrics.
        let plain = regex(r"\b(by|without|on|ignoring|group_left|group_right) *\([^)]*\)")
            .replace_all(&query.expression, " ");
        metric.captures_iter(&plain).find_map(|found| {
            let (name, labels) = (&found[1], found.get(2).map_or("", |labels| labels.as_str()));
            let (_, job, chosen) = families.iter().find(|(start, ..)| name.starts_with(start))?;
            let holds = labels.contains(job) && chosen.is_none_or(|chosen| labels.contains(chosen));
            (!holds).then(|| format!("`{name}` is asked without {job} {}", chosen.unwrap_or_default()))
        })
    })
}

/// A rate is taken over what Grafana says fits the scrape interval and the width of a pixel; over the whole range only
/// where one number stands for all of it.
fn rates(dashboard: &Value) -> Vec<String> {
    let ranged = regex(r"(\w+)\s*\(\s*[^\[\]()]*\[([^\]]*)\]");
    of_queries(dashboard, |query| {
        ranged.captures_iter(&query.expression).find_map(|found| {
            let (function, range) = (&found[1], &found[2]);
            let holds = match function {
                "rate" | "increase" => range == "$__rate_interval" || query.instant && range == "$__range",
                "deriv" | "predict_linear" | "min_over_time" | "max_over_time" | "avg_over_time" => true,
                _ => false,
            };
            (!holds).then(|| format!("`{function}` over [{range}]"))
        })
    })
}

/// Buckets are added up over workers and hosts before a quantile is taken: the mean of quantiles means nothing.
fn histograms(dashboard: &Value) -> Vec<String> {
    let summed = regex(r"histogram_quantile\([0-9.]+, sum by \(le(, \w+)*\) \(rate\(");
    of_queries(dashboard, |query| {
        let all = query.expression.matches("histogram_quantile(").count();
        (all != summed.find_iter(&query.expression).count())
            .then(|| "a quantile of what is not summed by `le`".into())
    })
}

/// Over time `topk` chooses anew at each step, and the graph shows more series than it says.
fn topk(dashboard: &Value) -> Vec<String> {
    of_queries(dashboard, |query| {
        let chooses = query.expression.contains("topk(") || query.expression.contains("bottomk(");
        (chooses && !query.instant).then(|| "the largest ones over time".into())
    })
}

/// Each series has a name; tables and bars show one value each.
fn legends(dashboard: &Value) -> Vec<String> {
    of_panels(dashboard, |panel| {
        list(&panel["targets"]).find_map(|target| {
            let table = panel["type"] == "table";
            let asked = (&target["instant"], &target["range"]);
            if !table && text(&target["legendFormat"]).is_empty() {
                return Some("a series has no name".into());
            }
            let single = table || panel["type"] == "bargauge" || panel["type"] == "stat";
            (asked != (&json!(single), &json!(!single)))
                .then(|| "asks for one value and shows many, or the other way round".into())
        })
    })
}

/// The colours of a panel: fixed ones of series, those of thresholds and of values.
fn colours_of(panel: &Value) -> BTreeSet<String> {
    let mut all = Vec::new();
    objects(panel, &mut all);
    let of = |keys: &serde_json::Map<String, Value>| {
        ["fixedColor", "color", "iconColor"]
            .map(|key| keys.get(key).and_then(Value::as_str).map(str::to_owned))
    };
    all.into_iter().flat_map(of).flatten().collect()
}

/// Only colours of the palette that differ for everybody, and schemes in which lightness tells series apart.
fn palette(dashboard: &Value) -> Vec<String> {
    let mut found = of_panels(dashboard, |panel| {
        let foreign =
            colours_of(panel).into_iter().find(|colour| !colours::PALETTE.contains(&colour.as_str()));
        foreign.map(|colour| format!("the colour {colour}"))
    });
    let mut all = Vec::new();
    objects(dashboard, &mut all);
    let modes = all.iter().filter_map(|keys| keys.get("color")?.get("mode")?.as_str());
    found.extend(
        modes
            .filter(|mode| !["fixed", "shades", "thresholds"].contains(mode))
            .map(|mode| format!("colours by `{mode}`")),
    );
    found
}

/// No two colours of one panel look alike to a colour-blind person.
fn distinct_colours(dashboard: &Value) -> Vec<String> {
    of_panels(dashboard, |panel| {
        let fixed: Vec<String> = list(&panel["fieldConfig"]["overrides"])
            .flat_map(|one| list(&one["properties"]))
            .filter_map(|property| property["value"]["fixedColor"].as_str().map(str::to_owned))
            .collect();
        let twice = fixed.iter().enumerate().any(|(index, colour)| fixed[..index].contains(colour));
        let alike = colours::alike(&colours_of(panel));
        match alike {
            _ if twice => Some("two series have one colour".into()),
            Some((a, b)) => Some(format!("{a} and {b} look alike to some")),
            None => None,
        }
    })
}

/// What breaks a dashboard, and which rule is to find it.
type Damage = fn(&mut Value);

/// For each rule at least one way to break it.
#[allow(clippy::too_many_lines, reason = "a table")]
pub fn broken_examples() -> Vec<(&'static str, Damage)> {
    fn panel(dashboard: &mut Value) -> &mut Value {
        dashboard["panels"]
            .as_array_mut()
            .unwrap()
            .iter_mut()
            .find(|panel| panel["title"] == "CPU used")
            .unwrap()
    }
    fn expression(dashboard: &mut Value, text: &str) {
        panel(dashboard)["targets"][0]["expr"] = text.into();
    }
    vec![
        ("identity", |it| it["uid"] = "mine".into()),
        ("identity", |it| it["description"] = "hosts".into()),
        ("identity", |it| it["tags"] = json!([])),
        ("finished", |it| panel(it)["like"] = "graph".into()),
        ("finished", |it| it["version"] = 3.into()),
        ("help", |it| panel(it)["description"] = "CPU".into()),
        ("help", |it| panel(it)["title"] = "".into()),
        ("unit", |it| drop(panel(it)["fieldConfig"]["defaults"].as_object_mut().unwrap().remove("unit"))),
        ("unit", |it| panel(it)["fieldConfig"]["defaults"]["unit"] = "s".into()),
        ("empty is explained", |it| panel(it)["fieldConfig"]["defaults"]["noValue"] = "No data".into()),
        ("ids", |it| panel(it)["id"] = 1.into()),
        ("grid", |it| panel(it)["gridPos"]["x"] = 1.into()),
        ("grid", |it| panel(it)["gridPos"]["w"] = 25.into()),
        ("data source", |it| panel(it)["datasource"] = json!({"uid": "other"})),
        ("data source", |it| panel(it)["targets"][0]["datasource"] = Value::Null),
        ("current", |it| panel(it)["type"] = "graph".into()),
        ("current", |it| it["schemaVersion"] = 41.into()),
        ("current", |it| panel(it)["options"]["yaxes"] = json!([])),
        ("current", |it| panel(it)["datasource"] = "Prometheus".into()),
        ("time", |it| it["refresh"] = "1s".into()),
        ("time", |it| it["time"]["from"] = "now-30d".into()),
        ("links", |it| it["links"][0]["includeVars"] = false.into()),
        ("annotations", |it| it["annotations"]["list"][2]["target"]["matchAny"] = true.into()),
        ("variables", |it| it["templating"]["list"][0]["includeAll"] = false.into()),
        ("variables", |it| it["templating"]["list"][0]["allValue"] = Value::Null),
        ("variables", |it| {
            expression(it, r#"node_load1{job="node-exporter", instance=~"$host", mode="$mode"}"#);
        }),
        ("selectors", |it| expression(it, r#"node_load1{job="node-exporter"}"#)),
        ("selectors", |it| expression(it, "sum by (node_load1) (node_load5)")),
        ("rates", |it| expression(it, r#"rate(node_load1{job="node-exporter", instance=~"$host"}[5m])"#)),
        ("rates", |it| {
            expression(it, r#"rate(node_load1{job="node-exporter", instance=~"$host"}[$__range])"#);
        }),
        ("rates", |it| {
            expression(it, r#"irate(node_load1{job="node-exporter", instance=~"$host"}[$__rate_interval])"#);
        }),
        ("histograms", |it| expression(it, "histogram_quantile(0.9, rate(x_bucket[$__rate_interval]))")),
        ("topk", |it| expression(it, r#"topk(5, node_load1{job="node-exporter", instance=~"$host"})"#)),
        ("legends", |it| panel(it)["targets"][0]["legendFormat"] = "".into()),
        ("legends", |it| panel(it)["targets"][0]["instant"] = true.into()),
        ("palette", |it| panel(it)["fieldConfig"]["defaults"]["color"]["fixedColor"] = "green".into()),
        ("palette", |it| panel(it)["fieldConfig"]["defaults"]["color"]["mode"] = "palette-classic".into()),
        ("distinct colours", |it| {
            let red = |name: &str, colour: &str| json!({"matcher": {"id": "byName", "options": name}, "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": colour}}]});
            panel(it)["fieldConfig"]["overrides"] = json!([red("a", "#999999"), red("b", "#CC79A7")]);
        }),
    ]
}
