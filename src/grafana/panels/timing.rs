//! The range and the step of a panel's queries, computed as a browser does from the dashboard and the panel's settings.
//! Pure.

use serde_json::Value;

use crate::duration::PromDuration;

/// Points that a browser of 1600 pixels requests for a panel of full width: one per pixel, less the margins.
const POINTS: u64 = 1_568;
/// Pixels between two columns.
const GAP: u64 = 8;
/// Columns of the page, now and before Grafana 5.
const COLUMNS: u64 = 24;
const OLD_COLUMNS: u64 = 12;
/// The range of a dashboard that sets none, in milliseconds.
const USUAL: u64 = 3_600_000;

/// The steps that a browser requests, in milliseconds: an exact step below the first number is rounded to the second.
const STEPS: [(u64, u64); 25] = [
    (10, 1),
    (15, 10),
    (35, 20),
    (75, 50),
    (150, 100),
    (350, 200),
    (750, 500),
    (1_500, 1_000),
    (3_500, 2_000),
    (7_500, 5_000),
    (12_500, 10_000),
    (17_500, 15_000),
    (25_000, 20_000),
    (45_000, 30_000),
    (90_000, 60_000),
    (210_000, 120_000),
    (450_000, 300_000),
    (750_000, 600_000),
    (1_050_000, 900_000),
    (1_500_000, 1_200_000),
    (2_700_000, 1_800_000),
    (5_400_000, 3_600_000),
    (9_000_000, 7_200_000),
    (16_200_000, 10_800_000),
    (32_400_000, 21_600_000),
];
/// The steps of half a day and longer.
const LONG_STEPS: [(u64, u64); 4] = [
    (86_400_000, 43_200_000),
    (604_800_000, 86_400_000),
    (1_814_400_000, 604_800_000),
    (3_628_800_000, 2_592_000_000),
];
const LONGEST_STEP: u64 = 31_536_000_000;

/// The settings of a panel that affect the range and the step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct QueryOptions {
    /// The panel's own range in place of the dashboard's, such as `24h`.
    time_from: Option<String>,
    /// By how much the range is shifted back.
    time_shift: Option<String>,
    /// The minimum step, such as `1m` or `>1m`.
    interval: Option<String>,
    points: Option<u64>,
    /// Width in points.
    width: Option<u64>,
    /// Whether each query names its data source: then none of their scrape intervals bounds the panel's step.
    is_mixed: bool,
}

/// Length of the units in a panel's minimum step, in milliseconds.
const UNITS: [(&str, u64); 8] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
    ("w", 604_800_000),
    ("M", 2_592_000_000),
    ("y", 31_536_000_000),
];

impl QueryOptions {
    /// The settings of a library panel, with the width that it has in the dashboard.
    pub(super) fn placed(panel: &Value, placed: &Value) -> Self {
        Self { width: width(placed), ..Self::of(panel) }
    }

    pub(super) fn of(panel: &Value) -> Self {
        let text = |key: &str| panel[key].as_str().filter(|it| !it.is_empty()).map(str::to_owned);
        Self {
            time_from: text("timeFrom"),
            time_shift: text("timeShift"),
            interval: text("interval"),
            points: panel["maxDataPoints"].as_u64().filter(|points| *points > 0),
            width: width(panel),
            is_mixed: [&panel["datasource"], &panel["datasource"]["uid"]]
                .iter()
                .any(|it| **it == "-- Mixed --"),
        }
    }

    /// All its texts, which may contain variables.
    pub(super) fn texts(&self) -> impl Iterator<Item = &String> {
        [&self.time_from, &self.time_shift, &self.interval].into_iter().flatten()
    }

    /// The panel's minimum step, if it sets one; `fill` fills in the dashboard's variables.
    ///
    /// # Errors
    /// When the browser's part of this release rejects the text: the panel shows an error, and nothing is queried.
    pub(super) fn least_step(
        &self,
        release: Option<u64>,
        fill: impl Fn(&str) -> String,
    ) -> Result<Option<PromDuration>, String> {
        let Some(text) = self.interval.as_deref().map(fill).filter(|text| !text.is_empty()) else {
            return Ok(self.is_mixed.then(|| PromDuration::millis(1)));
        };
        let is_old = release.is_some_and(|release| release < WITHOUT_COMPARISON);
        let read = if is_old { text.trim_start_matches('>') } else { &text };
        let why = || {
            let hint =
                if text.starts_with('>') { "; remove the `>`" } else { "; write a duration such as `30s`" };
            format!("Grafana rejects the panel's minimum interval `{text}`{hint}")
        };
        browsers_duration(read).map(|millis| Some(PromDuration::millis(millis))).ok_or_else(why)
    }
}

