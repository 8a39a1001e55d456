//! Rules that make a dashboard readable for somebody who sees it for the first time, on a laptop and on a wide screen,
//! with one host and with fifty. Each has an example that breaks it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::colours;
use super::document::{list, text};
use super::rules::{Damage, Rule, colours_of, defaults, of_panels, regex};

pub const RULES: [Rule; 17] = [
    ("titles fit", titles_fit),
    ("a colour each", a_colour_each),
    ("colours of alerts", colours_of_alerts),
    ("dark and light", dark_and_light),
    ("legend fits", legend_fits),
    ("columns fit", columns_fit),
    ("bars bear names", bars_bear_names),
    ("hosts by name", hosts_by_name),
    ("axis of zeros", axis_of_zeros),
    ("above zero", above_zero),
    ("stand-ins", stand_ins),
    ("long times", long_times),
    ("one line", one_line),
    ("no paths", no_paths),
    ("no banners", no_banners),
    ("no empty room", no_empty_room),
    ("switches", switches),
];

/// The smallest supported window width, without Grafana's margins.
const NARROW: u64 = 1_280 - 32;
const COLUMNS: u64 = 24;
/// The minimum width of a readable table column.
const LEGIBLE: u64 = 95;
/// Background colours of panels in Grafana's themes.
const BACKGROUNDS: [&str; 2] = ["#181B1F", "#FFFFFF"];

fn is_graph(panel: &Value) -> bool {
    panel["type"] == "timeseries"
}

fn width(panel: &Value) -> u64 {
    panel["gridPos"]["w"].as_u64().unwrap_or_default()
}

fn height(panel: &Value) -> u64 {
    panel["gridPos"]["h"].as_u64().unwrap_or_default()
}

fn expressions(panel: &Value) -> Vec<String> {
    list(&panel["targets"]).map(|target| text(&target["expr"])).collect()
}

fn legends(panel: &Value) -> Vec<String> {
    list(&panel["targets"]).map(|target| text(&target["legendFormat"])).collect()
}

/// The properties of one kind in the overrides of a panel, each with the pattern of its override.
fn overrides<'a>(panel: &'a Value, id: &'a str) -> impl Iterator<Item = (String, &'a Value)> {
    list(&panel["fieldConfig"]["overrides"]).flat_map(move |one| {
        let properties = list(&one["properties"]).filter(move |property| property["id"] == id);
        properties.map(|property| (text(&one["matcher"]["options"]), &property["value"]))
    })
}

/// An unknown number of series, such as one per host, has distinct colours: by rank, with grey for the rest, or by
/// name.
fn a_colour_each(dashboard: &Value) -> Vec<String> {
    const FEW: usize = 6;
    of_panels(dashboard, |panel| {
        let many = is_graph(panel) && legends(panel).iter().any(|legend| legend.contains("{{"));
        let colours: BTreeSet<String> =
            overrides(panel, "color").map(|(_, colour)| text(&colour["fixedColor"])).collect();
        (many && colours.len() < FEW).then(|| format!("{} colours for many series", colours.len()))
    })
}

/// Orange and vermilion are reserved for alerts and not used as the next colours in a series.
fn colours_of_alerts(dashboard: &Value) -> Vec<String> {
    of_panels(dashboard, |panel| {
        let ranked = overrides(panel, "color").filter(|(pattern, _)| pattern.starts_with("/^"));
        let wrong = |(_, colour): &(String, &Value)| {
            ["#E69F00", "#D55E00"].contains(&text(&colour["fixedColor"]).as_str())
        };
        ranked.filter(wrong).map(|(pattern, _)| format!("the series {pattern} looks like an alert")).next()
    })
}

/// Lines and text are visible on a dark and on a light background.
fn dark_and_light(dashboard: &Value) -> Vec<String> {
    const LEAST_CONTRAST: f64 = 2.0;
    of_panels(dashboard, |panel| {
        let pale = |colour: &String| {
            BACKGROUNDS.iter().any(|ground| colours::contrast(colour, ground) < LEAST_CONTRAST)
        };
        let colours = colours_of(panel).into_iter().filter(|colour| colour.starts_with('#'));
        colours.filter(pale).map(|colour| format!("{colour} is not visible on every background")).next()
    })
}

