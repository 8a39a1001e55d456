//! What two hosts and their application report, as real exporters were recorded to answer (`tests/fixtures/metrics/`):
//! a history that promtool writes into a Prometheus' database.

use std::fmt::Write as _;

const EXPORTERS: [(&str, u16, &str); 2] = [
    ("node-exporter", 9100, include_str!("../fixtures/metrics/node-exporter.txt")),
    ("django-instance", 9101, include_str!("../fixtures/metrics/exporter.txt")),
];
/// Seconds between two scrapes.
const INTERVAL: i64 = 15;
/// Scrapes before now; as many follow, so that a slow test has fresh values as well.
const SCRAPES: i64 = 40;

/// `OpenMetrics` with times. What is counted grows at every scrape by what was recorded; the rest stands still.
pub fn history() -> String {
    history_of("", SCRAPES)
}

/// The same with more jobs, each of which begins with `# JOB name port`, and so many scrapes before now.
pub fn history_of(more: &str, scrapes: i64) -> String {
    let mut text = String::new();
    for (job, port, exposition) in EXPORTERS {
        for host in 1..=2 {
            let target = format!(r#"job="{job}",instance="10.0.0.{host}:{port}""#);
            report(&mut text, &target, exposition, scrapes);
        }
    }
    for part in more.split("# JOB ").skip(1) {
        let (head, exposition) = part.split_once('\n').unwrap();
        let (job, port) = head.split_once(' ').unwrap();
        let target = format!(r#"job="{job}",instance="10.0.0.9:{port}""#);
        let of_prometheus = include_str!("../fixtures/metrics/prometheus.txt");
        let exposition = [exposition, if job == "prometheus" { of_prometheus } else { "" }].concat();
        report(&mut text, &target, &exposition, scrapes);
    }
    text + "# EOF\n"
}

fn report(text: &mut String, target: &str, exposition: &str, scrapes: i64) {
    series(text, &format!("up{{{target}}}"), 1.0, false, scrapes);
    let mut counted = false;
    for line in exposition.lines() {
        if line.starts_with('#') {
            counted = !line.ends_with(" gauge");
            continue;
        }
        let (series_of, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series_of.trim_end_matches('}').split_once('{').unwrap_or((series_of, ""));
        let labels = if labels.is_empty() { target.to_owned() } else { format!("{target},{labels}") };
        series(text, &format!("{name}{{{labels}}}"), value.parse().unwrap(), counted, scrapes);
    }
}

fn series(text: &mut String, name: &str, value: f64, grows: bool, scrapes: i64) {
    let begin = jiff::Timestamp::now().as_second() - scrapes * INTERVAL;
    let mut shown = value;
    for scrape in 0..=scrapes + SCRAPES {
        writeln!(text, "{name} {shown} {}", begin + scrape * INTERVAL).unwrap();
        if grows {
            shown += value;
        }
    }
}
