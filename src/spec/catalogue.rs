//! The alert catalogue: `templates/alerts/*.yaml`, one alert a file, embedded in the program.
//!
//! It lives here and not in `render/` because it decides which specs are valid. A new alert is a new file.

mod amount;
mod counts;
mod trial;
mod unit;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use include_dir::{Dir, include_dir};
use serde::Deserialize;

pub use self::amount::Amount;
pub use self::counts::Counts;
pub use self::trial::{Case, Sees, Series, Target, Trial, Usual, Values};
pub use self::unit::Unit;
use super::alert::Alert;
use super::app::Metrics;
use super::drill::DrillKind;
use super::names::AlertName;
use crate::duration::PromDuration;

static FILES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/templates/alerts");
static RUNBOOKS: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/docs/alerts");

#[expect(clippy::expect_used, reason = "the files are part of the program and a test reads them all")]
static ENTRIES: LazyLock<BTreeMap<AlertName, CatalogueAlert>> = LazyLock::new(|| {
    let read = |file: &include_dir::File<'static>| {
        let name = file.path().file_stem().unwrap_or_default().to_string_lossy();
        let broken = |why: String| format!("{name}: {why}");
        let text = file.contents_utf8().ok_or_else(|| broken("it is not UTF-8".to_owned()))?;
        let alert = serde_saphyr::from_str(text).map_err(|error| broken(error.to_string()))?;
        Ok::<_, String>((name.parse().map_err(broken)?, alert))
    };
    FILES.files().map(|file| read(file).expect("every file of the catalogue is an alert")).collect()
});

/// The alert whose end is noticed elsewhere: it fires always.
pub const WATCHDOG: &str = "Watchdog";
/// The alert that holds back all others of its host.
pub const HOST_DOWN: &str = "HostDown";

/// An alert that needs no more than its name.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogueAlert {
    /// The rule group.
    pub group: String,
    /// What the threshold measures; absent where the alert has none.
    #[serde(default)]
    pub unit: Option<Unit>,
    /// The default threshold.
    #[serde(default)]
    pub above: Option<f64>,
    /// The highest value that there can be, where the unit knows none: thresholds lie below it.
    #[serde(default)]
    pub most: Option<f64>,
    /// The setting of the project that makes `most` another one, where the project's own django-prometheus counts.
    #[serde(default)]
    pub most_setting: Option<String>,
    /// The default range of its rates, at least four scrapes and three turns of what it `counts`; that where absent.
    #[serde(default)]
    pub window: Option<PromDuration>,
    /// What moves the counters whose rates it takes: the window holds several of it.
    #[serde(default)]
    pub counts: Counts,
    /// How far ahead it looks by default.
    #[serde(default)]
    pub within: Option<PromDuration>,
    /// The traffic below which it says nothing by default, per second.
    #[serde(default)]
    pub traffic: Option<f64>,
    /// How long the expression must hold by default, at least.
    #[serde(rename = "for")]
    pub hold: PromDuration,
    /// The alert that holds this one back: where nobody chose otherwise, this one waits longer.
    #[serde(default)]
    pub after: Option<AlertName>,
    /// The default `severity` label.
    pub severity: String,
    /// Whether a spec without a section `alerts` has it not.
    #[serde(default)]
    pub optional: bool,
    /// The way of counting requests without which there are none of its metrics.
    #[serde(default)]
    pub only: Option<Metrics>,
    /// The metrics without which the alert can never fire.
    pub needs: Vec<String>,
    /// Those of them that are there only from the first event on, such as the first request or the first error.
    #[serde(default)]
    pub begins: Vec<String>,
    /// The setting of the project without which its own django-prometheus has not these metrics.
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

impl CatalogueAlert {
    /// Whether it takes rates over a window.
    pub fn has_window(&self) -> bool {
        self.expr.contains("${window")
    }

    /// Whether the last figure of its gauges counts for a while where no new one comes.
    pub fn has_memory(&self) -> bool {
        self.expr.contains("${memory}")
    }
}

impl Alert {
    /// The alert of the catalogue that it is under this name; none where its expression is the user's own.
    pub fn entry(&self, name: &str) -> Option<&'static CatalogueAlert> {
        catalogue_alert(name).filter(|_| self.expr.is_none())
    }
}

