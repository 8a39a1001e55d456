//! Health after setup: units stay up, Prometheus scrapes all targets, and no critical alert is firing. `up` succeeds
//! only after this check; `status` shows it.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use super::certificates;
use crate::error::{Error, Result};
use crate::event::Events;
use crate::host::HostName;
use crate::http::prometheus::{ActiveAlert, AlertState, Prometheus, Target};
use crate::playbook::{Playbook, UnitFact};
use crate::remote::Remote;
use crate::retry::Patience;
use crate::spec::Spec;

/// A unit that has been active for less may not stay up.
const YOUNG: Duration = Duration::from_secs(3);
/// How long to watch a unit that is starting, or that systemd restarted recently.
const WATCHED: Duration = Duration::from_secs(6);
/// Pause between two checks of units.
const PAUSE: Duration = Duration::from_secs(1);
/// A unit that has been active for this long without a restart does not flap.
const SETTLED: Duration = Duration::from_mins(1);
/// Extra time for a scrape, an evaluation and their responses, beyond their intervals: Prometheus reads the targets of a
/// new configuration within 5 s (`updatert` of its discovery manager).
const MARGIN: Duration = Duration::from_secs(10);
/// Severity of firing alerts that make a setup fail.
const CRITICAL: &str = "critical";
/// Prints the uptime of the host in seconds, and then the properties of units from systemd.
const UNITS: &str = r#"cut -d ' ' -f 1 /proc/uptime && exec systemctl show \
    -p Id -p LoadState -p ActiveState -p NRestarts -p ActiveEnterTimestampMonotonic "$@""#;

/// State of one of monctl's units, observed for some seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitHealth {
    /// Its name.
    pub name: String,
    /// Its state in systemd's terms, or `masked`.
    pub state: String,
    /// How often systemd restarted it while it was watched, or shortly before.
    pub restarts: u32,
}

impl UnitHealth {
    /// What is wrong with it; `None` if it stays up.
    pub fn trouble(&self) -> Option<String> {
        let Self { name, state, restarts } = self;
        match (state.as_str(), restarts) {
            ("active", 0) => None,
            (_, 0) => Some(format!("`{name}` is {state}")),
            (_, count) => Some(format!("`{name}` does not stay up: systemd restarted it {count} times")),
        }
    }
}

/// The units of a host. Watches them for some seconds if one is starting, has just started, or was restarted recently.
///
/// # Errors
/// When the connection breaks, or systemd does not answer.
pub async fn units(remote: &Remote, spec: &Spec) -> Result<Vec<UnitHealth>> {
    let playbook = Playbook::of_spec(remote.host().role(), spec)?;
    let names: Vec<&str> = playbook.units().collect();
    let first = show(remote, &names).await?;
    let until = Instant::now() + WATCHED;
    let mut last = first.clone();
    while (last.is_restless() || last.is_starting())
        && !last.restarted_since(&first)
        && Instant::now() < until
    {
        sleep(PAUSE).await;
        last = show(remote, &names).await?;
    }
    Ok(last.judge(&first))
}

/// The state of units at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Look {
    uptime: Duration,
    units: BTreeMap<String, UnitFact>,
}

async fn show(remote: &Remote, names: &[&str]) -> Result<Look> {
    let words = ["sh", "-c", UNITS, "sh"].into_iter().chain(names.iter().copied());
    let output = remote.run(&words.collect::<Vec<_>>(), b"").await?;
    Look::parse(&output.stdout).filter(|_| output.status.success()).ok_or_else(|| {
        Error::failed("cannot read the state of the units from systemd")
            .at(remote.host().to_string())
            .because(output.stderr.trim().to_owned())
    })
}

impl Look {
    fn parse(text: &str) -> Option<Self> {
        let (uptime, units) = text.split_once('\n')?;
        let uptime = Duration::try_from_secs_f64(uptime.parse().ok()?).ok()?;
        let mut units = UnitFact::parse_all(units);
        // Units that do not exist have no state.
        units.retain(|_, unit| unit.load != "not-found");
        Some(Self { uptime, units })
    }

