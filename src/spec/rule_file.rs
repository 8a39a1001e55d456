//! Reads the Prometheus rule files of `monitoring.rules`: each is checked like the spec, by a schema with the place of
//! every mistake, and its alerts become alerts of the spec. The spec's `alerts` may add a drill to one of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value as Json;

use super::alert::Alert;
use super::excerpt::Excerpt;
use super::finding::SpecFinding;
use super::model::Spec;
use super::names::{AlertName, LabelName, SeriesName};
use super::place::Place;
use super::problem::Problem;
use super::promql::{PromqlFault, fault as promql_fault};
use super::rule_origin::{RecordingRule, RuleFile, RuleOrigin};
use super::schema_check;
use super::source::{Origin, SpecFile};
use super::tree::{KeyPath, Node, Value};
use crate::bounded::read_text;
use crate::duration::PromDuration;

static SCHEMA: LazyLock<Json> = LazyLock::new(|| schemars::schema_for!(RuleFileText).to_value());

/// A rule file as Prometheus reads it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RuleFileText {
    groups: Vec<RuleGroupText>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RuleGroupText {
    name: String,
    #[serde(default)]
    interval: Option<PromDuration>,
    #[serde(default)]
    query_offset: Option<PromDuration>,
    /// Prometheus checks it.
    #[serde(default, rename = "limit")]
    _limit: Option<u32>,
    #[serde(default)]
    labels: BTreeMap<LabelName, String>,
    #[serde(default)]
    rules: Vec<RuleText>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RuleText {
    #[serde(default)]
    record: Option<SeriesName>,
    #[serde(default)]
    alert: Option<AlertName>,
    expr: String,
    #[serde(default, rename = "for")]
    hold: Option<PromDuration>,
    #[serde(default)]
    keep_firing_for: Option<PromDuration>,
    #[serde(default)]
    labels: BTreeMap<LabelName, String>,
    #[serde(default)]
    annotations: BTreeMap<LabelName, String>,
}

/// A rule file with the places of its values, and what is wrong with it.
#[derive(Debug, Clone)]
pub(super) struct ReadRules {
    /// Its name on the monitoring host.
    pub name: String,
    pub origin: Origin,
    pub problems: Vec<Problem>,
    /// Its rules, until they are added to the spec.
    text: Option<RuleFileText>,
}

/// The rule files that could be read, and findings about the list of them in the spec.
#[derive(Default)]
pub(super) struct AllRules {
    pub files: Vec<ReadRules>,
    pub findings: Vec<SpecFinding>,
    /// Files without a tree, as errors of their own.
    pub unreadable: Vec<(SpecFile, Problem)>,
}

impl AllRules {
    /// The text about each file with problems.
    pub fn messages(&self) -> Vec<String> {
        let unreadable = self.unreadable.iter().map(|(source, problem)| (source, vec![problem.clone()]));
        let read = self.files.iter().map(|file| (&file.origin.source, file.problems.clone()));
        let with_problems = unreadable.chain(read).filter(|(_, problems)| !problems.is_empty());
        with_problems.map(|(source, problems)| source.message("the rule file", problems)).collect()
    }

    /// The names of their alerts.
    pub fn alert_names(&self) -> BTreeSet<AlertName> {
        let groups = self.files.iter().filter_map(|file| file.text.as_ref()).flat_map(|text| &text.groups);
        groups.flat_map(|group| &group.rules).filter_map(|rule| rule.alert.clone()).collect()
    }

    /// Adds the rules to the spec, which was read from `root`. Returns what is wrong with the entries of its `alerts`
    /// that are about them.
    pub fn add(&mut self, spec: &mut Spec, root: &Node) -> Vec<SpecFinding> {
        let mut findings = Vec::new();
        for file in &mut self.files {
            if let Some(text) = file.text.take() {
                file.add(spec, root, text, &mut findings);
            }
        }
        for (name, alert) in spec.alerts.iter().filter(|(_, alert)| alert.drill.is_some()) {
            if let Some(why) = alert.several_rules(name) {
                findings.push(SpecFinding::new(KeyPath::from("alerts").and(name).and("drill"), why));
            }
        }
        findings
    }
}

impl Alert {
    /// Why a drill cannot prove the alert, as a sentence with its remedy, if the rules of its name are several.
    pub fn several_rules(&self, name: impl fmt::Display) -> Option<String> {
        let origin = self.origin.as_ref().filter(|_| !self.others.is_empty())?;
        let rules = self.others.len() + 1;
        Some(format!(
            "there are {rules} rules `{name}` (`{}`), and a drill proves a rule by its name: rename one of them, such as \
             `{name}Critical`",
            origin.file
        ))
    }
}

/// The key of the spec that lists the files.
pub(super) const KEY: &str = "monitoring.rules";

/// Reads the files.
pub(super) fn read(spec: &Spec, base: &Path) -> AllRules {
    let mut all = AllRules::default();
    let mut names = BTreeSet::new();
    for (index, path) in spec.monitoring.rules.iter().enumerate() {
        let at = KeyPath::from(KEY).and(index);
        let mut find = |message: String| all.findings.push(SpecFinding::new(at.clone(), message));
        let name = match file_name(path) {
            Ok(name) => name,
            Err(message) => {
                find(message);
                continue;
            }
        };
        if !names.insert(name.clone()) {
            find(format!("another rule file is called `{name}`, too; rename one of them"));
            continue;
        }
        let path = base.join(path);
        let path = path.strip_prefix(".").unwrap_or(&path).to_owned();
        let text = match read_text(&path) {
            Ok(text) => text,
            Err(error) => {
                find(format!("cannot read the rule file `{}`: {error}", path.display()));
                continue;
            }
        };
        let source = SpecFile { path, text, excerpt: Excerpt::of_public };
        match Node::parse(&source.text) {
            Ok(root) => all.files.push(one(name, Origin { source, root })),
            Err(problem) => all.unreadable.push((source, problem)),
        }
    }
    all
}

/// The name of a file on the monitoring host, where Prometheus reads it by a pattern.
fn file_name(path: &Path) -> Result<String, String> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    let has_ending = [".yml", ".yaml"].iter().any(|ending| name.ends_with(ending));
    if is_plain && has_ending && !name.starts_with('.') {
        return Ok(name);
    }
    Err("the name of a rule file ends with `.yml` or `.yaml` and has letters, digits, `.`, `_` and `-` only; rename it"
        .to_owned())
}