/// There is room for two lines of names below a graph. Many names need a table to the right of a wide graph.
fn legend_fits(dashboard: &Value) -> Vec<String> {
    const ROOM_FOR_A_TABLE: u64 = 12;
    const MOST_NAMES: usize = 4;
    of_panels(dashboard, |panel| {
        let legend = &panel["options"]["legend"];
        if !is_graph(panel) {
            return None;
        }
        if legend["displayMode"] == "table" {
            let fits = legend["placement"] == "right"
                && width(panel) >= ROOM_FOR_A_TABLE
                && legend["width"].as_u64().is_some_and(|taken| taken * 2 < width(panel) * NARROW / COLUMNS);
            if !fits {
                return Some("a table of names cuts its rows, or the graph".into());
            }
            return has_long_numbers(defaults(panel)).then(|| "long numbers leave no room for names".into());
        }
        let ranked = overrides(panel, "color").any(|(pattern, _)| pattern.starts_with("/^"));
        (ranked || legends(panel).len() > MOST_NAMES || list(&legend["calcs"]).count() > 1)
            .then(|| "too many names for two lines".into())
    })
}

/// A word follows the numbers, and either it or their decimals take more room than a column of a legend has: there is
/// room for `219.6 io/s`, and of `313.82 req/s` the end is cut.
fn has_long_numbers(config: &Value) -> bool {
    const LONGEST: usize = "suffix:days".len();
    let unit = text(&config["unit"]);
    let has_decimals = config["decimals"].as_u64().is_some_and(|decimals| decimals <= 1);
    unit == "reqps" || (unit == "iops" && !has_decimals) || unit.len() > LONGEST
}

/// A title is shown in full beside the icon of its help.
fn titles_fit(dashboard: &Value) -> Vec<String> {
    const LETTER: u64 = 8;
    /// The gap to the next panel, the margins, the icon, and the menu that appears under the mouse.
    const BESIDE: u64 = 8 + 92;
    of_panels(dashboard, |panel| {
        let letters = text(&panel["title"]).chars().count() as u64;
        let room = width(panel) * NARROW / COLUMNS - BESIDE;
        (letters * LETTER > room).then(|| format!("a title of {letters} letters in {room} pixels"))
    })
}

/// Each column of a table is readable in a narrow window.
fn columns_fit(dashboard: &Value) -> Vec<String> {
    of_panels(dashboard, |panel| {
        let columns = columns_of(panel).len() as u64;
        let room = width(panel) * NARROW / COLUMNS;
        (panel["type"] == "table" && columns * LEGIBLE > room)
            .then(|| format!("{columns} columns in {room} pixels"))
    })
}

/// The headings of a table's visible columns.
fn columns_of(panel: &Value) -> Vec<String> {
    let hidden: BTreeSet<String> = overrides(panel, "custom.hideFrom.viz")
        .filter(|(_, hides)| **hides == true)
        .map(|(name, _)| name)
        .collect();
    let named = list(&panel["transformations"]).filter(|one| one["id"] == "organize").flat_map(|one| {
        let shown = one["options"]["indexByName"].as_object().into_iter().flat_map(|names| names.keys());
        shown.map(|name| {
            let renamed = one["options"]["renameByName"][name].as_str();
            renamed.unwrap_or(name).to_owned()
        })
    });
    named.filter(|name| !hidden.contains(name)).collect()
}

/// A bar shows its name, even if it is the only one, in a fixed font size. Grafana leaves room for a name in letters of
/// 12 pixels if the bar is low, and cuts it in larger ones.
fn bars_bear_names(dashboard: &Value) -> Vec<String> {
    of_panels(dashboard, |panel| {
        let named = text(&defaults(panel)["displayName"]).starts_with("${__field.labels.");
        let options = &panel["options"];
        let sized = options["sizing"] == "manual"
            && options["maxVizHeight"].as_u64().is_some_and(|height| height <= 30)
            && options["text"]["titleSize"].as_u64().is_some_and(|size| size <= 12)
            && options["text"]["valueSize"].as_u64().is_some_and(|size| size <= 16);
        (panel["type"] == "bargauge" && !(named && sized))
            .then(|| "a single bar has no name, or giant letters".into())
    })
}

/// A host has the same name everywhere; an address is at most shown beside it.
fn hosts_by_name(dashboard: &Value) -> Vec<String> {
    let mut found = of_panels(dashboard, |panel| {
        if legends(panel).iter().any(|legend| legend.contains("{{instance}}")) {
            return Some("series are named by addresses".into());
        }
        let columns = columns_of(panel);
        let address = columns.iter().any(|name| ["instance", "Instance", "Address"].contains(&name.as_str()));
        (address && !columns.iter().any(|name| name == "Host")).then(|| "rows are named by addresses".into())
    });
    for one in list(&dashboard["annotations"]["list"]) {
        if text(&one["textFormat"]).contains("instance") || text(&one["titleFormat"]).contains("instance") {
            found.push(format!("{}: shows addresses", one["name"]));
        }
    }
    found
}