    /// How often systemd restarted a unit recently; 0 if the unit is stable.
    fn recent(&self, unit: &UnitFact) -> u32 {
        let is_settled = unit.active == "active" && self.uptime.saturating_sub(unit.active_since) > SETTLED;
        if is_settled { 0 } else { unit.restarts }
    }

    fn is_restless(&self) -> bool {
        self.units.values().any(|unit| self.recent(unit) > 0)
    }

    /// Whether a unit is starting or has just started: an explicit start, as in a run, resets its restart counter, and
    /// between two starts its state is `activating`.
    fn is_starting(&self) -> bool {
        let is_young = |unit: &UnitFact| self.uptime.saturating_sub(unit.active_since) < YOUNG;
        let is_starting =
            |unit: &UnitFact| unit.active == "activating" || (unit.active == "active" && is_young(unit));
        self.units.values().any(is_starting)
    }

    fn restarted_since(&self, first: &Self) -> bool {
        self.units.iter().any(|(name, unit)| unit.restarts > first.restarts(name))
    }

    fn restarts(&self, name: &str) -> u32 {
        self.units.get(name).map_or(0, |unit| unit.restarts)
    }

    /// A unit flaps if systemd restarted it since the first look, or more than once within a short time.
    fn judge(&self, first: &Self) -> Vec<UnitHealth> {
        self.units
            .iter()
            .map(|(name, unit)| {
                let recent = self.recent(unit);
                let again = unit.restarts > first.restarts(name) || recent > 1;
                let state = if unit.load == "masked" { &unit.load } else { &unit.active };
                UnitHealth {
                    name: name.clone(),
                    state: state.clone(),
                    restarts: if again { recent.max(1) } else { 0 },
                }
            })
            .collect()
    }
}

/// Waits until all units stay up, domains have certificates, each target is scraped and no critical alert is firing, for as long as a recent
/// change may take to become visible. Returns the remaining problems. `is_spared` selects units that may fail.
pub async fn troubles(
    remotes: &BTreeMap<HostName, &Remote>,
    spec: &Spec,
    intervals: (Duration, Duration),
    prometheus: impl Future<Output = Result<Prometheus>>,
    is_spared: impl Fn(&str) -> bool,
    events: &Events,
) -> Vec<Error> {
    let all_units = || join_all(remotes.values().map(|remote| units(remote, spec)));
    let certificates = join_all(remotes.values().map(|remote| certificates::missing(remote, spec, events)));
    let (mut looks, certificates, seen) = tokio::join!(
        all_units(),
        certificates,
        alerting(remotes.get(&HostName::MONITORING).copied(), spec, intervals, prometheus, events)
    );
    // A unit that this run started may have begun to flap since; then it is the cause of Prometheus' findings.
    if !seen.is_empty() {
        looks = all_units().await;
    }
    let mut troubles = Vec::new();
    for (host, look) in remotes.keys().zip(looks) {
        match look {
            Ok(units) => {
                let units = units.iter().filter(|unit| !is_spared(&unit.name));
                troubles.extend(units.filter_map(|unit| Some(unit_error(*host, unit, unit.trouble()?))));
            }
            Err(error) => troubles.push(error),
        }
    }
    troubles.extend(certificates.into_iter().flatten());
    troubles.extend(seen);
    troubles
}

fn unit_error(host: HostName, unit: &UnitHealth, trouble: String) -> Error {
    Error::failed(trouble)
        .at(host.to_string())
        .remedy(format!("see why: monctl ssh {host} -- journalctl -u {} -n 50", unit.name))
}