fn one(name: String, origin: Origin) -> ReadRules {
    let checked = schema_check::check(&SCHEMA, &origin.root, &origin.source.text, origin.source.excerpt);
    let mut file = ReadRules { name, problems: checked.problems, origin, text: None };
    // The schema's own test ensures that a file without problems can be read.
    let Ok(text) = serde_json::from_value::<RuleFileText>(checked.json) else {
        if file.problems.is_empty() {
            file.problems.push(Problem::new(None, "a value has the right form but is not valid"));
        }
        return file;
    };
    if file.problems.is_empty() {
        file.text = Some(text);
    }
    file
}

impl ReadRules {
    fn find(&mut self, path: &KeyPath, message: impl Into<String>) {
        let place = self.origin.root.locate(path.keys());
        self.problems.push(Problem::new(place, message));
    }

    /// Adds the rules to the spec; see [`AllRules::add`].
    fn add(&mut self, spec: &mut Spec, root: &Node, text: RuleFileText, findings: &mut Vec<SpecFinding>) {
        let mut records = Vec::new();
        let mut groups = BTreeSet::new();
        for (number, group) in text.groups.into_iter().enumerate() {
            let at = KeyPath::from("groups").and(number);
            if !groups.insert(group.name.clone()) {
                self.find(&at.and("name"), "the file has another group of this name; rename one of them");
            }
            for (index, rule) in group.rules.into_iter().enumerate() {
                let place = at.and("rules").and(index);
                let origin = RuleOrigin {
                    file: self.name.clone(),
                    group: group.name.clone(),
                    at: (number, index),
                    interval: group.interval.filter(|interval| interval.as_millis() > 0),
                    is_late: group.query_offset.is_some_and(|offset| offset.as_millis() > 0),
                };
                let labels: BTreeMap<_, _> =
                    group.labels.clone().into_iter().chain(rule.labels.clone()).collect();
                match (rule.record.clone(), rule.alert.clone()) {
                    (Some(record), None) => {
                        self.check_record(&place, &rule);
                        let (record, has_labels) = (record.to_string(), !labels.is_empty());
                        records.push(RecordingRule { record, expr: rule.expr, has_labels, origin });
                    }
                    (None, Some(name)) => {
                        let alert = alert(rule, labels, origin);
                        self.add_alert(spec, root, &place, name, alert, findings);
                    }
                    (Some(_), Some(_)) => {
                        self.find(&place, "the rule has both `record` and `alert`; make two rules of it");
                    }
                    (None, None) => {
                        self.find(
                            &place,
                            "the rule has neither `alert` nor `record`; add the one that you mean",
                        );
                    }
                }
            }
        }
        let text = self.origin.source.text.clone();
        spec.rule_files.push(RuleFile { name: self.name.clone(), text, records });
    }

