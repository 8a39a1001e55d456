//! Which alerts of a spec have a drill, and which of them to prove.

use super::observer::Subject;
use super::request::Request;
use crate::drill::{Application, Options, safety};
use crate::error::{Error, Result};
use crate::host::Machine;
use crate::promql;
use crate::render::{Rule, rules};
use crate::spec::{DrillKind, Metrics, RuleMeaning, Spec};
use crate::timing::{Fault, Mutes, TimingSettings, predict};

/// An alert of the spec with its drill.
#[derive(Debug, Clone)]
pub struct SelectedDrill {
    /// The rule to prove.
    pub rule: Rule,
    kind: DrillKind,
    settings: TimingSettings,
}

impl SelectedDrill {
    /// The request for a proof on this host.
    pub fn request(self, spec: &Spec, options: Options, app: &Machine) -> Request {
        let entry = spec.catalogue.alert(&self.rule.name).and_then(|entry| entry.traffic);
        let chosen = spec.alerts.get(self.rule.name.as_str()).and_then(|alert| alert.traffic);
        let route = spec.notify.route(&self.rule.name, &self.rule.labels);
        Request {
            mutes: Mutes::of(route),
            floor: chosen.or(entry).unwrap_or_default(),
            subject: Subject { alert: self.rule.name, address: app.address.to_string() },
            host: app.name,
            kind: self.kind,
            settings: self.settings,
            application: Application {
                // Drills that send requests are refused where it is unknown.
                port: spec.app.requested_port().unwrap_or_else(|| spec.app.port.get()),
                metrics_port: spec.app.scraped_port(),
                workers: spec.app.workers,
            },
            options,
        }
    }
}

/// The alerts to prove: the named ones, or all that have a drill.
///
/// # Errors
/// When one is unknown or has no drill, or none has one.
pub fn select_drills(spec: &Spec, alerts: &[String], all: bool) -> Result<Vec<SelectedDrill>> {
    let rules = rules(spec);
    if all {
        // `--all` means those that have a drill; `--list` shows why others have none.
        let drills: Vec<SelectedDrill> =
            rules.into_iter().filter_map(|rule| drillable(spec, rule).ok()).collect();
        return if drills.is_empty() { Err(nothing_to_drill()) } else { Ok(drills) };
    }
    let mut names: Vec<String> = rules.iter().map(|rule| format!("`{}`", rule.name)).collect();
    names.dedup();
    let one = |alert: &String| {
        let rule = rules.iter().find(|rule| rule.name == *alert).cloned().ok_or_else(|| {
            Error::invalid(format!("the spec has no alert `{alert}`"))
                .remedy(format!("its alerts are {}", names.join(", ")))
        })?;
        drillable(spec, rule)
    };
    alerts.iter().map(one).collect()
}

/// What the application's users will notice of the drills; `None` if they notice nothing.
pub fn felt(drills: &[SelectedDrill]) -> Option<String> {
    let line = |drill: &SelectedDrill| {
        let danger = safety(&drill.kind).filter(|safety| safety.is_felt)?.danger;
        let delivered = predict(&drill.settings, &Fault::silence()).longest();
        Some(format!("{}: {danger}, for up to {} s", drill.rule.name, delivered.as_secs()))
    };
    let lines: Vec<String> = drills.iter().filter_map(line).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// A rule with its drill.
///
/// # Errors
/// When it has none.
pub fn drillable(spec: &Spec, rule: Rule) -> Result<SelectedDrill> {
    let kind = drill_of(spec, &rule);
    let refused = |because: &str| {
        Error::could_not_run(format!("there is no drill for `{}`: {because}", rule.name))
            .remedy("`monctl verify-alert --list` shows which alerts have one")
    };
    if let DrillKind::None { because } = &kind {
        return Err(refused(because));
    }
    if let RuleMeaning::Unknown(why) = rule.meaning {
        return Err(refused(why));
    }
    let settings = TimingSettings::of_rule(spec, &rule)
        .ok_or_else(|| refused("its expression compares no value with a number"))?;
    Ok(SelectedDrill { rule, kind, settings })
}

/// The drill of a rule in this spec.
pub fn drill_of(spec: &Spec, rule: &Rule) -> DrillKind {
    let none = |because: &str| DrillKind::None { because: because.to_owned() };
    let alert = spec.alerts.get(rule.name.as_str());
    if let Some(why) = alert.and_then(|alert| alert.several_rules(&rule.name)) {
        return none(&why);
    }
    let of_catalogue =
        || alert.and_then(|alert| Some(spec.catalogue.entry(&rule.name, alert)?.drill.clone()));
    match alert.and_then(|alert| alert.drill.clone()).or_else(of_catalogue) {
        Some(DrillKind::Stop { units, job }) => match spec.app.stopped(units) {
            Some(units) => DrillKind::Stop { units, job },
            None => none("monctl does not deploy the application, and `app.unit` does not name its unit"),
        },
        Some(DrillKind::Requests { .. } | DrillKind::SlowRequests)
            if spec.app.metrics() == Metrics::Builtin =>
        {
            none("with `metrics: builtin` monctl cannot answer requests in place of the application")
        }
        Some(kind) if !spec.app.deploy => match why_not_watched(spec, &kind) {
            Some(because) => none(because),
            None => kind,
        },
        Some(kind) => kind,
        None if rule.meaning.known().is_some_and(promql::is_cpu_usage) => DrillKind::Cpu,
        None => none(&format!(
            "monctl does not know how to make your own rule fire; {}, see docs/drills.md",
            match &rule.origin {
                None => "declare its `drill`".to_owned(),
                Some(_) => format!("declare it in the spec: `alerts: {{{}: {{drill: …}}}}`", key(&rule.name)),
            }
        )),
    }
}

/// Why this drill cannot run in an application that something else deploys.
fn why_not_watched(spec: &Spec, kind: &DrillKind) -> Option<&'static str> {
    match kind {
        DrillKind::Requests { .. } if spec.app.requested_port().is_none() => {
            Some("it sends requests to the port of `app.url`: add one that begins with `http://127.0.0.1`")
        }
        DrillKind::SlowRequests => {
            Some("how many requests at once the application can serve is known only where monctl deploys it")
        }
        DrillKind::ReplacedWorkers => {
            Some("it would end workers of an application that monctl does not deploy")
        }
        _ => None,
    }
}

/// The name of an alert as a key of the spec.
pub fn key(name: &str) -> String {
    let is_plain = name.chars().all(|c| c.is_alphanumeric() || c == '_');
    if is_plain { name.to_owned() } else { serde_json::Value::from(name).to_string() }
}

fn nothing_to_drill() -> Error {
    Error::could_not_run("no alert of the spec has a drill")
        .remedy("`monctl verify-alert --list` shows why; alerts of the catalogue have drills")
}

/// The alerts without a drill, each with the reason.
pub fn without_drill(spec: &Spec) -> Vec<(String, String)> {
    let rules = rules(spec).into_iter();
    rules
        .filter_map(|rule| {
            let name = rule.name.clone();
            drillable(spec, rule).err().map(|error| (name, error.message().to_owned()))
        })
        .collect()
}