/// The first release that was seen to reject a minimum step such as `>30s`. The source of 9.4 ignores the `>`.
const WITHOUT_COMPARISON: u64 = 12;

/// A duration as a browser reads it, in milliseconds: whole seconds, or a whole number of one unit at the beginning of
/// the text.
fn browsers_duration(text: &str) -> Option<u64> {
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let count: u64 = text[..end].parse().ok()?;
    let rest = text[end..].trim_start_matches(|letter: char| letter == '.' || letter.is_ascii_digit());
    if rest.is_empty() {
        return (count > 0).then_some(count * 1_000);
    }
    UNITS.iter().find(|(unit, _)| rest.starts_with(unit)).map(|(_, millis)| count * millis)
}

/// The range and the step of a panel's queries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Timing {
    /// In Grafana's notation.
    pub range: (String, String),
    /// The range's length in seconds.
    pub seconds: u64,
    /// In milliseconds.
    pub step: u64,
    pub points: u64,
}

impl Timing {
    /// Computes it for a panel with this minimum step; `fill` fills in the dashboard's variables.
    pub(super) fn of(
        dashboard: &Value,
        settings: &QueryOptions,
        least: PromDuration,
        fill: impl Fn(&str) -> String,
    ) -> Self {
        let text = |key: &str, other: &str| dashboard["time"][key].as_str().unwrap_or(other).to_owned();
        let filled = |text: &Option<String>| text.as_deref().map(&fill).filter(|text| !text.is_empty());
        let range = match filled(&settings.time_from) {
            Some(from) if from.starts_with("now") => (from, "now".into()),
            Some(from) => (format!("now-{from}"), "now".into()),
            None => (text("from", "now-1h"), text("to", "now")),
        };
        let length = length(&range.0, &range.1);
        let points = settings.points.or(settings.width).unwrap_or(POINTS);
        let step = step(length, points, least);
        let seconds = length / 1_000;
        Self { range: shifted(range, filled(&settings.time_shift)), seconds, step, points }
    }
}

/// The width of a panel in points, if its position is set: its columns and the gaps between them, rounded. A panel that
/// is repeated side by side is queried before its repetitions share the page.
fn width(panel: &Value) -> Option<u64> {
    let of_old = |span| span * COLUMNS / OLD_COLUMNS;
    let columns = panel["gridPos"]["w"].as_u64().or_else(|| panel["span"].as_u64().map(of_old))?;
    let is_repeated = panel["repeat"].as_str().is_some_and(|variable| !variable.is_empty());
    if is_repeated && panel["repeatDirection"] != "v" {
        return Some(POINTS);
    }
    let columns = columns.clamp(1, COLUMNS);
    let without_gaps = POINTS - GAP * (COLUMNS - 1);
    Some((without_gaps * columns + COLUMNS / 2) / COLUMNS + GAP * (columns - 1))
}

fn shifted((from, to): (String, String), by: Option<String>) -> (String, String) {
    // Grafana shifts only ranges relative to `now`.
    match by.filter(|_| from.starts_with("now") && to.starts_with("now")) {
        Some(by) => (format!("{from}-{by}"), format!("{to}-{by}")),
        None => (from, to),
    }
}

/// The time between two points of a curve over a range, in milliseconds: rounded as a browser does, at least `least`.
pub(super) fn step(range: u64, points: u64, least: PromDuration) -> u64 {
    let is_below = |bound: u64| range < bound * points;
    let rounded = STEPS.iter().chain(&LONG_STEPS).find(|(bound, _)| is_below(*bound));
    rounded.map_or(LONGEST_STEP, |(_, step)| *step).max(least.as_millis())
}

/// The length of a range in milliseconds; an hour if the notation is unknown. For a range that is rounded to a unit
/// (`now/d`), the maximum length.
pub(super) fn length(from: &str, to: &str) -> u64 {
    let (Some(from), Some(to)) = (Moment::read(from), Moment::read(to)) else { return USUAL };
    let rounding = from.rounding.max(to.rounding);
    let length = match (from.is_relative, to.is_relative) {
        (true, true) => from.millis - to.millis,
        (false, false) => to.millis - from.millis,
        _ => return USUAL,
    };
    // A range that ends before it begins is invalid.
    u64::try_from(length).map_or(USUAL, |length| length + rounding).max(1)
}

/// One end of a range.
struct Moment {
    is_relative: bool,
    /// Before now, or since 1970.
    millis: i64,
    /// The unit to which it is rounded, in milliseconds.
    rounding: u64,
}