    fn check_record(&mut self, at: &KeyPath, rule: &RuleText) {
        if let Some(PromqlFault::Wrong(message)) = promql_fault(&rule.expr) {
            self.find(&at.and("expr"), message);
        }
        let of_alerts = [
            ("for", rule.hold.is_some()),
            ("keep_firing_for", rule.keep_firing_for.is_some()),
            ("annotations", !rule.annotations.is_empty()),
        ];
        for (key, _) in of_alerts.iter().filter(|(_, is_given)| *is_given) {
            self.find(&at.and(key), "a recording rule has no such key; leave it out");
        }
        if rule.labels.keys().any(|label| label.as_str() == "__name__") {
            let message = "Prometheus sets this label to the name of the series; leave it out";
            self.find(&at.and("labels").and("__name__"), message);
        }
    }

    fn add_alert(
        &mut self,
        spec: &mut Spec,
        root: &Node,
        at: &KeyPath,
        name: AlertName,
        mut alert: Alert,
        findings: &mut Vec<SpecFinding>,
    ) {
        let of_spec = AddedTo::of(root, &name);
        let is_of_catalogue =
            |other: &Alert| other.origin.is_none() && spec.catalogue.entry(name.as_str(), other).is_some();
        match spec.alerts.get_mut(&name) {
            None => drop(spec.alerts.insert(name, alert)),
            Some(other) if other.origin.is_some() => match twin(other, &alert, &name) {
                Some(message) => self.find(&at.and("alert"), message),
                None => other.others.push(alert),
            },
            Some(other) if !of_spec.is_drill_only && is_of_catalogue(other) => {
                let message = format!(
                    "the spec uses the catalogue's alert `{name}`; rename this one, or leave `{name}` out of `alerts`"
                );
                self.find(&at.and("alert"), message);
            }
            Some(other) if other.expr.is_some() => {
                let message = format!("`alerts` of the spec has an alert `{name}`, too; rename one of them");
                self.find(&at.and("alert"), message);
            }
            Some(other) => {
                findings.extend(of_spec.findings(&name, &self.name));
                alert.drill = other.drill.take();
                *other = alert;
            }
        }
    }

    /// The place of a value, or of a part of its text.
    fn place(&self, path: &KeyPath, within: Option<(usize, usize)>) -> Place {
        let whole = self.origin.root.locate(path.keys());
        let text = &self.origin.source.text;
        let inside = |(at, width)| self.origin.root.get(path.keys())?.place_of_action(text, at, width);
        within.and_then(inside).unwrap_or(whole)
    }

    /// Takes a finding about one of the spec's alerts, if the alert is of this file.
    pub fn take(&mut self, spec: &Spec, finding: &SpecFinding) -> bool {
        let keys: Vec<&str> = finding.path.keys().collect();
        let Some(path) = self.path_of(spec, &keys) else { return false };
        let place = self.place(&path, finding.within);
        self.problems.push(Problem::new(place, finding.message.clone()));
        true
    }

    /// The path in this file of a path such as `alerts.NAME.for` of the spec, if the alert is of this file.
    pub fn path_of(&self, spec: &Spec, keys: &[&str]) -> Option<KeyPath> {
        let ["alerts", name, rest @ ..] = keys else { return None };
        let alert = spec.alerts.get(*name)?;
        let (alert, rest) = match rest {
            [OTHERS, number, rest @ ..] => (alert.others.get(number.parse::<usize>().ok()?)?, rest),
            rest => (alert, rest),
        };
        let origin = alert.origin.as_ref().filter(|origin| origin.file == self.name)?;
        // The spec adds it.
        if rest.first() == Some(&"drill") {
            return None;
        }
        let rule = KeyPath::from("groups").and(origin.at.0).and("rules").and(origin.at.1);
        Some(match rest {
            ["severity"] => rule.and("labels").and("severity"),
            [text @ ("summary" | "description")] => rule.and("annotations").and(text),
            rest => rest.iter().fold(rule, |path, key| path.and(key)),
        })
    }
}

