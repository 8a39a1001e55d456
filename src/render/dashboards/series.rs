//! The names and colours of a query's series.
//!
//! Grafana colours by name, and the names of hosts, views and disks are unknown here. So Prometheus numbers the series
//! in a label `rank`, the legend begins with it, and overrides turn it into a colour and remove it from the name.

use serde_json::{Map, Value, json};

use super::json::child;

/// Distinguishable with colour blindness, and different from those of warnings and critical alerts.
const COLOURS: [&str; 6] = ["#0072B2", "#CC79A7", "#009E73", "#56B4E9", "#9A4DFF", "#A0522D"];
/// The colour of the series after these.
const OTHERS: &str = "#606060";

/// The name of each host by the address of its node exporter. `max`: a renamed host has one name at a time.
const HOSTS: &str =
    r#"max by (instance, nodename) (node_uname_info{job="node-exporter", instance=~"$host"})"#;

/// The inputs of names and colours.
pub(super) struct Fleet {
    /// The number of hosts in the spec.
    pub hosts: usize,
    /// The port of the application's metrics.
    pub port: u16,
}

impl Fleet {
    /// Fills in `named` and `coloured` of a panel's queries.
    pub(super) fn finish(&self, panel: &mut Map<String, Value>) -> Result<(), String> {
        let mut colours = Vec::new();
        for target in panel.get_mut("targets").and_then(Value::as_array_mut).into_iter().flatten() {
            let Value::Object(target) = target else { continue };
            self.name(target)?;
            if let Some(how) = target.shift_remove("coloured") {
                colours.extend(self.colour(target, &how)?);
            }
        }
        if !colours.is_empty() {
            let overrides = child(panel, "fieldConfig")?.entry("overrides").or_insert_with(|| json!([]));
            overrides.as_array_mut().ok_or("`overrides` is not a list")?.extend(colours);
        }
        Ok(())
    }

    /// `"named": "host"` or `"application"`: each series of a query by `instance` also gets the name of its host.
    fn name(&self, target: &mut Map<String, Value>) -> Result<(), String> {
        let Some(whose) = target.shift_remove("named") else { return Ok(()) };
        let names = match whose.as_str() {
            Some("host") => HOSTS.to_owned(),
            Some("application") => self.names_of_applications(),
            _ => return Err(format!("{whose} is unknown: write `host` or `application`")),
        };
        wrap(target, |expression| format!("({expression}) * on (instance) group_left (nodename) ({names})"))
    }

    /// An instance of the application has the name of its host, even while the host's node exporter is down, or its
    /// address if the name is unknown.
    fn names_of_applications(&self) -> String {
        let port = self.port;
        format!(
            r#"label_replace(max by (instance, nodename) (topk by (instance) (1, last_over_time(node_uname_info{{job="node-exporter"}}[$__range] @ end()))), "instance", "$1:{port}", "instance", "(.*):.*") or on (instance) label_replace(group by (instance) (up{{job="django-instance", instance=~"$application"}}), "nodename", "$1", "instance", "(.*):.*")"#
        )
    }

    /// `"coloured": {"by": "view", "order": …}`: the overrides that give each of the first series in that order a
    /// colour. `others`: whether the rest is shown, too, in grey. `steady`: the order used while there are not more
    /// hosts than colours, so that they keep theirs. `otherwise`: a name and a value for a graph without any series.
    fn colour(&self, target: &mut Map<String, Value>, how: &Value) -> Result<Vec<Value>, String> {
        let text = |key: &str| how[key].as_str().ok_or_else(|| format!("{how} has no `{key}`"));
        let (by, order) = (text("by")?, text("order")?);
        let steady = how["steady"].as_str().filter(|_| self.hosts <= COLOURS.len());
        let ranks = ranks(by, steady.unwrap_or(order), how["others"] != false);
        let rest = match how["otherwise"].as_object() {
            Some(otherwise) => stand_in(by, order, otherwise)?,
            None => String::new(),
        };
        wrap(target, |expression| format!("({expression}) * on ({by}) group_left (rank) {ranks}{rest}"))?;
        let legend = target.get("legendFormat").and_then(Value::as_str).unwrap_or_default().to_owned();
        target.insert("legendFormat".into(), format!("{{{{rank}}}} {legend}").into());
        Ok(overrides(&legend.replace("{{", "${__field.labels.").replace("}}", "}")))
    }
}

/// Numbers the series from 1 by a label; 0 is for all series after the colours.
fn ranks(by: &str, order: &str, others: bool) -> String {
    let of = |rank: usize| format!("topk({rank}, {order}) * 0 + {rank}");
    let mut ranks: Vec<String> = (1..=COLOURS.len()).map(of).collect();
    if others {
        ranks.push(format!("({order}) * 0"));
    }
    format!(r#"count_values by ({by}) ("rank", {})"#, ranks.join(" or "))
}

/// The series drawn if the whole range has none. If it were drawn until the first series begins, the legend would show
/// both.
fn stand_in(by: &str, order: &str, otherwise: &Map<String, Value>) -> Result<String, String> {
    let text = |key: &str| {
        otherwise.get(key).and_then(Value::as_str).ok_or_else(|| format!("`otherwise` has no `{key}`"))
    };
    let (name, value) = (text("name")?, text("value")?);
    Ok(format!(r#" or on () label_replace({value} unless on () count({order}), "{by}", "{name}", "", "")"#))
}

fn overrides(name: &str) -> Vec<Value> {
    let of = |pattern: String, colour: &str| {
        json!({
            "matcher": {"id": "byRegexp", "options": pattern},
            "properties": [
                {"id": "color", "value": {"mode": "fixed", "fixedColor": colour}},
                {"id": "displayName", "value": name},
            ],
        })
    };
    let ranked = (1..).zip(COLOURS).map(|(rank, colour)| of(format!("/^{rank} /"), colour));
    ranked.chain([of("/^0? /".to_owned(), OTHERS)]).collect()
}

fn wrap(target: &mut Map<String, Value>, with: impl FnOnce(&str) -> String) -> Result<(), String> {
    match target.get_mut("expr") {
        Some(Value::String(expression)) => *expression = with(expression),
        _ => return Err("a query with `named` or `coloured` has no expression".to_owned()),
    }
    Ok(())
}