impl Moment {
    /// `None` if the text is not a moment.
    fn read(text: &str) -> Option<Self> {
        let Some(relative) = text.strip_prefix("now") else {
            let millis = match text.parse() {
                Ok(millis) => millis,
                // A time that is not a number is in RFC 3339.
                Err(_) => text.parse::<jiff::Timestamp>().ok()?.as_millisecond(),
            };
            return Some(Self { is_relative: false, millis, rounding: 0 });
        };
        let (offsets, unit) =
            relative.split_once('/').map_or((relative, None), |(before, unit)| (before, Some(unit)));
        let millis = |text: &str| Some(text.parse::<PromDuration>().ok()?.as_millis());
        let rounding = unit.map_or(Some(0), |unit| millis(&format!("1{}", unit.trim_start_matches('f'))))?;
        let mut before = 0_i64;
        for part in offsets.split_inclusive(|letter: char| letter.is_ascii_alphabetic()) {
            let span = i64::try_from(millis(part.trim_start_matches(['-', '+']))?).ok()?;
            before += if part.starts_with('+') { -span } else { span };
        }
        Some(Self { is_relative: true, millis: before, rounding })
    }
}

/// The variables that Grafana's server fills in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Intervals {
    /// The scrape interval, or the query's own minimum step, in milliseconds.
    pub scrape: u64,
    /// In milliseconds.
    pub step: u64,
    /// In seconds.
    pub range: u64,
}