/// The alert that a name means: the one of this name, or the one whose name it continues with a capital letter, a digit,
/// `_`, `-` or a space, such as `HighCPUUsageCritical`, which is `HighCPUUsage` a second time.
pub fn catalogue_alert(name: &str) -> Option<&'static CatalogueAlert> {
    ENTRIES.get(catalogue_name(name)?)
}

/// The name in the catalogue of the alert that a name means.
pub fn catalogue_name(name: &str) -> Option<&'static str> {
    let continues =
        |rest: &str| rest.starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit() || "_- ".contains(c));
    let is_meant = |known: &&str| match name.strip_prefix(*known) {
        Some("") => true,
        // There is one switch for one dead man.
        Some(rest) => *known != WATCHDOG && continues(rest),
        None => false,
    };
    catalogue_names().filter(is_meant).max_by_key(|known| known.len())
}

/// The names of all alerts of the catalogue, in alphabetical order.
pub fn catalogue_names() -> impl Iterator<Item = &'static str> {
    ENTRIES.keys().map(AlertName::as_str)
}

/// The page about an alert of the catalogue, written for whoever is woken by it.
pub fn runbook(name: &str) -> Option<&'static str> {
    RUNBOOKS.get_file(format!("{}.md", catalogue_name(name)?))?.contents_utf8()
}

/// The alerts of a spec that names none: those of the catalogue that need no choice by the user.
pub(super) fn default_alerts() -> BTreeMap<AlertName, Alert> {
    let entries = ENTRIES.iter().filter(|(_, entry)| !entry.optional);
    entries.map(|(name, _)| (name.clone(), Alert::default())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_catalogue_is_an_alert_with_sound_defaults() {
        assert!(catalogue_names().any(|name| name == "HighCPUUsage"));
        for (name, alert) in ENTRIES.iter() {
            let has = |parameter: &str| alert.expr.contains(parameter);
            assert_eq!(alert.unit.is_some(), alert.above.is_some(), "{name}");
            assert_eq!(alert.unit.is_some(), has("${above}"), "{name}");
            assert_eq!(alert.within.is_some(), has("${within"), "{name}");
            assert_eq!(alert.traffic.is_some(), has("${traffic}"), "{name}");
            assert!(alert.window.is_none() || has("${window"), "{name}");
            if let (Some(unit), Some(above)) = (alert.unit, alert.above) {
                unit.check(above).unwrap();
            }
            assert!(alert.needs.iter().all(|metric| alert.expr.contains(metric.as_str())), "{name}");
            assert!(alert.begins.iter().all(|metric| alert.needs.contains(metric)), "{name}");
            assert!(!alert.trials.is_empty(), "{name} has no rule tests");
            for text in [&alert.why, &alert.action] {
                assert!(text.ends_with('.') && !text.contains("{{"), "{name}: {text}");
            }
        }
    }

    #[test]
    fn an_alert_can_be_had_a_second_time_under_a_name_that_continues_its_own() {
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
            assert_eq!(catalogue_name(name), known, "{name}");
        }
        assert_eq!(runbook("HighCPUUsageCritical"), runbook("HighCPUUsage"));
    }

    #[test]
    fn the_page_about_alerts_names_each_with_its_default() {
        let page = include_str!("../../docs/alerts.md");
        for (name, alert) in ENTRIES.iter() {
            let row =
                page.lines().find(|line| line.starts_with(&format!("| [`{name}`](alerts/{name}.md) |")));
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
    fn every_alert_has_a_page_for_whoever_is_woken() {
        for (name, alert) in ENTRIES.iter() {
            let page = runbook(name.as_str()).unwrap_or_else(|| panic!("docs/alerts has no page {name}.md"));
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
            assert!(flat.contains(&alert.why), "{name}.md says not why the defaults are so: {}", alert.why);
        }
        let pages = RUNBOOKS.files().filter_map(|file| file.path().file_stem()?.to_str());
        let others: Vec<_> = pages.filter(|name| catalogue_name(name) != Some(*name)).collect();
        assert!(others.is_empty(), "pages about alerts that are not there: {others:?}");
    }
}
