//! Rules that can be checked in a dashboard's JSON, each with an example that breaks it.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::fmt;

use monctl::spec::{Catalogue, Grafana};
use regex::Regex;
use serde_json::{Value, json};

use super::document::{Query, everything, list, objects, of_variables, panels, queries, text};
use super::promql::{Parsed, Ranged, Selector};
use super::{colours, looks};

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
pub type Rule = (&'static str, fn(&Value) -> Vec<String>);

const RULES: [Rule; 23] = [
    ("identity", identity),
    ("finished", finished),
    ("help", help),
    ("may be empty", may_be_empty),
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
    ("queries", queries_can_be_read),
    ("selectors", selectors),
    ("alerts", alerts),
    ("rates", rates),
    ("histograms", histograms),
    ("topk", topk),
    ("legends", legends),
    ("palette", palette),
    ("distinct colours", distinct_colours),
];

fn all() -> impl Iterator<Item = Rule> {
    RULES.into_iter().chain(looks::RULES)
}

pub fn names() -> impl Iterator<Item = &'static str> {
    all().map(|(name, _)| name)
}

/// Everything in a dashboard that breaks a rule.
pub fn findings(dashboard: &Value) -> Vec<Finding> {
    names().flat_map(|rule| findings_of(rule, dashboard)).collect()
}

/// What breaks the rule of this name.
pub fn findings_of(name: &str, dashboard: &Value) -> Vec<Finding> {
    let of = |(rule, check): Rule| check(dashboard).into_iter().map(move |what| Finding { rule, what });
    all().filter(|(rule, _)| *rule == name).flat_map(of).collect()
}

/// Compiles each pattern once, since every panel uses the same few.
pub fn regex(text: &str) -> Regex {
    thread_local!(static KNOWN: RefCell<HashMap<String, Regex>> = RefCell::default());
    KNOWN.with_borrow_mut(|known| {
        known.entry(text.to_owned()).or_insert_with(|| Regex::new(text).unwrap()).clone()
    })
}

/// The findings of each panel, with its title.
pub fn of_panels(dashboard: &Value, check: impl Fn(&Value) -> Option<String>) -> Vec<String> {
    let checked = |panel: &Value| check(panel).map(|what| format!("{}: {what}", panel["title"]));
    panels(dashboard).into_iter().filter_map(checked).collect()
}

/// The findings of each query of a panel, with the panel's title. Invalid queries have their own rule.
fn of_queries(dashboard: &Value, check: impl Fn(&Query, &Parsed) -> Option<String>) -> Vec<String> {
    let checked = |query: Query| {
        let what = check(&query, &Parsed::new(&query.expression).ok()?)?;
        Some(format!("{}: {what}: {}", query.panel, query.expression))
    };
    queries(dashboard).into_iter().filter_map(checked).collect()
}

pub fn defaults(panel: &Value) -> &Value {
    &panel["fieldConfig"]["defaults"]
}

/// A uid that is valid in all of Grafana's addresses, a title, a sentence about its purpose, and monctl's tag.
fn identity(dashboard: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut hold = |holds: bool, what: &str| {
        if !holds {
            found.push(what.to_owned());
        }
    };
    hold(regex("^monctl_[a-z0-9_]{1,30}$").is_match(&text(&dashboard["uid"])), "the uid is not monctl_NAME");
    hold(!text(&dashboard["title"]).is_empty(), "there is no title");
    hold(is_sentence(&text(&dashboard["description"])), "the description is not a sentence");
    hold(dashboard["tags"] == json!(["monctl"]), "the tags are not [\"monctl\"]");
    found
}