/// Problems that Prometheus reports, once there was time for a scrape and an evaluation.
async fn alerting(
    monitoring: Option<&Remote>,
    spec: &Spec,
    (scrape, evaluation): (Duration, Duration),
    prometheus: impl Future<Output = Result<Prometheus>>,
    events: &Events,
) -> Vec<Error> {
    let Some(monitoring) = monitoring else { return vec![] };
    let prometheus = match prometheus.await {
        Ok(prometheus) => prometheus,
        Err(error) => return vec![error],
    };
    let mut patience = Patience::new(2 * (scrape + evaluation) + MARGIN);
    let mut is_waiting = false;
    loop {
        let troubles = match look(&prometheus, monitoring, spec).await {
            Ok(troubles) if troubles.is_empty() => return vec![],
            Ok(troubles) => troubles,
            Err(error) => vec![error],
        };
        if let Some(first) = troubles.first().filter(|_| !std::mem::replace(&mut is_waiting, true)) {
            let limit = patience.limit().as_secs();
            events.note(format!("waiting up to {limit} s for this to clear: {}", first.in_one_line()));
        }
        // The look is retried; the error given here is not used.
        if patience.again(Error::failed("not yet")).await.is_err() {
            return troubles;
        }
    }
}

/// The current problems.
async fn look(prometheus: &Prometheus, monitoring: &Remote, spec: &Spec) -> Result<Vec<Error>> {
    let targets = prometheus.targets().await?;
    let mut troubles: Vec<Error> = jobs_without_targets(spec, &targets).map(no_target_error).collect();
    for target in targets {
        // A target that was not scraped yet is requested as Prometheus will request it.
        let why = match target.health.as_str() {
            "up" => None,
            "unknown" => refusal(monitoring, &target).await?,
            _ => Some(target.last_error.clone()),
        };
        troubles.extend(why.map(|why| target_error(&target, why)));
    }
    troubles.extend(prometheus.alerts().await?.iter().filter(|alert| is_critical(alert)).map(alert_error));
    Ok(troubles)
}

/// The jobs of the spec that have no target. Prometheus finds its targets some seconds after it starts, and until then it
/// reports none.
pub fn jobs_without_targets<'a>(spec: &'a Spec, targets: &[Target]) -> impl Iterator<Item = &'a str> {
    let has_target =
        |job: &str| targets.iter().any(|target| target.labels.get("job").is_some_and(|it| it == job));
    spec.scraped()
        .into_iter()
        .filter(move |job| !job.roles.is_empty() && !has_target(job.job))
        .map(|job| job.job)
}

fn no_target_error(job: &str) -> Error {
    scrape_error(format!("Prometheus has no target of the job `{job}`"))
}

/// Why the monitoring host cannot scrape a target; `None` if it can.
async fn refusal(monitoring: &Remote, target: &Target) -> Result<Option<String>> {
    let words =
        ["curl", "--fail", "--location", "--silent", "--show-error", "--noproxy", "*", "--max-time", "5"];
    let words: Vec<&str> = words.into_iter().chain(["--output", "/dev/null", &target.scrape_url]).collect();
    let output = monitoring.run(&words, b"").await?;
    Ok((!output.status.success()).then(|| output.stderr.trim().to_owned()))
}

fn is_critical(alert: &ActiveAlert) -> bool {
    alert.state == AlertState::Firing && alert.labels.get("severity").is_some_and(|it| it == CRITICAL)
}

fn target_error(target: &Target, why: String) -> Error {
    let label = |name: &str| target.labels.get(name).map_or("", String::as_str);
    scrape_error(format!("Prometheus cannot scrape `{}` at `{}`", label("job"), label("instance")))
        .because(why)
}

fn scrape_error(message: String) -> Error {
    Error::failed(message)
        .at(HostName::MONITORING.to_string())
        .remedy("see `monctl status`, and the logs of services: `monctl logs`")
}