/// The axis of a graph with only zeros does not end at 100, and an alert's threshold is within it.
fn axis_of_zeros(dashboard: &Value) -> Vec<String> {
    of_panels(dashboard, |panel| {
        let config = defaults(panel);
        let end = config["max"].as_f64().or_else(|| config["custom"]["axisSoftMax"].as_f64());
        let line = list(&config["thresholds"]["steps"]).filter_map(|step| step["value"].as_f64()).last();
        match end {
            _ if !is_graph(panel) => None,
            None => Some("the axis of zeros ends at 100".into()),
            Some(end) => {
                line.filter(|line| *line > end).map(|line| format!("the line at {line} is above {end}"))
            }
        }
    })
}

/// Values are drawn as they are, not negated to distinguish two series.
fn above_zero(dashboard: &Value) -> Vec<String> {
    of_panels(dashboard, |panel| {
        let negative = expressions(panel).iter().any(|query| query.trim_start_matches('(').starts_with('-'));
        let turned = overrides(panel, "custom.transform").next().is_some();
        (is_graph(panel) && (negative || turned || defaults(panel)["min"] != 0))
            .then(|| "something is drawn below zero".into())
    })
}

/// The placeholder for series that do not exist yet disappears once there is one; else the legend shows both.
fn stand_ins(dashboard: &Value) -> Vec<String> {
    of_panels(dashboard, |panel| {
        let stays = |query: &String| {
            query.contains("or on () label_replace(") && !query.contains(" unless on () count(")
        };
        (is_graph(panel) && expressions(panel).iter().any(stays))
            .then(|| "the placeholder stays in the legend".into())
    })
}

/// Long times are not shown as 2.14 weeks: the unit `s` is only for short times.
fn long_times(dashboard: &Value) -> Vec<String> {
    let long = regex(r"time\(\) -|retention_limit_seconds|\* 86400|/ 86400");
    of_panels(dashboard, |panel| {
        let units = overrides(panel, "unit").map(|(_, unit)| unit);
        let in_seconds = units.chain([&defaults(panel)["unit"]]).any(|unit| *unit == "s");
        let is_long = expressions(panel).iter().any(|query| long.is_match(query));
        (in_seconds && is_long).then(|| "days or weeks in seconds".into())
    })
}

/// A graph with several curves has at most one threshold line: with two lines of the same colour, it is not clear to
/// which curve each belongs.
fn one_line(dashboard: &Value) -> Vec<String> {
    of_panels(dashboard, |panel| {
        let lines =
            list(&defaults(panel)["thresholds"]["steps"]).filter(|step| !step["value"].is_null()).count();
        let drawn = defaults(panel)["custom"]["thresholdsStyle"]["mode"] != "off";
        (is_graph(panel) && drawn && legends(panel).len() > 1 && lines > 1)
            .then(|| format!("{lines} lines for {} curves", legends(panel).len()))
    })
}

/// No series is named by a file path.
fn no_paths(dashboard: &Value) -> Vec<String> {
    of_panels(dashboard, |panel| {
        let path = legends(panel)
            .iter()
            .any(|legend| legend.contains("{{rule_group}}") || legend.contains("{{path}}"));
        path.then(|| "series are named by paths".into())
    })
}

/// A single number does not use the whole width.
fn no_banners(dashboard: &Value) -> Vec<String> {
    const WIDEST: u64 = 8;
    of_panels(dashboard, |panel| {
        (panel["type"] == "stat" && width(panel) > WIDEST)
            .then(|| format!("{} columns for a number", width(panel)))
    })
}

/// Tables and bars with an unknown number of rows are only a few rows high.
fn no_empty_room(dashboard: &Value) -> Vec<String> {
    const HIGHEST: u64 = 9;
    of_panels(dashboard, |panel| {
        let grows = ["table", "bargauge"].iter().any(|kind| panel["type"] == *kind);
        (grows && height(panel) > HIGHEST).then(|| format!("a table {} rows high", height(panel)))
    })
}

/// The switches of annotations are in the menu, so that the links stay in the first line.
fn switches(dashboard: &Value) -> Vec<String> {
    let beside = list(&dashboard["annotations"]["list"])
        .filter(|one| one["hide"] != true && one["placement"] != "inControlsMenu");
    beside.map(|one| format!("{}: its switch is beside the links", one["name"])).collect()
}

