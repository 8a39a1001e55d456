//! The alert catalogue: `templates/alerts/*.yaml`, one alert a file, embedded in the program.
//!
//! It lives here and not in `render/` because it decides which specs are valid. A new alert is a new file.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use include_dir::{Dir, include_dir};
use serde::Deserialize;

use super::{DrillKind, Percent, PromDuration, RuleName};

static FILES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/templates/alerts");

#[expect(clippy::expect_used, reason = "the files are part of the program and a test reads them all")]
static ENTRIES: LazyLock<BTreeMap<RuleName, CatalogueAlert>> = LazyLock::new(|| {
    let read = |file: &include_dir::File<'static>| {
        let name = file.path().file_stem()?.to_str()?.parse().ok()?;
        Some((name, serde_saphyr::from_str(file.contents_utf8()?).ok()?))
    };
    FILES.files().map(|file| read(file).expect("every file of the catalogue is an alert")).collect()
});

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
    /// How long the expression must hold by default.
    #[serde(rename = "for")]
    pub hold: PromDuration,
    /// The default `severity` label.
    pub severity: String,
    /// The metrics without which the alert can never fire.
    pub needs: Vec<String>,
    /// The `PromQL` expression with the parameters `${above}` and `${window}`.
    pub expr: String,
    /// The `summary` annotation, a Prometheus template with the same parameters.
    pub summary: String,
    /// The `description` annotation, a Prometheus template with the same parameters.
    pub description: String,
    /// How the alert is proven.
    pub drill: DrillKind,
}

/// What a threshold measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// 0 to 100.
    Percent,
    /// A time, 0 or more.
    Seconds,
}

impl Unit {
    /// Why a threshold cannot be one of this unit, if so.
    ///
    /// # Errors
    /// Where the value lies outside the unit's range.
    pub fn check(self, value: f64) -> Result<(), String> {
        match self {
            Self::Percent if Percent::new(value).is_none() => {
                Err(format!("{value} is no percentage; it lies between 0 and 100"))
            }
            Self::Seconds if !(value.is_finite() && value >= 0.0) => {
                Err(format!("{value} is no time in seconds; it is 0 or more"))
            }
            Self::Percent | Self::Seconds => Ok(()),
        }
    }
}

/// The alert of this name.
pub fn catalogue_alert(name: &str) -> Option<&'static CatalogueAlert> {
    ENTRIES.get(name)
}

/// The names of all alerts of the catalogue, in alphabetical order.
pub fn catalogue_names() -> impl Iterator<Item = &'static str> {
    ENTRIES.keys().map(RuleName::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_catalogue_is_an_alert_with_sound_defaults() {
        assert!(catalogue_names().any(|name| name == "HighCPUUsage"));
        for (name, alert) in ENTRIES.iter() {
            assert_eq!(alert.unit.is_some(), alert.above.is_some(), "{name}");
            assert_eq!(alert.unit.is_some(), alert.expr.contains("${above}"), "{name}");
            if let (Some(unit), Some(above)) = (alert.unit, alert.above) {
                unit.check(above).unwrap();
            }
            assert!(alert.needs.iter().all(|metric| alert.expr.contains(metric.as_str())), "{name}");
        }
    }

    #[test]
    fn the_page_about_alerts_names_each_with_its_default() {
        let page = include_str!("../../docs/alerts.md");
        for (name, alert) in ENTRIES.iter() {
            let row = page.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
            let row = row.unwrap_or_else(|| panic!("docs/alerts.md has no row for {name}"));
            let above = alert.above.map(|above| format!(" {above} ")).unwrap_or_default();
            let hold = alert.hold.to_string().replace('m', " m");
            assert!(row.contains(&above) && row.contains(&hold), "{name}: {row}");
        }
    }
}