/// monctl's own template keys are filled in, and no key belongs to a particular Grafana.
fn finished(dashboard: &Value) -> Vec<String> {
    let mut all = Vec::new();
    objects(dashboard, &mut all);
    let ours = [
        "like",
        "size",
        "alerts",
        "when",
        "optional",
        "named",
        "coloured",
        "__inputs",
        "__requires",
        "gnetId",
    ];
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

/// Each panel has a title and a description in sentences.
fn help(dashboard: &Value) -> Vec<String> {
    of_panels(dashboard, |panel| {
        let title = text(&panel["title"]);
        if title.is_empty() || title.ends_with('.') {
            return Some("the title is empty or a sentence".into());
        }
        (!is_sentence(&text(&panel["description"]))).then(|| "the help is not a sentence".into())
    })
}

/// A panel that may stay empty says so in its last sentence, which `verify-dashboards` recognizes.
fn may_be_empty(dashboard: &Value) -> Vec<String> {
    of_panels(dashboard, |panel| {
        let (help, empty) = (text(&panel["description"]), text(&defaults(panel)["noValue"]));
        let why = help.split_once(" May be empty: ").map(|(_, why)| why.trim_end_matches('.'));
        let shown = empty.strip_prefix("not scraped, or ");
        (why != shown).then(|| format!("the help ends in {why:?}, an empty panel shows {empty:?}"))
    })
}

/// Each panel has one of the chosen units; a share is in percent.
fn unit(dashboard: &Value) -> Vec<String> {
    // Numbers in full, and rates per second, with the counted thing as a word or in the title: clearer than `3 K`,
    // `c/s` and `ops`.
    const NUMBER: &str = "locale";
    const UNITS: [&str; 9] =
        [NUMBER, "percent", "s", "bytes", "Bps", "reqps", "iops", "dtdurations", "dateTimeFromNow"];
    of_panels(dashboard, |panel| {
        let Some(unit) = defaults(panel)["unit"].as_str() else { return Some("there is no unit".into()) };
        let of_fields = list(&panel["fieldConfig"]["overrides"])
            .flat_map(|one| list(&one["properties"]))
            .filter(|property| property["id"] == "unit")
            .map(|property| text(&property["value"]));
        if let Some(foreign) = of_fields
            .chain([unit.to_owned()])
            .find(|it| !UNITS.contains(&it.as_str()) && !regex("^suffix:(days|/min|[a-z]*/s)$").is_match(it))
        {
            return Some(format!("the unit `{foreign}`"));
        }
        let all = list(&panel["targets"]).map(|target| text(&target["expr"])).collect::<Vec<_>>().join(" ");
        let seconds = regex(r"_seconds(_bucket)?\b").is_match(&all) && all.contains("histogram_quantile");
        if seconds && panel["type"] != "table" && unit == NUMBER {
            return Some(format!("times in `{unit}`"));
        }
        let share = regex(r"\b100 [*-]").is_match(&all);
        (share && panel["type"] != "table" && unit != "percent").then(|| format!("a share in `{unit}`"))
    })
}

/// No data means not scraped: the absence of requests is shown as a value with its own text.
fn empty_is_explained(dashboard: &Value) -> Vec<String> {
    of_panels(dashboard, |panel| {
        let no_value = text(&defaults(panel)["noValue"]);
        (!no_value.starts_with("not scraped")).then(|| format!("`noValue` is {no_value:?}"))
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

/// Panels are within 24 columns and do not overlap.
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
                found.push(format!("{}: is at {place:?}", panel["title"]));
            }
        }
    }
    found
}

