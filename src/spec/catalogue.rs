//! The alert catalogue: the alerts of all integrations, one alert a file in their folders `alerts`.
//!
//! It lives here and not in `render/` because it decides which specs are valid. A new alert is a new file.

mod amount;
mod counts;
mod trial;
mod unit;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use serde::Deserialize;

pub use self::amount::Amount;
pub use self::counts::Counts;
pub use self::trial::{LabelValues, Sees, Series, Trial, TrialCase, Usual};
pub use self::unit::ThresholdUnit;
use super::alert::Alert;
use super::drill::DrillKind;
use super::names::AlertName;
use crate::duration::PromDuration;
use crate::error::{Error, Result};
use crate::integrations::{Flag, Integration};

#[expect(clippy::expect_used, reason = "the files are embedded and a test reads them all")]
static BUILTIN: LazyLock<Catalogue> =
    LazyLock::new(|| Catalogue::of(Integration::builtin().to_vec()).expect("monctl's own alerts are valid"));

/// The alert that always fires, for a dead man's switch outside.
pub const WATCHDOG: &str = "Watchdog";
/// The alert that notifications fail.
pub const NOTIFICATIONS_FAILING: &str = "NotificationsFailing";
/// The alert that a target is not scraped.
pub const TARGET_MISSING: &str = "TargetMissing";
/// The alert that inhibits all others of its host.
pub const HOST_DOWN: &str = "HostDown";

/// An alert that a spec can name without any parameters.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogueAlert {
    /// The integration that it belongs to.
    #[serde(skip)]
    pub integration: String,
    /// The rule group.
    pub group: String,
    /// What the threshold measures; absent where the alert has none.
    #[serde(default)]
    pub unit: Option<ThresholdUnit>,
    /// The default threshold.
    #[serde(default)]
    pub above: Option<f64>,
    /// The highest possible value where the unit has none; the threshold must be below it.
    #[serde(default)]
    pub most: Option<f64>,
    /// The project's setting that changes `most`, where the project's own django-prometheus counts.
    #[serde(default)]
    pub most_setting: Option<String>,
    /// The default range of its rates. At least, and where absent: four scrapes and three steps of what it `counts`.
    #[serde(default)]
    pub window: Option<PromDuration>,
    /// What increments the counters whose rates it takes; the window covers several such steps.
    #[serde(default)]
    pub counts: Counts,
    /// How far ahead it looks by default.
    #[serde(default)]
    pub within: Option<PromDuration>,
    /// The default traffic per second below which it does not fire.
    #[serde(default)]
    pub traffic: Option<f64>,
    /// How long the expression must hold by default, at least.
    #[serde(rename = "for")]
    pub hold: PromDuration,
    /// The alert that inhibits this one; the default `for` of this one is longer.
    #[serde(default)]
    pub after: Option<AlertName>,
    /// What it inhibits while it fires.
    #[serde(default)]
    pub inhibits: Option<Inhibition>,
    /// The default `severity` label.
    pub severity: String,
    /// Whether a spec without a section `alerts` leaves it out.
    #[serde(default)]
    pub optional: bool,
    /// The flag of the spec that its metrics need, such as a way of counting requests.
    #[serde(default)]
    pub only: Option<Flag>,
    /// The metrics that the alert needs to fire.
    pub needs: Vec<String>,
    /// Those of them that exist only after a first event, such as the first request or the first error.
    #[serde(default)]
    pub begins: Vec<String>,
    /// The project's setting without which its own django-prometheus does not export these metrics.
    #[serde(default)]
    pub builtin_setting: Option<String>,
    /// The `PromQL` expression with the parameters `${above}`, `${window}` and so on.
    pub expr: String,
    /// The `summary` annotation, a Prometheus template with the same parameters.
    pub summary: String,
    /// The `description` annotation, a Prometheus template with the same parameters.
    pub description: String,
    /// The `value` annotation, a Prometheus template.
    #[serde(default)]
    pub value: Option<String>,
    /// The `action` annotation: what to do first, plain text.
    pub action: String,
    /// Why the defaults are what they are.
    pub why: String,
    /// How the alert is proven.
    pub drill: DrillKind,
    /// Its rule tests.
    pub trials: Vec<Trial>,
}

/// Alerts that Alertmanager holds back while another alert fires.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inhibition {
    /// Their names; all other alerts if absent.
    #[serde(default)]
    pub alerts: Vec<AlertName>,
    /// Labels that the firing alert must have.
    #[serde(default, rename = "if")]
    pub labels: BTreeMap<String, String>,
    /// Labels that both alerts must have with the same value.
    #[serde(default)]
    pub equal: Vec<String>,
    /// Why, as a comment in Alertmanager's configuration.
    pub why: String,
}

impl CatalogueAlert {
    /// Whether its expression has a window.
    pub fn has_window(&self) -> bool {
        self.expr.contains("${window")
    }

