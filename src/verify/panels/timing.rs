//! Over which time a panel asks and in which steps, as a browser works it out of the dashboard and of the panel's
//! own settings. Pure.

use std::time::Duration;

use serde_json::Value;

use crate::spec::PromDuration;

/// A browser asks for about so many points, one for each pixel.
const POINTS: u64 = 1_000;
/// What a dashboard without a range shows.
const USUAL: u64 = 3_600;

/// The settings of a panel that change over which time it asks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Settings {
    /// The range that the panel has in place of the dashboard's, such as `24h`.
    time_from: Option<String>,
    /// How much earlier it looks.
    time_shift: Option<String>,
    /// The shortest step, such as `1m` or `>1m`.
    interval: Option<String>,
    points: Option<u64>,
}

impl Settings {
    pub(super) fn of(panel: &Value) -> Self {
        let text = |key: &str| panel[key].as_str().filter(|it| !it.is_empty()).map(str::to_owned);
        Self {
            time_from: text("timeFrom"),
            time_shift: text("timeShift"),
            interval: text("interval"),
            points: panel["maxDataPoints"].as_u64().filter(|points| *points > 0),
        }
    }

    /// All texts in it, in which variables may stand.
    pub(super) fn texts(&self) -> impl Iterator<Item = &String> {
        [&self.time_from, &self.time_shift, &self.interval].into_iter().flatten()
    }
}

/// Over which time a panel asks, and in which steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Timing {
    /// As Grafana writes it.
    pub range: (String, String),
    /// The range's length in seconds.
    pub seconds: u64,
    /// In milliseconds.
    pub step: u64,
    pub points: u64,
}

impl Timing {
    /// Works it out for a panel; `fill` puts in what the dashboard's variables stand for.
    pub(super) fn of(
        dashboard: &Value,
        settings: &Settings,
        scrape_interval: PromDuration,
        fill: impl Fn(&str) -> String,
    ) -> Self {
        let text = |key: &str, other: &str| dashboard["time"][key].as_str().unwrap_or(other).to_owned();
        let filled = |text: &Option<String>| text.as_deref().map(&fill).filter(|text| !text.is_empty());
        let range = match filled(&settings.time_from) {
            Some(from) if from.starts_with("now") => (from, "now".into()),
            Some(from) => (format!("now-{from}"), "now".into()),
            None => (text("from", "now-1h"), text("to", "now")),
        };
        let seconds = seconds(&range.0);
        let points = settings.points.unwrap_or(POINTS);
        let least = filled(&settings.interval).and_then(|it| it.trim_start_matches('>').parse().ok());
        let step = step(seconds, points, least.unwrap_or(scrape_interval));
        Self { range: shifted(range, filled(&settings.time_shift)), seconds, step, points }
    }
}

fn shifted((from, to): (String, String), by: Option<String>) -> (String, String) {
    // A range of fixed times is not shifted by what Grafana adds to `now`.
    match by.filter(|_| from.starts_with("now") && to.starts_with("now")) {
        Some(by) => (format!("{from}-{by}"), format!("{to}-{by}")),
        None => (from, to),
    }
}

/// The longest time between two points of the dashboards' curves, at least the scrape interval: what happens now is
/// drawn once it has passed.
pub fn longest_step(dashboards: &[Value], scrape_interval: PromDuration) -> Duration {
    let from = |dashboard: &Value| dashboard["time"]["from"].as_str().map_or(USUAL, seconds);
    let longest = dashboards.iter().map(from).max().unwrap_or_default();
    Duration::from_millis(step(longest, POINTS, scrape_interval))
}

/// Between two points of a curve over so many seconds, in milliseconds.
fn step(range: u64, points: u64, least: PromDuration) -> u64 {
    (range * 1_000 / points).max(least.as_millis())
}

/// How many seconds before now `now-6h` is; an hour for what is written in another way.
pub(super) fn seconds(from: &str) -> u64 {
    let span = from.strip_prefix("now-").and_then(|it| it.split('/').next()?.parse::<PromDuration>().ok());
    span.map_or(USUAL, |span| span.get().as_secs())
}

/// The variables that Grafana's server fills in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Intervals {
    /// Between two scrapes, or the query's own shortest step, in milliseconds.
    pub scrape: u64,
    /// In milliseconds.
    pub step: u64,
    /// In seconds.
    pub range: u64,
}

impl Intervals {
    /// The expression with them, for Prometheus to see.
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
        Timing::of(dashboard, &Settings::of(panel), PromDuration::seconds(15), |text| {
            text.replace("$days", "7d")
        })
    }

    #[test]
    fn a_panel_may_have_a_range_and_a_step_of_its_own() {
        let dashboard = json!({"time": {"from": "now-6h", "to": "now"}});
        let told = |panel: Value| {
            let Timing { range: (from, to), step, points, .. } = timing(&dashboard, &panel);
            format!("{from} {to} {step} {points}")
        };
        assert_eq!(told(json!({})), "now-6h now 21600 1000");
        assert_eq!(told(json!({"timeFrom": "24h"})), "now-24h now 86400 1000");
        assert_eq!(told(json!({"timeFrom": "now/d"})), "now/d now 15000 1000");
        assert_eq!(told(json!({"timeFrom": "$days"})), "now-7d now 604800 1000");
        assert_eq!(told(json!({"timeShift": "1d"})), "now-6h-1d now-1d 21600 1000");
        assert_eq!(told(json!({"timeFrom": "1h", "timeShift": "1d"})), "now-1h-1d now-1d 15000 1000");
        assert_eq!(told(json!({"interval": ">1m"})), "now-6h now 60000 1000");
        assert_eq!(told(json!({"interval": "5s", "maxDataPoints": 21_600})), "now-6h now 5000 21600");
        let fixed = json!({"time": {"from": "1700000000000", "to": "1700000600000"}});
        assert_eq!(timing(&fixed, &json!({"timeShift": "1d"})).range.0, "1700000000000");
    }

    #[test]
    fn ranges_and_steps_are_read_as_grafana_writes_them() {
        let seconds = ["now-6h", "now-1d/d", "now-90s", "now/d", "1700000000000"].map(seconds);
        assert_eq!(seconds, [21_600, 86_400, 90, 3_600, 3_600]);
        let dashboards = ["now-1h", "now-6h"].map(|from| json!({"time": {"from": from}}));
        let step = |scrape: &str| longest_step(&dashboards, scrape.parse().unwrap()).as_millis();
        assert_eq!((step("15s"), step("30s")), (21_600, 30_000));
    }

    #[test]
    fn what_grafanas_server_fills_in_is_filled_in_as_there() {
        let intervals = Intervals { scrape: 15_000, step: 60_000, range: 3_600 };
        let expr = "a[$__rate_interval] + b[${__interval}] + $__interval_ms + c[$__range] + $__range_s";
        assert_eq!(intervals.fill(expr), "a[75000ms] + b[60000ms] + 60000 + c[3600s] + 3600");
        let short = Intervals { step: 1_000, ..intervals };
        assert_eq!(short.fill("$__rate_interval $__rate_interval_ms"), "60000ms 60000");
    }
}