impl Intervals {
    /// Fills them into an expression for Prometheus.
    pub(super) fn fill(self, expr: &str) -> String {
        let (scrape, step) = (self.scrape.max(1), self.step.max(1));
        let rate = (step + scrape).max(4 * scrape);
        let texts = [
            ("rate_interval_ms", rate.to_string()),
            ("rate_interval", format!("{rate}ms")),
            ("interval_ms", step.to_string()),
            ("interval", format!("{step}ms")),
            ("range_ms", (self.range * 1_000).to_string()),
            ("range_s", self.range.to_string()),
            ("range", format!("{}s", self.range)),
        ];
        texts.iter().fold(expr.to_owned(), |expr, (name, text)| {
            expr.replace(&format!("${{__{name}}}"), text).replace(&format!("$__{name}"), text)
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn timing(dashboard: &Value, panel: &Value) -> Timing {
        let (settings, fill) = (QueryOptions::of(panel), |text: &str| text.replace("$days", "7d"));
        let least = settings.least_step(Some(12), fill).unwrap().unwrap_or(PromDuration::seconds(15));
        Timing::of(dashboard, &settings, least, fill)
    }

    #[test]
    fn a_panel_may_have_a_range_and_a_step_of_its_own() {
        let dashboard = json!({"time": {"from": "now-6h", "to": "now"}});
        let shown = |panel: Value| {
            let Timing { range: (from, to), step, points, .. } = timing(&dashboard, &panel);
            format!("{from} {to} {step} {points}")
        };
        assert_eq!(shown(json!({})), "now-6h now 15000 1568");
        assert_eq!(shown(json!({"gridPos": {"w": 12}})), "now-6h now 30000 780");
        assert_eq!(shown(json!({"span": 3})), "now-6h now 60000 386");
        assert_eq!(shown(json!({"timeFrom": "24h"})), "now-24h now 60000 1568");
        assert_eq!(shown(json!({"timeFrom": "now/d"})), "now/d now 60000 1568");
        assert_eq!(shown(json!({"timeFrom": "$days"})), "now-7d now 300000 1568");
        assert_eq!(shown(json!({"timeShift": "1d"})), "now-6h-1d now-1d 15000 1568");
        assert_eq!(shown(json!({"timeFrom": "1h", "timeShift": "1d"})), "now-1h-1d now-1d 15000 1568");
        assert_eq!(shown(json!({"interval": "1m"})), "now-6h now 60000 1568");
        assert_eq!(shown(json!({"interval": "5s", "maxDataPoints": 21_600})), "now-6h now 5000 21600");
        let mixed = json!({"maxDataPoints": 21_600, "datasource": {"uid": "-- Mixed --"}});
        assert_eq!(shown(mixed), "now-6h now 1000 21600", "no data source's scrape interval counts");
        let fixed = json!({"time": {"from": "1700000000000", "to": "1700000600000"}});
        assert_eq!(timing(&fixed, &json!({"timeShift": "1d"})).range.0, "1700000000000");
    }

    /// Points of panels as a browser 1600 pixels wide requested them of Grafana 12.4.
    #[test]
    fn a_panel_has_a_point_for_each_of_its_pixels() {
        for (columns, points) in [(2, 123), (3, 189), (4, 255), (6, 386), (8, 517), (12, 780), (24, 1_568)] {
            assert_eq!(width(&json!({"gridPos": {"w": columns}})), Some(points), "{columns} columns");
        }
        let repeated = |more: &str| json!({"gridPos": {"w": 8}, "repeat": "host", "repeatDirection": more});
        assert_eq!((width(&repeated("h")), width(&repeated("v"))), (Some(1_568), Some(517)));
        // Of a library panel, the dashboard's own position counts.
        let placed = QueryOptions::placed(&json!({"gridPos": {"w": 24}}), &json!({"gridPos": {"w": 6}}));
        assert_eq!(placed.width, Some(386));
    }

    #[test]
    fn a_minimum_step_is_read_as_a_browser_reads_it() {
        let of = |text: &str| QueryOptions::of(&json!({ "interval": text }));
        let least = |text: &str, release| of(text).least_step(release, str::to_owned);
        for (text, millis) in
            [("30s", 30_000), ("1.5m", 60_000), ("90", 90_000), ("1M", 2_592_000_000), ("5ms", 5)]
        {
            let expected = Ok(Some(PromDuration::millis(millis)));
            assert_eq!((least(text, Some(9)), least(text, Some(12))), (expected.clone(), expected), "{text}");
        }
        assert_eq!(least("", Some(12)), Ok(None));
        // The source of 9.4 ignores the `>`, and 12.4 shows an error in the panel's place.
        assert_eq!(least(">30s", Some(9)), Ok(Some(PromDuration::seconds(30))));
        let rejected = Err("Grafana rejects the panel's minimum interval `>30s`; remove the `>`".to_owned());
        assert_eq!((least(">30s", Some(12)), least(">30s", None)), (rejected.clone(), rejected));
        for text in ["0", "$step", "often", "s"] {
            assert!(least(text, Some(9)).unwrap_err().contains("such as `30s`"), "{text}");
        }
    }

    /// The steps that a browser requests, by the length of the range in seconds and the points of the panel.
    #[test]
    fn steps_are_rounded_as_a_browser_rounds_them() {
        let step = |seconds: u64, points| step(seconds * 1_000, points, "1ms".parse().unwrap());
        for (range, points, expected) in [
            (900, 1_000, 1_000),
            (3_600, 1_000, 5_000),
            (21_600, 1_000, 20_000),
            (86_400, 1_000, 60_000),
            (604_800, 1_000, 600_000),
            (604_800, 390, 1_800_000),
            (2_592_000, 720, 3_600_000),
            (31_536_000, 500, 43_200_000),
            (1, 1_000, 1),
        ] {
            assert_eq!(step(range, points), expected, "{range} s, {points} points");
        }
        // None has a fraction that PromQL rejects, such as `1m31.4s`.
        for seconds in 1..20_000 {
            let step = step(seconds * 60, 733);
            assert!(step < 1_000 || step % 1_000 == 0, "{seconds} min: {step} ms");
        }
    }

    #[test]
    fn ranges_are_read_as_grafana_writes_them() {
        for (from, to, seconds) in [
            ("now-6h", "now", 21_600),
            ("now-90s", "now", 90),
            ("now-2d", "now-1d", 86_400),
            ("now-1d-6h", "now-6h", 86_400),
            ("now-1h", "now+1h", 7_200),
            ("now/d", "now", 86_400),
            ("now/d", "now/d", 86_400),
            ("now-1d/d", "now-1d/d", 86_400),
            ("1700000000000", "1700000600000", 600),
            ("2026-01-01T00:00:00.000Z", "2026-01-01T06:00:00.000Z", 21_600),
            ("at some time", "now", 3_600),
        ] {
            assert_eq!(length(from, to), seconds * 1_000, "{from} to {to}");
        }
    }

    #[test]
    fn intervals_are_filled_in_as_grafanas_server_does() {
        let intervals = Intervals { scrape: 15_000, step: 60_000, range: 3_600 };
        let expr = "a[$__rate_interval] + b[${__interval}] + $__interval_ms + c[$__range] + $__range_s";
        assert_eq!(intervals.fill(expr), "a[75000ms] + b[60000ms] + 60000 + c[3600s] + 3600");
        let short = Intervals { step: 1_000, ..intervals };
        assert_eq!(short.fill("$__rate_interval $__rate_interval_ms"), "60000ms 60000");
    }
}