    /// A fault in a well-formed alert, if any.
    fn fault(&self, integration: &Integration) -> Option<String> {
        let has = |parameter: &str| self.expr.contains(parameter);
        if self.unit.is_some() != self.above.is_some() || self.unit.is_some() != has("${above}") {
            return Some("`unit`, `above` and `${above}` in `expr` go together".to_owned());
        }
        if self.within.is_some() != has("${within") {
            return Some("`within` and `${within}` in `expr` go together".to_owned());
        }
        if self.traffic.is_some() != has("${traffic}") {
            return Some("`traffic` and `${traffic}` in `expr` go together".to_owned());
        }
        if self.window.is_some() && !has("${window") {
            return Some("it has a `window` but no `${window}` in `expr`".to_owned());
        }
        if let (Some(unit), Some(above)) = (self.unit, self.above)
            && let Err(why) = unit.check(above)
        {
            return Some(format!("`above`: {why}"));
        }
        if let Some(metric) = self.needs.iter().find(|metric| !has(metric)) {
            return Some(format!("it needs `{metric}`, which is not in `expr`"));
        }
        if let Some(metric) = self.begins.iter().find(|metric| !self.needs.contains(metric)) {
            return Some(format!("`begins` names `{metric}`, which is not among its `needs`"));
        }
        if self.trials.is_empty() {
            return Some("it has no rule tests: write at least one of `trials`".to_owned());
        }
        let jobs = integration.scrape_jobs().iter().map(|job| job.job.as_str());
        self.drill.fault(jobs).map(|(key, fault)| format!("`{key}` of the drill: {fault}"))
    }

    /// Whether the last values of its gauges count for a while after a failed scrape.
    pub fn has_memory(&self) -> bool {
        self.expr.contains("${memory}")
    }
}

/// All alerts that a spec may name without an expression, and the integrations that they belong to.
#[derive(Debug, Clone, PartialEq)]
pub struct Catalogue(Arc<Content>);

#[derive(Debug, PartialEq)]
struct Content {
    integrations: Vec<Integration>,
    alerts: BTreeMap<AlertName, CatalogueAlert>,
}

/// monctl's own.
impl Default for Catalogue {
    fn default() -> Self {
        BUILTIN.clone()
    }
}

impl Catalogue {
    /// monctl's own with the integrations in these folders.
    ///
    /// # Errors
    /// Where an integration cannot be read, or has an alert that is not valid or a duplicate.
    pub fn with(folders: &[PathBuf]) -> Result<Self> {
        if folders.is_empty() {
            return Ok(Self::default());
        }
        let own = folders.iter().map(|folder| Integration::read(folder)).collect::<Result<Vec<_>>>()?;
        Self::of(Integration::builtin().iter().cloned().chain(own).collect())
    }

    fn of(integrations: Vec<Integration>) -> Result<Self> {
        let mut alerts: BTreeMap<AlertName, CatalogueAlert> = BTreeMap::new();
        let mut jobs: BTreeMap<&str, &str> = BTreeMap::new();
        for integration in &integrations {
            for job in integration.scrape_jobs() {
                let other = jobs.insert(&job.job, integration.name());
                if other.is_some_and(|other| other != integration.name()) {
                    return Err(Error::invalid(format!("two integrations have a scrape job `{}`", job.job))
                        .at(integration.place("integration.yaml"))
                        .remedy("choose another name: names of jobs are unique"));
                }
            }
            for (file, _) in integration.folder("alerts") {
                let path = format!("alerts/{file}");
                let invalid = |what: String| Error::invalid(what).at(integration.place(&path));
                let Some(stem) = file.strip_suffix(".yaml") else {
                    return Err(invalid("this is not an alert".to_owned()).remedy("call it `ALERT.yaml`"));
                };
                let name: AlertName = stem.parse().map_err(|why| {
                    invalid("not the name of an alert".to_owned()).because(Error::failed(why))
                })?;
                let Some(alert) = integration.parse::<CatalogueAlert>(&path)? else { continue };
                if let Some(fault) = alert.fault(integration) {
                    return Err(invalid(fault).remedy("see docs/integrations.md for the keys of an alert"));
                }
                let alert = CatalogueAlert { integration: integration.name().to_owned(), ..alert };
                if let Some(other) = alerts.insert(name.clone(), alert) {
                    return Err(invalid(format!("`{}` has an alert `{name}`, too", other.integration))
                        .remedy("choose another name: names of alerts are unique"));
                }
            }
        }
        Ok(Self(Arc::new(Content { integrations, alerts })))
    }

    /// The integrations.
    pub fn integrations(&self) -> &[Integration] {
        &self.0.integrations
    }

    /// The alert that a name refers to: the one of this name, or the one whose name it extends by a capital letter, a
    /// digit, `_`, `-` or a space. `HighCPUUsageCritical` is a second `HighCPUUsage`.
    pub fn alert(&self, name: &str) -> Option<&CatalogueAlert> {
        self.0.alerts.get(self.name(name)?)
    }

    /// The catalogue's entry for a spec's alert of this name; none where the alert has its own expression.
    pub fn entry(&self, name: &str, alert: &Alert) -> Option<&CatalogueAlert> {
        self.alert(name).filter(|_| alert.expr.is_none())
    }