/// For each rule at least one way to break it.
pub fn broken_examples() -> Vec<(&'static str, Damage)> {
    fn named<'a>(dashboard: &'a mut Value, title: &str) -> &'a mut Value {
        let mut all = dashboard["panels"].as_array_mut().unwrap().iter_mut();
        all.find(|panel| panel["title"] == title).unwrap()
    }
    fn graph(dashboard: &mut Value) -> &mut Value {
        named(dashboard, "CPU used")
    }
    fn table(dashboard: &mut Value) -> &mut Value {
        named(dashboard, "Hosts")
    }
    vec![
        ("titles fit", |it| {
            named(it, "Swapped pages")["gridPos"]["w"] = 4.into();
            named(it, "Swapped pages")["title"] = "Pages from and to swap".into();
        }),
        ("a colour each", |it| graph(it)["fieldConfig"]["overrides"] = json!([])),
        ("a colour each", |it| {
            for one in graph(it)["fieldConfig"]["overrides"].as_array_mut().unwrap() {
                one["properties"][0]["value"]["fixedColor"] = "#0072B2".into();
            }
        }),
        ("colours of alerts", |it| {
            graph(it)["fieldConfig"]["overrides"][1]["properties"][0]["value"]["fixedColor"] =
                "#E69F00".into();
        }),
        ("dark and light", |it| {
            graph(it)["fieldConfig"]["overrides"][1]["properties"][0]["value"]["fixedColor"] =
                "#F0E442".into();
        }),
        ("dark and light", |it| {
            graph(it)["fieldConfig"]["defaults"]["color"]["fixedColor"] = "#0A0A0A".into();
        }),
        ("legend fits", |it| graph(it)["options"]["legend"]["placement"] = "bottom".into()),
        ("legend fits", |it| graph(it)["gridPos"]["w"] = 8.into()),
        ("legend fits", |it| graph(it)["options"]["legend"]["displayMode"] = "list".into()),
        ("legend fits", |it| {
            named(it, "Pressure")["options"]["legend"]["calcs"] = json!(["lastNotNull", "max"]);
        }),
        ("legend fits", |it| {
            graph(it)["fieldConfig"]["defaults"]["unit"] = "reqps".into();
            graph(it)["fieldConfig"]["defaults"]["decimals"] = 2.into();
        }),
        ("legend fits", |it| graph(it)["fieldConfig"]["defaults"]["unit"] = "suffix:packets/s".into()),
        ("columns fit", |it| table(it)["gridPos"]["w"] = 8.into()),
        ("bars bear names", |it| graph(it)["type"] = "bargauge".into()),
        ("hosts by name", |it| graph(it)["targets"][0]["legendFormat"] = "{{rank}} {{instance}}".into()),
        ("hosts by name", |it| {
            table(it)["transformations"][1]["options"]["renameByName"]["nodename"] = "Name".into();
            table(it)["fieldConfig"]["overrides"][1]["properties"] = json!([]);
        }),
        ("hosts by name", |it| {
            let alerts = |one: &&mut Value| one["name"] == "Firing alerts";
            let mut all = it["annotations"]["list"].as_array_mut().unwrap().iter_mut();
            all.find(alerts).unwrap()["textFormat"] = "{{instance}}".into();
        }),
        ("axis of zeros", |it| {
            let custom = &mut named(it, "Swapped pages")["fieldConfig"]["defaults"]["custom"];
            custom.as_object_mut().unwrap().remove("axisSoftMax");
        }),
        ("axis of zeros", |it| graph(it)["fieldConfig"]["defaults"]["max"] = 50.into()),
        ("above zero", |it| graph(it)["targets"][0]["expr"] = "-rate(node_load1[1m])".into()),
        ("above zero", |it| {
            drop(graph(it)["fieldConfig"]["defaults"].as_object_mut().unwrap().remove("min"));
        }),
        ("stand-ins", |it| {
            let expr = r#"sum by (a) (b) or on () label_replace(0 * count(up), "a", "none yet", "", "")"#;
            graph(it)["targets"][0]["expr"] = expr.into();
        }),
        ("long times", |it| {
            graph(it)["targets"][0]["expr"] = "time() - node_boot_time_seconds".into();
            graph(it)["fieldConfig"]["defaults"]["unit"] = "s".into();
        }),
        ("one line", |it| {
            let target = graph(it)["targets"][0].clone();
            graph(it)["targets"].as_array_mut().unwrap().push(target);
            let steps = graph(it)["fieldConfig"]["defaults"]["thresholds"]["steps"].as_array_mut().unwrap();
            steps.push(json!({"color": "#E69F00", "value": 90}));
        }),
        ("no paths", |it| graph(it)["targets"][0]["legendFormat"] = "{{rule_group}}".into()),
        ("no banners", |it| graph(it)["type"] = "stat".into()),
        ("no empty room", |it| table(it)["gridPos"]["h"] = 10.into()),
        ("switches", |it| drop(it["annotations"]["list"][1].as_object_mut().unwrap().remove("placement"))),
    ]
}