/// Everything queries monctl's data source by its uid; only annotations query Grafana itself.
fn data_source(dashboard: &Value) -> Vec<String> {
    let ours = json!({"type": "prometheus", "uid": Grafana::default().data_source()});
    let grafana = json!({"type": "grafana", "uid": "-- Grafana --"});
    let mut found = Vec::new();
    let mut hold = |place: &Value, source: &Value, allowed: &[&Value]| {
        if !allowed.contains(&source) {
            found.push(format!("{place}: queries {source}"));
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

/// Only panel types and keys that Grafana 12 and 13 support and have not deprecated.
fn current(dashboard: &Value) -> Vec<String> {
    const KINDS: [&str; 9] =
        ["row", "timeseries", "stat", "table", "bargauge", "gauge", "state-timeline", "heatmap", "text"];
    // Keys of Angular panels, of field options before Grafana 8, and of dashboards before schema 42.
    const OLD: [&str; 21] = [
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
    ];
    let mut found = Vec::new();
    if dashboard["schemaVersion"] != 42 {
        found.push("the schema version is not 42, the last classic one".into());
    }
    for panel in everything(dashboard) {
        if !KINDS.contains(&text(&panel["type"]).as_str()) {
            found.push(format!("{}: panels of type {}", panel["title"], panel["type"]));
        }
        if panel["thresholds"].is_array() || panel["datasource"].is_string() {
            found.push(format!("{}: thresholds or data source in an old format", panel["title"]));
        }
        if panel.get("alert").is_some() {
            found.push(format!("{}: an alert in a panel", panel["title"]));
        }
        if panel["type"] == "table" && defaults(panel)["custom"].get("displayMode").is_some() {
            found.push(format!("{}: `displayMode` of cells", panel["title"]));
        }
    }
    let mut all = Vec::new();
    objects(dashboard, &mut all);
    let old = all.iter().flat_map(|keys| OLD.into_iter().filter(|key| keys.contains_key(*key)));
    found.extend(old.map(|key| format!("the key `{key}` is deprecated")));
    found
}

/// A refresh that neither overloads Prometheus nor becomes stale, a range that ends now, and the reader's time zone.
fn time(dashboard: &Value) -> Vec<String> {
    let mut found = Vec::new();
    if !["10s", "30s", "1m"].contains(&text(&dashboard["refresh"]).as_str()) {
        found.push(format!("a refresh of {}", dashboard["refresh"]));
    }
    if !list(&dashboard["timepicker"]["refresh_intervals"]).any(|one| *one == dashboard["refresh"]) {
        found.push("the refresh is not in the list of intervals".into());
    }
    // Short enough that a deployment a few minutes old fills more than the edge of a graph.
    if !regex("^now-(15|30)m$").is_match(&text(&dashboard["time"]["from"]))
        || dashboard["time"]["to"] != "now"
    {
        found.push(format!("a range of {}", dashboard["time"]));
    }
    if dashboard["timezone"] != "browser" {
        found.push("not the reader's time zone".into());
    }
    found
}

/// Links lead to the other dashboards with the same range and hosts.
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

/// Deployments, drills, configuration changes and firing alerts, each with its own switch.
fn annotations(dashboard: &Value) -> Vec<String> {
    let fires = list(&dashboard["annotations"]["list"]).any(|one| {
        let query = text(&one["target"]["expr"]);
        one["enable"] == true && query.contains("ALERTS{") && query.contains(r#"alertstate="firing""#)
    });
    let shown = |kind: &str| {
        list(&dashboard["annotations"]["list"]).any(|one| {
            one["target"]["tags"] == json!(["monctl", kind])
                && one["enable"] == true
                && one["target"]["matchAny"] == false
        })
    };
    let kinds = ["deployment", "drill", "configuration"];
    let missing = kinds.into_iter().filter(|kind| !shown(kind)).chain((!fires).then_some("firing alerts"));
    missing.map(|kind| format!("annotations `{kind}` are not shown")).collect()
}

/// Variables work with one value, with fifty and with all; every used variable is declared.
fn variables(dashboard: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut known =
        BTreeSet::from(["__rate_interval".to_owned(), "__range".to_owned(), "__interval".to_owned()]);
    for variable in list(&dashboard["templating"]["list"]) {
        let name = text(&variable["name"]);
        let all = variable["multi"] == true && variable["includeAll"] == true;
        // Fifty names in one regular expression are slow; `.+` matches them all. 2: refreshed when the range changes.
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
    // Skips `$1`, a capture group of a pattern.
    let used = regex(r"\$\{?([A-Za-z_]\w*)");
    let all = queries(dashboard).into_iter().chain(of_variables(dashboard));
    for query in all {
        for name in used.captures_iter(&query.expression).map(|found| found[1].to_owned()) {
            if !known.contains(&name) {
                found.push(format!("{}: `${name}` is not declared", query.panel));
            }
        }
    }
    found
}

/// Each query is valid.
fn queries_can_be_read(dashboard: &Value) -> Vec<String> {
    let why = |query: Query| {
        Parsed::new(&query.expression)
            .err()
            .map(|why| format!("{}: {why}: {}", query.panel, query.expression))
    };
    queries(dashboard).into_iter().filter_map(why).collect()
}

/// Every metric is selected by its job, and by the chosen hosts if the dashboard has such a variable.
fn selectors(dashboard: &Value) -> Vec<String> {
    const HOST: &[&str] = &[r#"job="node-exporter""#, r#"instance=~"$host""#];
    const APPLICATION: &[&str] = &[r#"job="django-instance""#, r#"instance=~"$application""#];
    const FAMILIES: [(&str, &[&str]); 9] = [
        ("node_", HOST),
        ("django_", APPLICATION),
        // Without a job: Prometheus records it itself.
        ("monctl_alert_", &[]),
        ("monctl_unit_", &[r#"job="app-watch""#]),
        ("monctl_url_", &[r#"job="app-watch""#]),
        ("monctl_", APPLICATION),
        ("prometheus_", &[r#"job="prometheus""#]),
        ("process_", &[r#"job="prometheus""#]),
        ("alertmanager_", &[r#"job="alertmanager""#]),
    ];
    // Prometheus' own scrapes do not count as requests.
    const BY_VIEW: &str = r#"view!="prometheus-django-metrics""#;
    let of_requests = regex("^django_http_.*(by_.*view|s_total_by_(status|method)|_latency_)");
    // Names are queried for all hosts, since alerts of hosts that are not chosen are shown too.
    let chosen = |metric: &str, condition: &str| {
        let declared = || list(&dashboard["templating"]["list"]).any(|one| one["name"] == "host");
        !condition.contains("$host") || metric != "node_uname_info" && declared()
    };
    of_queries(dashboard, |_, parsed| {
        parsed.selectors().into_iter().find_map(|Selector { metric, conditions }| {
            let (_, wanted) = FAMILIES.iter().find(|(start, _)| metric.starts_with(start))?;
            let by_view = of_requests.is_match(&metric).then_some(BY_VIEW);
            let mut wanted =
                wanted.iter().copied().filter(|condition| chosen(metric.as_str(), condition)).chain(by_view);
            let missing = wanted.find(|condition| !conditions.contains(*condition))?;
            Some(format!("`{metric}` is queried without {missing}"))
        })
    })
}

/// The alerts that a panel's help mentions, whether the spec has them or not.
pub fn alerts_of(panel: &Value) -> Vec<String> {
    let mentions = regex(r"(\w+) fires (?:above|below)|has no alert (\w+) with");
    let name = |found: regex::Captures| found.get(1).or(found.get(2)).map(|name| name.as_str().to_owned());
    mentions.captures_iter(&text(&panel["description"])).filter_map(name).collect()
}

/// A panel with an alert's threshold shows what the alert evaluates: it queries the first metric of the alert's
/// expression with the same conditions.
fn alerts(dashboard: &Value) -> Vec<String> {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/integrations/queue");
    let catalogue = Catalogue::with(&[example.into()]).unwrap();
    let parameter = regex(r"\$\{[^}]*\}");
    of_panels(dashboard, |panel| {
        let parsed = list(&panel["targets"]).filter_map(|target| Parsed::new(&text(&target["expr"])).ok());
        let queried: Vec<Selector> = parsed.flat_map(|query| query.selectors()).collect();
        alerts_of(panel).into_iter().find_map(|name| {
            let Some(alert) = catalogue.alert(&name) else {
                return Some(format!("there is no alert {name}"));
            };
            let expression = alert.expr.replace("[${window}]", "[5m]").replace("${window/2}", "5m");
            let evaluated = Parsed::new(&parameter.replace_all(&expression, "1")).ok()?.selectors();
            let first = evaluated.first()?;
            let is_it =
                |it: &Selector| it.metric == first.metric && it.conditions.is_superset(&first.conditions);
            (!queried.iter().any(is_it)).then(|| format!("does not query what {name} evaluates, {first:?}"))
        })
    })
}

/// A rate uses `$__rate_interval`, which fits the scrape interval and the width of a pixel; the whole range only if the
/// result is a single number for it. A slope needs hours.
fn rates(dashboard: &Value) -> Vec<String> {
    of_queries(dashboard, |query, parsed| {
        parsed.ranged().into_iter().find_map(|Ranged { function, range, at_end }| {
            let holds = match function {
                "rate" | "increase" | "avg_over_time" | "max_over_time" => {
                    range == "$__rate_interval" || range == "$__range" && (query.instant || at_end)
                }
                // The last value does not depend on the length of the range.
                "last_over_time" => true,
                "deriv" => range.ends_with("00s"),
                _ => false,
            };
            (!holds).then(|| format!("`{function}` over [{range}]"))
        })
    })
}

/// Buckets are summed over workers and hosts before a quantile is computed: a mean of quantiles is meaningless.
fn histograms(dashboard: &Value) -> Vec<String> {
    of_queries(dashboard, |_, parsed| {
        parsed.has_quantile_of_parts().then(|| "a quantile of buckets that are not summed by `le`".into())
    })
}

/// In a graph, `topk` chooses again at each step, so more series appear than its number. It must choose by the values
/// at the end of the range.
fn topk(dashboard: &Value) -> Vec<String> {
    of_queries(dashboard, |query, parsed| {
        (parsed.has_restless_choice() && !query.instant).then(|| "the largest ones over time".into())
    })
}

/// Each series has a name; tables and bars show one value each.
fn legends(dashboard: &Value) -> Vec<String> {
    of_panels(dashboard, |panel| {
        list(&panel["targets"]).find_map(|target| {
            let table = panel["type"] == "table";
            let flags = (&target["instant"], &target["range"]);
            if !table && text(&target["legendFormat"]).is_empty() {
                return Some("a series has no name".into());
            }
            let single = table || panel["type"] == "bargauge" || panel["type"] == "stat";
            (flags != (&json!(single), &json!(!single)))
                .then(|| "queries one value and shows many, or vice versa".into())
        })
    })
}

/// The colours of a panel: of series, thresholds and values.
pub fn colours_of(panel: &Value) -> BTreeSet<String> {
    let mut all = Vec::new();
    objects(panel, &mut all);
    let of = |keys: &serde_json::Map<String, Value>| {
        ["fixedColor", "color", "iconColor"]
            .map(|key| keys.get(key).and_then(Value::as_str).map(str::to_owned))
    };
    all.into_iter().flat_map(of).flatten().collect()
}

/// Only colours of the palette that everybody can distinguish, unlike those of Grafana's own schemes.
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
            .filter(|mode| !["fixed", "thresholds"].contains(mode))
            .map(|mode| format!("colours by `{mode}`")),
    );
    found
}

/// Colour-blind people can distinguish all colours of a panel, and each of several queries in it has its own colour.
fn distinct_colours(dashboard: &Value) -> Vec<String> {
    of_panels(dashboard, |panel| {
        let graph = panel["type"] == "timeseries" && list(&panel["targets"]).count() > 1;
        let legends = list(&panel["targets"]).map(|target| text(&target["legendFormat"]));
        let plain = legends.filter(|_| graph).find(|legend| !has_colour(panel, legend));
        if let Some(legend) = plain {
            return Some(format!("`{legend}` has no colour of its own"));
        }
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

/// Whether an override sets a colour for the series of a legend, by its name or by a pattern.
fn has_colour(panel: &Value, legend: &str) -> bool {
    let name = regex(r"\{\{\w+\}\}").replace_all(legend, "any");
    list(&panel["fieldConfig"]["overrides"]).any(|one| {
        let options = text(&one["matcher"]["options"]);
        let matches = match one["matcher"]["id"].as_str() {
            Some("byName") => options == name,
            Some("byRegexp") => regex(options.trim_matches('/')).is_match(&name),
            _ => false,
        };
        matches && list(&one["properties"]).any(|property| property["id"] == "color")
    })
}

/// A change that breaks a dashboard.
pub type Damage = fn(&mut Value);

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
        ("unit", |it| panel(it)["fieldConfig"]["defaults"]["unit"] = "parsec".into()),
        ("unit", |it| panel(it)["fieldConfig"]["defaults"]["unit"] = "cps".into()),
        ("unit", |it| panel(it)["fieldConfig"]["defaults"]["unit"] = "short".into()),
        ("unit", |it| {
            panel(it)["fieldConfig"]["overrides"] = json!([{"matcher": {"id": "byName", "options": "a"}, "properties": [{"id": "unit", "value": "parsec"}]}]);
        }),
        ("empty is explained", |it| panel(it)["fieldConfig"]["defaults"]["noValue"] = "No data".into()),
        ("empty is explained", |it| panel(it)["fieldConfig"]["defaults"]["noValue"] = "no traffic".into()),
        ("may be empty", |it| {
            panel(it)["fieldConfig"]["defaults"]["noValue"] = "not scraped, or there is no CPU".into();
        }),
        ("may be empty", |it| {
            panel(it)["description"] = "What the CPUs do. May be empty: there is none. All of them.".into();
        }),
        ("ids", |it| panel(it)["id"] = 1.into()),
        ("grid", |it| panel(it)["gridPos"]["x"] = 1.into()),
        ("grid", |it| panel(it)["gridPos"]["w"] = 25.into()),
        ("data source", |it| panel(it)["datasource"] = json!({"uid": "other"})),
        ("data source", |it| panel(it)["targets"][0]["datasource"] = Value::Null),
        ("current", |it| panel(it)["type"] = "graph".into()),
        ("current", |it| it["schemaVersion"] = 41.into()),
        ("current", |it| panel(it)["options"]["yaxes"] = json!([])),
        ("current", |it| panel(it)["alert"] = json!({})),
        ("current", |it| panel(it)["datasource"] = "Prometheus".into()),
        ("time", |it| it["refresh"] = "1s".into()),
        ("time", |it| it["time"]["from"] = "now-30d".into()),
        ("time", |it| it["time"]["from"] = "now-1h".into()),
        ("links", |it| it["links"][0]["includeVars"] = false.into()),
        ("annotations", |it| it["annotations"]["list"][2]["target"]["matchAny"] = true.into()),
        ("annotations", |it| {
            let fires = |one: &Value| one["name"] == "Firing alerts";
            it["annotations"]["list"].as_array_mut().unwrap().retain(|one| !fires(one));
        }),
        ("variables", |it| it["templating"]["list"][0]["includeAll"] = false.into()),
        ("variables", |it| it["templating"]["list"][0]["allValue"] = Value::Null),
        ("variables", |it| {
            expression(it, r#"node_load1{job="node-exporter", instance=~"$host", mode="$mode"}"#);
        }),
        ("selectors", |it| expression(it, r#"node_load1{job="node-exporter"}"#)),
        ("selectors", |it| expression(it, "sum by (node_load1) (node_load5)")),
        ("selectors", |it| {
            expression(
                it,
                r#"node_load1{job="node-exporter", instance=~"$host"} / node_load5{instance=~"$host"}"#,
            );
        }),
        ("selectors", |it| {
            let requests = "django_http_responses_total_by_status_view_method_total";
            expression(it, &format!(r#"{requests}{{job="django-instance", instance=~"$application"}}"#));
        }),
        ("queries", |it| expression(it, r#"rate(node_load1{job="node-exporter"}[$__rate_interval]"#)),
        ("alerts", |it| panel(it)["description"] = "The CPUs. DiskSpaceLow fires above 90 %.".into()),
        ("alerts", |it| panel(it)["description"] = "The CPUs. TooHot fires above 90 %.".into()),
        ("alerts", |it| {
            expression(
                it,
                r#"rate(node_cpu_seconds_total{job="node-exporter", instance=~"$host"}[$__rate_interval])"#,
            );
        }),
        ("rates", |it| expression(it, r#"rate(node_load1{job="node-exporter", instance=~"$host"}[5m])"#)),
        ("rates", |it| {
            expression(it, r#"rate(node_load1{job="node-exporter", instance=~"$host", m!~"(a|[b])"}[5m])"#);
        }),
        ("rates", |it| {
            expression(it, r#"rate(node_load1{job="node-exporter", instance=~"$host"}[$__range])"#);
        }),
        ("rates", |it| {
            expression(it, r#"irate(node_load1{job="node-exporter", instance=~"$host"}[$__rate_interval])"#);
        }),
        ("histograms", |it| expression(it, "histogram_quantile(0.9, rate(x_bucket[$__rate_interval]))")),
        ("histograms", |it| {
            expression(it, "histogram_quantile(0.9, sum by (instance) (rate(x_bucket[$__rate_interval])))");
        }),
        ("histograms", |it| {
            expression(it, "histogram_quantile(0.9, max by (le) (rate(x_bucket[$__rate_interval])))");
        }),
        ("topk", |it| expression(it, r#"topk(5, node_load1{job="node-exporter", instance=~"$host"})"#)),
        ("topk", |it| expression(it, "topk(5, rate(x[$__rate_interval]))")),
        ("legends", |it| panel(it)["targets"][0]["legendFormat"] = "".into()),
        ("legends", |it| panel(it)["targets"][0]["instant"] = true.into()),
        ("palette", |it| panel(it)["fieldConfig"]["defaults"]["color"]["fixedColor"] = "green".into()),
        ("palette", |it| panel(it)["fieldConfig"]["defaults"]["color"]["mode"] = "palette-classic".into()),
        ("palette", |it| panel(it)["fieldConfig"]["defaults"]["color"]["mode"] = "shades".into()),
        ("distinct colours", |it| {
            let red = |name: &str, colour: &str| json!({"matcher": {"id": "byName", "options": name}, "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": colour}}]});
            panel(it)["fieldConfig"]["overrides"] = json!([red("a", "#999999"), red("b", "#CC79A7")]);
        }),
        ("distinct colours", |it| {
            let both = json!([{"expr": "a", "legendFormat": "{{b}} read"}, {"expr": "a", "legendFormat": "{{b}} written"}]);
            panel(it)["targets"] = both;
        }),
    ]
}