    /// The name in the catalogue of the alert that a name refers to.
    pub fn name(&self, name: &str) -> Option<&str> {
        let continues = |rest: &str| {
            rest.starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit() || "_- ".contains(c))
        };
        let is_meant = |known: &&str| match name.strip_prefix(*known) {
            Some("") => true,
            // There can be only one dead man's switch.
            Some(rest) => *known != WATCHDOG && continues(rest),
            None => false,
        };
        self.names().filter(is_meant).max_by_key(|known| known.len())
    }

    /// The names of all alerts of the catalogue, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.alerts.keys().map(AlertName::as_str)
    }

    /// The page about an alert of the catalogue, written for the person on call.
    pub fn runbook(&self, name: &str) -> Option<&str> {
        let name = self.name(name)?;
        let of = &self.0.alerts.get(name)?.integration;
        let integration = self.0.integrations.iter().find(|integration| integration.name() == of)?;
        integration.file(&format!("runbooks/{name}.md"))
    }

    /// The alerts of a spec without a section `alerts`: all but the optional ones.
    pub(super) fn default_alerts(&self) -> BTreeMap<AlertName, Alert> {
        let entries = self.0.alerts.iter().filter(|(_, entry)| !entry.optional);
        entries.map(|(name, _)| (name.clone(), Alert::default())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_catalogue_is_an_alert_with_sound_defaults() {
        let catalogue = Catalogue::default();
        assert!(catalogue.names().any(|name| name == "HighCPUUsage"));
        for (name, alert) in &catalogue.0.alerts {
            for text in [&alert.why, &alert.action] {
                assert!(text.ends_with('.') && !text.contains("{{"), "{name}: {text}");
            }
        }
    }

    #[test]
    fn an_alert_can_be_used_twice_under_a_name_that_extends_its_own() {
        let catalogue = Catalogue::default();
        for (name, known) in [
            ("HighCPUUsage", Some("HighCPUUsage")),
            ("HighCPUUsageCritical", Some("HighCPUUsage")),
            ("HighCPUUsage critical", Some("HighCPUUsage")),
            ("HighCPUUsage-95", Some("HighCPUUsage")),
            ("DiskSpaceLow_2", Some("DiskSpaceLow")),
            ("HighCPUUsages", None),
            ("HostDowntime", None),
            ("MyHostDown", None),
            ("WatchdogNight", None),
            ("", None),
        ] {
            assert_eq!(catalogue.name(name), known, "{name}");
        }
        assert_eq!(catalogue.runbook("HighCPUUsageCritical"), catalogue.runbook("HighCPUUsage"));
    }

    #[test]
    fn the_page_about_alerts_names_each_with_its_default() {
        let page = include_str!("../../docs/alerts.md");
        for (name, alert) in &Catalogue::default().0.alerts {
            let runbook = format!("../templates/integrations/{}/runbooks/{name}.md", alert.integration);
            let row = page.lines().find(|line| line.starts_with(&format!("| [`{name}`]({runbook}) |")));
            let row = row.unwrap_or_else(|| panic!("docs/alerts.md has no row for {name}"));
            let above = alert.above.map(|above| format!(" {above} ")).unwrap_or_default();
            let hold = alert.hold.to_string();
            let hold = if hold == "0s" { "at once".to_owned() } else { hold };
            assert!(row.contains(&above) && row.contains(&format!(" {hold} |")), "{name}: {row}");
            assert!(row.contains(&format!("| {} |", alert.severity)), "{name}: {row}");
            assert_eq!(alert.optional, row.contains("only where named"), "{name}: {row}");
        }
    }

    #[test]
    fn every_alert_has_a_runbook() {
        let catalogue = Catalogue::default();
        for (name, alert) in &catalogue.0.alerts {
            let page = catalogue.runbook(name.as_str()).unwrap_or_else(|| panic!("no page {name}.md"));
            assert!(page.starts_with(&format!("# {name}\n")), "{name}");
            let mut rest = page;
            for heading in ["Meaning", "First look", "Usual causes", "Remedy", "Settings"] {
                let (_, below) = rest
                    .split_once(&format!("\n## {heading}\n"))
                    .unwrap_or_else(|| panic!("{name}.md has no `{heading}`, or not in its place"));
                assert!(!below.trim_start().starts_with('#'), "{name}.md: `{heading}` is empty");
                rest = below;
            }
            let flat = page.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(
                flat.contains(&alert.why),
                "{name}.md does not give the reason for the defaults: {}",
                alert.why
            );
        }
        let pages = catalogue.integrations().iter().flat_map(|it| it.folder("runbooks"));
        let pages = pages.filter_map(|(file, _)| file.strip_suffix(".md"));
        let others: Vec<_> = pages.filter(|name| catalogue.name(name) != Some(*name)).collect();
        assert!(others.is_empty(), "runbooks of unknown alerts: {others:?}");
    }
}