fn alert_error(alert: &ActiveAlert) -> Error {
    let name = alert.name();
    let about = alert.labels.get("instance").map(|instance| format!(" for `{instance}`")).unwrap_or_default();
    Error::failed(format!("the critical alert `{name}` is firing{about}, since {}", alert.active_at))
        .at(HostName::MONITORING.to_string())
        .remedy(format!("see what it means and what to do: monctl runbook {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(uptime: u64, state: &str, restarts: u32, since: u64) -> Look {
        Look::parse(&format!(
            "{uptime}.5\nNRestarts={restarts}\nId=a.service\nLoadState=loaded\nActiveState={state}\n\
             ActiveEnterTimestampMonotonic={}\n\nNRestarts=9\nId=b.service\nLoadState=not-found\nActiveState=inactive\n",
            since * 1_000_000
        ))
        .unwrap()
    }

    fn trouble(first: &Look, last: &Look) -> Option<String> {
        let units = last.judge(first);
        assert_eq!(units.len(), 1, "a unit that does not exist is left out: {units:?}");
        units[0].trouble()
    }

    #[test]
    fn a_unit_that_systemd_keeps_restarting_is_in_trouble_in_any_state() {
        let calm = look(1000, "active", 0, 10);
        assert!(!calm.is_restless());
        assert_eq!(trouble(&calm, &calm), None);
        // It was restarted once, an hour ago.
        let recovered = look(5000, "active", 1, 1400);
        assert!(!recovered.is_restless());
        assert_eq!(trouble(&recovered, &recovered), None);
        let first = look(1000, "active", 1, 998);
        assert!(first.is_restless(), "it is watched");
        assert_eq!(trouble(&first, &look(1006, "active", 1, 998)), None, "restarted once, and it stays up");
        let again = look(1003, "active", 2, 1002);
        assert!(again.restarted_since(&first));
        assert!(trouble(&first, &again).unwrap().contains("`a.service` does not stay up"));
        assert!(trouble(&again, &again).is_some(), "twice within a minute");
        assert!(trouble(&calm, &look(1003, "activating", 1, 900)).is_some());
        assert_eq!(trouble(&calm, &look(1003, "failed", 0, 900)).unwrap(), "`a.service` is failed");
    }

    #[test]
    fn a_unit_is_watched_until_it_has_been_up_for_a_while() {
        assert!(look(1000, "activating", 0, 10).is_starting(), "between two starts");
        assert!(look(1000, "active", 0, 999).is_starting());
        for (state, since) in [("active", 990), ("failed", 999), ("inactive", 999)] {
            assert!(!look(1000, state, 0, since).is_starting(), "{state}");
        }
    }

    #[test]
    fn an_incomplete_answer_of_systemd_is_refused() {
        assert_eq!(Look::parse(""), None);
        assert_eq!(Look::parse("Failed to connect to bus\n"), None);
    }

    #[test]
    fn a_job_without_targets_is_found() {
        let spec: Spec = serde_json::from_value(serde_json::json!({
            "version": 1, "project": "web", "provider": "local",
            "app": {"path": ".", "wsgi": "web.wsgi"}, "notify": {"capture": {}},
        }))
        .unwrap();
        let of_spec: Vec<&str> = spec.scraped().iter().map(|job| job.job).collect();
        let targets: Vec<Target> = of_spec
            .iter()
            .map(|job| {
                let labels = serde_json::json!({"labels": {"job": job, "instance": "a:1"}, "health": "up"});
                serde_json::from_value(labels).unwrap()
            })
            .collect();
        assert_eq!(jobs_without_targets(&spec, &targets).count(), 0);
        assert_eq!(jobs_without_targets(&spec, &targets[1..]).collect::<Vec<_>>(), of_spec[..1]);
        // As just after a start.
        assert_eq!(jobs_without_targets(&spec, &[]).count(), of_spec.len());
    }

    #[test]
    fn only_a_firing_critical_alert_makes_up_fail() {
        let alert = |severity: &str, state| ActiveAlert {
            labels: [("alertname", "AppDown"), ("severity", severity), ("instance", "10.0.0.2:9101")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            state,
            active_at: "2026-11-24T03:00:00Z".into(),
        };
        assert!(is_critical(&alert("critical", AlertState::Firing)));
        assert!(!is_critical(&alert("critical", AlertState::Pending)));
        assert!(!is_critical(&alert("warning", AlertState::Firing)));
        let error = alert_error(&alert("critical", AlertState::Firing));
        assert!(error.message().contains("`AppDown` is firing for `10.0.0.2:9101`"), "{error}");
        assert!(error.hint().unwrap().contains("monctl runbook AppDown"));
    }
}