/// The key below an alert of the further rules of its name, in paths of findings.
const OTHERS: &str = "others";

/// The path of a rule of an alert: the first one's, or that of a further one of the same name.
pub(super) fn path_of_rule(name: &AlertName, number: usize) -> KeyPath {
    let at = KeyPath::from("alerts").and(name);
    number.checked_sub(1).map_or_else(|| at.clone(), |other| at.and(OTHERS).and(other))
}

/// An alerting rule as an alert of the spec.
fn alert(rule: RuleText, mut labels: BTreeMap<LabelName, String>, origin: RuleOrigin) -> Alert {
    let mut annotations = rule.annotations;
    Alert {
        expr: Some(rule.expr),
        hold: rule.hold.filter(|hold| hold.as_millis() > 0),
        keep_firing_for: rule.keep_firing_for.filter(|time| time.as_millis() > 0),
        severity: labels.remove("severity"),
        summary: annotations.remove("summary"),
        description: annotations.remove("description"),
        labels,
        annotations,
        origin: Some(origin),
        ..Alert::default()
    }
}

/// Another rule of this name with the same labels, as a sentence with its remedy.
fn twin(other: &Alert, alert: &Alert, name: &AlertName) -> Option<String> {
    let is_twin = |other: &&Alert| (&other.severity, &other.labels) == (&alert.severity, &alert.labels);
    let origin = other.each().find(is_twin)?.origin.as_ref()?;
    Some(format!(
        "`{}` has an alert `{name}`, too (group `{}`), with the same labels; give them different labels, such as \
         `severity`, or rename one of them, such as `{name}Critical`",
        origin.file, origin.group
    ))
}

/// What an entry of the spec's `alerts` adds to a rule of a file.
struct AddedTo<'a> {
    keys: Vec<&'a str>,
    /// Whether it adds a drill, and nothing else.
    is_drill_only: bool,
}

impl<'a> AddedTo<'a> {
    fn of(root: &'a Node, name: &AlertName) -> Self {
        let entries = match root.get(["alerts", name.as_str()]).map(|node| &node.value) {
            Some(Value::Map(entries)) => entries.as_slice(),
            _ => &[],
        };
        let keys: Vec<&str> = entries.iter().map(|(key, _)| key.text.as_str()).collect();
        Self { is_drill_only: !keys.is_empty() && keys.iter().all(|key| *key == "drill"), keys }
    }

    /// What it changes of the rule, although the file of this name defines it.
    fn findings(&self, name: &AlertName, file: &str) -> Vec<SpecFinding> {
        let at = KeyPath::from("alerts").and(name);
        if self.keys.is_empty() {
            let message = format!("`{name}` is a rule of `{file}`; add its `drill` here, or leave this out");
            return vec![SpecFinding::new(at, message)];
        }
        let others = self.keys.iter().filter(|key| **key != "drill");
        let message =
            format!("`{name}` is a rule of `{file}`: change it there; here, only its `drill` can be added");
        others.map(|key| SpecFinding::new(at.and(key), message.clone())).collect()
    }
}

/// Whether `alerts` selects nothing: all of its entries only add a drill to a rule of a file.
pub(super) fn only_adds_drills(root: &Node, names: &BTreeSet<AlertName>) -> bool {
    let Some(Value::Map(entries)) = root.get(["alerts"]).map(|node| &node.value) else { return false };
    let adds_drill = |name: &str| names.get(name).is_some_and(|name| AddedTo::of(root, name).is_drill_only);
    !entries.is_empty() && entries.iter().all(|(key, _)| adds_drill(&key.text))
}

/// All files as paths, for callers that resolve `~`.
pub(super) fn paths(spec: &mut Spec) -> impl Iterator<Item = (KeyPath, &mut PathBuf)> {
    let list = spec.monitoring.rules.iter_mut().enumerate();
    list.map(|(index, path)| (KeyPath::from(KEY).and(index), path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_rule_file_is_one_that_a_pattern_takes_as_it_is() {
        for (path, good) in [
            ("shop_rules.yml", true),
            ("../rules/shop.rules.yaml", true),
            ("rules.txt", false),
            ("rules*.yml", false),
            ("a b.yml", false),
            (".yml", false),
            ("..", false),
        ] {
            assert_eq!(file_name(Path::new(path)).is_ok(), good, "{path}");
        }
    }
}
